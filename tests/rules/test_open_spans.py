"""When a lab is open, over ordinary days, nights, and the days on which the clock moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.machines.hours import Hours, OpenDay
from fablab.machines.rules import OpenHours, Span, covers

CASABLANCA = "Africa/Casablanca"
# Ramadan 1447: at 02:00 UTC the clock went back from +01 to +00, and forward again five weeks later.
# Past changes are used, because the next ones are decreed and decreed again.
BACK, FORWARD = date(2026, 2, 15), date(2026, 3, 22)
NINE_TO_SIX = [OpenHours(weekday, time(9), time(18)) for weekday in range(7)]
ZONES = (CASABLANCA, "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu")


def open_spans(week: Sequence[OpenHours], zone: str, since: datetime, until: datetime) -> list[Span]:
    """Of a lab that keeps this week all year."""
    return Hours(zone, {(None, None): tuple(week)}).of(None).open_spans(since, until)


def open_days(week: Sequence[OpenHours], zone: str, since: datetime, until: datetime) -> Iterator[OpenDay]:
    return Hours(zone, {(None, None): tuple(week)}).of(None).open_days(since, until)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def day_of(day: date, zone: str = CASABLANCA) -> tuple[datetime, datetime]:
    midnight = datetime.combine(day, time(0), ZoneInfo(zone))
    return midnight, datetime.combine(day + timedelta(days=1), time(0), ZoneInfo(zone))


def seconds(spans: list[Span]) -> float:
    return sum((span.ends_at - span.starts_at).total_seconds() for span in spans)


def test_no_opening_means_closed() -> None:
    assert open_spans([], CASABLANCA, utc(2026, 1, 9), utc(2026, 2, 9)) == []


def test_an_empty_range_has_no_spans() -> None:
    assert open_spans(NINE_TO_SIX, CASABLANCA, utc(2026, 1, 10), utc(2026, 1, 9)) == []


def test_a_day_is_open_in_the_labs_wall_time() -> None:
    spans = open_spans(NINE_TO_SIX, CASABLANCA, *day_of(date(2026, 2, 7)))
    assert spans == [Span(utc(2026, 2, 7, 8), utc(2026, 2, 7, 17))]


def test_in_ramadan_the_same_wall_time_is_another_instant() -> None:
    spans = open_spans(NINE_TO_SIX, CASABLANCA, *day_of(date(2026, 2, 28)))
    assert spans == [Span(utc(2026, 2, 28, 9), utc(2026, 2, 28, 18))]


@pytest.mark.parametrize(("day", "hours"), [(BACK, 25), (FORWARD, 23), (date(2026, 2, 28), 24)])
def test_a_lab_that_never_closes_is_open_for_as_long_as_the_day_is(day: date, hours: int) -> None:
    always = [OpenHours(weekday, time(0), time(0)) for weekday in range(7)]
    assert seconds(open_spans(always, CASABLANCA, *day_of(day))) == hours * 3600


def test_closing_at_midnight_joins_the_next_day() -> None:
    week = [OpenHours(0, time(20), time(0)), OpenHours(1, time(0), time(2))]
    spans = open_spans(week, CASABLANCA, utc(2026, 1, 12), utc(2026, 1, 14))
    assert spans == [Span(utc(2026, 1, 12, 19), utc(2026, 1, 13, 1))]


def test_a_night_ends_on_the_next_day_and_belongs_to_the_one_it_begins_on() -> None:
    week = [OpenHours(0, time(22), time(2))]
    days = list(open_days(week, CASABLANCA, utc(2026, 1, 12, 12), utc(2026, 1, 13, 12)))
    assert [(day.on.day, day.spans) for day in days] == [
        (12, (Span(utc(2026, 1, 12, 21), utc(2026, 1, 13, 1)),)),
        (13, ()),
    ]


def test_a_range_that_begins_in_a_night_holds_the_rest_of_it() -> None:
    week = [OpenHours(0, time(22), time(2))]
    after_midnight = utc(2026, 1, 13, 0), utc(2026, 1, 13, 12)
    assert open_spans(week, CASABLANCA, *after_midnight) == [Span(utc(2026, 1, 13, 0), utc(2026, 1, 13, 1))]
    [night, tuesday] = open_days(week, CASABLANCA, *after_midnight)
    assert (night.on.day, tuesday.on.day, tuesday.spans) == (12, 13, ())


def test_a_sunday_night_reaches_into_monday() -> None:
    week = [OpenHours(6, time(22), time(2)), OpenHours(0, time(2), time(8))]
    spans = open_spans(week, CASABLANCA, utc(2026, 1, 11, 12), utc(2026, 1, 12, 12))
    assert spans == [Span(utc(2026, 1, 11, 21), utc(2026, 1, 12, 7))]


@pytest.mark.parametrize(("eve", "hours"), [(BACK, 5), (FORWARD, 3)])
def test_a_night_in_which_the_clock_moves_is_an_hour_longer_or_shorter(eve: date, hours: int) -> None:
    before = eve - timedelta(days=1)
    week = [OpenHours(before.weekday(), time(23), time(3, 30))]
    [span] = open_spans(week, CASABLANCA, day_of(before)[0], day_of(eve)[1])
    assert seconds([span]) == (hours + 0.5) * 3600


def test_from_nine_to_nine_is_a_whole_day() -> None:
    spans = open_spans([OpenHours(0, time(9), time(9))], CASABLANCA, utc(2026, 1, 11), utc(2026, 1, 15))
    assert spans == [Span(utc(2026, 1, 12, 8), utc(2026, 1, 13, 8))]


def test_an_opening_inside_the_skipped_hour_begins_and_ends_with_the_skip() -> None:
    skip = utc(2026, 3, 22, 2)
    opens_in_it = open_spans([OpenHours(6, time(2, 30), time(6))], CASABLANCA, *day_of(FORWARD))
    assert opens_in_it == [Span(skip, utc(2026, 3, 22, 5))]
    closes_in_it = open_spans([OpenHours(6, time(1), time(2, 30))], CASABLANCA, *day_of(FORWARD))
    assert closes_in_it == [Span(utc(2026, 3, 22, 1), skip)]
    assert open_spans([OpenHours(6, time(2, 10), time(2, 50))], CASABLANCA, *day_of(FORWARD)) == []


def test_in_the_hour_that_comes_twice_it_opens_first_and_closes_last() -> None:
    # 02:00-03:00 wall time comes at 01:00 UTC and again at 02:00 UTC.
    spans = open_spans([OpenHours(6, time(2, 30), time(6))], CASABLANCA, *day_of(BACK))
    assert spans == [Span(utc(2026, 2, 15, 1, 30), utc(2026, 2, 15, 6))]
    spans = open_spans([OpenHours(6, time(0), time(2, 30))], CASABLANCA, *day_of(BACK))
    assert spans == [Span(utc(2026, 2, 14, 23), utc(2026, 2, 15, 2, 30))]


def test_a_range_cuts_what_it_touches() -> None:
    spans = open_spans(NINE_TO_SIX, CASABLANCA, utc(2026, 1, 12, 10), utc(2026, 1, 13, 9))
    assert spans == [
        Span(utc(2026, 1, 12, 10), utc(2026, 1, 12, 17)),
        Span(utc(2026, 1, 13, 8), utc(2026, 1, 13, 9)),
    ]


def test_closed_days_are_listed_too() -> None:
    days = list(open_days([OpenHours(0, time(9), time(18))], CASABLANCA, utc(2026, 1, 12), utc(2026, 1, 14)))
    assert [(day.on, len(day.spans)) for day in days] == [
        (date(2026, 1, 12), 1),
        (date(2026, 1, 13), 0),
        (date(2026, 1, 14), 0),
    ]


def test_a_span_is_covered_only_whole() -> None:
    spans = [Span(utc(2026, 1, 12, 8), utc(2026, 1, 12, 17))]
    assert covers(spans, spans[0])
    assert not covers(spans, Span(utc(2026, 1, 12, 8), utc(2026, 1, 12, 17, 1)))
    assert not covers([], spans[0])


walls = st.times().map(lambda wall: wall.replace(second=0, microsecond=0))


@st.composite
def weeks(draw: st.DrawFn) -> list[OpenHours]:
    """A week of openings that do not overlap, closing at midnight or in the night at times."""
    week = []
    first = 0
    for weekday in range(7):
        cuts = sorted(draw(st.sets(walls, max_size=4)))
        # What the night before has taken of this morning.
        cuts = [each for each in cuts if each.hour * 60 + each.minute >= first]
        first = 0
        pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
        week += [OpenHours(weekday, opens, closes) for opens, closes in pairs]
        if len(cuts) % 2:
            # Sunday's would reach into the Monday that was drawn first.
            first = draw(st.integers(0, min(180, cuts[-1].hour * 60 + cuts[-1].minute))) if weekday < 6 else 0
            week.append(OpenHours(weekday, cuts[-1], time(first // 60, first % 60)))
    return week


def between(first: str, last: str) -> st.SearchStrategy[datetime]:
    return st.datetimes(datetime.fromisoformat(first), datetime.fromisoformat(last), timezones=st.just(UTC))


# Around the changes of the clock in the zones above.
near_changes = st.one_of(
    between("2026-02-13", "2026-02-17"),
    between("2026-03-20", "2026-03-24"),
    between("2026-03-27", "2026-04-06"),
    between("2026-10-09", "2026-11-17"),
)


@given(weeks(), st.sampled_from(ZONES), near_changes, st.integers(0, 5 * 86400))
def test_spans_are_sorted_apart_and_inside_the_range(
    week: list[OpenHours], zone: str, since: datetime, length_s: int
) -> None:
    until = since + timedelta(seconds=length_s)
    spans = open_spans(week, zone, since, until)
    assert all(since <= span.starts_at < span.ends_at <= until for span in spans)
    assert all(a.ends_at < b.starts_at for a, b in pairwise(spans))


@given(weeks(), st.sampled_from(ZONES), near_changes)
def test_an_instant_is_open_when_its_wall_time_is(week: list[OpenHours], zone: str, at: datetime) -> None:
    """Outside hours that come twice, being open is a question of the wall clock alone."""
    wall = at.astimezone(ZoneInfo(zone))
    other = wall.replace(fold=1 - wall.fold)
    twice = wall.utcoffset() != other.utcoffset()
    by_wall = any(_shows(each, wall) for each in week)
    spans = open_spans(week, zone, at - timedelta(days=2), at + timedelta(days=2))
    is_open = any(span.starts_at <= at < span.ends_at for span in spans)
    assert is_open == by_wall or (twice and is_open)


def _shows(opening: OpenHours, wall: datetime) -> bool:
    """Whether an opening holds this wall time: on its own day, or in the night after it."""
    night = opening.closes <= opening.opens
    if opening.weekday == wall.weekday() and opening.opens <= wall.time():
        return night or wall.time() < opening.closes
    return night and (opening.weekday + 1) % 7 == wall.weekday() and wall.time() < opening.closes


@given(weeks(), st.sampled_from(ZONES), near_changes, st.integers(1, 4 * 86400), st.integers(1, 4 * 86400))
def test_two_ranges_that_meet_hold_the_same_as_one(
    week: list[OpenHours], zone: str, since: datetime, first_s: int, second_s: int
) -> None:
    middle = since + timedelta(seconds=first_s)
    until = middle + timedelta(seconds=second_s)
    parts = open_spans(week, zone, since, middle) + open_spans(week, zone, middle, until)
    assert seconds(parts) == pytest.approx(seconds(open_spans(week, zone, since, until)))
