"""When a lab is open: wall-clock openings turned into instants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MIDNIGHT = time(0, 0)


@dataclass(frozen=True, order=True)
class Span:
    """A half-open span [starts_at, ends_at) of aware instants."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class OpenHours:
    """One open span of a weekday in wall time; Monday is 0. ``closes`` at 00:00 means the end of the day.

    ``supervised``: staff are there.
    """

    weekday: int
    opens: time
    closes: time
    supervised: bool = True


@dataclass(frozen=True)
class OpenDay:
    """A local day and when the lab is open on it; the list is empty on a closed day.

    ``supervised`` are those of the spans during which staff are there.
    """

    on: date
    spans: tuple[Span, ...]
    supervised: tuple[Span, ...] = ()


def open_spans(openings: Iterable[OpenHours], zone: str, since: datetime, until: datetime) -> list[Span]:
    """Every open instant in [since, until) as spans in UTC, sorted, joined where they touch."""
    joined: list[Span] = []
    for day in open_days(openings, zone, since, until):
        for span in day.spans:
            if joined and span.starts_at <= joined[-1].ends_at:
                joined[-1] = Span(joined[-1].starts_at, max(joined[-1].ends_at, span.ends_at))
            else:
                joined.append(span)
    return joined


def supervised_spans(
    openings: Iterable[OpenHours], zone: str, since: datetime, until: datetime
) -> list[Span]:
    """Every instant in [since, until) at which the lab is open and staff are there, as `open_spans` does."""
    return open_spans((each for each in openings if each.supervised), zone, since, until)


def open_days(
    openings: Iterable[OpenHours], zone: str, since: datetime, until: datetime
) -> Iterator[OpenDay]:
    """The local days that [since, until) touches, in order, each with its open spans cut to that range.

    A day on which the clock changes is as long as it is: an opening that the change falls into is an hour
    longer or shorter. An opening inside the hour that is skipped opens or closes at the change; in the hour
    that comes twice it opens the first time and closes the last time.
    """
    if until <= since:
        return
    tz = ZoneInfo(zone)
    hours = sorted(openings, key=lambda each: (each.weekday, each.opens))
    day = since.astimezone(tz).date()
    # One microsecond less: [.., midnight) does not touch the day that begins at midnight.
    last = (until - timedelta(microseconds=1)).astimezone(tz).date()
    while day <= last:
        spans, supervised = [], []
        for opening in hours:
            if opening.weekday != day.weekday():
                continue
            closes_on = day + timedelta(days=1) if opening.closes == MIDNIGHT else day
            starts = max(_instant(day, opening.opens, tz, fold=0), since)
            ends = min(_instant(closes_on, opening.closes, tz, fold=1 if closes_on == day else 0), until)
            if starts < ends:
                spans.append(Span(starts.astimezone(UTC), ends.astimezone(UTC)))
                supervised += spans[-1:] if opening.supervised else []
        yield OpenDay(day, tuple(spans), tuple(supervised))
        day += timedelta(days=1)


def covers(spans: Iterable[Span], wanted: Span) -> bool:
    """Whether one of the (joined) spans contains the wanted one whole."""
    return any(span.starts_at <= wanted.starts_at and wanted.ends_at <= span.ends_at for span in spans)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a local day begins; where the clock skips midnight, that of the skip."""
    return _instant(day, MIDNIGHT, zone, fold=0).astimezone(UTC)


def _instant(day: date, wall: time, zone: ZoneInfo, fold: int) -> datetime:
    """The instant at which the wall clock shows this time; where it skips it, the instant of the skip."""
    local = datetime.combine(day, wall, tzinfo=zone).replace(fold=fold)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    before, after = sorted(
        (local.replace(fold=fold).astimezone(UTC), local.replace(fold=1 - fold).astimezone(UTC))
    )
    new_offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == new_offset:
            after = middle
        else:
            before = middle
    return after
