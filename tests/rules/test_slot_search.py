"""The earliest starts, checked against trying every instant of every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fablab.bookings import slot_queue
from fablab.bookings.slot_queue import Ask, Outcome, Round, Seeker, search
from fablab.bookings.slot_search import (
    NEVER,
    Pair,
    Step,
    WallGrid,
    Wish,
    earliest,
    free,
    gaps_of,
    inside,
    joined,
    outside,
    too_much,
)
from fablab.clock import offsets
from fablab.machines.distance import kilometres

LAST = 200


def every(step: int) -> Step:
    """A grid that counts from the beginning."""
    return lambda at: -(-at // step) * step


@st.composite
def spans(draw: st.DrawFn, most: int = 10) -> list[Pair]:
    """Spans that neither overlap nor touch, in order."""
    cuts = sorted(draw(st.sets(st.integers(0, LAST), max_size=most)))
    return list(zip(cuts[::2], cuts[1::2], strict=False))


def holds(pairs: Sequence[Pair], since: int, until: int) -> bool:
    return any(begins <= since and until <= ends for begins, ends in pairs)


def test_nothing_fits_where_nothing_is_free_or_open() -> None:
    wish = Wish(10, 0, 0, every(1))
    assert earliest([[[(0, 100)]]], [(0, 100)], wish, 0, 100) == 0
    assert earliest([[[(0, 9)]]], [(0, 100)], wish, 0, 100) is None
    assert earliest([[[(0, 100)]]], [], wish, 0, 100) is None
    assert earliest([[]], None, wish, 0, 100) is None
    assert earliest([[[(0, 100)]]], None, wish, 91, 100) is None


def test_a_needed_machine_must_be_free_for_all_of_the_same_time() -> None:
    own, extractor = [[(0, 100)]], [[(0, 15)], [(30, 60)]]
    assert earliest([own, extractor], None, Wish(20, 0, 0, every(1)), 0, 100) == 30
    assert earliest([own, extractor], None, Wish(20, 5, 5, every(10)), 0, 100) is None
    assert earliest([own, extractor], None, Wish(20, 5, 5, every(5)), 0, 100) == 35


@given(
    st.lists(st.lists(spans(), min_size=1, max_size=2), min_size=1, max_size=3),
    st.none() | spans(),
    spans(4),
    *(st.integers(least, most) for least, most in ((1, 60), (0, 9), (0, 9), (1, 15), (0, 200))),
)
def test_it_finds_what_trying_every_second_finds(
    groups: list[list[list[Pair]]],
    hours: list[Pair] | None,
    barred: list[Pair],
    length: int,
    setup: int,
    cleanup: int,
    grid: int,
    first: int,
) -> None:
    found = earliest(groups, hours, Wish(length, setup, cleanup, every(grid)), first, LAST, [outside(barred)])

    def fits(at: int) -> bool:
        return (
            at % grid == 0
            and (hours is None or holds(hours, at, at + length))
            and not any(begins <= at < ends for begins, ends in barred)
            and all(any(holds(unit, at - setup, at + length + cleanup) for unit in units) for units in groups)
        )

    assert found == next((at for at in range(first, LAST + 1) if fits(at)), None)


@given(spans(), st.integers(0, LAST), st.integers(0, LAST))
def test_gaps_are_what_no_claim_takes(claims: list[Pair], since: int, length: int) -> None:
    found = gaps_of(
        [pair for pair in claims if pair[1] > since and pair[0] < since + length], since, since + length
    )
    for at in range(since, since + length):
        taken = any(begins <= at < ends for begins, ends in claims)
        assert any(begins <= at < ends for begins, ends in found) is not taken
    assert all(since <= begins < ends <= since + length for begins, ends in found) or length == 0


@given(spans(), st.integers(1, 80), st.integers(0, 90))
def test_a_quota_bars_the_starts_that_would_take_too_much_of_it(
    hours: list[Pair], length: int, left: int
) -> None:
    barred = too_much(hours, length, left)
    for at in range(-100, LAST + 10):
        taken = sum(max(0, min(at + length, ends) - max(at, begins)) for begins, ends in hours)
        assert any(begins <= at < ends for begins, ends in barred) == (taken > left), at


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=8))
def test_joined_spans_hold_the_same_instants(pairs: list[tuple[int, int]]) -> None:
    given_ = [(begins, begins + length) for begins, length in pairs]
    found = joined(given_)
    inside_of = [any(begins <= at < ends for begins, ends in given_) for at in range(80)]
    assert [any(begins <= at < ends for begins, ends in found) for at in range(80)] == inside_of
    assert all(one[1] < other[0] for one, other in pairwise(found))


@pytest.mark.parametrize("step_min", [1, 15, 90, 360, 1440])
def test_the_grid_is_that_of_the_clock_on_the_wall(step_min: int) -> None:
    """Over both changes of Ramadan 2027: 02-07, when an hour comes twice, and 03-14, when one is skipped."""
    zone = ZoneInfo("Africa/Casablanca")
    for day in (datetime(2027, 2, 6, tzinfo=UTC), datetime(2027, 3, 13, tzinfo=UTC)):
        first, last = int(day.timestamp()), int((day + timedelta(days=3)).timestamp())
        shifts = [
            (int(since.timestamp()), int(until.timestamp()), int(shift.total_seconds()))
            for since, until, shift in offsets(zone.key, day, day + timedelta(days=3))
        ]
        grid = WallGrid(step_min * 60, shifts)

        def on_grid(at: int) -> bool:
            wall = datetime.fromtimestamp(at, zone)
            return (wall.hour * 60 + wall.minute) % step_min == 0 and wall.second == 0

        expected = NEVER
        for at in range(last - 60, first - 60, -60):
            if on_grid(at):
                expected = at
            assert grid(at) == expected
            assert grid(at - 59) == expected or not on_grid(at)


@dataclass
class Machine:
    """A machine of the reference: its free gaps, its distance, and the starts that rules refuse."""

    free: list[Pair]
    km: float
    grid: int
    first: int
    refused: frozenset[int]


class Network:
    """Machines in memory, asked as the database is."""

    def __init__(self, machines: Sequence[Machine], length: int) -> None:
        self.machines, self.length, self.looks = machines, length, 0

    def seekers(self) -> list[Seeker]:
        found = [
            Seeker((each.km, number), each.first, LAST, Wish(self.length, 2, 3, every(each.grid)))
            for number, each in enumerate(self.machines)
        ]
        return sorted(found, key=lambda seeker: (seeker.at, seeker.rank))

    def look(self, asks: Sequence[Ask]) -> list[list[Step] | None]:
        self.looks += 1
        assert len({ask.seeker.machine_id for ask in asks}) == len(asks)
        found: list[list[Step] | None] = []
        for ask in asks:
            cut = [
                (max(begins, ask.since), min(ends, ask.until))
                for begins, ends in self.machines[ask.seeker.machine_id].free
            ]
            cut = [pair for pair in cut if pair[1] - pair[0] >= ask.least_s]
            found.append([free([cut], ask.seeker.wish)] if cut else None)
        return found

    def judge(self, seeker: Seeker, at: int) -> int | None:
        return at + 1 if at in self.machines[seeker.machine_id].refused else None

    def by_trying(self, limit: int) -> list[tuple[int, float, int]]:
        """Every machine's starts, one after the other that ends, in order."""
        found = []
        for number, each in enumerate(self.machines):
            at = each.first
            while at <= LAST:
                if (
                    at % each.grid == 0
                    and at not in each.refused
                    and holds(each.free, at - 2, at + self.length + 3)
                ):
                    found.append((at, each.km, number))
                    at += self.length
                else:
                    at += 1
        return sorted(found)[:limit]


