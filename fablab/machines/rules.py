"""What hours are made of: spans, the openings of a week, and wall times turned into instants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from fablab.errors import Refusal

# Every code the domain's verbs can refuse with, and what it means.
REFUSAL_CODES = {
    "hours_overlap": "Two of the opening hours are at the same time.",
    "ends_before_it_begins": "The end does not lie after the beginning.",
    "too_long": "It lasts longer than such a thing may.",
    "too_many": "There are as many of them as there may be.",
    "bad_rrule": "The rule of repetition cannot be used.",
    "rrule_without_end": "A series ends: its rule says how often, or until when.",
    "too_many_occurrences": "A rule of repetition gives more days than a series may have.",
    "not_proposed": "It is not a proposal any more.",
    "address_refused": "The address is not one that calendars are read from.",
    "unknown_lab": "There is no such lab.",
    "unknown_kind": "There is no such kind of machine.",
    "unknown_need": "The machine it needs is none of its lab.",
    "machine_exists": "There is a machine with this slug already.",
    "of_a_calendar": "It comes from a calendar elsewhere, and is changed there.",
}
MIDNIGHT = time(0, 0)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_DAYS = 366
# Openings a weekday may have: more is a slip, and every one is laid out for every day.
OPENINGS_A_DAY = 12
_DAY_MIN = 24 * 60
_WEEK_MIN = 7 * _DAY_MIN


@dataclass(frozen=True, order=True)
class Span:
    """A half-open span [starts_at, ends_at) of aware instants."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class OpenHours:
    """One open span of a weekday in wall time; Monday is 0.

    Closing at or before the opening time means on the next day: 22:00-02:00 is a night, 00:00-00:00 a whole
    day. ``supervised``: staff are there.
    """

    weekday: int
    opens: time
    closes: time
    supervised: bool = True


def covers(spans: Iterable[Span], wanted: Span) -> bool:
    """Whether one of the (joined) spans contains the wanted one whole."""
    return any(span.starts_at <= wanted.starts_at and wanted.ends_at <= span.ends_at for span in spans)


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that are sorted and apart."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.starts_at <= found[-1].ends_at:
            found[-1] = Span(found[-1].starts_at, max(found[-1].ends_at, span.ends_at))
        else:
            found.append(span)
    return found


def without(spans: Iterable[Span], taken: Sequence[Span]) -> list[Span]:
    """What of the spans lies in none of those taken; both sorted, the latter apart from one another."""
    left = []
    for span in spans:
        at = span.starts_at
        for each in taken:
            if each.ends_at <= at:
                continue
            if each.starts_at >= span.ends_at:
                break
            if at < each.starts_at:
                left.append(Span(at, each.starts_at))
            at = each.ends_at
        if at < span.ends_at:
            left.append(Span(at, span.ends_at))
    return left


def overlaps(week: Sequence[OpenHours]) -> list[tuple[int, int]]:
    """Pairs of openings, by their place in the week, that are open at the same time.

    The week goes round: a night that begins on Sunday reaches into Monday. Touching is no overlap.
    """
    starts = [(each.weekday * _DAY_MIN + _minutes(each.opens), place) for place, each in enumerate(week)]
    if len(week) < 2:
        return []
    order = sorted(starts, key=lambda pair: pair[0])
    around = [*order, (order[0][0] + _WEEK_MIN, order[0][1])]
    found = []
    for (start, place), (next_start, next_place) in pairwise(around):
        # None lasts longer than a day: one that does not reach the next reaches none after it.
        if start + length_min(week[place]) > next_start:
            found.append((place, next_place))
    return found


def week_refusals(week: Sequence[OpenHours], field: str = "openings") -> list[Refusal]:
    """Everything that is wrong with a week, each at the opening it concerns."""
    found = []
    for weekday, name in enumerate(WEEKDAYS):
        if sum(each.weekday == weekday for each in week) > OPENINGS_A_DAY:
            message = f"{name} has more than {OPENINGS_A_DAY} openings. Join some of them."
            found.append(Refusal("too_many", field, message))
    for first, second in overlaps(week):
        message = (
            f"{opening_in_words(week[first])} and {opening_in_words(week[second])} are at the same time. "
            "Let the second begin when the first ends, or later."
        )
        found.append(Refusal("hours_overlap", f"{field}.{second}.opens", message))
    return found


def opening_in_words(opening: OpenHours) -> str:
    """Such as "Monday 09:00-18:00"; closing on the next day says so."""
    text = f"{WEEKDAYS[opening.weekday]} {opening.opens:%H:%M}-{opening.closes:%H:%M}"
    night = opening.closes <= opening.opens and opening.closes != MIDNIGHT
    return f"{text} of the next day" if night else text


def days_refusals(starts_on: date, ends_on: date) -> list[Refusal]:
    """What is wrong with the days of a season, the last one included."""
    if ends_on < starts_on:
        message = f"It ends on {ends_on}, before it begins on {starts_on}. Give a later last day."
        return [Refusal("ends_before_it_begins", "ends_on", message)]
    if ends_on - starts_on >= timedelta(days=LONGEST_DAYS):
        message = f"A season has at most {LONGEST_DAYS} days. Change the usual hours instead."
        return [Refusal("too_long", "ends_on", message)]
    return []


def closure_refusals(local_starts: datetime, local_ends: datetime) -> list[Refusal]:
    """What is wrong with the span of a closure, in wall time."""
    if local_ends <= local_starts:
        message = (
            f"It ends at {local_ends:%Y-%m-%d %H:%M}, and begins at {local_starts:%Y-%m-%d %H:%M}. "
            "Give an end after the beginning."
        )
        return [Refusal("ends_before_it_begins", "local_ends", message)]
    if local_ends - local_starts > timedelta(days=LONGEST_DAYS):
        return [Refusal("too_long", "local_ends", f"A closure lasts {LONGEST_DAYS} days at most.")]
    return []


def length_min(opening: OpenHours) -> float:
    """Minutes by the clock on the wall from opening to closing, 24 hours at most."""
    length = _minutes(opening.closes) - _minutes(opening.opens)
    return length if length > 0 else length + _DAY_MIN


def _minutes(wall: time) -> float:
    return wall.hour * 60 + wall.minute + wall.second / 60


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a local day begins; where the clock skips midnight, that of the skip."""
    return instant_of(datetime.combine(day, MIDNIGHT), zone)


def instant_of(wall: datetime, zone: ZoneInfo, *, late: bool = False) -> datetime:
    """The instant, in UTC, at which the wall clock shows this (naive) time.

    Where the clock skips it, the instant of the skip; where it comes twice the first, or with ``late`` the
    last.
    """
    local = wall.replace(tzinfo=zone, fold=1 if late else 0)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall.replace(fold=0):
        return instant
    before, after = sorted((local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)))
    new_offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == new_offset:
            after = middle
        else:
            before = middle
    return after
