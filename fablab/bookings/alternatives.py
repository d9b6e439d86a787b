"""What is free instead: the next spans of the same length, on this machine and on others of its kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from fablab.bookings import rule_store
from fablab.bookings.claims import all_units, claims
from fablab.bookings.facts import LONGEST_DAYS, BookingRequest, Needed, Policy, Who
from fablab.bookings.gathering import Gathered
from fablab.bookings.rule_facts import record_of
from fablab.bookings.rulebook import Rulebook, Ruling
from fablab.bookings.rules import decide
from fablab.bookings.slot_search import Pair, WallGrid, Wish, earliest, gaps_of, inside
from fablab.clock import offsets
from fablab.errors import Alternative
from fablab.machines.queries import MachineView, machines
from fablab.machines.rules import Span

# Alternatives are looked for this far beyond the wanted start.
SEARCH_DAYS = 14

Fits = Callable[[MachineView, Ruling, Span], bool]


@dataclass(frozen=True)
class Sought:
    """A span that cannot be had, for whom it was, and whether something else fits them.

    ``supervised``: only while staff are there.
    """

    machine: MachineView
    span: Span
    who: Who
    supervised: bool = False
    fits: Fits = lambda *_: True


def alternatives(
    session: Session, gathered: Gathered, request: BookingRequest, codes: Collection[str], policy: Policy
) -> list[Alternative]:
    """The next free spans of the same length: this machine's own, then those of its kind, same lab first.

    None that the rules would refuse to the same person for another reason than those ``codes``. Two
    statements, however many machines there are; one more where only another machine's rules ask what the
    member has booked.
    """
    person = gathered.facts.person
    sought = Sought(
        gathered.machine,
        Span(request.starts_at, request.ends_at),
        gathered.who,
        supervised=person is not None and person.minor and not request.in_a_group,
        fits=_Would(session, gathered, request, codes),
    )
    rulebook, now, but = gathered.rulebook, gathered.facts.now, gathered.leave.bookings
    return alternatives_of_each(session, [sought], rulebook, now, policy, but)[0]


def alternatives_of_each(
    session: Session,
    sought: Sequence[Sought],
    rulebook: Rulebook,
    now: datetime,
    policy: Policy,
    but: Collection[int] = (),
) -> list[list[Alternative]]:
    """The same for several spans: one statement for each kind of machine, and one for all claims.

    The claims of the bookings ``but`` do not count.
    """
    kinds = sorted({each.machine.kind_slug for each in sought})
    if policy.alternatives <= 0 or not sought:
        return [[] for _ in sought]
    of_kind = {kind: [one for one in machines(session, kind=kind) if one.bookable] for kind in kinds}
    first = max(min(each.span.starts_at for each in sought), now.replace(microsecond=0))
    last = max(max(each.span.starts_at for each in sought), now) + timedelta(days=SEARCH_DAYS)
    longest = max(each.span.ends_at - each.span.starts_at for each in sought)
    # As wide as the widest set-up and clean-up may be.
    margin = longest + timedelta(days=1)
    units = {unit for each in of_kind.values() for one in each for unit in all_units(one)}
    search = _Search(
        rulebook,
        policy,
        now,
        _taken(session, units, Span(first - margin, last + margin), now, but),
        last + margin,
    )
    return [search.instead(each, of_kind[each.machine.kind_slug]) for each in sought]


def first_start(
    session: Session,
    machine: MachineView,
    ruling: Ruling,
    length: timedelta,
    within: Span,
    now: datetime,
    *,
    supervised: bool = False,
) -> datetime | None:
    """The first start in the span at which the machine has room for this length, or None. One statement."""
    margin = timedelta(days=1)
    around = Span(within.starts_at - margin, within.ends_at + length + margin)
    taken = _taken(session, all_units(machine), around, now)
    return _first(machine, ruling, taken, length, within, around, supervised=supervised)


class _Would:
    """Whether the person of a refused request would be refused something else for other reasons, too."""

    def __init__(
        self, session: Session, gathered: Gathered, request: BookingRequest, codes: Collection[str]
    ) -> None:
        self._session, self._gathered, self._request = session, gathered, request
        self._codes = frozenset(codes) - {"machine_booked", "minor_unsupervised"}

    def __call__(self, machine: MachineView, ruling: Ruling, span: Span) -> bool:
        facts = self._gathered.facts
        if ruling.asks_record and facts.record is None:
            record = record_of(self._session, self._gathered.member_id, span, facts.now)
            facts = replace(facts, record=record)
            self._gathered = replace(self._gathered, facts=facts)
        day = timedelta(days=1)
        there = replace(
            facts,
            zone=machine.zone,
            active=True,
            open_throughout=True,
            unit_ids=machine.unit_ids,
            claims=(),
            needs=tuple(Needed(need.slug, need.unit_ids) for need in machine.needs),
            place=rule_store.place_of(machine),
            supervised=tuple(machine.hours.supervised_spans(span.starts_at - day, span.ends_at + day)),
            moved_from=None,
        )
        request = replace(self._request, machine=machine.slug, starts_at=span.starts_at, ends_at=span.ends_at)
        return {each.code for each in decide(request, there, ruling)} <= self._codes


@dataclass(frozen=True)
class _Search:
    """The claims there are on machines of some kinds until an instant, and the rules."""

    rulebook: Rulebook
    policy: Policy
    now: datetime
    taken: Mapping[int, list[Pair]]
    until: datetime

    def instead(self, sought: Sought, candidates: Sequence[MachineView]) -> list[Alternative]:
        length = sought.span.ends_at - sought.span.starts_at
        found = []
        for machine in candidates:
            ruling = self.rulebook.ruling(rule_store.place_of(machine), sought.who, self.policy)
            within = self._within(sought, ruling, length)
            if within is None:
                continue
            start = _first(
                machine,
                ruling,
                self.taken,
                length,
                within,
                Span(within.starts_at - timedelta(days=1), self.until),
                supervised=sought.supervised or ruling.supervised_only,
            )
            if start is None or not sought.fits(machine, ruling, Span(start, start + length)):
                continue
            own = sought.machine
            order = (machine.id != own.id, machine.lab_id != own.lab_id, start, machine.slug)
            zone = ZoneInfo(machine.zone)
            free = Alternative(
                machine.slug, machine.lab_slug, start.astimezone(zone), (start + length).astimezone(zone)
            )
            found.append((order, free))
        return [free for _, free in sorted(found, key=lambda pair: pair[0])[: self.policy.alternatives]]

    def _within(self, sought: Sought, ruling: Ruling, length: timedelta) -> Span | None:
        """Which starts the machine's rules allow for this length, if any."""
        longest = min(timedelta(seconds=ruling.max_s), timedelta(days=LONGEST_DAYS))
        if not timedelta(seconds=ruling.min_s) <= length <= longest:
            return None
        notice = timedelta(seconds=ruling.min_notice_s)
        first = max(sought.span.starts_at, self.now.replace(microsecond=0) + notice)
        last = min(
            max(sought.span.starts_at, self.now) + timedelta(days=SEARCH_DAYS),
            self.now + timedelta(days=ruling.horizon_days),
        )
        return Span(first, last) if first <= last else None


