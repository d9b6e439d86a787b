"""Weeks and months of a lab's calendar, and how much of a quota a booking takes in each of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.bookings.facts import QuotaUse
from fablab.bookings.rules_quota import local_days, periods, quota_refusals, seconds_within
from fablab.machines.rules import Span

MOROCCO = "Africa/Casablanca"
ZONE = ZoneInfo(MOROCCO)
HOUR = 3600
# The clocks go back an hour for Ramadan on 15 February 2026 and forward again on 22 March.
RAMADAN = datetime(2026, 2, 1, tzinfo=UTC)
instants = st.integers(0, 70 * 86400).map(lambda s: RAMADAN + timedelta(seconds=s))
spans = st.builds(lambda at, s: Span(at, at + timedelta(seconds=s)), instants, st.integers(1, 40 * 86400))


def wall(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=ZONE).astimezone(UTC)


def use(limit_h: float = 20, used_h: float = 18, asked_h: float = 3, kind: str | None = None) -> QuotaUse:
    week = Span(wall(2027, 1, 25), wall(2027, 2, 1))
    figures = (int(each * HOUR) for each in (limit_h, used_h, asked_h))
    return QuotaUse("Atlas Club", "week", kind, week, MOROCCO, *figures)


@given(spans, st.sampled_from(["week", "month"]))
def test_no_second_is_lost_or_counted_twice(span: Span, period: str) -> None:
    found = periods(span, MOROCCO, period)
    assert (
        sum(seconds_within(span, each) for each in found) == (span.ends_at - span.starts_at).total_seconds()
    )
    assert all(before.ends_at == after.starts_at for before, after in pairwise(found))
    assert all(seconds_within(span, each) > 0 for each in found)


@given(spans, st.sampled_from(["week", "month"]), st.integers(0, 100))
def test_two_halves_take_what_the_whole_takes(span: Span, period: str, percent: int) -> None:
    seconds = int((span.ends_at - span.starts_at).total_seconds())
    middle = span.starts_at + timedelta(seconds=seconds * percent // 100)
    for each in periods(span, MOROCCO, period):
        halves = (Span(span.starts_at, middle), Span(middle, span.ends_at))
        assert sum(seconds_within(half, each) for half in halves) == seconds_within(span, each)


@given(spans, st.sampled_from([MOROCCO, "UTC", "Asia/Beirut", "America/Sao_Paulo"]))
def test_periods_begin_with_the_local_day(span: Span, zone: str) -> None:
    tz = ZoneInfo(zone)
    for week in periods(span, zone, "week"):
        starts = week.starts_at.astimezone(tz)
        assert starts.weekday() == 0
        # No instant before it is on that day, in whichever way the clock moves.
        assert (week.starts_at - timedelta(seconds=1)).astimezone(tz).date() < starts.date()
    for month in periods(span, zone, "month"):
        assert month.starts_at.astimezone(tz).day == 1


@pytest.mark.parametrize(("day", "hours"), [(15, 169), (22, 168)])
def test_the_week_in_which_ramadan_begins_is_an_hour_longer(day: int, hours: int) -> None:
    noon = datetime.combine(date(2026, 2, day), time(12), ZONE).astimezone(UTC)
    (week,) = periods(Span(noon, noon + timedelta(hours=1)), MOROCCO, "week")
    assert week.ends_at - week.starts_at == timedelta(hours=hours)


def test_the_week_in_which_it_ends_is_an_hour_shorter() -> None:
    (week,) = periods(Span(wall(2026, 3, 20), wall(2026, 3, 21)), MOROCCO, "week")
    assert week.ends_at - week.starts_at == timedelta(hours=167)


def test_a_night_over_sunday_counts_in_both_weeks() -> None:
    night = Span(wall(2027, 1, 31, 22), wall(2027, 2, 1, 6))
    assert [seconds_within(night, each) for each in periods(night, MOROCCO, "week")] == [2 * HOUR, 6 * HOUR]
    assert [seconds_within(night, each) for each in periods(night, MOROCCO, "month")] == [
        2 * HOUR,
        6 * HOUR,
    ]


def test_the_night_in_which_the_clock_goes_back_counts_its_hour_twice() -> None:
    """From Saturday 22:00 to Monday 01:00 there are 28 hours, 27 of them before Monday."""
    night = Span(wall(2026, 2, 14, 22), wall(2026, 2, 16, 1))
    assert [seconds_within(night, each) for each in periods(night, MOROCCO, "week")] == [27 * HOUR, HOUR]


def test_what_fits_to_the_second_is_not_refused() -> None:
    assert list(quota_refusals([use(asked_h=2)])) == []
    assert list(quota_refusals([])) == []


def test_a_second_more_is_refused_with_what_is_left_and_when() -> None:
    (refusal,) = quota_refusals([use(asked_h=2 + 1 / 3600)])
    assert (refusal.code, refusal.field) == ("organisation_quota", "organisation")
    (refusal,) = quota_refusals([use(kind="3D printer")])
    assert refusal.message.startswith(
        "Atlas Club may book 20 hours of machine time (3D printer) a week. "
        "From 25 January 2027 to 31 January 2027 it has booked 18 hours, which leaves 2 hours; "
        "this booking takes 3 hours."
    )


def test_a_quota_that_was_lowered_leaves_nothing() -> None:
    (refusal,) = quota_refusals([use(limit_h=10)])
    assert "which leaves nothing" in refusal.message


def test_every_quota_and_period_that_is_too_small_is_named() -> None:
    assert len(list(quota_refusals([use(), use(kind="3D printer"), use(limit_h=100)]))) == 2


def test_a_period_is_named_by_its_own_days() -> None:
    assert local_days(use().span, MOROCCO) == (date(2027, 1, 25), date(2027, 1, 31))
