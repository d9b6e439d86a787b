"""Bookings: make, list, read, cancel."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from fablab.bookings.queries import BookingView, booking, bookings, history
from fablab.bookings.rules import BookingRequest
from fablab.bookings.service import cancel_booking, create_booking, preview_booking
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.members.rules import may_see_booking
from fablab.web.api.base import Blueprint, policy, session, the_lab, the_machine
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import bookings as shape
from fablab.web.schemas.base import page, page_of

blueprint = Blueprint("bookings", "Reserve machines")


@blueprint.get("/bookings")
@blueprint.arguments(shape.BookingsQuery, location="query")
@blueprint.response(200, page_of(shape.BookingOut, "BookingPage"))
def list_bookings(query: dict[str, Any]) -> dict[str, Any]:
    """Own bookings; staff also see those of their labs. By start. What others booked is in the calendars."""
    actor = current_actor()
    machine, lab = query.get("machine"), query.get("lab")
    found = bookings(
        session(),
        actor=actor,
        machine_id=the_machine(machine).id if machine else None,
        lab_id=the_lab(lab).id if lab else None,
        member_id=query.get("member"),
        since=query.get("since"),
        until=query.get("until"),
        states=[query["state"]] if "state" in query else None,
        after=query.get("cursor"),
        limit=query["limit"] + 1,
    )
    return page(
        found,
        query["limit"],
        lambda each: shape.booking_json(each, actor),
        lambda each: [each.starts_at, each.id],
    )


@blueprint.post("/bookings")
@writes
@blueprint.arguments(shape.BookingIn)
@blueprint.response(201, shape.BookingOut)
def post_booking(body: dict[str, Any]) -> dict[str, Any]:
    """Book a machine. 409 `machine_booked` says what is free instead; 422 lists every rule that says no."""
    actor = current_actor()
    made = create_booking(session(), actor, BookingRequest(**body), utc_now(), policy())
    return shape.booking_json(made, actor)


@blueprint.post("/bookings/preview")
@writes
@blueprint.arguments(shape.BookingIn)
@blueprint.response(200, shape.PreviewOut)
def post_preview(body: dict[str, Any]) -> dict[str, Any]:
    """What booking would answer now, with all refusals and alternatives; stores nothing."""
    seen = preview_booking(session(), current_actor(), BookingRequest(**body), utc_now(), policy())
    return {
        "bookable": seen.state is not None,
        "state": seen.state,
        "refusals": seen.refusals,
        "alternatives": seen.alternatives,
    }


@blueprint.get("/bookings/<id:booking_id>")
@blueprint.response(200, shape.BookingOut)
def get_booking(booking_id: int) -> dict[str, Any]:
    """One booking: an own one, or one of a lab whose details one may see."""
    return shape.booking_json(_seen(booking_id), current_actor())


@blueprint.get("/bookings/<id:booking_id>/history")
@blueprint.response(200, page_of(shape.ChangeOut, "ChangePage"))
def get_history(booking_id: int) -> dict[str, Any]:
    """Every change of a booking: who or what made it, when, from which state to which, and why."""
    found = _seen(booking_id)
    changes = history(session(), booking_id)
    return {"items": [shape.change_json(each, ZoneInfo(found.zone)) for each in changes], "next": None}


@blueprint.post("/bookings/<id:booking_id>/cancellation")
@writes
@blueprint.arguments(shape.CancellationIn)
@blueprint.response(201, shape.BookingOut)
def post_cancellation(body: dict[str, Any], booking_id: int) -> dict[str, Any]:
    """Cancel a booking and give its time back."""
    actor = current_actor()
    done = cancel_booking(session(), actor, booking_id, utc_now(), body["reason"])
    return shape.booking_json(done, actor)


def _seen(booking_id: int) -> BookingView:
    actor = current_actor()
    found = booking(session(), booking_id)
    if found is None or not may_see_booking(actor, found.member_id, found.lab_id):
        raise not_found("booking")
    return found
