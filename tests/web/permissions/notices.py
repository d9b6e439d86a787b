"""Mails, calendar addresses, webhooks. Keys are their maker's; webhooks the lab managers' and admins'."""

from __future__ import annotations

from typing import Any

from fablab.bookings.feeds import make_key
from fablab.mail.unsubscribing import unsubscribing
from fablab.webhooks.service import add_webhook
from tests.fixtures_cast import SECRET
from tests.web.permissions import Row
from tests.web.permissions.world import World

KEY, HOOK = {"key_id": "$calendar_key"}, {"webhook_id": "$webhook"}
ADDRESS = "https://example.org/hook"
WEBHOOK = {"lab": "tanger", "url": ADDRESS, "events": ["booking.confirmed"]}
FORM = {"lab": "tanger", "url": ADDRESS, "events": "booking.confirmed"}
# Those of Tanger are Salma's; others who manage something learn that it is not theirs.
MANAGED = {"amina": 404, "youssef": 404, "trainer": 404, "karim": 404, "nadia": 404}

ROWS: dict[str, Row] = {
    "GET /api/v1/me/notices": Row(200),
    "PATCH /api/v1/me/notices": Row(200, json={"reminders": False}),
    "GET /api/v1/me/calendar-keys": Row(200),
    "POST /api/v1/me/calendar-keys": Row(201, json={"lab": "tanger"}),
    "DELETE /api/v1/me/calendar-keys/<id:key_id>": Row(404, amina=204, at=KEY),
    "GET /api/v1/me/calendar.ics": Row(200, anonymous=200, query={"key": "$feed_key"}),
    "GET /api/v1/machines/<slug:machine>/calendar.ics": Row(
        200, anonymous=200, query={"key": "$machine_feed_key"}
    ),
    "GET /api/v1/labs/<slug:lab>/calendar.ics": Row(200, anonymous=200, query={"key": "$lab_feed_key"}),
    "GET /api/v1/webhooks": Row(200, amina=403, youssef=403, trainer=403, nadia=403),
    "POST /api/v1/webhooks": Row(403, salma=201, admin=201, json=WEBHOOK),
    "DELETE /api/v1/webhooks/<id:webhook_id>": Row(204, **MANAGED, at=HOOK),
    "GET /api/v1/webhooks/<id:webhook_id>/deliveries": Row(200, **MANAGED, at=HOOK),
    "POST /api/v1/webhooks/<id:webhook_id>/test": Row(201, **MANAGED, at=HOOK),
    "POST /api/v1/webhooks/<id:webhook_id>/activation": Row(201, **MANAGED, at=HOOK),
    "GET /account/notices": Row(200),
    "POST /account/notices": Row(303, form={"shown": "reminders", "wanted": "reminders"}),
    "GET /account/calendars": Row(200),
    "POST /account/calendars": Row(200, form={"of": "me"}),
    "POST /account/calendars/<id:key_id>/end": Row(404, amina=303, at=KEY, form={}),
    "GET /notices/off/<secret>": Row(200, anonymous=200, at={"secret": "$unsubscribing"}),
    "POST /notices/off/<secret>": Row(
        200, anonymous=200, at={"secret": "$unsubscribing"}, form={}, proven_by_address=True
    ),
    "GET /staff/webhooks": Row(200, amina=404, youssef=404, trainer=404, nadia=404),
    "POST /staff/webhooks": Row(200, amina=404, youssef=404, trainer=404, nadia=404, karim=422, form=FORM),
    "GET /staff/webhooks/<id:webhook_id>": Row(200, **MANAGED, at=HOOK),
    "POST /staff/webhooks/<id:webhook_id>/test": Row(303, **MANAGED, at=HOOK, form={}),
    "POST /staff/webhooks/<id:webhook_id>/activation": Row(303, **MANAGED, at=HOOK, form={}),
    "GET /staff/webhooks/<id:webhook_id>/removal": Row(200, **MANAGED, at=HOOK),
    "POST /staff/webhooks/<id:webhook_id>/removal": Row(303, **MANAGED, at=HOOK, form={}),
}


def things(world: World) -> dict[str, Any]:
    cast, amina, salma = world.cast, world.cast.actors["amina"], world.cast.actors["salma"]
    own, plain = make_key(world.session, amina, world.now)
    _, of_machine = make_key(world.session, amina, world.now, machine_id=cast.machines["tanger-prusa-1"])
    _, of_lab = make_key(world.session, amina, world.now, lab_id=cast.labs["tanger"])
    hook, _ = add_webhook(world.session, salma, "tanger", ADDRESS, ["booking.confirmed"], world.now)
    return {
        "calendar_key": own.id,
        "feed_key": plain,
        "machine_feed_key": of_machine,
        "lab_feed_key": of_lab,
        "webhook": hook.id,
        "unsubscribing": unsubscribing(SECRET, amina.member_id, "reminders"),
    }
