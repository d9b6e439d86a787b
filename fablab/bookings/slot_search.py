"""The earliest start of a machine: interval arithmetic. Pure.

Instants are epoch seconds here and spans are pairs [from, until): there are many of them. A *step* gives the
first instant at or after the one it is asked about at which it allows a start. Steps never go back, so the
first instant that all of them leave where it is, is the earliest start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Pair = tuple[int, int]
Step = Callable[[int], int]

DAY_S = 86_400
# Later than anything that can be booked: there is no such start.
NEVER = 2**40


@dataclass(frozen=True)
class Wish:
    """How long a booking takes, what is claimed before and after it, and when it may begin."""

    length_s: int
    setup_s: int
    cleanup_s: int
    grid: Step


def earliest(
    groups: Iterable[Sequence[Sequence[Pair]]],
    hours: Sequence[Pair] | None,
    wish: Wish,
    first: int,
    last: int,
    also: Iterable[Step] = (),
) -> int | None:
    """The first start in [first, last] on the grid, inside one open span, free in every group; or None.

    A group is a machine's units with their free gaps: one unit must have room for the booking with its set-up
    and clean-up. There is one group for the machine itself and one for each machine it needs. ``hours`` are
    sorted and joined; None: at any hour.
    """
    steps = [wish.grid, *also]
    if hours is not None:
        steps.append(inside(hours, wish.length_s))
    steps += [free(units, wish) for units in groups]
    return first_allowed(steps, first, last)


def first_allowed(steps: Sequence[Step], first: int, last: int) -> int | None:
    """The first instant in [first, last] that every step allows, or None."""
    at = first
    while at <= last:
        before = at
        for step in steps:
            at = step(at)
        if at == before:
            return at
    return None


def inside(spans: Sequence[Pair], length_s: int, ends: Sequence[int] = ()) -> Step:
    """Starts at which this length lies in one of the (sorted, apart) spans; ``ends`` are theirs, if known."""
    ends = ends or [until for _, until in spans]

    def step(at: int) -> int:
        for place in range(bisect_right(ends, at), len(ends)):
            start = max(at, spans[place][0])
            if start + length_s <= ends[place]:
                return start
        return NEVER

    return step


def free(units: Sequence[Sequence[Pair]], wish: Wish) -> Step:
    """Starts at which one of the units has a gap for the booking with its set-up and clean-up."""
    padded = wish.setup_s + wish.length_s + wish.cleanup_s
    steps = [inside(gaps, padded) for gaps in units]

    def step(at: int) -> int:
        return min((each(at - wish.setup_s) for each in steps), default=NEVER) + wish.setup_s

    return step


def outside(barred: Iterable[Pair]) -> Step:
    """Starts that lie in none of these spans."""
    spans = joined(barred)
    ends = [until for _, until in spans]

    def step(at: int) -> int:
        place = bisect_right(ends, at)
        return ends[place] if place < len(spans) and spans[place][0] <= at else at

    return step


def too_much(hours: Sequence[Pair], length_s: int, left_s: int) -> list[Pair]:
    """The starts at which more than ``left_s`` seconds of this length would lie in these (disjoint) hours."""
    turns = sorted({turn for pair in hours for edge in pair for turn in (edge - length_s, edge)})
    found = []
    # Between two turns it grows or shrinks by one second a second, or stays.
    for (begins, at_first), (ends, at_last) in pairwise((at, _within(hours, at, length_s)) for at in turns):
        if at_first > left_s:
            found.append((begins, ends + 1 if at_last > left_s else begins + at_first - left_s))
        elif at_last > left_s:
            found.append((begins + left_s - at_first + 1, ends + 1))
    return joined(found)


def _within(hours: Sequence[Pair], at: int, length_s: int) -> int:
    return sum(max(0, min(at + length_s, ends) - max(at, begins)) for begins, ends in hours)


@dataclass(frozen=True)
class WallGrid:
    """Starts every so many seconds from midnight by the clock on the wall; at least whole minutes.

    ``offsets`` are spans (from, until, seconds ahead of UTC) without gaps, as far as the search goes.
    """

    step_s: int
    offsets: Sequence[tuple[int, int, int]]

    def __call__(self, at: int) -> int:
        step_s = max(self.step_s, 60)
        for _, until, offset in self.offsets:
            if at >= until:
                continue
            past_midnight = (at + offset) % DAY_S
            # The last step of a day ends with the day.
            up = min(-(-past_midnight // step_s) * step_s, DAY_S)
            start = at + up - past_midnight
            if start < until:
                return start
            at = until
        return NEVER


def gaps_of(claims: Iterable[Pair], since: int, until: int) -> list[Pair]:
    """What is free of [since, until) between one unit's claims, which are sorted."""
    found, at = [], since
    for begins, ends in claims:
        if begins > at:
            found.append((at, min(begins, until)))
        at = max(at, ends)
        if at >= until:
            return found
    return [*found, (at, until)]


def joined(spans: Iterable[Pair]) -> list[Pair]:
    """The same instants as sorted spans that neither overlap nor touch."""
    found: list[Pair] = []
    for begins, ends in sorted(spans):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(ends, found[-1][1]))
        else:
            found.append((begins, ends))
    return found
