"""Several bookings made as one: what of their verdicts is stored, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.bookings.changes import Turned, tell_viewers
from fablab.bookings.facts import BookingRequest
from fablab.bookings.gathering import Gathered
from fablab.bookings.service import state_of
from fablab.bookings.storing import Party, Taking
from fablab.bookings.verdicts import Verdict
from fablab.errors import Code, DomainError, Refusal
from fablab.members import audit
from fablab.members.rules import Actor


def taking(
    actor: Actor, gathered: Gathered, request: BookingRequest, verdict: Verdict, now: datetime, **more: Any
) -> Taking:
    """What is stored for a request that may be booked. ``more`` says what it belongs to."""
    state, decide_by = state_of(gathered.ruling, request, now)
    name = gathered.in_name
    return Taking(
        gathered.machine,
        verdict.units if state == "confirmed" else (),
        request,
        Party(gathered.member_id, actor.member_id, name.organisation_id, name.project_id, request.heads),
        gathered.span(request),
        state,
        decide_by=decide_by,
        listed=gathered.listed,
        **more,
    )


def made(
    session: Session, actor: Actor, stored: Sequence[tuple[int, Taking]], now: datetime, detail: str
) -> None:
    """Tell of bookings that were just made together: their readers, live viewers and the audit.

    ``detail`` says what they are, for the audit. A number of statements that does not grow.
    """
    tell_viewers(session, [Turned(each, one.machine.id, one.machine.lab_id) for each, one in stored])
    for state in ("confirmed", "requested"):
        ids = [booking_id for booking_id, each in stored if each.state == state]
        if ids:
            letters.tell(session, ids, state, now, actor=actor)
    member_id, machine = stored[0][1].party.member_id, stored[0][1].machine
    if member_id != actor.member_id:
        audit.record(
            session,
            actor,
            "booking.create",
            f"booking {stored[0][0]}",
            now,
            detail,
            on_member_id=member_id,
            lab_id=machine.lab_id,
        )


def nothing_made(refusals: Sequence[Refusal]) -> DomainError:
    """The one answer to several that were asked for together: a clash where nothing else was wrong."""
    clash = {each.code for each in refusals} == {"machine_booked"}
    return DomainError(Code.CLASH if clash else Code.REFUSED, refusals[0].message, refusals)
