"""Gathering what must be known to decide on bookings, in a number of statements that does not grow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.bookings import rule_store
from fablab.bookings.claims import all_units, claims_of_each, day_around, lock_units
from fablab.bookings.facts import BookingFacts, BookingRequest, Needed, Person, Policy, QuotaUse, Who
from fablab.bookings.models import Booking
from fablab.bookings.party import InName, Known, in_name_of, listed_of, local_day, people_of
from fablab.bookings.quotas import Wish, quota_uses
from fablab.bookings.record import Record
from fablab.bookings.rule_facts import lock_members, record_of
from fablab.bookings.rulebook import Rulebook, Ruling
from fablab.machines.queries import MachineView
from fablab.machines.rules import Span, covers
from fablab.members.rules import Actor, is_minor, may_book_for_others
from fablab.organisations.queries import quotas
from fablab.organisations.service import lock_quotas


@dataclass(frozen=True)
class Leave:
    """What does not count, because it gives its time up: bookings that are moved, a hold that is taken."""

    bookings: frozenset[int] = frozenset()
    hold_id: int | None = None


NOTHING, NOBODY = Leave(), InName()


@dataclass(frozen=True)
class Gathered:
    """The facts of a request, the machine and the rules they are about, and what is stored if they allow it.

    ``member_id`` is 0 where there is no such member, which the rules refuse. ``listed`` are the participants
    as they were written, each with the account it is linked to. ``rulebook`` and ``who`` tell which rules
    hold for the same person elsewhere.
    """

    machine: MachineView
    facts: BookingFacts
    ruling: Ruling
    rulebook: Rulebook
    who: Who
    member_id: int
    member_name: str
    in_name: InName = NOBODY
    listed: tuple[tuple[str, int | None], ...] = ()
    leave: Leave = NOTHING

    def span(self, request: BookingRequest) -> Span:
        """What the request claims: its own time with set-up and clean-up."""
        return padded(Span(request.starts_at, request.ends_at), self.ruling)


def padded(span: Span, ruling: Ruling) -> Span:
    """The span with the set-up before it and the clean-up after it."""
    before, after = timedelta(seconds=ruling.setup_s), timedelta(seconds=ruling.cleanup_s)
    return Span(span.starts_at - before, span.ends_at + after)


def gather_facts(
    session: Session,
    actor: Actor,
    machine: MachineView,
    request: BookingRequest,
    now: datetime,
    policy: Policy,
    *,
    lock: bool,
    leader_id: int | None = None,
    but: Collection[int] = (),
    but_hold: int | None = None,
    moved_from: Span | None = None,
    look: bool = True,
) -> Gathered:
    """What must be known to decide on one request; see `gather_all`."""
    (gathered,) = gather_all(
        session,
        actor,
        [(machine, request)],
        now,
        policy,
        lock=lock,
        leader_id=leader_id,
        but=but,
        but_hold=but_hold,
        moved_from=[moved_from],
        look=look,
    )
    return gathered


def gather_all(
    session: Session,
    actor: Actor,
    wanted: Sequence[tuple[MachineView, BookingRequest]],
    now: datetime,
    policy: Policy,
    *,
    lock: bool,
    leader_id: int | None = None,
    but: Collection[int] = (),
    but_hold: int | None = None,
    moved_from: Sequence[Span | None] | None = None,
    look: bool = True,
) -> list[Gathered]:
    """What must be known to decide on requests of one person: one statement where an adult books alone.

    One more for other people, however many, one where rules ask what the member has booked, and up to five
    for an organisation and a project; however many requests there are. They are for the same person, come
    with the same people and are made in the same name.

    1. who it is for, in whose name, and which rules that means;
    2. with ``lock``: whoever's bookings are counted is locked until the transaction ends, so that of two
       bookings at once the second counts the first; then the bookings ``but``, then all units, unless it is
       just one new booking of one unit;
    3. what is counted, and the claims there are. Of the bookings ``but`` nothing counts, nor the hold.

    ``leader_id`` is the member it is for where the request cannot say it. ``moved_from`` is when each of them
    is now. Without ``look`` claims are left out, for who finds them out by claiming: see `look_again`.
    """
    first = wanted[0][1]
    people = people_of(session, actor, [request for _, request in wanted], wanted[0][0].zone, leader_id)
    leader = next((each for each in people if each.leads), None)
    in_name = in_name_of(session, first, leader.id) if leader else NOBODY
    who = Who(leader.category if leader else "", in_name.organisation_id)
    rulebook = rule_store.rulebook(session, wanted[0][0].rules_version)
    rulings = [rulebook.ruling(rule_store.place_of(machine), who, policy) for machine, _ in wanted]
    leave = Leave(frozenset(but), but_hold)
    if lock:
        if leader is not None and any(ruling.counts for ruling in rulings):
            lock_members(session, [leader.id])
        if in_name.organisation_id is not None:
            # Also where there is no quota yet: few want that row, and asking first would be a statement.
            lock_quotas(session, in_name.organisation_id)
        machine_ids = {machine.id for machine, _ in wanted}
        if but:
            machine_ids |= lock_bookings(session, but)
        if but or len(wanted) > 1 or any(machine.needs for machine, _ in wanted):
            lock_units(session, machine_ids)
    record = None
    if leader is not None and any(ruling.asks_record for ruling in rulings):
        around = Span(
            min(request.starts_at for _, request in wanted), max(request.ends_at for _, request in wanted)
        )
        record = record_of(session, leader.id, around, now).without(leave.bookings)
    quotas_used = _quotas(session, wanted, in_name, leave)
    gathered = [
        Gathered(
            machine=machine,
            facts=_facts(actor, machine, request, ruling, now, leader, people, in_name, record, used, was),
            ruling=ruling,
            rulebook=rulebook,
            who=who,
            member_id=leader.id if leader else 0,
            member_name=leader.name if leader else "",
            in_name=in_name,
            listed=listed_of(
                request,
                people,
                local_day(request, machine.zone),
                may_know_all=may_book_for_others(actor, machine.lab_id),
            )[0],
            leave=leave,
        )
        for (machine, request), ruling, used, was in zip(
            wanted, rulings, quotas_used, moved_from or [None] * len(wanted), strict=True
        )
    ]
    return look_again_at_all(session, gathered, [request for _, request in wanted]) if look else gathered


def look_again(session: Session, gathered: Gathered, request: BookingRequest) -> Gathered:
    """The same with the claims that stand now. One statement."""
    return look_again_at_all(session, [gathered], [request])[0]


def look_again_at_all(
    session: Session, gathered: Sequence[Gathered], requests: Sequence[BookingRequest]
) -> list[Gathered]:
    """The same with the claims that stand now. One statement."""
    first = gathered[0]
    wanted = [
        (all_units(each.machine) if request.ends_at > request.starts_at else (), each.span(request))
        for each, request in zip(gathered, requests, strict=True)
    ]
    found = claims_of_each(
        session, wanted, first.facts.now, but=first.leave.bookings, but_hold=first.leave.hold_id
    )
    return [
        replace(each, facts=replace(each.facts, claims=tuple(taken)))
        for each, taken in zip(gathered, found, strict=True)
    ]


def lock_bookings(session: Session, booking_ids: Collection[int]) -> set[int]:
    """Lock these bookings until the transaction ends; the machines they are of. One statement.

    Not against being referred to: who has locked the units meanwhile writes down what touches a booking.
    """
    rows = session.execute(
        select(Booking.machine_id)
        .where(Booking.id.in_(sorted(booking_ids)))
        .order_by(Booking.id)
        .with_for_update(key_share=True)
    )
    return {row.machine_id for row in rows}


def _facts(
    actor: Actor,
    machine: MachineView,
    request: BookingRequest,
    ruling: Ruling,
    now: datetime,
    leader: Known | None,
    people: Sequence[Known],
    in_name: InName,
    record: Record | None,
    used: tuple[QuotaUse, ...],
    moved_from: Span | None,
) -> BookingFacts:
    """Everything but the claims."""
    on = local_day(request, machine.zone)
    person = None
    if leader is not None:
        person = Person(leader.email, leader.name, is_minor(leader.birth_on, on), leader.consent)
    supervised = ruling.supervised_only or (person is not None and person.minor)
    _, without_consent = listed_of(
        request, people, on, may_know_all=may_book_for_others(actor, machine.lab_id)
    )
    return BookingFacts(
        now=now,
        zone=machine.zone,
        active=machine.active and machine.bookable,
        open_throughout=_open_throughout(machine, request),
        unit_ids=machine.unit_ids,
        claims=(),
        person=person,
        supervised=_supervised(machine, request) if supervised else (),
        without_consent=without_consent,
        belongs_to_organisation=not leader
        or request.organisation is None
        or in_name.organisation_id is not None,
        project_known=not leader or request.project is None or in_name.project_id is not None,
        quotas=used,
        place=rule_store.place_of(machine),
        record=record,
        moved_from=moved_from,
        needs=tuple(Needed(need.slug, need.unit_ids) for need in machine.needs),
    )


def _quotas(
    session: Session,
    wanted: Sequence[tuple[MachineView, BookingRequest]],
    in_name: InName,
    leave: Leave,
) -> list[tuple[QuotaUse, ...]]:
    """What each counts against of the organisation's quotas. Two statements at most."""
    if in_name.organisation_id is None:
        return [() for _ in wanted]
    wishes = [
        Wish(machine.kind_id, machine.kind_name, Span(request.starts_at, request.ends_at))
        # Of a span that nobody asks for in earnest there would be centuries of weeks to count.
        for machine, request in wanted
        if request.sane
    ]
    limits = quotas(session, in_name.organisation_id) if wishes else []
    used = iter(
        quota_uses(
            session,
            in_name.organisation_id,
            in_name.organisation_name or "",
            limits,
            wishes,
            but=leave.bookings,
        )
    )
    return [next(used) if request.sane else () for _, request in wanted]


def _open_throughout(machine: MachineView, request: BookingRequest) -> bool:
    # Two centuries of opening hours take a second to lay out.
    if not request.sane:
        return machine.unattended
    span = Span(request.starts_at, request.ends_at)
    around = day_around(span)
    return covers(machine.hours.open_spans(around.starts_at, around.ends_at), span)


def _supervised(machine: MachineView, request: BookingRequest) -> tuple[Span, ...]:
    if not request.sane:
        return ()
    around = day_around(Span(request.starts_at, request.ends_at))
    return tuple(machine.hours.supervised_spans(around.starts_at, around.ends_at))
