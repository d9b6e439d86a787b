"""When bookings of a machine may lie, as the search for free time asks for it: bit by bit, and often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from fablab.bookings.slot_search import DAY_S, Pair, Step, first_allowed, inside
from fablab.machines.hours import MachineHours
from fablab.machines.rules import Span

# The first look ahead; each one after it goes four times as far.
_FIRST_DAYS = 2


class OpenTimes:
    """The hours of a machine for one member, laid out only as far as somebody asks.

    ``supervised``: the member's bookings lie where staff are there; those that start before ``of_age`` do in
    any case.
    """

    def __init__(self, hours: MachineHours, *, supervised: bool, of_age: int = 0) -> None:
        self._hours = hours
        self._supervised = supervised
        self._of_age = of_age
        self._known: Pair | None = None
        self._steps: dict[int, Step] = {}

    def step(self, since: int, until: int, length_s: int) -> Step:
        """Starts at which a booking of this length lies in these hours and in [since, until)."""
        if self._known is None or not (self._known[0] <= since and until <= self._known[1]):
            known = self._known or (since, until)
            self._known = (min(since, known[0]), max(until, known[1]))
            self._steps.clear()
        step = self._steps.get(length_s)
        if step is None:
            step = self._steps[length_s] = self._made(*self._known, length_s)
        return step

    def first_start(self, steps: Sequence[Step], first: int, last: int, length_s: int) -> int | None:
        """The first start in [first, last] that these steps and the hours allow, or None."""
        days = _FIRST_DAYS
        while first <= last:
            until = min(last, first + days * DAY_S)
            at = first_allowed([*steps, self.step(first, until + length_s, length_s)], first, until)
            if at is not None or until == last:
                return at
            days *= 4
        return None

    def _made(self, since: int, until: int, length_s: int) -> Step:
        if self._supervised:
            return inside(_pairs(self._hours.supervised_spans, since, until), length_s)
        anybody = inside(_pairs(self._hours.open_spans, since, until), length_s)
        if self._of_age <= since:
            return anybody
        with_staff = inside(_pairs(self._hours.supervised_spans, since, until), length_s)

        def step(at: int) -> int:
            if at < self._of_age:
                start = with_staff(at)
                if start < self._of_age:
                    return start
            return anybody(max(at, self._of_age))

        return step


def _pairs(spans_of: Callable[[datetime, datetime], list[Span]], since: int, until: int) -> list[Pair]:
    spans = spans_of(datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
    return [(int(span.starts_at.timestamp()), int(span.ends_at.timestamp())) for span in spans]
