"""How much of an organisation's quota a booking takes, in which local week or month. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from fablab.bookings.facts import QuotaUse
from fablab.bookings.wording import hours
from fablab.errors import Refusal
from fablab.machines.rules import Span, start_of_day

_ONE_DAY = timedelta(days=1)


def quota_refusals(quotas: Iterable[QuotaUse]) -> Iterator[Refusal]:
    """One refusal for every quota and period in which the booking would not fit any more."""
    for each in quotas:
        if each.used_s + each.asked_s > each.limit_s:
            yield Refusal("organisation_quota", "organisation", _sentence(each))


def periods(wanted: Span, zone: str, period: str) -> list[Span]:
    """The local weeks (from Monday) or months that the span touches, in order, without gap or overlap.

    A week with a change of the clock is an hour longer or shorter than 168.
    """
    tz = ZoneInfo(zone)
    day = _first_day(wanted.starts_at.astimezone(tz).date(), period)
    found = []
    starts_at = start_of_day(day, tz)
    while starts_at < wanted.ends_at:
        day = _first_day(day + timedelta(days=7 if period == "week" else 32), period)
        ends_at = start_of_day(day, tz)
        found.append(Span(starts_at, ends_at))
        starts_at = ends_at
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


def _sentence(quota: QuotaUse) -> str:
    """Which quota, what is used and left, what is asked, and what to do."""
    first, last = local_days(quota.span, quota.zone)
    machines = f"machine time ({quota.kind})" if quota.kind else "machine time"
    left_s = quota.limit_s - quota.used_s
    left = hours(left_s) if left_s >= 60 else "nothing"
    return (
        f"{quota.organisation} may book {hours(quota.limit_s)} of {machines} a {quota.period}. "
        f"From {_day(first)} to {_day(last)} it has booked {hours(quota.used_s)}, which leaves {left}; "
        f"this booking takes {hours(quota.asked_s)}. "
        f"Shorten it, choose another {quota.period}, or book in your own name."
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"


def _first_day(day: date, period: str) -> date:
    return day - timedelta(days=day.weekday()) if period == "week" else day.replace(day=1)
