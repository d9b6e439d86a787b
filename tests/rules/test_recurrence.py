"""Rules of recurrence: what is read, what is refused, wall time when clocks move, and bounded work."""

# ruff: noqa: DTZ001 - wall times have no zone

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fablab.machines import recurrence
from fablab.machines.recurrence import (
    OCCURRENCES_MOST,
    BadRule,
    Recurrence,
    instant,
    instants,
    occurrences,
    occurrences_between,
    parse,
    shows,
)
from fablab.machines.rules import Span
from tests.support.zones import MOROCCO_WITH_RAMADAN, zone_data

CASABLANCA, PARIS = "Africa/Casablanca", "Europe/Paris"
MONDAY = datetime(2027, 1, 4, 18)  # wall time


@pytest.fixture
def ramadan(tmp_path: Path) -> Iterator[None]:
    """Zone data in which Morocco goes back an hour from 7 February to 14 March 2027."""
    with zone_data(tmp_path, CASABLANCA, MOROCCO_WITH_RAMADAN):
        yield


def starts(text: str, first: datetime = MONDAY, zone: str = CASABLANCA) -> list[datetime]:
    return occurrences(parse(text, zone), first)


def refused(text: str, first: datetime = MONDAY) -> tuple[str, str]:
    with pytest.raises(BadRule) as caught:
        starts(text, first)
    assert caught.value.refusal.field == "rrule"
    return caught.value.refusal.code, caught.value.refusal.message


