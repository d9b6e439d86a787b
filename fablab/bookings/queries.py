"""Reads about bookings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking

# States in which a booking may have been used. News can be late: the clock may have closed it meanwhile.
_USABLE = ("confirmed", "started", "completed", "missed")


@dataclass(frozen=True)
class HoldingCandidate:
    """A booking to which the use of a machine may belong."""

    id: int
    member_id: int
    starts_at: datetime
    ends_at: datetime
    state: str


def holding_candidates(
    session: Session, machine_id: int, at: datetime, until: datetime
) -> list[HoldingCandidate]:
    """Bookings of the machine that hold ``at``, or start after it and not later than ``until``."""
    rows = session.execute(
        select(Booking.id, Booking.member_id, Booking.starts_at, Booking.ends_at, Booking.state)
        .where(
            Booking.machine_id == machine_id,
            Booking.state.in_(_USABLE),
            Booking.starts_at <= until,
            Booking.ends_at > at,
        )
        .order_by(Booking.starts_at, Booking.id)
    )
    return [HoldingCandidate(*row) for row in rows]
