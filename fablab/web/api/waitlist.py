"""Waiting lists: stand in line, see where, take what is kept, leave."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.bookings import waiting
from fablab.bookings.rules_waiting import IN_LINE
from fablab.bookings.waiting_queries import waitings_of
from fablab.clock import utc_now
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import waitlist as shape
from fablab.web.schemas.base import page
from fablab.web.schemas.bookings import BookingOut, booking_json
from fablab.web.settings import booking_policy

blueprint = Blueprint("waitlist", "Wait for a machine that is taken")


@blueprint.get("/waitlist")
@blueprint.arguments(shape.WaitlistQuery, location="query")
@blueprint.response(200, shape.WaitingPage)
def list_waitlist(query: dict[str, Any]) -> dict[str, Any]:
    """What you wait for, and what is kept for you; the newest first."""
    actor, now = current_actor(), utc_now()
    found = waitings_of(
        session(),
        actor.member_id,
        states=[query["state"]] if "state" in query else IN_LINE,
        before=query["cursor"][0] if "cursor" in query else None,
        limit=query["limit"] + 1,
    )
    return page(found, query["limit"], lambda each: shape.waiting_json(each, now), lambda each: [each.id])


@blueprint.post("/waitlist")
@writes
@blueprint.arguments(shape.WaitingIn)
@blueprint.response(201, shape.WaitingOut)
def post_waitlist(body: dict[str, Any]) -> dict[str, Any]:
    """Stand in line for a machine, or any of a kind, for some time within a window.

    Who was first is offered first: when time comes free that fits, it is kept for them and they get a mail.
    422 `free_already` where something fits this moment, with it among the alternatives; and whatever would
    let you book none of the machines anyway.
    """
    now = utc_now()
    asked = shape.waiting_request(body, now)
    return shape.waiting_json(waiting.join(session(), current_actor(), asked, now, booking_policy()), now)


@blueprint.delete("/waitlist/<id:waiting_id>")
@writes
@blueprint.response(204)
def delete_waitlist(waiting_id: int) -> Response:
    """Leave the line. What was kept for you goes to the next one at once."""
    waiting.withdraw(session(), current_actor(), waiting_id, utc_now(), booking_policy())
    return Response(status=204)


@blueprint.post("/waitlist/<id:waiting_id>/acceptance")
@writes
@blueprint.response(201, BookingOut)
def post_waitlist_acceptance(waiting_id: int) -> dict[str, Any]:
    """Book what is kept for you. 422 `hold_over` when it is kept no more."""
    actor = current_actor()
    made = waiting.accept(session(), actor, waiting_id, utc_now(), booking_policy())
    return booking_json(made, actor)
