"""Seasons, closures, machines with hours of their own, and those that run unattended."""

# ruff: noqa: DTZ001 - wall times have no zone

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.machines.hours import Closure, Hours, MachineHours, Season
from fablab.machines.rules import (
    OPENINGS_A_DAY,
    OpenHours,
    Span,
    closure_refusals,
    days_refusals,
    joined,
    length_min,
    overlaps,
    week_refusals,
    without,
)
from tests.support.zones import MOROCCO_WITH_RAMADAN, zone_data

CASABLANCA = "Africa/Casablanca"
TZ = ZoneInfo(CASABLANCA)
LASER, PRINTER, BENCH = 1, 2, 3
NINE_TO_SIX = tuple(OpenHours(weekday, time(9), time(18)) for weekday in range(7))
TEN_TO_FOUR = tuple(OpenHours(weekday, time(10), time(16)) for weekday in range(7))
RAMADAN = Season(1, "Ramadan 1447", date(2026, 2, 18), date(2026, 3, 19), 10)


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=TZ)  # type: ignore[arg-type,misc]


def of_day(hours: MachineHours, on: date) -> list[tuple[str, str]]:
    return [
        (f"{span.starts_at.astimezone(TZ):%H:%M}", f"{span.ends_at.astimezone(TZ):%H:%M}")
        for span in hours.day(on).spans
    ]


def lab(*closures: Closure, seasons: Iterable[Season] = (), **weeks: tuple[OpenHours, ...]) -> Hours:
    """``usual``, ``in_season``, ``laser``, ``laser_in_season`` are weeks; the season's number is 1."""
    keys = {
        "usual": (None, None),
        "in_season": (None, 1),
        "laser": (LASER, None),
        "laser_in_season": (LASER, 1),
    }
    return Hours(CASABLANCA, {keys[name]: week for name, week in weeks.items()}, tuple(seasons), closures)


def test_a_season_has_other_hours_from_its_first_day_to_its_last() -> None:
    hours = lab(seasons=[RAMADAN], usual=NINE_TO_SIX, in_season=TEN_TO_FOUR).of(None)
    days = [date(2026, 2, 17), RAMADAN.starts_on, RAMADAN.ends_on, date(2026, 3, 20)]
    assert [of_day(hours, day) for day in days] == [
        [("09:00", "18:00")],
        [("10:00", "16:00")],
        [("10:00", "16:00")],
        [("09:00", "18:00")],
    ]
    assert [hours.day(day).season for day in days] == [None, "Ramadan 1447", "Ramadan 1447", None]


def test_a_season_without_openings_is_closed() -> None:
    hours = lab(seasons=[RAMADAN], usual=NINE_TO_SIX).of(None)
    assert hours.day(date(2026, 3, 1)).spans == ()
    assert hours.day(date(2026, 3, 1)).season == "Ramadan 1447"


def test_where_seasons_overlap_the_priority_counts_then_the_later_start() -> None:
    exams = Season(2, "Exams", date(2026, 3, 1), date(2026, 3, 10))
    week = tuple(OpenHours(weekday, time(6), time(7)) for weekday in range(7))
    weeks = {(None, None): NINE_TO_SIX, (None, 1): TEN_TO_FOUR, (None, 2): week}
    first = Hours(CASABLANCA, weeks, (RAMADAN, exams)).of(None)
    assert first.day(date(2026, 3, 5)).season == "Ramadan 1447"
    equal = Hours(CASABLANCA, weeks, (Season(1, "Ramadan", RAMADAN.starts_on, RAMADAN.ends_on), exams)).of(
        None
    )
    assert equal.day(date(2026, 3, 5)).season == "Exams"


def test_a_machine_s_own_week_goes_before_the_lab_s_and_in_a_season_the_lab_s_season_before_its_own() -> None:
    early = tuple(OpenHours(weekday, time(7), time(8)) for weekday in range(7))
    hours = lab(seasons=[RAMADAN], usual=NINE_TO_SIX, in_season=TEN_TO_FOUR, laser=early)
    assert of_day(hours.of(LASER), date(2026, 2, 2)) == [("07:00", "08:00")]
    assert of_day(hours.of(LASER), date(2026, 3, 2)) == [("10:00", "16:00")]
    assert of_day(hours.of(BENCH), date(2026, 2, 2)) == [("09:00", "18:00")]
    own = lab(seasons=[RAMADAN], usual=NINE_TO_SIX, in_season=TEN_TO_FOUR, laser_in_season=early)
    assert of_day(own.of(LASER), date(2026, 3, 2)) == [("07:00", "08:00")]


