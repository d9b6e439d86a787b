"""The earliest starts of all machines: a best-first search that looks at as few of them as it can. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from fablab.bookings.slot_search import DAY_S, Step, Wish, first_allowed


@dataclass(frozen=True)
class Round:
    """How many machines are looked at, for each slot that is wanted and altogether at least, and how far."""

    each: int
    least: int
    days: int


# After these comes one that looks at all there is, so the number of rounds never grows.
ROUNDS = (Round(16, 128, 1), Round(128, 1024, 4), Round(1024, 8192, 16))
# What comes first of two equal starts: the nearer machine (kilometres), then the one with the lower number.
Rank = tuple[float, int]


@dataclass(slots=True)
class Seeker:
    """One machine in the search. No start lies before ``at``; none counts after ``last``."""

    rank: Rank
    at: int
    last: int
    wish: Wish
    # What of the caller's belongs to it.
    tag: Any = None
    # What was read of it, and the last start which that decides.
    steps: Sequence[Step] = ()
    read_to: int = -1
    given: int = 0

    @property
    def machine_id(self) -> int:
        return self.rank[1]

    def seek(self) -> bool:
        """Go to the earliest start at or after ``at``, as far as is known; whether there is one."""
        start = first_allowed([self.wish.grid, *self.steps], self.at, self.read_to)
        self.at = max(self.at, self.read_to + 1) if start is None else start
        return start is not None


@dataclass(frozen=True, slots=True)
class Ask:
    """What is free in [since, until) of a machine and of what it needs, in gaps of ``least_s`` or more?"""

    seeker: Seeker
    since: int
    until: int

    @property
    def least_s(self) -> int:
        wish = self.seeker.wish
        return wish.setup_s + wish.length_s + wish.cleanup_s


# Gives the steps that each machine's claims and hours make, in the order of the asks; None: it has no room.
Reader = Callable[[Sequence[Ask]], Sequence[Sequence[Step] | None]]
# Has the last word on a start; None: it stands, else the first instant at which to try again.
Judge = Callable[[Seeker, int], int | None]


@dataclass(frozen=True)
class Outcome:
    """The earliest starts in order, and the machines that have none, as far as was looked.

    ``whole``: every machine was looked at to its end.
    """

    found: list[tuple[int, Seeker]]
    none: list[Seeker]
    whole: bool


def search(seekers: Iterable[Seeker], limit: int, read: Reader, judge: Judge = lambda *_: None) -> Outcome:
    """The ``limit`` earliest starts of all machines, by start and rank; those of one machine do not overlap.

    Machines wait in a queue by the earliest start they could have. Whatever is read of one only moves it
    back, so a known start at the head of the queue is the next one of all, and most machines are never looked
    at. ``read`` is called once a round, and once more at most.
    """
    known: list[tuple[int, Rank, Seeker]] = []
    unknown: list[tuple[int, Rank, Seeker]] = []
    found: list[tuple[int, Seeker]] = []
    none: list[Seeker] = []

    def add(seeker: Seeker) -> None:
        if seeker.seek():
            heappush(known, (seeker.at, seeker.rank, seeker))
        elif seeker.at <= seeker.last:
            heappush(unknown, (seeker.at, seeker.rank, seeker))
        elif not seeker.given:
            none.append(seeker)

    for each in seekers:
        add(each)
    rounds = iter((*ROUNDS, None))
    while len(found) < limit and (known or unknown):
        if not known or (unknown and unknown[0] < known[0]):
            this = next(rounds)
            if this is None:
                # The last look must do for those, too, of which something is known so far.
                unknown += known
                known.clear()
            for seeker in _look(unknown, this, limit - len(found), read):
                add(seeker)
            continue
        at, _, seeker = heappop(known)
        again = judge(seeker, at)
        if again is None:
            found.append((at, seeker))
            seeker.given += 1
            again = at + seeker.wish.length_s
        seeker.at = again
        add(seeker)
    return Outcome(found, none, not known and not unknown)


def _look(
    unknown: list[tuple[int, Rank, Seeker]], this: Round | None, limit: int, read: Reader
) -> list[Seeker]:
    """Read of the first machines in the queue as much as this round does."""
    if this is None:
        first, unknown[:] = unknown[:], []
    else:
        size = max(this.each * limit, this.least)
        first = [heappop(unknown) for _ in range(min(size, len(unknown)))]
    asks = []
    for at, _, seeker in first:
        last = seeker.last if this is None else min(seeker.last, at + this.days * DAY_S)
        wish = seeker.wish
        asks.append(Ask(seeker, at - wish.setup_s, last + wish.length_s + wish.cleanup_s))
        seeker.read_to = last
    for ask, steps in zip(asks, read(asks), strict=True):
        seeker = ask.seeker
        seeker.steps = steps or ()
        if steps is None:
            seeker.at = seeker.read_to + 1
    return [ask.seeker for ask in asks]
