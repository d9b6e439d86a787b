"""Verbs about bookings: make, look ahead, cancel, and what the machine and the clock do. None commits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.bookings.changes import CLOCK, MACHINE, by, news, turn
from fablab.bookings.checks import (
    bookable,
    check_override,
    check_seen,
    lost,
    machine_ids,
    overridden,
    refused_offering,
    seen_booking,
    tell_audit,
    waits_for_nobody,
)
from fablab.bookings.claims import give_back, lock_units
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.freed import freed
from fablab.bookings.gathering import Gathered, gather_facts, lock_bookings, look_again
from fablab.bookings.holds import drop_expired, take_over
from fablab.bookings.models import Booking
from fablab.bookings.noshow import lapsed, release
from fablab.bookings.queries import BookingView, bookings_by_id, siblings
from fablab.bookings.rule_store import rulings_of_bookings
from fablab.bookings.rulebook import Ruling
from fablab.bookings.rules import CANCELLABLE_STATES, cancellable, decide, too_late_to_cancel
from fablab.bookings.rules_people import may_cancel
from fablab.bookings.storing import Party, Taking, claim_unit, list_participants, take_all
from fablab.bookings.wording import refusal
from fablab.db import notify
from fablab.errors import Alternative, Refusal, not_allowed, not_found, refused
from fablab.machines.rules import Span
from fablab.members.rules import Actor, may_manage_lab

# So often a booking is tried again where each time somebody else was faster.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Preview:
    """What would happen to a request. ``state`` is None when it would be refused.

    ``broke`` are the codes of the rules that staff would go over, ``ruling`` is what was asked.
    """

    state: str | None
    refusals: tuple[Refusal, ...]
    alternatives: tuple[Alternative, ...]
    broke: tuple[str, ...] = ()
    ruling: Ruling | None = None


def create_booking(
    session: Session,
    actor: Actor,
    request: BookingRequest,
    now: datetime,
    policy: Policy,
    *,
    override: bool = False,
    hold_id: int | None = None,
) -> BookingView:
    """Book a machine for the actor, or for another member where the actor manages the lab.

    1. gather the facts and let the rules decide, about the member it is for, whoever makes it;
    2. where approvals are asked for, store a request, which claims nothing;
    3. else claim a unit of the machine and of each it needs, or turn a hold that was kept for the member into
       the booking. A single unit is claimed without looking: that tells as well whether it is free;
    4. where it is not, read who has it, and decide again with that, so that all refusals come at once. A
       booking that nobody came to is given up then;
    5. write down who comes along, and tell.

    With ``override`` staff go over what rules say, never over claims; which rules stands in its history.

    Raises DomainError: NOT_FOUND (machine), NOT_ALLOWED, REFUSED (every rule that says no) or
    CLASH (only `machine_booked`), both with alternatives.
    """
    request = request.in_whole_seconds()
    machine = bookable(session, actor, request)
    if override:
        check_override(actor, machine.lab_id)
    looked = hold_id is not None or bool(machine.needs) or len(machine.unit_ids) != 1
    gathered = gather_facts(
        session,
        actor,
        machine,
        request,
        now,
        policy,
        lock=True,
        but_hold=hold_id,
        # When it was given, the hold's start was decided on.
        moved_from=None if hold_id is None else Span(request.starts_at, request.ends_at),
        look=looked,
    )
    released = False
    for _ in range(_ATTEMPTS):
        refusals = decide(request, gathered.facts, gathered.ruling)
        state, decide_by = ("confirmed", None) if override else state_of(gathered.ruling, request, now)
        broke, standing = overridden(refusals, request, now, override)
        if looked and not released and waits_for_nobody(gathered, standing):
            released = True
            if release(session, now, policy, machine_ids(machine)):
                gathered = look_again(session, gathered, request)
                continue
        if looked and standing:
            raise refused_offering(session, gathered, request, policy, standing)
        if not standing and (looked or state == "confirmed"):
            if override and gathered.ruling.approvals:
                broke = (*broke, "approval_needed")
            booking_id = _store(
                session, actor, gathered, request, now, policy, state, decide_by, broke, hold_id
            )
            if booking_id is not None:
                break
        gathered = look_again(session, gathered, request)
        looked = True
    else:
        raise refused_offering(session, gathered, request, policy, [lost(request)])
    tell_audit(session, actor, "create", booking_id, gathered.member_id, machine.lab_id, now, broke)
    in_name = gathered.in_name
    return BookingView(
        id=booking_id,
        machine_id=machine.id,
        machine_slug=machine.slug,
        machine_name=machine.name,
        lab_id=machine.lab_id,
        lab_slug=machine.lab_slug,
        zone=machine.zone,
        member_id=gathered.member_id,
        member_name=gathered.member_name,
        created_by_id=actor.member_id,
        created_by_name=actor.name,
        starts_at=request.starts_at,
        ends_at=request.ends_at,
        state=state,
        purpose=request.purpose,
        created_at=now,
        organisation_id=in_name.organisation_id,
        organisation_slug=in_name.organisation_slug,
        organisation_name=in_name.organisation_name,
        project_id=in_name.project_id,
        project_name=in_name.project_name,
        head_count=request.heads,
        decide_by=decide_by,
    )


def preview_booking(
    session: Session,
    actor: Actor,
    request: BookingRequest,
    now: datetime,
    policy: Policy,
    *,
    override: bool = False,
) -> Preview:
    """What `create_booking` would do now; stores nothing. Raises NOT_FOUND and NOT_ALLOWED as it does."""
    request = request.in_whole_seconds()
    machine = bookable(session, actor, request)
    if override:
        check_override(actor, machine.lab_id)
    gathered = gather_facts(session, actor, machine, request, now, policy, lock=False)
    refusals = decide(request, gathered.facts, gathered.ruling)
    if waits_for_nobody(gathered, refusals) and (
        given_up := lapsed(session, now, policy, machine_ids(machine))
    ):
        gathered = gather_facts(
            session, actor, machine, request, now, policy, lock=False, but=frozenset(given_up)
        )
        refusals = decide(request, gathered.facts, gathered.ruling)
    broke, refusals = overridden(refusals, request, now, override)
    if not refusals:
        state, _ = ("confirmed", None) if override else state_of(gathered.ruling, request, now)
        return Preview(state, (), (), broke, gathered.ruling)
    error = refused_offering(session, gathered, request, policy, refusals)
    return Preview(None, error.refusals, error.alternatives, broke, gathered.ruling)


def cancel_booking(
    session: Session,
    actor: Actor,
    booking_id: int,
    now: datetime,
    policy: Policy | None,
    reason: str = "",
    *,
    seen: Collection[int] | None = None,
) -> BookingView:
    """Give a booking's time back, and that of what was booked together with it. Its history stays.

    ``seen`` are versions of it that the actor knows; None: any. ``policy`` None asks for no deadline.

    Raises NOT_FOUND (also for a booking the actor may not see), NOT_ALLOWED, STALE, or REFUSED:
    `already_over` when it is running, over, or cancelled before; `too_late_to_cancel`.
    """
    view = seen_booking(session, actor, booking_id)
    check_seen(view, seen)
    together = siblings(session, view.id, view.bundle_id)
    cancelled = cancel_all(session, actor, [booking_id, *together], now, policy, reason)
    return next(each for each in cancelled if each.id == booking_id)


def cancel_all(
    session: Session,
    actor: Actor,
    booking_ids: Collection[int],
    now: datetime,
    policy: Policy | None,
    reason: str = "",
) -> list[BookingView]:
    """Cancel these bookings, all or none; they come back as they are then, by id.

    Raises as `cancel_booking` does, for the first that cannot be cancelled.
    """
    # Two cancellations at once must agree on who made the change.
    lock_units(session, lock_bookings(session, booking_ids))
    found = bookings_by_id(session, booking_ids, actor=actor)
    if len(found) < len(set(booking_ids)):
        raise not_found("booking")
    rulings = {} if policy is None else rulings_of_bookings(session, booking_ids, policy)
    for each in found:
        _check_cancellable(actor, each, rulings.get(each.id), now)
    spans = give_back(session, booking_ids)
    for state in sorted({each.state for each in found}):
        turn(session, state, "cancelled", now, by(actor), reason, which=Booking.id.in_(booking_ids))
    for each in found:
        # Why stands in the booking's history, which can be forgotten; the audit cannot.
        tell_audit(session, actor, "cancel", each.id, each.member_id, each.lab_id, now)
    letters.tell(session, [each.id for each in found], "cancelled", now, actor=actor, reason=reason)
    freed(session, spans, now, policy)
    return [replace(each, state="cancelled", version=each.version + 1) for each in found]


def mark_started(session: Session, booking_id: int, now: datetime, reason: str = "") -> bool:
    """The machine was used in the booking's time: confirmed becomes started, as of ``now``, when we hear it.

    A booking given up as missed becomes completed, because the news of its use came late. Returns whether
    anything changed; a second call changes nothing.
    """
    steps = (("confirmed", "started"), ("missed", "completed"))
    which = Booking.id == booking_id
    return any(turn(session, *step, now, MACHINE, reason, which=which) for step in steps)


def close_past_bookings(session: Session, now: datetime) -> int:
    """Close what is over: a started booking is completed, a confirmed one was missed. Returns how many.

    Claims the rows by conditional update, so that a second run, also at the same time, changes nothing.
    """
    steps = (("started", "completed"), ("confirmed", "missed"))
    which = Booking.ends_at <= now
    return sum(len(turn(session, *step, now, CLOCK, "its time is over", which=which)) for step in steps)


def state_of(ruling: Ruling, request: BookingRequest, now: datetime) -> tuple[str, datetime | None]:
    """The state of a booking that rules allow, and by when it must be decided on where it is a request."""
    if ruling.approvals <= 0:
        return "confirmed", None
    if ruling.decide_within_s <= 0:
        return "requested", request.starts_at
    return "requested", min(request.starts_at, now + timedelta(seconds=ruling.decide_within_s))


def _store(
    session: Session,
    actor: Actor,
    gathered: Gathered,
    request: BookingRequest,
    now: datetime,
    policy: Policy,
    state: str,
    decide_by: datetime | None,
    broke: tuple[str, ...],
    hold_id: int | None,
) -> int | None:
    """Store what may be booked and tell it; its number, None where somebody else was faster."""
    name, machine = gathered.in_name, gathered.machine
    party = Party(gathered.member_id, actor.member_id, name.organisation_id, name.project_id, request.heads)
    span = gathered.span(request)
    if state == "confirmed" and hold_id is None and not machine.needs:
        for unit_id in gathered.facts.free_units():
            booking_id = claim_unit(session, machine, unit_id, request, party, span, now, broke)
            if booking_id is not None:
                list_participants(session, [(booking_id, *guest) for guest in gathered.listed])
                return booking_id
        # A hold that is over is in nobody's way, once it is gone.
        drop_expired(session, gathered.facts.free_units(), span.starts_at, span.ends_at, now)
        return None
    claimless = state == "requested" or hold_id is not None
    units = () if claimless else gathered.facts.choice() or ()
    taking = Taking(
        machine, units, request, party, span, state, decide_by=decide_by, listed=gathered.listed, broke=broke
    )
    (booking_id,) = take_all(session, [taking], now)
    if booking_id is None:
        drop_expired(session, units, span.starts_at, span.ends_at, now)
        return None
    if hold_id is not None:
        take_over(session, hold_id, booking_id)
        if state == "requested":
            # A request claims nothing.
            freed(session, give_back(session, [booking_id]), now, policy)
    letters.tell(session, [booking_id], state, now, actor=actor)
    notify(session, news(booking_id, machine.id, machine.lab_id))
    return booking_id


def _check_cancellable(actor: Actor, view: BookingView, ruling: Ruling | None, now: datetime) -> None:
    part = view.part(actor)
    if part is None:
        raise not_found("booking")
    if not may_cancel(actor, part, view.lab_id):
        raise not_allowed("You may read this booking, but not cancel it.")
    if not cancellable(view.state, view.ends_at, now):
        case = "over" if view.state in CANCELLABLE_STATES else view.state
        raise refused(refusal("already_over", "state", case=case))
    if ruling is not None and not may_manage_lab(actor, view.lab_id):
        too_late = too_late_to_cancel(view.starts_at, view.state, now, ruling)
        if too_late is not None:
            raise refused(too_late)
