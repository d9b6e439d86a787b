"""What follows from counted seconds, and which hours a span touches."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest

from fablab.utilisation.rules import Counts, ceil_hour, chunks, floor_hour, ratio

TEN = datetime(2026, 3, 30, 10, tzinfo=UTC)


@pytest.mark.parametrize("hours", [floor_hour, ceil_hour])
def test_an_instant_without_a_zone_is_refused(hours: object) -> None:
    with pytest.raises(ValueError, match="time zone"):
        hours(datetime(2026, 3, 30, 10))  # type: ignore[operator]  # noqa: DTZ001


@pytest.mark.parametrize(
    ("at", "floor", "ceil"),
    [
        (TEN, TEN, TEN),
        (TEN + timedelta(microseconds=1), TEN, TEN + timedelta(hours=1)),
        (TEN + timedelta(minutes=59, seconds=59), TEN, TEN + timedelta(hours=1)),
        (datetime(2026, 3, 30, 11, 30, tzinfo=timezone(timedelta(hours=1))), TEN, TEN + timedelta(hours=1)),
    ],
)
def test_hours_are_hours_of_utc(at: datetime, floor: datetime, ceil: datetime) -> None:
    assert (floor_hour(at), ceil_hour(at)) == (floor, ceil)


def test_chunks_cover_a_span_without_holes() -> None:
    until = TEN + timedelta(hours=5)
    pieces = list(chunks(TEN, until, timedelta(hours=2)))
    assert pieces[0][0] == TEN
    assert pieces[-1][1] == until
    assert all(before[1] == after[0] for before, after in itertools.pairwise(pieces))
    assert list(chunks(until, TEN, timedelta(hours=2))) == []


def test_a_ratio_to_nothing_has_no_answer() -> None:
    assert ratio(5, 0) is None
    assert ratio(0, 10) == 0
    assert ratio(1, 3) == 0.3333


def test_what_follows_from_counts() -> None:
    counts = Counts(
        open_s=7200,
        outage_s=3600,
        booked_s=1800,
        used_s=2400,
        used_booked_s=1200,
        jobs_finished=2,
        jobs_failed=1,
    )
    assert (counts.available_s, counts.idle_booked_s, counts.jobs) == (3600, 600, 3)
    assert (counts.utilisation, counts.booked_ratio) == (0.6667, 0.5)
    closed = Counts(used_s=60)
    assert (closed.utilisation, closed.booked_ratio, closed.idle_booked_s) == (None, None, 0)
