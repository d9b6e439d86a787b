"""What a series asks for: its occurrences as requests in wall time, and what became of each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from fablab.bookings.facts import BookingRequest
from fablab.bookings.wording import refusal
from fablab.errors import Refusal
from fablab.machines.recurrence import BadRule, Recurrence, instants, occurrences, parse
from fablab.machines.rules import Span

# What becomes of an occurrence beside the states of a booking.
REFUSED, SKIPPED = "refused", "skipped"
REFUSAL_CODES = {
    "no_such_time": "The clock skips that time on that day.",
    "no_such_occurrence": "The series has nothing ahead on that day, or it was not said which day is meant.",
    "occurrence_booked": "That date of the series is booked already.",
    "series_over": "No date of the series is still to come.",
    "not_in_lab": "The lab has no such machine or kind to book.",
    "unknown_preset": "There is no such preset.",
    "preset_exists": "The lab has a preset of that name already.",
    "preset_begins_late": "No step of the preset begins with the booking.",
}
_END_OF_DAY = time(23, 59, 59)


@dataclass(frozen=True)
class SeriesRequest:
    """The first occurrence, and the rule (RFC 5545) by which it comes again.

    ``skip``: what cannot be booked is left out, and said; otherwise nothing is booked unless all can be.
    """

    first: BookingRequest
    rrule: str
    skip: bool = False


@dataclass(frozen=True)
class Planned:
    """An occurrence as the rule places it, and what is asked for: None where clocks skip that time."""

    at: datetime
    request: BookingRequest | None


@dataclass(frozen=True)
class Occurrence:
    """What became of an occurrence, or would: a state of a booking, or refused or skipped and why.

    ``at`` is the wall time at which the rule places it. ``starts_at`` and ``ends_at`` are None where clocks
    skip all of it.
    """

    at: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    verdict: str
    refusals: tuple[Refusal, ...] = ()
    booking_id: int | None = None
    # Codes of the refusals for which it was skipped once.
    reason: str = ""

    @property
    def why(self) -> list[str]:
        """The codes that speak against it, now or when it was skipped."""
        return [each for each in (codes(self.refusals) or self.reason).split(", ") if each]


@dataclass(frozen=True)
class Plan:
    """A series laid out: its rule, the first occurrence in wall time, and all of them in order."""

    rule: Recurrence
    local_starts: datetime
    local_ends: datetime
    planned: tuple[Planned, ...]


def lay_out(request: SeriesRequest, zone: str) -> Plan | Refusal:
    """Every occurrence keeps the wall time of the first; or why there can be none."""
    tz = ZoneInfo(zone)
    first = request.first.in_whole_seconds()
    local_starts, local_ends = (
        at.astimezone(tz).replace(tzinfo=None) for at in (first.starts_at, first.ends_at)
    )
    if first.ends_at <= first.starts_at or local_ends <= local_starts:
        return refusal("ends_before_start", "ends_at")
    try:
        rule = parse(request.rrule, zone)
        walls = occurrences(rule, local_starts)
    except BadRule as bad:
        return bad.refusal
    lasts = local_ends - local_starts
    # The first is what was asked for, also in the second of two hours that look alike.
    rest = (Planned(at, _request(first, at, lasts, zone)) for at in walls[1:])
    planned = (Planned(local_starts, first), *rest)
    return Plan(until_day(rule, walls[-1]), local_starts, local_ends, planned)


def until_day(rule: Recurrence, last: datetime) -> Recurrence:
    """The same rule, its end said as the day of its last one: so it holds at another time of day, too."""
    if rule.until is None:
        return rule
    return replace(rule, until=datetime.combine(last.date(), _END_OF_DAY))


def _request(first: BookingRequest, at: datetime, lasts: timedelta, zone: str) -> BookingRequest | None:
    span = instants(at, at + lasts, zone)
    return None if span is None else replace(first, starts_at=span.starts_at, ends_at=span.ends_at)


def no_such_time(at: datetime) -> Refusal:
    """Why an occurrence without instants cannot be booked."""
    return refusal("no_such_time", "starts_at", day=at.date())


def numbered(occurrences: Sequence[Occurrence]) -> list[Refusal]:
    """All refusals, their fields saying which occurrence they are about, counted from 0."""
    return [
        replace(each, field=f"occurrences.{number}.{each.field}")
        for number, occurrence in enumerate(occurrences)
        for each in occurrence.refusals
    ]


def codes(refusals: Sequence[Refusal]) -> str:
    """Why an occurrence was skipped, as it is kept."""
    return ", ".join(dict.fromkeys(each.code for each in refusals))[:200]


def cut(rule: Recurrence, local_starts: datetime, at: datetime) -> tuple[Recurrence | None, Recurrence]:
    """The rule before an occurrence and from it on, which begins there; None: there is nothing before it.

    ``at`` is one of the rule's occurrences.
    """
    if at <= local_starts:
        return None, rule
    day_before = datetime.combine(at.date() - timedelta(days=1), _END_OF_DAY)
    if rule.count is None:
        return replace(rule, until=day_before), rule
    before = sum(each < at for each in occurrences(rule, local_starts))
    return replace(rule, count=before), replace(rule, count=rule.count - before)


def span_of(at: datetime, local_starts: datetime, local_ends: datetime, zone: str) -> Span | None:
    """The instants of an occurrence of a series whose first one lasts between these wall times."""
    return instants(at, at + (local_ends - local_starts), zone)
