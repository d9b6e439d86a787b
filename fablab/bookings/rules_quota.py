"""Local days, weeks and months, the hours of them that count, and what a booking takes of a quota. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from fablab.bookings.facts import QuotaUse
from fablab.bookings.wording import refusal
from fablab.errors import Refusal
from fablab.machines.rules import Span, instant_of, start_of_day

_ONE_DAY = timedelta(days=1)
EVENING = time(18)
SATURDAY = 5
# So many days after its first day, a period is over and the next one has begun.
_NEXT = {"day": 1, "week": 7, "month": 32}


def quota_refusals(quotas: Iterable[QuotaUse]) -> Iterator[Refusal]:
    """One refusal for every quota and period in which the booking would not fit any more."""
    for each in quotas:
        if each.used_s + each.asked_s > each.limit_s:
            yield _used_up(each)


def periods(wanted: Span, zone: str, period: str) -> list[Span]:
    """The local days, weeks (from Monday) or months that the span touches, in order, without gap or overlap.

    A day with a change of the clock is an hour longer or shorter than 24.
    """
    tz = ZoneInfo(zone)
    day = _first_day(wanted.starts_at.astimezone(tz).date(), period)
    found = []
    starts_at = start_of_day(day, tz)
    while starts_at < wanted.ends_at:
        day = _first_day(day + timedelta(days=_NEXT[period]), period)
        ends_at = start_of_day(day, tz)
        found.append(Span(starts_at, ends_at))
        starts_at = ends_at
    return found


def bands(period: Span, zone: str, band: str | None) -> list[Span]:
    """The hours of a period that count: all (None), "evening" (18:00 to midnight) or "weekend"."""
    if band is None:
        return [period]
    tz = ZoneInfo(zone)
    day, last = local_days(period, zone)
    found = []
    while day <= last:
        if band == "evening":
            starts_at = instant_of(datetime.combine(day, EVENING), tz)
            found.append(Span(starts_at, start_of_day(day + _ONE_DAY, tz)))
        elif day.weekday() >= SATURDAY:
            found.append(Span(start_of_day(day, tz), start_of_day(day + _ONE_DAY, tz)))
        day += _ONE_DAY
    return found


def seconds_within(wanted: Span, period: Span) -> int:
    """How many of the span's seconds lie in the period."""
    shared = min(wanted.ends_at, period.ends_at) - max(wanted.starts_at, period.starts_at)
    return max(0, int(shared.total_seconds()))


def local_days(span: Span, zone: str) -> tuple[date, date]:
    """The first and the last local day of a period."""
    tz = ZoneInfo(zone)
    first, after = (at.astimezone(tz).date() for at in (span.starts_at, span.ends_at))
    return first, after - _ONE_DAY


def _used_up(quota: QuotaUse) -> Refusal:
    """Which quota, what is used and left, what is asked, and what to do."""
    first, last = local_days(quota.span, quota.zone)
    left_s = quota.limit_s - quota.used_s
    return refusal(
        "organisation_quota",
        "organisation",
        case=f"{quota.period}_{'nothing' if left_s < 60 else 'some'}_left",
        organisation=quota.organisation,
        limit=timedelta(seconds=quota.limit_s),
        machines="" if quota.kind is None else f" ({quota.kind})",
        first=first,
        last=last,
        used=_whole_minutes(quota.used_s),
        left=_whole_minutes(left_s),
        asked=_whole_minutes(quota.asked_s),
    )


def _whole_minutes(seconds: int) -> timedelta:
    return timedelta(minutes=max(0, seconds) // 60)


def _first_day(day: date, period: str) -> date:
    if period == "day":
        return day
    return day - timedelta(days=day.weekday()) if period == "week" else day.replace(day=1)