def _taken(
    session: Session, units: Collection[int], around: Span, now: datetime, but: Collection[int] = ()
) -> dict[int, list[Pair]]:
    """The claims on these units, as the search wants them."""
    taken: dict[int, list[Pair]] = {unit: [] for unit in units}
    for claim in claims(session, units, around.starts_at, around.ends_at, now, but=but):
        taken[claim.unit_id].append((_epoch(claim.starts_at), _epoch(claim.ends_at)))
    return taken


def _first(
    machine: MachineView,
    ruling: Ruling,
    taken: Mapping[int, Sequence[Pair]],
    length: timedelta,
    within: Span,
    around: Span,
    *,
    supervised: bool,
) -> datetime | None:
    """The first start in ``within``; ``around`` is how far claims are known."""
    since, until = _epoch(around.starts_at), _epoch(around.ends_at)
    wish = Wish(
        int(length.total_seconds()),
        ruling.setup_s,
        ruling.cleanup_s,
        WallGrid(ruling.grid_s, _offsets(machine.zone, around)),
    )
    groups = [
        [gaps_of(taken[unit], since, until) for unit in group]
        for group in (machine.unit_ids, *(need.unit_ids for need in machine.needs))
    ]
    hours = _pairs(machine.hours.open_spans(around.starts_at, around.ends_at))
    also = []
    if supervised:
        staffed = machine.hours.supervised_spans(around.starts_at, around.ends_at)
        also.append(inside(_pairs(staffed), wish.length_s))
    start = earliest(groups, hours, wish, _epoch(within.starts_at), _epoch(within.ends_at), also)
    return None if start is None else datetime.fromtimestamp(start, UTC)


def _offsets(zone: str, around: Span) -> list[tuple[int, int, int]]:
    return [
        (_epoch(since), _epoch(until), int(ahead.total_seconds()))
        for since, until, ahead in offsets(zone, around.starts_at, around.ends_at)
    ]


def _pairs(spans: Sequence[Span]) -> list[Pair]:
    return [(_epoch(span.starts_at), _epoch(span.ends_at)) for span in spans]


def _epoch(at: datetime) -> int:
    return int(at.timestamp())
