"""Bookings, by program and by hand. Amina's is in Tanger: Salma manages it, Karim must see nothing of it."""

from __future__ import annotations

from typing import Any

from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from tests.fixtures_cast import tomorrow
from tests.web.api.requests import booking_body
from tests.web.permissions import Row
from tests.web.permissions.world import World

OF_AMINA = {"booking_id": "$booking"}
SEEN = {"youssef": 404, "trainer": 404, "karim": 404}
FORM = {"day": f"{tomorrow(10):%Y-%m-%d}", "time": "10:00", "duration": "60"}

ROWS: dict[str, Row] = {
    "GET /api/v1/bookings": Row(200),
    "GET /api/v1/bookings/<id:booking_id>": Row(200, **SEEN, at=OF_AMINA),
    "GET /api/v1/bookings/<id:booking_id>/history": Row(200, **SEEN, at=OF_AMINA),
    "POST /api/v1/bookings": Row(201, nadia=403, json=booking_body()),
    "POST /api/v1/bookings/preview": Row(200, nadia=403, json=booking_body()),
    "POST /api/v1/bookings/<id:booking_id>/cancellation": Row(
        201, **SEEN, nadia=403, at=OF_AMINA, json={"reason": "ill"}
    ),
    "GET /bookings": Row(200),
    "GET /bookings/<id:booking_id>": Row(200, **SEEN, at=OF_AMINA),
    "GET /bookings/<id:booking_id>/cancellation": Row(200, **SEEN, nadia=403, at=OF_AMINA),
    "POST /bookings/<id:booking_id>/cancellation": Row(303, **SEEN, nadia=403, at=OF_AMINA, form={}),
    "POST /machines/<slug>/bookings": Row(303, nadia=403, at={"slug": "tanger-prusa-1"}, form=FORM),
}


def things(world: World) -> dict[str, Any]:
    wanted = BookingRequest(**{**booking_body(machine="tanger-prusa-2"), **_instants()})
    limits = Policy(**vars(world.settings.bookings))
    return {
        "booking": create_booking(world.session, world.cast.actors["amina"], wanted, world.now, limits).id
    }


def _instants() -> dict[str, Any]:
    return {"starts_at": tomorrow(10), "ends_at": tomorrow(11)}
