"""Calendars to subscribe to, their private addresses, and which mails one gets."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.bookings.feeds import keys_of, make_key, revoke_key
from fablab.clock import utc_now
from fablab.machines.queries import lab_by_slug, machine_by_slug
from fablab.mail.choices import choose, wanted
from fablab.web.api.base import Blueprint, session, the_lab, the_machine
from fablab.web.auth import current_actor, public
from fablab.web.feeds import answer_feed, feed_url
from fablab.web.idempotency import writes, writes_secret
from fablab.web.schemas import feeds as shape
from fablab.web.schemas.base import page_of

blueprint = Blueprint("feeds", "Calendars to subscribe to, and mails")
CALENDAR = {200: {"description": "A calendar", "content": {"text/calendar": {"schema": {"type": "string"}}}}}
UNCHANGED = {304: {"description": "As it was when it was read last"}}
OPEN = {"security": [], "responses": {**CALENDAR, **UNCHANGED}}


@blueprint.get("/me/calendar.ics")
@blueprint.doc(**OPEN)
@blueprint.arguments(shape.FeedQuery, location="query")
@public
def get_my_feed(query: dict[str, Any]) -> Response:
    """One's own bookings as a calendar to subscribe to, for whoever has the key."""
    return answer_feed(query["key"])


@blueprint.get("/machines/<slug:machine>/calendar.ics")
@blueprint.doc(**OPEN)
@blueprint.arguments(shape.FeedQuery, location="query")
@public
def get_machine_feed(query: dict[str, Any], machine: str) -> Response:
    """What takes a machine's time, as a calendar to subscribe to; names as the key's owner may see them."""
    found = machine_by_slug(session(), machine)
    return answer_feed(query["key"], machine_id=0 if found is None else found.id)


@blueprint.get("/labs/<slug:lab>/calendar.ics")
@blueprint.doc(**OPEN)
@blueprint.arguments(shape.FeedQuery, location="query")
@public
def get_lab_feed(query: dict[str, Any], lab: str) -> Response:
    """What takes the time of a lab's machines, as a calendar to subscribe to; names as above."""
    found = lab_by_slug(session(), lab)
    return answer_feed(query["key"], lab_id=0 if found is None else found.id)


@blueprint.get("/me/calendar-keys")
@blueprint.response(200, page_of(shape.CalendarKeyOut, "CalendarKeyPage"))
def list_calendar_keys() -> dict[str, Any]:
    """One's calendar addresses, without the secrets in them."""
    return {
        "items": [shape.key_json(each) for each in keys_of(session(), current_actor().member_id)],
        "next": None,
    }


@blueprint.post("/me/calendar-keys")
@writes_secret
@blueprint.arguments(shape.CalendarKeyIn)
@blueprint.response(201, shape.NewCalendarKeyOut)
def post_calendar_key(body: dict[str, Any]) -> dict[str, Any]:
    """Make an address that a calendar program reads without signing in; it is shown in this answer only.

    Whoever has it sees what you may see of the calendar; ending it shuts it at once.
    """
    machine, lab = body["machine"], body["lab"]
    made, plain = make_key(
        session(),
        current_actor(),
        utc_now(),
        machine_id=the_machine(machine).id if machine else None,
        lab_id=the_lab(lab).id if lab else None,
    )
    return {**shape.key_json(made), "key": plain, "url": feed_url(made, plain)}


@blueprint.delete("/me/calendar-keys/<id:key_id>")
@writes
@blueprint.response(204)
def delete_calendar_key(key_id: int) -> Response:
    """End a calendar address."""
    revoke_key(session(), current_actor(), key_id, utc_now())
    return Response(status=204)


@blueprint.get("/me/notices")
@blueprint.response(200, shape.NoticesOut)
def get_notices() -> dict[str, bool]:
    """Which kinds of mail one gets. What concerns the account itself always comes, and is not listed."""
    return wanted(session(), current_actor().member_id)


@blueprint.patch("/me/notices")
@writes
@blueprint.arguments(shape.NoticesIn)
@blueprint.response(200, shape.NoticesOut)
def patch_notices(body: dict[str, bool]) -> dict[str, bool]:
    """Choose which kinds of mail one gets; kinds that are left out stay as they are."""
    member_id = current_actor().member_id
    choose(session(), member_id, body)
    return wanted(session(), member_id)