def test_every_week_ten_times() -> None:
    found = starts("FREQ=WEEKLY;COUNT=10")
    assert found == [MONDAY + timedelta(weeks=n) for n in range(10)]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20270125", datetime(2027, 1, 25, 18)),  # the day counts whole
        ("20270125T180000", datetime(2027, 1, 25, 18)),
        ("20270125T175959", datetime(2027, 1, 18, 18)),
        ("20270125T170000Z", datetime(2027, 1, 25, 18)),  # an instant: 18:00 in Paris
        ("20270125T165959Z", datetime(2027, 1, 18, 18)),
    ],
)
def test_until_is_the_last_that_counts(until: str, last: datetime) -> None:
    assert starts(f"FREQ=WEEKLY;UNTIL={until}", zone=PARIS)[-1] == last


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("FREQ=DAILY;COUNT=3", ["01-04", "01-05", "01-06"]),
        ("FREQ=DAILY;INTERVAL=2;COUNT=3", ["01-04", "01-06", "01-08"]),
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4", ["01-04", "01-06", "01-11", "01-13"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;COUNT=4", ["01-04", "01-10", "01-18", "01-24"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;COUNT=4;WKST=SU", ["01-04", "01-17", "01-18", "01-31"]),
        ("FREQ=MONTHLY;BYDAY=1MO;COUNT=3", ["01-04", "02-01", "03-01"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2;COUNT=3", ["01-04", "02-02", "03-02"]),
        ("FREQ=MONTHLY;BYMONTHDAY=4;COUNT=3", ["01-04", "02-04", "03-04"]),
        ("FREQ=MONTHLY;COUNT=3", ["01-04", "02-04", "03-04"]),
        ("FREQ=MONTHLY;BYMONTHDAY=4,-1;COUNT=4", ["01-04", "01-31", "02-04", "02-28"]),
        ("RRULE:freq=weekly;count=2", ["01-04", "01-11"]),
    ],
)
def test_what_a_rule_names(text: str, days: list[str]) -> None:
    assert [f"{each:%m-%d}" for each in starts(text)] == days


def test_a_month_without_that_day_is_passed_over() -> None:
    found = starts("FREQ=MONTHLY;COUNT=3", datetime(2027, 1, 31, 18))
    assert [f"{each:%m-%d}" for each in found] == ["01-31", "03-31", "05-31"]


@pytest.mark.parametrize("text", ["FREQ=WEEKLY", "FREQ=DAILY;INTERVAL=3", "FREQ=MONTHLY;BYDAY=1MO"])
def test_a_rule_without_end_is_refused_and_says_what_to_add(text: str) -> None:
    code, message = refused(text)
    assert code == "rrule_without_end"
    assert "COUNT=" in message
    assert "UNTIL=" in message


def test_a_closure_may_have_no_end() -> None:
    assert parse("FREQ=YEARLY", CASABLANCA, endless=True).endless


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "every monday",
        "FREQ=HOURLY;COUNT=3",
        "COUNT=3",
        "FREQ=WEEKLY;COUNT=3;COUNT=4",
        "FREQ=WEEKLY;COUNT=0",
        "FREQ=WEEKLY;COUNT=-1",
        "FREQ=WEEKLY;COUNT=three",
        "FREQ=WEEKLY;COUNT=3,4",
        "FREQ=WEEKLY;COUNT=٣",
        "FREQ=WEEKLY;COUNT=99999999999999999999",
        "FREQ=WEEKLY;COUNT=3;UNTIL=20270401",
        "FREQ=WEEKLY;COUNT=3;INTERVAL=0",
        "FREQ=WEEKLY;COUNT=3;INTERVAL=1001",
        "FREQ=WEEKLY;COUNT=3;BYDAY=MON",
        "FREQ=WEEKLY;COUNT=3;BYDAY=1MO",
        "FREQ=MONTHLY;COUNT=3;BYDAY=6MO",
        "FREQ=MONTHLY;COUNT=3;BYDAY=0MO",
        "FREQ=MONTHLY;COUNT=3;BYMONTHDAY=32",
        "FREQ=MONTHLY;COUNT=3;BYMONTHDAY=0",
        "FREQ=WEEKLY;COUNT=3;BYMONTHDAY=4",
        "FREQ=MONTHLY;COUNT=3;BYSETPOS=1",
        "FREQ=WEEKLY;COUNT=3;BYHOUR=9",
        "FREQ=WEEKLY;COUNT=3;WKST=XX",
        "FREQ=WEEKLY;UNTIL=2027-04-01",
        "FREQ=WEEKLY;UNTIL=20270231",
        "FREQ=WEEKLY;UNTIL=20270401T990000",
        "FREQ=WEEKLY;UNTIL=00010101T000000Z",
        "FREQ=WEEKLY;;COUNT=3",
        "FREQ=WEEKLY;COUNT=3;EXDATE=20270111",
        "FREQ=WEEKLY;COUNT=3;" + "X" * 600,
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    code, message = refused(text)
    assert code == "bad_rrule"
    assert len(message) < 300


def test_the_first_one_must_be_a_day_of_the_rule() -> None:
    code, message = refused("FREQ=WEEKLY;BYDAY=TU;COUNT=3")
    assert code == "bad_rrule"
    assert "Monday 2027-01-04" in message
    assert refused("FREQ=WEEKLY;UNTIL=20261231")[0] == "bad_rrule"


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;COUNT=367",
        "FREQ=DAILY;COUNT=1000000",
        "FREQ=DAILY;UNTIL=20280105",
        "FREQ=DAILY;UNTIL=99991231",
        "FREQ=YEARLY;UNTIL=99991231",
        "FREQ=DAILY;UNTIL=99991231;BYMONTHDAY=31;BYSETPOS=2",
    ],
)
def test_too_many_are_refused_before_they_are_laid_out(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out = 0

    def counted(*args: object) -> Iterator[datetime]:
        nonlocal laid_out
        for each in expand(*args):
            laid_out += 1
            yield each

    expand = recurrence._expand
    monkeypatch.setattr(recurrence, "_expand", counted)
    tracemalloc.start()
    code, message = refused(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code == "too_many_occurrences"
    assert str(OCCURRENCES_MOST) in message
    assert laid_out <= OCCURRENCES_MOST + 1
    # A million occurrences take a hundred megabytes.
    assert peak < 2_000_000


def test_as_many_as_are_allowed() -> None:
    assert len(starts("FREQ=DAILY;COUNT=366")) == 366
    assert len(starts("FREQ=DAILY;UNTIL=20280104")) == 366


@pytest.fixture
def periods(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """The first day of every period that is looked at."""
    looked_at: list[date] = []
    named = recurrence._named

    def counted(rule: Recurrence, first: date, days: Sequence[date]) -> list[date]:
        looked_at.append(days[0])
        return named(rule, first, days)

    monkeypatch.setattr(recurrence, "_named", counted)
    return looked_at


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;BYMONTHDAY=31;BYSETPOS=2;COUNT=5",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=9;COUNT=5",
        "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=31;COUNT=5",
        "FREQ=YEARLY;COUNT=30",
    ],
)
def test_what_never_comes_true_is_given_up_soon(text: str, periods: list[date]) -> None:
    assert refused(text)[0] == "bad_rrule"
    # Not in the year 9999.
    assert periods[-1].year == 2037


def test_over_ramadan_a_weekly_six_oclock_stays_at_six(ramadan: None) -> None:
    wall = starts("FREQ=WEEKLY;COUNT=12")
    spans = [instants(each, each + timedelta(hours=2), CASABLANCA) for each in wall]
    local = [span.starts_at.astimezone(ZoneInfo(CASABLANCA)) for span in spans if span]
    assert [each.hour for each in local] == [18] * 12
    hours_utc = [span.starts_at.hour for span in spans if span]
    # Five Mondays lie between the two changes: 8 February to 8 March.
    assert hours_utc == [17] * 5 + [18] * 5 + [17] * 2
    assert all(span and span.ends_at - span.starts_at == timedelta(hours=2) for span in spans)


@pytest.mark.parametrize(
    ("zone", "starts_at", "ends_at", "hours"),
    [
        # The night in which an hour comes twice, and the one in which it is skipped.
        (CASABLANCA, "2027-02-07T01:00", "2027-02-07T05:00", 5),
        (CASABLANCA, "2027-03-14T01:00", "2027-03-14T05:00", 3),
        (CASABLANCA, "2027-02-06T22:00", "2027-02-07T02:00", 4),
        (CASABLANCA, "2027-02-06T22:00", "2027-02-07T03:00", 6),
        (PARIS, "2027-03-28T01:00", "2027-03-28T05:00", 3),
        (PARIS, "2027-10-31T01:00", "2027-10-31T05:00", 5),
        (PARIS, "2027-06-01T01:00", "2027-06-01T05:00", 4),
    ],
)
def test_a_span_over_the_change_has_the_length_of_its_two_ends(
    ramadan: None, zone: str, starts_at: str, ends_at: str, hours: int
) -> None:
    span = instants(datetime.fromisoformat(starts_at), datetime.fromisoformat(ends_at), zone)
    assert span is not None
    assert span.ends_at - span.starts_at == timedelta(hours=hours)


def test_a_wall_time_that_is_skipped_means_the_skip() -> None:
    skip = datetime(2027, 3, 28, 1, tzinfo=UTC)  # 02:00 in Paris becomes 03:00
    assert instant(datetime(2027, 3, 28, 2, 30), PARIS) == skip
    at_three = datetime(2027, 3, 28, 3, 30)
    assert instants(datetime(2027, 3, 28, 2, 30), at_three, PARIS) == Span(skip, skip + timedelta(minutes=30))
    assert instants(datetime(2027, 3, 28, 2, 15), datetime(2027, 3, 28, 2, 45), PARIS) is None


def test_a_wall_time_that_comes_twice_means_the_first() -> None:
    wall, first = datetime(2027, 10, 31, 2, 30), datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert instant(wall, PARIS) == first
    assert shows(first, wall, PARIS)
    # Whoever asked for the second has it.
    assert shows(first + timedelta(hours=1), wall, PARIS)
    assert not shows(first + timedelta(hours=2), wall, PARIS)
    assert shows(datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 3, 28, 2, 30), PARIS)


