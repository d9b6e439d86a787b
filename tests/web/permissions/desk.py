"""At the machine, and importing files. The booking is Amina's in Tanger, and is about to begin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from tests.web.permissions import Row
from tests.web.permissions.world import World

NOT_SEEN = {"youssef": 404, "trainer": 404, "karim": 404}
OF_AMINA = {"booking_id": "$soon"}
HERE = {"slug": "tanger-prusa-1"}
IMPORT = {"amina": 404, "youssef": 404, "trainer": 404, "nadia": 404}

ROWS: dict[str, Row] = {
    "POST /api/v1/bookings/<id:booking_id>/check-in": Row(200, **NOT_SEEN, nadia=403, at=OF_AMINA),
    # Nobody has come yet.
    "POST /api/v1/bookings/<id:booking_id>/check-out": Row(422, **NOT_SEEN, nadia=403, at=OF_AMINA),
    "GET /api/v1/machines/<slug:machine>/qr.svg": Row(200),
    "POST /api/v1/imports/<any(bookings, machines, members):what>": Row(
        422,
        amina=403,
        youssef=403,
        trainer=403,
        nadia=403,
        at={"what": "bookings"},
        # Whoever may import hears that the file is missing.
        form={"csrf_token": "x"},
        headers={"Content-Type": "multipart/form-data"},
    ),
    "GET /m/<slug>": Row(200, at=HERE),
    "POST /m/<slug>/check-in": Row(303, **NOT_SEEN, nadia=403, at=HERE, form={"booking": "$soon"}),
    "POST /m/<slug>/check-out": Row(303, **NOT_SEEN, nadia=403, at=HERE, form={"booking": "$soon"}),
    "POST /m/<slug>/bookings": Row(303, nadia=403, at={"slug": "tanger-prusa-2"}, form={"minutes": "30"}),
    "GET /labs/<slug>/codes": Row(404, salma=200, admin=200, at={"slug": "tanger"}),
    "GET /imports": Row(200, **IMPORT),
    "POST /imports": Row(422, **IMPORT, form={"what": "bookings"}),
    "POST /imports/<any(bookings, machines, members):what>": Row(
        422, **IMPORT, at={"what": "bookings"}, form={"content": ""}
    ),
}


def things(world: World) -> dict[str, Any]:
    limits = Policy(**vars(world.settings.bookings))
    starts_at = world.now + timedelta(minutes=5)
    wanted = BookingRequest("tanger-prusa-1", starts_at, starts_at + timedelta(hours=1))
    return {"soon": create_booking(world.session, world.cast.actors["amina"], wanted, world.now, limits).id}
