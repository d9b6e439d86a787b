"""Waiting lists and bookings that change hands. The line is Youssef's; Amina offers him her booking."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from fablab.bookings import handover
from fablab.bookings.models_claims import Waiting
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from tests.fixtures_cast import tomorrow
from tests.web.permissions import Row
from tests.web.permissions.world import World

OF_YOUSSEF = {"amina": 404, "trainer": 404, "salma": 404, "karim": 404, "nadia": 404, "admin": 404}
# Nothing is kept in it: whose it is gets that far.
LINE = {"waiting_id": "$line"}
OFFER = {"handover_id": "$offer"}
TO_YOUSSEF = dict.fromkeys(("amina", "trainer", "salma", "karim", "nadia", "admin"), 404)
BY_AMINA = dict.fromkeys(("youssef", "trainer", "salma", "karim", "nadia", "admin"), 404)
SEEN = {"youssef": 404, "trainer": 404, "karim": 404}
# Taken from morning till evening by the admin.
WINDOW = {"after": tomorrow(8, days=3).isoformat(), "before": tomorrow(18, days=3).isoformat()}
FORM = {
    "machine": "tanger-prusa-2",
    "what": "machine",
    "duration": "60",
    "day": f"{tomorrow(8, days=3):%Y-%m-%d}",
    "time": "08:00",
    "until_day": f"{tomorrow(8, days=3):%Y-%m-%d}",
    "until_time": "18:00",
}
GIVE = {"way": "give", "to": "karim@example.org"}

ROWS: dict[str, Row] = {
    "GET /api/v1/waitlist": Row(200),
    "POST /api/v1/waitlist": Row(
        201,
        nadia=403,
        json={"machine": "tanger-prusa-2", "duration": "PT1H", **WINDOW},
    ),
    "DELETE /api/v1/waitlist/<id:waiting_id>": Row(204, **OF_YOUSSEF, at=LINE),
    "POST /api/v1/waitlist/<id:waiting_id>/acceptance": Row(422, **OF_YOUSSEF, at=LINE),
    "GET /api/v1/handovers": Row(200),
    "POST /api/v1/bookings/<id:booking_id>/handovers": Row(
        403, **SEEN, amina=201, at={"booking_id": "$kept"}, json={"to": "karim@example.org"}
    ),
    "POST /api/v1/handovers/<id:handover_id>/acceptance": Row(201, **TO_YOUSSEF, at=OFFER),
    "POST /api/v1/handovers/<id:handover_id>/refusal": Row(201, **TO_YOUSSEF, at=OFFER),
    "DELETE /api/v1/handovers/<id:handover_id>": Row(204, **BY_AMINA, at=OFFER),
    "POST /api/v1/bookings/<id:booking_id>/transfer": Row(
        201,
        **SEEN,
        amina=403,
        nadia=403,
        at={"booking_id": "$kept"},
        json={"to": "karim@example.org"},
    ),
    "GET /waitlist": Row(200),
    "POST /waitlist": Row(303, nadia=403, form=FORM),
    "GET /waitlist/<id:waiting_id>/leaving": Row(200, **OF_YOUSSEF, at=LINE),
    "POST /waitlist/<id:waiting_id>/leaving": Row(303, **OF_YOUSSEF, at=LINE, form={}),
    "POST /waitlist/<id:waiting_id>/acceptance": Row(303, **OF_YOUSSEF, at=LINE, form={}),
    "GET /offers/<key>": Row(200, anonymous=200, at={"key": "nothing-kept"}),
    "POST /offers/<key>": Row(422, anonymous=422, at={"key": "nothing-kept"}, form={}),
    "POST /offers/<key>/refusal": Row(422, anonymous=422, at={"key": "nothing-kept"}, form={}),
    "GET /handovers": Row(200),
    "GET /handovers/<id:handover_id>": Row(404, amina=200, youssef=200, at=OFFER),
    "POST /handovers/<id:handover_id>/acceptance": Row(303, **TO_YOUSSEF, at=OFFER, form={}),
    "POST /handovers/<id:handover_id>/refusal": Row(303, **TO_YOUSSEF, at=OFFER, form={}),
    "POST /handovers/<id:handover_id>/withdrawal": Row(303, **BY_AMINA, at=OFFER, form={}),
    "GET /bookings/<id:booking_id>/handover": Row(200, **SEEN, nadia=403, at={"booking_id": "$kept"}),
    "POST /bookings/<id:booking_id>/handover": Row(
        403, **SEEN, amina=303, at={"booking_id": "$kept"}, form=GIVE
    ),
}


def things(world: World) -> dict[str, Any]:
    limits = Policy(**vars(world.settings.bookings))
    actors, session = world.cast.actors, world.session

    def booked(who: str, machine: str, hour: int, until: int, days: int) -> int:
        request = BookingRequest(machine, tomorrow(hour, days=days), tomorrow(until, days=days))
        return create_booking(session, actors[who], request, world.now, limits).id

    given = booked("amina", "tanger-prusa-2", 20, 21, 5)
    booked("admin", "tanger-prusa-2", 6, 20, 3)
    line = session.scalar(
        insert(Waiting)
        .values(
            member_id=world.cast.members["youssef"],
            machine_id=world.cast.machines["tanger-prusa-2"],
            duration_s=3600,
            after=tomorrow(7, days=4),
            before=tomorrow(9, days=4),
            state="waiting",
            created_at=world.now,
        )
        .returning(Waiting.id)
    )
    offer = handover.offer_transfer(session, actors["amina"], given, "youssef@example.org", "", world.now)
    return {
        "line": line,
        "given": given,
        "kept": booked("amina", "tanger-prusa-2", 22, 23, 5),
        "offer": offer.id,
    }