def test_machines_without_hours_of_their_own_share_one_object() -> None:
    hours = lab(usual=NINE_TO_SIX, laser=TEN_TO_FOUR)
    assert hours.of(BENCH) is hours.of(PRINTER) is hours.of(None)
    assert hours.of(LASER) is not hours.of(None)
    assert hours.of(PRINTER, unattended=True) is not hours.of(None)


def test_a_night_before_a_season_ends_as_it_began() -> None:
    night = tuple(OpenHours(weekday, time(22), time(2)) for weekday in range(7))
    hours = lab(seasons=[RAMADAN], usual=night).of(None)
    [span] = hours.open_spans(local(2026, 2, 17, 12), local(2026, 2, 18, 12))
    assert span == Span(local(2026, 2, 17, 22), local(2026, 2, 18, 2))


def test_a_closure_cuts_the_hours_it_lies_in() -> None:
    closure = Closure("Inventory", datetime(2026, 1, 12, 12), datetime(2026, 1, 12, 14))
    hours = lab(closure, usual=NINE_TO_SIX).of(None)
    assert of_day(hours, date(2026, 1, 12)) == [("09:00", "12:00"), ("14:00", "18:00")]
    assert hours.day(date(2026, 1, 12)).closure == "Inventory"
    assert hours.day(date(2026, 1, 13)).closure is None


def test_a_closure_of_whole_days_closes_the_night_that_reaches_into_them_too() -> None:
    night = tuple(OpenHours(weekday, time(22), time(2)) for weekday in range(7))
    holiday = Closure("Throne Day", datetime(2026, 1, 14), datetime(2026, 1, 15))
    hours = lab(holiday, usual=night).of(None)
    spans = hours.open_spans(local(2026, 1, 13, 12), local(2026, 1, 15, 12))
    assert spans == [
        Span(local(2026, 1, 13, 22), local(2026, 1, 14)),
        Span(local(2026, 1, 15), local(2026, 1, 15, 2)),
    ]
    assert hours.day(date(2026, 1, 13)).closure is None


def test_a_closure_that_is_repeated_closes_each_time() -> None:
    monthly = Closure(
        "Cleaning",
        datetime(2026, 1, 5, 9),
        datetime(2026, 1, 5, 11),
        again=lambda since, until: (
            start for month in range(1, 13) if since <= (start := datetime(2026, month, 5, 9)) < until
        ),
    )
    hours = lab(monthly, usual=NINE_TO_SIX).of(None)
    assert of_day(hours, date(2026, 6, 5)) == [("11:00", "18:00")]
    assert of_day(hours, date(2026, 6, 6)) == [("09:00", "18:00")]


def test_a_closure_of_one_machine_leaves_the_others_open() -> None:
    closure = Closure("Repair", datetime(2026, 1, 12), datetime(2026, 1, 13), machine_id=LASER)
    hours = lab(closure, usual=NINE_TO_SIX)
    assert of_day(hours.of(LASER), date(2026, 1, 12)) == []
    assert of_day(hours.of(BENCH), date(2026, 1, 12)) == [("09:00", "18:00")]
    assert of_day(hours.of(None), date(2026, 1, 12)) == [("09:00", "18:00")]


@pytest.mark.parametrize(
    ("closure", "open_s"),
    [
        (Closure("Holiday", datetime(2026, 1, 12), datetime(2026, 1, 13)), 2 * 86400),
        (Closure("No power", datetime(2026, 1, 12), datetime(2026, 1, 13), unattended_too=True), 86400),
        (Closure("Repair", datetime(2026, 1, 12), datetime(2026, 1, 13), machine_id=PRINTER), 86400),
        (Closure("Other", datetime(2026, 1, 12), datetime(2026, 1, 13), machine_id=LASER), 2 * 86400),
    ],
    ids=lambda value: value.label if isinstance(value, Closure) else "",
)
def test_what_runs_unattended_stands_still_only_for_closures_that_bind_it(
    closure: Closure, open_s: int
) -> None:
    hours = lab(closure, usual=NINE_TO_SIX).of(PRINTER, unattended=True)
    spans = hours.open_spans(local(2026, 1, 12), local(2026, 1, 14))
    assert sum((span.ends_at - span.starts_at).total_seconds() for span in spans) == open_s