walls = st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1)).map(
    lambda at: at.replace(second=0, microsecond=0)
)
zones = st.sampled_from([CASABLANCA, PARIS, "Australia/Lord_Howe", "UTC"])


@given(
    zone=zones, first=walls, every=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]), count=st.integers(1, 60)
)
@example(zone=CASABLANCA, first=datetime(2026, 1, 11, 2, 30), every="WEEKLY", count=12)
@example(zone=PARIS, first=datetime(2026, 3, 22, 2, 30), every="WEEKLY", count=40)
def test_what_recurs_keeps_its_wall_time(zone: str, first: datetime, every: str, count: int) -> None:
    assume(first.day <= 28)
    tz = ZoneInfo(zone)
    found = starts(f"FREQ={every};COUNT={count}", first, zone)
    assert len(found) == count
    at = [instant(each, zone) for each in found]
    assert at == sorted(at)
    for wall, each in zip(found, at, strict=True):
        shown = each.astimezone(tz).replace(tzinfo=None)
        assert wall.time() == first.time()
        if shown != wall:
            # Skipped: clocks jump over it at that very instant.
            before = (each - timedelta(seconds=1)).astimezone(tz).replace(tzinfo=None)
            assert before < wall < shown


@given(zone=zones, starts_at=walls, length=st.timedeltas(timedelta(minutes=1), timedelta(hours=30)))
def test_the_length_is_what_passes_between_its_ends(
    zone: str, starts_at: datetime, length: timedelta
) -> None:
    span = instants(starts_at, starts_at + length, zone)
    if span is None:
        assert length < timedelta(hours=1)
        return
    tz = ZoneInfo(zone)
    moved = (span.starts_at.astimezone(tz).utcoffset() or timedelta()) - (
        span.ends_at.astimezone(tz).utcoffset() or timedelta()
    )
    passed = span.ends_at - span.starts_at
    # Exact but for the ends that are skipped, which come nearer.
    assert abs(passed - (length + moved)) <= timedelta(hours=1)
    exact = all(
        at.astimezone(tz).replace(tzinfo=None) == wall
        for at, wall in ((span.starts_at, starts_at), (span.ends_at, starts_at + length))
    )
    assert not exact or passed == length + moved