machines = st.lists(
    st.builds(
        Machine,
        free=spans(),
        km=st.sampled_from([0.0, 1.0, 5.0]),
        grid=st.sampled_from([1, 5]),
        first=st.integers(0, 60),
        refused=st.frozensets(st.integers(0, 80), max_size=30),
    ),
    max_size=12,
)


@settings(max_examples=150)
@given(machines, st.integers(1, 40), st.integers(1, 9))
def test_the_earliest_of_all_machines_are_found(network: list[Machine], length: int, limit: int) -> None:
    """With rounds so small that most searches need them all."""
    world = Network(network, length)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slot_queue, "ROUNDS", (Round(1, 2, 20), Round(1, 3, 40)))
        outcome: Outcome = search(world.seekers(), limit, world.look, world.judge)
    found = [(at, seeker.rank[0], seeker.machine_id) for at, seeker in outcome.found]
    assert found == world.by_trying(limit)
    assert world.looks <= 3
    if len(found) < limit:
        has = {machine_id for _, _, machine_id in found}
        assert outcome.whole
        assert {seeker.machine_id for seeker in outcome.none} == set(range(len(network))) - has


def test_most_machines_are_never_looked_at() -> None:
    """Everything is free: the first ten are found among the nearest in one look."""
    asked: list[int] = []

    def look(asks: Sequence[Ask]) -> list[list[Step]]:
        asked.append(len(asks))
        return [[inside([(ask.since, ask.until)], ask.least_s)] for ask in asks]

    wish = Wish(3600, 0, 0, every(60))
    seekers = [Seeker((float(number % 7), number), 600, 10**7, wish) for number in range(5000)]
    outcome = search(sorted(seekers, key=lambda each: each.rank), 10, look)
    assert [seeker.rank for _, seeker in outcome.found] == [(0.0, number * 7) for number in range(10)]
    assert asked == [160]
    assert not outcome.whole


def test_distances_are_those_of_a_map() -> None:
    tanger, agadir = (35.7595, -5.8340), (30.4278, -9.5981)
    assert kilometres(tanger, agadir) == pytest.approx(690, rel=0.01)
    assert kilometres(tanger, tanger) == 0
    assert kilometres((0, 0), (0, 180)) == pytest.approx(20015, rel=0.001)
