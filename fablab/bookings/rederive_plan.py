"""Which bookings can keep their wall time when a zone's clock is to be moved otherwise. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fablab.machines.rules import Span


@dataclass(frozen=True)
class Claimed:
    """A unit and the span that a booking claims on it, with set-up and clean-up."""

    unit_id: int
    span: Span


@dataclass(frozen=True)
class Mover:
    """A booking that stands at ``old`` and whose wall time is at ``new``.

    Those of one ``group`` move together or not at all. A request claims nothing.
    """

    id: int
    group: int
    machine_id: int
    lab_id: int
    state: str
    old: Span
    new: Span
    claimed: tuple[Claimed, ...] = ()

    def at(self, claim: Claimed) -> Span:
        """Where a claim is once the booking has moved: its buffers keep their length."""
        before = self.old.starts_at - claim.span.starts_at
        after = claim.span.ends_at - self.old.ends_at
        return Span(self.new.starts_at - before, self.new.ends_at + after)


def who_stays(movers: Sequence[Mover], blocked: Collection[int]) -> set[int]:
    """The groups that cannot move: their new time is claimed by others, or by one of them that stays.

    ``blocked`` are the groups that others than these movers are in the way of. Of two that would meet where
    they did not before the later one stays. What stays may be in another's way, so it is looked at again
    until nothing changes: each time round at least one more stays.
    """
    staying = set(blocked)
    while True:
        by_unit: dict[int, list[tuple[Span, int, int]]] = defaultdict(list)
        for mover in movers:
            stays = mover.group in staying
            for claim in mover.claimed:
                rank = 0 if stays else mover.id
                by_unit[claim.unit_id].append((claim.span if stays else mover.at(claim), rank, mover.group))
        more = {group for spans in by_unit.values() for group in _in_the_way(spans)} - staying
        if not more:
            return staying
        staying |= more


def _in_the_way(spans: list[tuple[Span, int, int]]) -> set[int]:
    """Of the spans that overlap on one unit, the groups with the higher rank: those that came later."""
    found = set()
    last: tuple[Span, int, int] | None = None
    for each in sorted(spans):
        if last is not None and each[0].starts_at < last[0].ends_at:
            found.add(max(each, last, key=lambda one: one[1])[2])
        if last is None or each[0].ends_at > last[0].ends_at:
            last = each
    return found
