"""Bookings, by program and by hand. Amina's is in Tanger: Salma manages it, Karim must see nothing of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fablab.bookings.outages import OutageWish, begin_outage
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from fablab.machines.queries import machine_by_slug
from tests.fixtures_cast import tomorrow
from tests.web.api.requests import booking_body
from tests.web.permissions import Row
from tests.web.permissions.world import World

OF_AMINA = {"booking_id": "$booking"}
ASKED_BY_AMINA = {"booking_id": "$request"}
NO_STAFF = {"amina": 403, "youssef": 403, "trainer": 403, "karim": 403, "nadia": 403}
LATER = tomorrow(11, 30).isoformat()
OUTAGE = {"starts_at": tomorrow(14).isoformat(), "ends_at": None, "category": "fault"}
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
    "PATCH /api/v1/bookings/<id:booking_id>": Row(
        200, **SEEN, nadia=403, at=OF_AMINA, json={"purpose": "two lamps", "ends_at": LATER}
    ),
    "POST /api/v1/bookings/<id:booking_id>/extension": Row(
        201, **SEEN, nadia=403, at=OF_AMINA, json={"ends_at": LATER}
    ),
    "POST /api/v1/bookings/<id:booking_id>/approval": Row(
        201, amina=403, **SEEN, nadia=403, at=ASKED_BY_AMINA, json={}
    ),
    "POST /api/v1/bookings/<id:booking_id>/rejection": Row(
        201, amina=403, **SEEN, nadia=403, at=ASKED_BY_AMINA, json={"reason": "a course is on that day"}
    ),
    "GET /api/v1/machines/<slug:machine>/outages": Row(200),
    "POST /api/v1/machines/<slug:machine>/outages": Row(201, **NO_STAFF, json=OUTAGE),
    "PATCH /api/v1/machines/<slug:machine>/outages/<id:outage_id>": Row(
        200,
        **NO_STAFF,
        at={"machine": "tanger-prusa-1", "outage_id": "$outage"},
        json={"note": "the new nozzle is on its way"},
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
    amina, salma = world.cast.actors["amina"], world.cast.actors["salma"]
    asked = replace(wanted, starts_at=tomorrow(14), ends_at=tomorrow(15))
    asking = replace(limits, approvals=1)
    machine = machine_by_slug(world.session, "tanger-prusa-1")
    assert machine is not None
    # Far from everything that others book.
    wish = OutageWish(tomorrow(2, days=40), tomorrow(3, days=40), "upgrade")
    return {
        "booking": create_booking(world.session, amina, wanted, world.now, limits).id,
        "request": create_booking(world.session, amina, asked, world.now, asking).id,
        "outage": begin_outage(world.session, salma, machine, wish, world.now, limits).outage.id,
    }


def _instants() -> dict[str, Any]:
    return {"starts_at": tomorrow(10), "ends_at": tomorrow(11)}
