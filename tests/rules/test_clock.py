"""What a zone's clocks do, from the pinned data and from nowhere else."""

import itertools
import zoneinfo
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from fablab.clock import offsets

FEBRUARY, APRIL = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
ZONES = ["Africa/Casablanca", "Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC"]


def test_no_zone_is_read_from_the_machine() -> None:
    assert zoneinfo.TZPATH == ()


def test_ramadan_2026_moves_casablanca_for_five_weeks() -> None:
    hour = timedelta(hours=1)
    away, back = datetime(2026, 2, 15, 2, tzinfo=UTC), datetime(2026, 3, 22, 2, tzinfo=UTC)
    assert list(offsets("Africa/Casablanca", FEBRUARY, APRIL)) == [
        (FEBRUARY, away, hour),
        (away, back, 0 * hour),
        (back, APRIL, hour),
    ]


def test_an_empty_span_has_no_offsets() -> None:
    assert list(offsets("UTC", APRIL, APRIL)) == []


@given(
    zone=st.sampled_from(ZONES),
    seconds=st.integers(1_577_836_800, 1_893_456_000),
    length=st.timedeltas(timedelta(minutes=1), timedelta(days=800)),
    share=st.floats(0, 0.999),
)
def test_each_instant_has_exactly_its_own_offset(
    zone: str, seconds: int, length: timedelta, share: float
) -> None:
    since = datetime.fromtimestamp(seconds, UTC)
    until = since + length
    spans = list(offsets(zone, since, until))
    assert spans[0][0] == since
    assert spans[-1][1] == until
    assert all(earlier[1] == later[0] for earlier, later in itertools.pairwise(spans))
    at = since + length * share
    [offset] = [offset for starts, ends, offset in spans if starts <= at < ends]
    assert offset == at.astimezone(ZoneInfo(zone)).utcoffset()
