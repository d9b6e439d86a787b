"""The earliest start that fits, checked against trying every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fablab.bookings.free import Room, earliest_start, first_free, fully_claimed

DAY = datetime(2026, 1, 12, tzinfo=UTC)
ZERO = timedelta(0)
Spans = list[tuple[datetime, datetime]]


def at(minute: int) -> datetime:
    return DAY + timedelta(minutes=minute)


@st.composite
def spans(draw: st.DrawFn) -> Spans:
    """Spans that neither overlap nor touch, by start."""
    cuts = sorted(draw(st.sets(st.integers(0, 300), max_size=10)))
    return [(at(a), at(b)) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]


def test_an_empty_machine_is_free_at_once() -> None:
    assert earliest_start(Room([], None), timedelta(hours=1), ZERO, ZERO, at(0), at(60)) == at(0)


def test_nothing_fits_where_nothing_is_open() -> None:
    assert earliest_start(Room([], []), timedelta(hours=1), ZERO, ZERO, at(0), at(600)) is None


def test_a_gap_must_hold_set_up_and_clean_up_too() -> None:
    room = Room([(at(0), at(30)), (at(95), at(120))], None)
    hour, five = timedelta(hours=1), timedelta(minutes=5)
    assert earliest_start(room, hour, ZERO, five, at(0), at(500)) == at(30)
    assert earliest_start(room, hour, five, five, at(0), at(500)) == at(125)


def test_the_first_of_several_units_to_be_free_is_taken() -> None:
    until_60, until_30 = Room([(at(0), at(60))], None), Room([(at(0), at(30))], None)
    hour = timedelta(hours=1)
    assert first_free([], hour, ZERO, ZERO, at(0), at(500)) is None
    assert first_free([until_60, until_30], hour, ZERO, ZERO, at(0), at(20)) is None
    assert first_free([until_60, until_30], hour, ZERO, ZERO, at(0), at(500)) == at(30)


@given(st.lists(spans(), min_size=1, max_size=3))
def test_a_minute_is_fully_claimed_when_every_unit_is(units: list[Spans]) -> None:
    found = fully_claimed(units)
    for minute in range(302):
        in_all = all(any(start <= at(minute) < end for start, end in claims) for claims in units)
        assert any(start <= at(minute) < end for start, end in found) == in_all


@given(
    spans(),
    st.none() | spans(),
    st.integers(1, 60),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 200),
)
def test_it_finds_what_trying_every_minute_finds(
    claims: Spans, open_spans: Spans | None, length: int, setup: int, cleanup: int, first: int
) -> None:
    last = first + 120
    found = earliest_start(
        Room(claims, open_spans),
        timedelta(minutes=length),
        timedelta(minutes=setup),
        timedelta(minutes=cleanup),
        at(first),
        at(last),
    )

    def fits(minute: int) -> bool:
        whole = (at(minute - setup), at(minute + length + cleanup))
        free = all(end <= whole[0] or whole[1] <= start for start, end in claims)
        is_open = open_spans is None or any(
            start <= at(minute) and at(minute + length) <= end for start, end in open_spans
        )
        return free and is_open

    tried = next((at(minute) for minute in range(first, last + 1) if fits(minute)), None)
    assert found == tried
