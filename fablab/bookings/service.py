"""Verbs about bookings. None commits: whoever opened the transaction does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.orm import Session

from fablab.bookings.claims import Party, alternatives, claim_unit, list_participants
from fablab.bookings.gathering import Gathered, gather_facts, look_again
from fablab.bookings.models import Booking, BookingChange, Occupancy
from fablab.bookings.queries import BookingView, booking
from fablab.bookings.rules import BookingRequest, Policy, cancellable, decide
from fablab.bookings.rules_people import may_cancel
from fablab.db import notify, notify_all
from fablab.errors import Alternative, Code, DomainError, Refusal, not_allowed, not_found, refused
from fablab.machines.queries import MachineView, machine_by_slug
from fablab.machines.rules import Span
from fablab.members import audit
from fablab.members.rules import Actor, may_book, may_book_for_others


@dataclass(frozen=True)
class Preview:
    """What would happen to a request. ``state`` is None when it would be refused."""

    state: str | None
    refusals: tuple[Refusal, ...]
    alternatives: tuple[Alternative, ...]


def create_booking(
    session: Session, actor: Actor, request: BookingRequest, now: datetime, policy: Policy
) -> BookingView:
    """Book a machine for the actor, or for another member where the actor manages the lab.

    1. gather the facts and let the rules decide, about the member it is for, whoever makes it;
    2. claim the first free unit; where a claim is lost to somebody faster, try the next one;
    3. when none is left, read again who has it, and refuse as if it had been seen at once;
    4. write down who comes along.

    Raises DomainError: NOT_FOUND (machine), NOT_ALLOWED, REFUSED (every rule that says no) or
    CLASH (only `machine_booked`), both with alternatives.
    """
    request = request.in_whole_seconds()
    machine = _bookable(session, actor, request)
    gathered = gather_facts(session, actor, machine, request, now, True)
    if refusals := decide(request, gathered.facts, policy):
        raise _refused_offering(session, gathered, request, now, policy, refusals)
    in_name = gathered.in_name
    party = Party(
        gathered.member_id, actor.member_id, in_name.organisation_id, in_name.project_id, request.heads
    )
    for unit_id in gathered.facts.free_units():
        booking_id = claim_unit(session, machine, unit_id, request, party, now)
        if booking_id is not None:
            break
    else:
        gathered = look_again(session, gathered, Span(request.starts_at, request.ends_at))
        refusals = decide(request, gathered.facts, policy) or [_lost(request)]
        raise _refused_offering(session, gathered, request, now, policy, refusals)
    list_participants(session, booking_id, gathered.listed)
    if gathered.member_id != actor.member_id:
        audit.record(
            session,
            actor,
            "booking.create",
            f"booking {booking_id}",
            now,
            on_member_id=gathered.member_id,
            lab_id=machine.lab_id,
        )
    notify(session, _news(booking_id, machine.id, machine.lab_id))
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
        state="confirmed",
        purpose=request.purpose,
        created_at=now,
        organisation_id=in_name.organisation_id,
        organisation_slug=in_name.organisation_slug,
        organisation_name=in_name.organisation_name,
        project_id=in_name.project_id,
        project_name=in_name.project_name,
        head_count=request.heads,
    )


def preview_booking(
    session: Session, actor: Actor, request: BookingRequest, now: datetime, policy: Policy
) -> Preview:
    """What `create_booking` would do now; stores nothing. Raises NOT_FOUND and NOT_ALLOWED as it does."""
    request = request.in_whole_seconds()
    machine = _bookable(session, actor, request)
    gathered = gather_facts(session, actor, machine, request, now, False)
    refusals = decide(request, gathered.facts, policy)
    if not refusals:
        return Preview("confirmed", (), ())
    error = _refused_offering(session, gathered, request, now, policy, refusals)
    return Preview(None, error.refusals, error.alternatives)


def cancel_booking(
    session: Session, actor: Actor, booking_id: int, now: datetime, reason: str = ""
) -> BookingView:
    """Give a booking's time back. Its history stays.

    Raises NOT_FOUND (also for a booking the actor may not see), NOT_ALLOWED, or REFUSED `already_over`
    when it is running, over, or cancelled before.
    """
    # Two cancellations at once must agree on who made the change.
    session.execute(select(Booking.id).where(Booking.id == booking_id).with_for_update())
    view = booking(session, booking_id, actor=actor)
    part = None if view is None else view.part(actor)
    if view is None or part is None:
        raise not_found("booking")
    if not may_cancel(actor, part, view.lab_id):
        raise not_allowed("You may read this booking, but not cancel it.")
    if not cancellable(view.state, view.ends_at, now):
        text = (
            f"The booking is {view.state if view.state != 'confirmed' else 'over'} and cannot be cancelled."
        )
        raise refused(Refusal("already_over", "state", text))
    session.execute(delete(Occupancy).where(Occupancy.booking_id == booking_id))
    which = Booking.id == booking_id
    _move(session, view.state, "cancelled", now, "member", reason, actor.member_id, which=which)
    if view.member_id != actor.member_id:
        # Why stands in the booking's history, which can be forgotten; the audit cannot.
        audit.record(
            session,
            actor,
            "booking.cancel",
            f"booking {booking_id}",
            now,
            on_member_id=view.member_id,
            lab_id=view.lab_id,
        )
    cancelled = booking(session, booking_id, actor=actor)
    assert cancelled is not None, "the row is locked"
    return cancelled


def mark_started(session: Session, booking_id: int, now: datetime, reason: str = "") -> bool:
    """The machine was used in the booking's time: confirmed becomes started, as of ``now``, when we hear it.

    A booking given up as missed becomes completed, because the news of its use came late. Returns whether
    anything changed; a second call changes nothing.
    """
    steps = (("confirmed", "started"), ("missed", "completed"))
    return any(
        _move(session, *step, now, "machine", reason, which=Booking.id == booking_id) for step in steps
    )


def close_past_bookings(session: Session, now: datetime) -> int:
    """Close what is over: a started booking is completed, a confirmed one was missed. Returns how many.

    Claims the rows by conditional update, so that a second run, also at the same time, changes nothing.
    """
    steps = (("started", "completed"), ("confirmed", "missed"))
    return sum(
        _move(session, *step, now, "clock", "its time is over", which=Booking.ends_at <= now)
        for step in steps
    )


def _bookable(session: Session, actor: Actor, request: BookingRequest) -> MachineView:
    """The machine, once it is clear that the actor may book it at all, and for whom they want."""
    machine = machine_by_slug(session, request.machine)
    if machine is None:
        text = f"There is no machine {request.machine}."
        raise DomainError(Code.NOT_FOUND, text, [Refusal("unknown_machine", "machine", text)])
    if not may_book(actor, machine.lab_id):
        raise not_allowed("Makers book here. You may look, but not book.")
    if request.for_member is not None and not may_book_for_others(actor, machine.lab_id):
        text = "Only the lab's managers book for other people."
        raise not_allowed(text, Refusal("not_allowed", "for_member", text))
    return machine


def _refused_offering(
    session: Session,
    gathered: Gathered,
    request: BookingRequest,
    now: datetime,
    policy: Policy,
    refusals: list[Refusal],
) -> DomainError:
    """One error for all refusals, with what is free instead where the time is what is wrong."""
    codes = {refusal.code for refusal in refusals}
    person = gathered.facts.person
    instead = []
    if codes & {"machine_booked", "minor_unsupervised"}:
        instead = alternatives(
            session,
            gathered.machine,
            request.starts_at,
            request.ends_at,
            now,
            policy,
            supervised=person is not None and person.minor,
        )
    return DomainError(
        Code.CLASH if codes == {"machine_booked"} else Code.REFUSED, refusals[0].message, refusals, instead
    )


def _lost(request: BookingRequest) -> Refusal:
    """Somebody was faster and has cancelled since."""
    return Refusal("machine_booked", "starts_at", f"{request.machine} was just taken; try again.")


def _move(
    session: Session,
    from_state: str,
    to_state: str,
    now: datetime,
    made_by: str,
    reason: str,
    member_id: int | None = None,
    *,
    which: ColumnElement[bool],
) -> int:
    """Move those of these bookings that are in the one state to the other, and tell it; how many there were.

    Three statements at most, however many bookings there are.
    """
    moved = session.execute(
        update(Booking)
        .where(Booking.state == from_state, which)
        .values(state=to_state)
        .returning(Booking.id, Booking.machine_id, Booking.lab_id)
    ).all()
    if moved:
        change = {
            "at": now,
            "made_by": made_by,
            "member_id": member_id,
            "from_state": from_state,
            "to_state": to_state,
            "reason": reason,
        }
        session.execute(insert(BookingChange), [{"booking_id": row.id, **change} for row in moved])
        notify_all(session, [_news(*row) for row in moved])
    return len(moved)


def _news(booking_id: int, machine_id: int, lab_id: int) -> dict[str, Any]:
    """What live viewers are told of a changed booking: enough to read it anew."""
    return {"kind": "booking", "booking": booking_id, "machine": machine_id, "lab": lab_id}
