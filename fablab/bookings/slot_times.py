"""When bookings of a machine may lie, as the search for free time asks for it: often, and bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from fablab.bookings.slot_search import DAY_S, Pair, Step, first_allowed, inside
from fablab.machines.hours import MachineHours

# The first look ahead; each one after it goes eight times as far.
_FIRST_DAYS = 2
# Hours are laid out by so many days at a time, and forgotten where they have become too many.
_PAGE_S = 4 * DAY_S
_LONGEST_S = 1000 * DAY_S


@dataclass(frozen=True)
class _Laid:
    """Open spans of [since, until) and their ends."""

    since: int
    until: int
    spans: Sequence[Pair]
    ends: Sequence[int]


# Kept as long as the hours themselves are: every search asks for the same ones.
_known: WeakKeyDictionary[MachineHours, dict[bool, _Laid]] = WeakKeyDictionary()


class OpenTimes:
    """The hours of a machine for one member, laid out only as far as somebody asks.

    ``supervised``: the member's bookings lie where staff are there; those that start before ``of_age`` do in
    any case.
    """

    def __init__(self, hours: MachineHours, *, supervised: bool, of_age: int = 0) -> None:
        self._hours = hours
        self._supervised = supervised
        self._of_age = of_age

    def step(self, since: int, until: int, length_s: int) -> Step:
        """Starts in [since, until) at which a booking of this length lies in these hours."""
        if self._supervised:
            return self._within(True, since, until, length_s)
        anybody = self._within(False, since, until, length_s)
        if self._of_age <= since:
            return anybody
        with_staff = self._within(True, since, until, length_s)

        def step(at: int) -> int:
            if at < self._of_age:
                start = with_staff(at)
                if start < self._of_age:
                    return start
            return anybody(max(at, self._of_age))

        return step

    def first_start(self, steps: Sequence[Step], first: int, last: int, length_s: int) -> int | None:
        """The first start in [first, last] that these steps and the hours allow, or None."""
        days = _FIRST_DAYS
        while first <= last:
            until = min(last, first + days * DAY_S)
            at = first_allowed([*steps, self.step(first, until + length_s, length_s)], first, until)
            if at is not None or until == last:
                return at
            days *= 8
        return None

    def _within(self, supervised: bool, since: int, until: int, length_s: int) -> Step:
        known = _known.setdefault(self._hours, {})
        laid = known.get(supervised)
        if laid is None or not (laid.since <= since and until <= laid.until):
            laid = known[supervised] = self._laid_out(laid, supervised, since, until)
        return inside(laid.spans, length_s, laid.ends)

    def _laid_out(self, laid: _Laid | None, supervised: bool, since: int, until: int) -> _Laid:
        """The spans around what is asked for, and around what was asked for before."""
        since, until = since // _PAGE_S * _PAGE_S, -(-until // _PAGE_S) * _PAGE_S
        if laid is not None and max(until, laid.until) - min(since, laid.since) <= _LONGEST_S:
            since, until = min(since, laid.since), max(until, laid.until)
        spans_of = self._hours.supervised_spans if supervised else self._hours.open_spans
        found = spans_of(datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
        spans = [(int(each.starts_at.timestamp()), int(each.ends_at.timestamp())) for each in found]
        return _Laid(since, until, spans, [ends for _, ends in spans])