def test_staff_are_there_in_supervised_hours_that_no_closure_takes_also_where_it_runs_unattended() -> None:
    week = (OpenHours(0, time(9), time(12)), OpenHours(0, time(12), time(18), supervised=False))
    closure = Closure("Lesson", datetime(2026, 1, 12, 10), datetime(2026, 1, 12, 11))
    for unattended in (False, True):
        hours = lab(closure, usual=week).of(PRINTER, unattended)
        assert hours.supervised_spans(local(2026, 1, 12), local(2026, 1, 14)) == [
            Span(local(2026, 1, 12, 9), local(2026, 1, 12, 10)),
            Span(local(2026, 1, 12, 11), local(2026, 1, 12, 12)),
        ]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 2, 15), 25), (date(2026, 3, 22), 23)])
def test_what_runs_unattended_is_free_as_long_as_the_day_is(day: date, hours: int) -> None:
    [span] = lab(usual=()).of(PRINTER, unattended=True).day(day).spans
    assert span.ends_at - span.starts_at == timedelta(hours=hours)


def test_days_are_laid_out_once_and_forgotten_when_they_are_many() -> None:
    hours = lab(usual=NINE_TO_SIX).of(None)
    assert hours.day(date(2026, 1, 1)) is hours.day(date(2026, 1, 1))
    spans = hours.open_spans(local(2026, 1, 1), local(2029, 1, 1))
    assert len(spans) == 366 + 365 * 2


def test_ramadan_2027_keeps_its_wall_time_while_the_clock_moves(tmp_path: Path) -> None:
    """By the data that has the decrees: back at 02:00 UTC on 7 February, forward on 14 March."""
    night = tuple(OpenHours(weekday, time(22), time(3)) for weekday in range(7))
    season = Season(1, "Ramadan 1448", date(2027, 2, 8), date(2027, 3, 9))
    with zone_data(tmp_path, CASABLANCA, MOROCCO_WITH_RAMADAN):
        hours = lab(seasons=[season], usual=NINE_TO_SIX, in_season=night).of(None)
        lengths = {}
        for day in (
            date(2027, 2, 5),
            date(2027, 2, 7),
            date(2027, 2, 8),
            date(2027, 3, 9),
            date(2027, 3, 14),
        ):
            [span] = hours.day(day).spans
            lengths[f"{day:%m-%d}"] = (
                f"{span.starts_at:%H}-{span.ends_at:%H}",
                span.ends_at - span.starts_at,
            )
        assert lengths == {
            # The clock is an hour ahead of UTC, then with it, then ahead again.
            "02-05": ("08-17", timedelta(hours=9)),
            "02-07": ("09-18", timedelta(hours=9)),
            "02-08": ("22-03", timedelta(hours=5)),
            "03-09": ("22-03", timedelta(hours=5)),
            "03-14": ("08-17", timedelta(hours=9)),
        }
        always = lab(usual=tuple(OpenHours(weekday, time(0), time(0)) for weekday in range(7))).of(None)
        for day, length in ((date(2027, 2, 7), 25), (date(2027, 3, 14), 23), (date(2027, 2, 8), 24)):
            [span] = always.day(day).spans
            assert span.ends_at - span.starts_at == timedelta(hours=length)


# Weeks that overlap.


