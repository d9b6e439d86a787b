"""A lab's day and moving a booking on it; the booking is Amina's (see bookings.py)."""

from __future__ import annotations

from tests.web.permissions import Row
from tests.web.permissions.bookings import FORM, OF_AMINA, SEEN

MOVED = {**FORM, "machine": "tanger-prusa-2", "time": "12:00"}

ROWS: dict[str, Row] = {
    "GET /labs/<slug>/timeline": Row(200, at={"slug": "tanger"}),
    "GET /bookings/<id:booking_id>/move": Row(200, **SEEN, nadia=403, at=OF_AMINA),
    "POST /bookings/<id:booking_id>/move": Row(303, **SEEN, nadia=403, at=OF_AMINA, form=MOVED),
}
