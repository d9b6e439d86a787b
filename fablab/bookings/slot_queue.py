"""The earliest starts of all machines: a best-first search that looks at as few of them as it can. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, nsmallest
from typing import Any

from fablab.bookings.slot_search import DAY_S, NEVER, Step, Wish, first_allowed


@dataclass(frozen=True)
class Round:
    """How many machines are looked at, for each slot that is wanted and altogether at least, and how far."""

    each: int
    least: int
    seconds: int


# After these comes one that looks at all there is, so the number of rounds never grows.
ROUNDS = (
    Round(16, 128, DAY_S // 3),
    Round(64, 512, DAY_S),
    Round(256, 2048, 4 * DAY_S),
    Round(1024, 8192, 16 * DAY_S),
)
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
        if self.at > self.read_to:
            return False
        start = first_allowed([self.wish.grid, *self.steps], self.at, self.read_to)
        self.at = max(self.at, self.read_to + 1) if start is None else start
        return start is not None


_Entry = tuple[int, Rank, Seeker]


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


def search(fresh: Iterable[Seeker], limit: int, read: Reader, judge: Judge = lambda *_: None) -> Outcome:
    """The ``limit`` earliest starts of all machines, by start and rank; those of one machine do not overlap.

    ``fresh`` are the machines by the earliest start they could have, then by rank; most are never asked for.
    They wait in a queue. Whatever is read of one only moves it back, so a known start at the head of the
    queue is the next one of all. ``read`` is called once a round, and once more at most.
    """
    queue = _Queue(fresh)
    rounds = iter((*ROUNDS, None))
    found: list[tuple[int, Seeker]] = []
    while len(found) < limit:
        start = queue.next_known()
        if start is not None:
            at, seeker = start
            again = judge(seeker, at)
            if again is None:
                found.append((at, seeker))
                seeker.given += 1
                again = at + seeker.wish.length_s
            seeker.at = again
            queue.add(seeker)
        elif queue.has_unknown:
            seekers = queue.first_unknown(next(rounds), limit - len(found))
            _look(seekers, read)
            for seeker, _ in seekers:
                queue.add(seeker)
        else:
            break
    return Outcome(found, queue.none, not queue)


class _Queue:
    """Machines by their next start, known or the earliest that it could be."""

    def __init__(self, fresh: Iterable[Seeker]) -> None:
        self.none: list[Seeker] = []
        self._fresh = ((each.at, each.rank, each) for each in fresh)
        self._next = next(self._fresh, None)
        self._known: list[_Entry] = []
        self._unknown: list[_Entry] = []

    def __bool__(self) -> bool:
        return bool(self._known) or self.has_unknown

    @property
    def has_unknown(self) -> bool:
        return bool(self._unknown) or self._next is not None

    def add(self, seeker: Seeker) -> None:
        """Put a machine back where it belongs now."""
        if seeker.seek():
            heappush(self._known, (seeker.at, seeker.rank, seeker))
        elif seeker.at <= seeker.last:
            heappush(self._unknown, (seeker.at, seeker.rank, seeker))
        elif not seeker.given:
            self.none.append(seeker)

    def next_known(self) -> tuple[int, Seeker] | None:
        """The earliest start of all, taken from the queue; None where that is not known, or there is none."""
        unknown = [*self._unknown[:1], *([] if self._next is None else [self._next])]
        if not self._known or (unknown and min(unknown) < self._known[0]):
            return None
        at, _, seeker = heappop(self._known)
        return at, seeker

    def first_unknown(self, this: Round | None, limit: int) -> list[tuple[Seeker, int]]:
        """The machines to look at in a round, taken from the queue, each with the last start to look at."""
        if this is None:
            # Nobody looks again, so of those that are known in part the rest is read, too.
            waiting = [
                *self._unknown,
                *self._known,
                *([] if self._next is None else [self._next]),
                *self._fresh,
            ]
            self._unknown, self._known, self._next = [], [], None
            return [(seeker, seeker.last) for _, _, seeker in waiting]
        taken = []
        # Later than as many known starts as are wanted, no other one is.
        enough = nsmallest(limit, self._known)[-1][0] if len(self._known) >= limit else NEVER
        for _ in range(max(this.each * limit, this.least)):
            if self._next is not None and not (self._unknown and self._unknown[0] < self._next):
                at, _, seeker = self._next
                self._next = next(self._fresh, None)
            elif self._unknown:
                at, _, seeker = heappop(self._unknown)
            else:
                break
            taken.append((seeker, min(seeker.last, at + this.seconds, max(at, enough))))
        return taken


def _look(seekers: Sequence[tuple[Seeker, int]], read: Reader) -> None:
    """Read of each machine as much as decides its starts until the one given with it."""
    asks = []
    for seeker, last in seekers:
        wish = seeker.wish
        asks.append(Ask(seeker, seeker.at - wish.setup_s, last + wish.length_s + wish.cleanup_s))
        seeker.read_to = last
    for ask, steps in zip(asks, read(asks), strict=True):
        seeker = ask.seeker
        seeker.steps = steps or ()
        if steps is None:
            seeker.at = seeker.read_to + 1