@pytest.mark.parametrize(
    ("week", "pairs"),
    [
        ([OpenHours(0, time(9), time(13)), OpenHours(0, time(12), time(18))], [(0, 1)]),
        ([OpenHours(0, time(9), time(13)), OpenHours(0, time(9), time(18))], [(0, 1)]),
        ([OpenHours(0, time(9), time(12)), OpenHours(0, time(12), time(18))], []),
        ([OpenHours(6, time(22), time(2)), OpenHours(0, time(1), time(8))], [(0, 1)]),
        ([OpenHours(6, time(22), time(2)), OpenHours(0, time(2), time(8))], []),
        ([OpenHours(2, time(0), time(0)), OpenHours(3, time(0), time(0))], []),
        ([OpenHours(2, time(9), time(9)), OpenHours(3, time(8), time(10))], [(0, 1)]),
        ([OpenHours(2, time(9), time(9))], []),
    ],
)
def test_openings_at_the_same_time_are_found(week: list[OpenHours], pairs: list[tuple[int, int]]) -> None:
    assert overlaps(week) == pairs


def test_an_overlap_is_refused_with_the_day_and_both_openings() -> None:
    week = [OpenHours(1, time(9), time(13)), OpenHours(1, time(12), time(18))]
    [refusal] = week_refusals(week)
    assert (refusal.code, refusal.field) == ("hours_overlap", "openings.1.opens")
    assert "Tuesday 09:00-13:00 and Tuesday 12:00-18:00" in refusal.message


def test_a_day_in_a_hundred_pieces_is_refused() -> None:
    week = [OpenHours(4, time(each), time(each, 30)) for each in range(OPENINGS_A_DAY + 1)]
    assert [each.code for each in week_refusals(week)] == ["too_many"]


walls = st.times().map(lambda wall: wall.replace(second=0, microsecond=0))
openings = st.builds(OpenHours, st.integers(0, 6), walls, walls)


@given(st.lists(openings, max_size=6))
def test_a_week_overlaps_when_and_only_when_some_minute_is_open_twice(week: list[OpenHours]) -> None:
    minutes = [
        (each.weekday * 1440 + each.opens.hour * 60 + each.opens.minute + step) % 10080
        for each in week
        for step in range(int(length_min(each)))
    ]
    assert bool(overlaps(week)) == (len(minutes) != len(set(minutes)))


# Days and spans that cannot be.


def test_a_season_that_ends_before_it_begins_is_refused_at_its_end() -> None:
    [refusal] = days_refusals(date(2027, 3, 9), date(2027, 2, 8))
    assert (refusal.code, refusal.field) == ("ends_before_it_begins", "ends_on")
    assert days_refusals(date(2027, 2, 8), date(2027, 2, 8)) == []


def test_a_season_of_more_than_a_year_is_refused() -> None:
    assert [each.code for each in days_refusals(date(2027, 1, 1), date(2028, 1, 2))] == ["too_long"]
    assert days_refusals(date(2028, 1, 1), date(2028, 12, 31)) == []


def test_a_closure_ends_after_it_begins_and_within_a_year() -> None:
    at = datetime(2027, 1, 11)
    assert [each.code for each in closure_refusals(at, at)] == ["ends_before_it_begins"]
    assert [each.code for each in closure_refusals(at, at + timedelta(days=367))] == ["too_long"]
    assert closure_refusals(at, at + timedelta(days=366)) == []


# Arithmetic of spans, against minutes counted one by one.


def at(minute: int) -> datetime:
    return datetime(2027, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)


some_spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 30)).map(
        lambda pair: Span(at(pair[0]), at(pair[0] + pair[1]))
    ),
    max_size=6,
)


def minutes_of(spans: Iterable[Span]) -> set[datetime]:
    return {
        span.starts_at + timedelta(minutes=each)
        for span in spans
        for each in range(int((span.ends_at - span.starts_at).total_seconds() // 60))
    }


@given(some_spans, some_spans)
def test_what_is_left_is_what_was_there_and_is_not_taken(spans: list[Span], taken: list[Span]) -> None:
    left = without(joined(spans), joined(taken))
    assert minutes_of(left) == minutes_of(spans) - minutes_of(taken)
    assert all(one.ends_at <= other.starts_at for one, other in pairwise(left))


@given(some_spans)
def test_joined_spans_hold_the_same_time_and_are_apart(spans: list[Span]) -> None:
    found = joined(spans)
    assert minutes_of(found) == minutes_of(spans)
    assert all(one.ends_at < other.starts_at for one, other in pairwise(found))
