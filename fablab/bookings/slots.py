"""The first free times over the network for one member, by every rule and all hours.

Nothing here grows in statements with machines or days: labs, machines, what the member has booked and is
certified for, names, and at most four looks at claims (`slot_queue`). One more each for hours and rules that
have changed since this process read them, a minor's consent, and names that there are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from math import inf

from sqlalchemy.orm import Session

from fablab.bookings import slot_reads
from fablab.bookings.facts import Policy
from fablab.bookings.rule_facts import record_of
from fablab.bookings.rule_store import rulebook
from fablab.bookings.slot_groups import (
    LONGEST_AHEAD_DAYS,
    OF_THE_TIME,
    Asked,
    Group,
    Groups,
    LabRow,
)
from fablab.bookings.slot_queue import Ask, Outcome, Seeker, search
from fablab.bookings.slot_reads import Names, Wanted
from fablab.bookings.slot_rules import instant
from fablab.bookings.slot_search import NEVER, Step, free
from fablab.errors import not_allowed, not_found
from fablab.machines.distance import Point
from fablab.machines.known_hours import hours_of_labs
from fablab.machines.rules import Span
from fablab.members.queries import has_consent
from fablab.members.rules import Actor, is_minor, may_book_somewhere

LIMIT_MOST = 50
ANYTHING = Wanted()


@dataclass(frozen=True)
class SlotWish:
    """What is looked for: so many seconds on one of the wanted machines, within [after, before).

    ``near`` is a place (latitude, longitude) or a lab's slug: of equal starts the nearer one comes first.
    """

    length_s: int
    wanted: Wanted = ANYTHING
    after: datetime | None = None
    before: datetime | None = None
    near: str | Point | None = None
    limit: int = 10


@dataclass(frozen=True)
class Slot:
    """A time that can be booked now. ``state`` is what the booking would be in; ``km``: how far it is."""

    machine_id: int
    names: Names
    zone: str
    starts_at: datetime
    ends_at: datetime
    state: str
    km: float | None


@dataclass(frozen=True)
class Found:
    """``machines`` could do the work; ``left_out`` says of how many of them which code leaves no slot.

    Once ``limit`` slots are found the search ends, and then (not ``whole``) nobody has looked at all claims.
    """

    slots: list[Slot]
    machines: int
    left_out: dict[str, int]
    whole: bool


def find_slots(session: Session, actor: Actor, wish: SlotWish, now: datetime, policy: Policy) -> Found:
    """The earliest slots, by start, distance and machine; those of one machine do not overlap.

    Raises NOT_ALLOWED for who books nowhere, NOT_FOUND for a kind, machine, lab or region that there is not.
    """
    if not may_book_somewhere(actor):
        raise not_allowed("Makers book here. You may look, but not book.")
    all_labs = slot_reads.labs_of(session, wish.wanted)
    here = _place_of(wish.near, all_labs)
    machines = slot_reads.machines_of(session, wish.wanted, [lab.id for lab in all_labs if lab.wanted])
    if not machines and (strange := slot_reads.unknown_among(session, wish.wanted)):
        raise not_found(strange)
    in_use = {row.lab_id for row in machines}
    labs = {lab.id: lab for lab in all_labs if lab.id in in_use}
    hours = hours_of_labs(session, {lab.id: lab.hours_version for lab in labs.values()})
    rules = rulebook(session, all_labs[0].rules_version if all_labs else None)
    until = wish.before or now + timedelta(days=LONGEST_AHEAD_DAYS)
    asked = Asked(
        actor,
        record_of(session, actor.member_id, Span(now, max(now, until)), now),
        is_minor(actor.birth_on, now.date()) and has_consent(session, actor.member_id),
        wish.length_s,
        wish.after or now,
        wish.before,
        here,
        now,
        policy,
    )
    finder = _Finder(session, Groups(asked, labs, hours, rules), now)
    groups = finder.groups.of(machines)
    outcome = search(_in_order(finder.groups, groups), wish.limit, finder.look, finder.judge)
    slots = _slots(session, outcome, wish.length_s)
    return Found(
        slots, sum(len(each.ids) for each in machines), finder.left_out(groups, outcome), outcome.whole
    )


def _place_of(near: str | Point | None, labs: Sequence[LabRow]) -> Point | None:
    """Where somebody is; None where that is not said, or nobody knows where the lab lies."""
    if not isinstance(near, str):
        return near
    lab = next((each for each in labs if each.slug == near), None)
    if lab is None:
        raise not_found("lab")
    return lab.place


def _in_order(groups: Groups, found: Iterable[Group]) -> Iterator[Seeker]:
    """The machines that have any start to hope for, one after the other as they come first.

    Hours are looked at when it is a group's turn: most searches end before it is that of most groups.
    """
    # A lab that lies nowhere comes after those that are near.
    queue = [
        (each.at, inf if each.km is None else each.km, each.machines[0], 0, each)
        for each in found
        if each.refused is None
    ]
    heapify(queue)
    while queue:
        at, km, machine_id, place, group = heappop(queue)
        if not group.looked_at:
            groups.look_at_hours(group)
            if group.refused is None:
                heappush(queue, (group.at, km, machine_id, place, group))
            continue
        yield Seeker((km, machine_id), at, group.last, group.wish, group)
        if place + 1 < len(group.machines):
            heappush(queue, (at, km, group.machines[place + 1], place + 1, group))


class _Finder:
    """What a search asks while it goes on: for claims, and for the rules' last word."""

    def __init__(self, session: Session, groups: Groups, now: datetime) -> None:
        self._session, self.groups, self._now = session, groups, now
        self._refused: dict[int, str] = {}

    def look(self, asks: Sequence[Ask]) -> list[Sequence[Step] | None]:
        """What the claims of these machines, and the rules and hours of their groups, leave open."""
        known = slot_reads.gaps_of(self._session, asks, self._now)
        return [self._steps(ask, known.get(ask.seeker.machine_id, [])) for ask in asks]

    def judge(self, seeker: Seeker, at: int) -> int | None:
        """Let a start stand that no rule refuses; else say when to try again, if time can help at all."""
        codes = self.groups.refusals(seeker.tag, at, seeker.machine_id)
        if not codes:
            return None
        self._refused[seeker.machine_id] = codes[0]
        return at + 60 if OF_THE_TIME.issuperset(codes) else NEVER

    def left_out(self, groups: Iterable[Group], outcome: Outcome) -> dict[str, int]:
        """How many machines have no slot, by the code of what leaves them none; the most frequent first."""
        counts: Counter[str] = Counter()
        for group in groups:
            if group.refused is not None:
                counts[group.refused] += len(group.machines)
        for seeker in outcome.none:
            counts[self._refused.get(seeker.machine_id, "machine_booked")] += 1
        return dict(counts.most_common())

    def _steps(self, ask: Ask, parts: Sequence[Sequence[Sequence[tuple[int, int]]]]) -> list[Step] | None:
        if not parts or not all(parts):
            return None
        seeker, group = ask.seeker, ask.seeker.tag
        hours = group.times.step(seeker.at, ask.until - seeker.wish.cleanup_s, seeker.wish.length_s)
        return [group.barred, hours, *(free(units, seeker.wish) for units in parts)]


def _slots(session: Session, outcome: Outcome, length_s: int) -> list[Slot]:
    """What was found, with the names of things. One statement, or none."""
    found = outcome.found
    names = slot_reads.names_of(session, [seeker.machine_id for _, seeker in found]) if found else {}
    return [
        Slot(
            seeker.machine_id,
            names[seeker.machine_id],
            seeker.tag.zone.key,
            instant(at),
            instant(at + length_s),
            "requested" if seeker.tag.ruling.approvals else "confirmed",
            seeker.tag.km,
        )
        for at, seeker in found
    ]