numbers = st.lists(st.integers(1, 28), max_size=3, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> Recurrence:
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    nth = st.integers(-4, 4) if frequency in ("MONTHLY", "YEARLY") else st.just(0)
    by_day = draw(st.lists(st.tuples(nth, st.integers(0, 6)), max_size=3, unique=True))
    by_month_day = [] if frequency == "WEEKLY" or by_day else draw(numbers)
    position = draw(st.sampled_from([(), (1,), (-1,)])) if by_day or by_month_day else ()
    return Recurrence(
        frequency,
        draw(st.integers(1, 5)),
        tuple(by_day),
        tuple(by_month_day),
        position,
        draw(st.none() | st.integers(1, 50)),
        None,
        draw(st.sampled_from([0, 6])),
    )


@given(rules())
def test_a_rule_that_was_written_is_read_the_same(rule: Recurrence) -> None:
    assert parse(rule.text, CASABLANCA, endless=True) == rule


@given(rules(), walls, st.integers(0, 1000), st.integers(1, 400))
def test_another_implementation_names_the_same_days(
    rule: Recurrence, first: datetime, ahead: int, days: int
) -> None:
    since = first + timedelta(days=ahead)
    until = since + timedelta(days=days)
    found = list(itertools.islice(occurrences_between(rule, first, since, until), 1000))
    # The library finds nothing where days with and without a number stand side by side.
    assume(len({nth == 0 for nth, _ in rule.by_day}) < 2)
    text = f"DTSTART:{first:%Y%m%dT%H%M%S}\nRRULE:{rule.text}"
    walked = sorted({first, *rrule.rrulestr(text).between(first, until, inc=True)})[: rule.count]
    assert found == [each for each in walked if since <= each < until]


@pytest.mark.parametrize("text", ["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY"])
def test_an_endless_rule_of_long_ago_is_not_walked_through(text: str, periods: list[date]) -> None:
    first, since = datetime(1990, 1, 1, 12), datetime(2190, 1, 1)
    rule = parse(text, CASABLANCA, endless=True)
    found = list(occurrences_between(rule, first, since, since + timedelta(days=7)))
    assert found[0].time() == first.time()
    assert since.date() - periods[0] < timedelta(days=8)
