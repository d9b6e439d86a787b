"""Bookings that change hands: offered, swapped, taken, given by staff."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.bookings import handover as verbs
from fablab.bookings.handover_queries import HandoverView, handovers_of
from fablab.bookings.transferring import transfer
from fablab.clock import utc_now
from fablab.web.api.base import Blueprint, session, the_machine
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import handovers as shape
from fablab.web.schemas.base import page
from fablab.web.schemas.bookings import BookingOut, booking_json
from fablab.web.settings import booking_policy

blueprint = Blueprint("handovers", "Give a booking to somebody else, or swap two")


@blueprint.get("/handovers")
@blueprint.arguments(shape.HandoversQuery, location="query")
@blueprint.response(200, shape.HandoverPage)
def list_handovers(query: dict[str, Any]) -> dict[str, Any]:
    """Offers you made, and those made to you; the newest first."""
    actor, now = current_actor(), utc_now()
    found = handovers_of(
        session(),
        actor.member_id,
        before=query["cursor"][0] if "cursor" in query else None,
        limit=query["limit"] + 1,
    )
    return page(
        found,
        query["limit"],
        lambda each: shape.handover_json(each, actor, now),
        lambda each: [each.id],
    )


@blueprint.post("/bookings/<id:booking_id>/handovers")
@writes
@blueprint.arguments(shape.HandoverIn)
@blueprint.response(201, shape.HandoverOut)
def post_handover(body: dict[str, Any], booking_id: int) -> dict[str, Any]:
    """Offer your booking to a member by address, or for what somebody has booked on a machine at a moment.

    They decide within two days, and before it begins. The answer does not tell who has an account.
    """
    actor, now = current_actor(), utc_now()
    if "to" in body:
        return _json(verbs.offer_transfer(session(), actor, booking_id, body["to"], body["note"], now))
    machine = the_machine(body["machine"])
    made = verbs.offer_swap(
        session(), actor, booking_id, machine, body["at"], body["note"], now, booking_policy()
    )
    return _json(made)


@blueprint.post("/handovers/<id:handover_id>/acceptance")
@writes
@blueprint.response(201, shape.HandoverOut)
def post_handover_acceptance(handover_id: int) -> dict[str, Any]:
    """Take what is offered to you, and give what is asked for it: both at once or neither.

    The rules decide anew for whoever gets a booking. 422 `handover_stale` when one of them has changed.
    """
    return _json(verbs.accept(session(), current_actor(), handover_id, utc_now(), booking_policy()))


@blueprint.post("/handovers/<id:handover_id>/refusal")
@writes
@blueprint.response(201, shape.HandoverOut)
def post_handover_refusal(handover_id: int) -> dict[str, Any]:
    """Say no. Who offered it is told."""
    return _json(verbs.decline(session(), current_actor(), handover_id, utc_now()))


@blueprint.delete("/handovers/<id:handover_id>")
@writes
@blueprint.response(204)
def delete_handover(handover_id: int) -> Response:
    """Take your offer back."""
    verbs.withdraw(session(), current_actor(), handover_id, utc_now())
    return Response(status=204)


@blueprint.post("/bookings/<id:booking_id>/transfer")
@writes
@blueprint.arguments(shape.TransferIn)
@blueprint.response(201, BookingOut)
def post_transfer(body: dict[str, Any], booking_id: int) -> dict[str, Any]:
    """As the lab's manager, give somebody's booking to another member. The rules decide for that member."""
    actor = current_actor()
    done = transfer(session(), actor, booking_id, body["to"], body["reason"], utc_now(), booking_policy())
    return booking_json(done, actor)


def _json(view: HandoverView) -> dict[str, Any]:
    return shape.handover_json(view, current_actor(), utc_now())
