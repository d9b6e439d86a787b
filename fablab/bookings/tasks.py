"""What the clock starts for bookings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from fablab.bookings import service
from fablab.settings import Settings


def close_past_bookings(session: Session, now: datetime, settings: Settings) -> int:
    """Close what is over; returns how many bookings."""
    return service.close_past_bookings(session, now)
