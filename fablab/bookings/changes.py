"""Changes of bookings: the state, the row that tells of it, and the word to live viewers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange
from fablab.db import notify_all
from fablab.members.rules import Actor


@dataclass(frozen=True)
class By:
    """Who or what changes a booking: 'member' (who is known), 'machine' or 'clock'."""

    made_by: str
    member_id: int | None = None


MACHINE, CLOCK = By("machine"), By("clock")


def by(actor: Actor) -> By:
    """A change that somebody makes by hand."""
    return By("member", actor.member_id)


@dataclass(frozen=True)
class Turned:
    """A booking that changed its state."""

    id: int
    machine_id: int
    lab_id: int


def turn(
    session: Session,
    from_state: str,
    to_state: str,
    now: datetime,
    by: By,
    reason: str = "",
    *,
    which: ColumnElement[bool],
) -> list[Turned]:
    """Move those of these bookings that are in the one state to the other, write it down and tell it.

    Three statements at most, however many bookings there are. A conditional update: of two at once one finds
    nothing left to do.
    """
    rows = session.execute(
        update(Booking)
        .where(Booking.state == from_state, which)
        .values(state=to_state, version=Booking.version + 1)
        .returning(Booking.id, Booking.machine_id, Booking.lab_id)
    ).all()
    turned = sorted((Turned(*row) for row in rows), key=lambda each: each.id)
    states = {"from_state": from_state, "to_state": to_state}
    note(session, [{"booking_id": each.id, **states} for each in turned], now, by, reason)
    tell_viewers(session, turned)
    return turned


def note(
    session: Session, changes: Sequence[Mapping[str, Any]], now: datetime, by: By, reason: str = ""
) -> None:
    """Write into the bookings' history; each change has its booking_id, to_state and what else it tells."""
    if changes:
        common = {"at": now, "made_by": by.made_by, "member_id": by.member_id, "reason": reason}
        session.execute(insert(BookingChange), [{**common, **each} for each in changes])


def tell_viewers(session: Session, changed: Sequence[Turned]) -> None:
    """Tell live viewers, when and if the transaction commits."""
    notify_all(session, [news(each.id, each.machine_id, each.lab_id) for each in changed])


def news(booking_id: int, machine_id: int, lab_id: int) -> dict[str, Any]:
    """What live viewers are told of a changed booking: enough to read it anew."""
    return {"kind": "booking", "booking": booking_id, "machine": machine_id, "lab": lab_id}
