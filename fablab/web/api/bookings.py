"""Bookings: make, list, read, cancel."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from fablab.bookings.queries import BookingView, booking, bookings, history, participants
from fablab.bookings.rules_people import may_see_history, may_see_participants
from fablab.bookings.service import cancel_booking, create_booking, preview_booking
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.organisations.queries import organisation_by_slug, standing
from fablab.organisations.rules import may_see_organisation
from fablab.web.api.base import Blueprint, session, the_lab, the_machine
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import bookings as shape
from fablab.web.schemas.base import page, page_of
from fablab.web.settings import booking_policy

blueprint = Blueprint("bookings", "Reserve machines")


@blueprint.get("/bookings")
@blueprint.arguments(shape.BookingsQuery, location="query")
@blueprint.response(200, page_of(shape.BookingOut, "BookingPage"))
def list_bookings(query: dict[str, Any]) -> dict[str, Any]:
    """Own bookings and those one takes part in; staff also see those of their labs. By start.

    With `organisation` also those that others made in its name, for its owners. What others booked is in the
    calendars.
    """
    actor = current_actor()
    machine, lab, organisation = query.get("machine"), query.get("lab"), query.get("organisation")
    found = bookings(
        session(),
        actor=actor,
        machine_id=the_machine(machine).id if machine else None,
        lab_id=the_lab(lab).id if lab else None,
        member_id=query.get("member"),
        organisation_id=_organisation_id(organisation) if organisation else None,
        since=query.get("since"),
        until=query.get("until"),
        states=[query["state"]] if "state" in query else None,
        after=query.get("cursor"),
        limit=query["limit"] + 1,
    )
    shown = _json(found)
    return page(found, query["limit"], lambda each: shown[each.id], lambda each: [each.starts_at, each.id])


@blueprint.post("/bookings")
@writes
@blueprint.arguments(shape.BookingIn)
@blueprint.response(201, shape.BookingOut)
def post_booking(body: dict[str, Any]) -> dict[str, Any]:
    """Book a machine. 409 `machine_booked` says what is free instead; 422 lists every rule that says no."""
    wanted = shape.booking_request(body)
    made = create_booking(session(), current_actor(), wanted, utc_now(), booking_policy())
    return _json([made])[made.id]


@blueprint.post("/bookings/preview")
@writes
@blueprint.arguments(shape.BookingIn)
@blueprint.response(200, shape.PreviewOut)
def post_preview(body: dict[str, Any]) -> dict[str, Any]:
    """What booking would answer now, with all refusals and alternatives; stores nothing."""
    wanted = shape.booking_request(body)
    seen = preview_booking(session(), current_actor(), wanted, utc_now(), booking_policy())
    return {
        "bookable": seen.state is not None,
        "state": seen.state,
        "refusals": seen.refusals,
        "alternatives": seen.alternatives,
    }


@blueprint.get("/bookings/<id:booking_id>")
@blueprint.response(200, shape.BookingOut)
def get_booking(booking_id: int) -> dict[str, Any]:
    """One booking: an own one, one you take part in, or one of a lab or organisation you answer for."""
    return _json([_seen(booking_id)])[booking_id]


@blueprint.get("/bookings/<id:booking_id>/history")
@blueprint.response(200, page_of(shape.ChangeOut, "ChangePage"))
def get_history(booking_id: int) -> dict[str, Any]:
    """Every change of a booking: who or what made it, when, from which state to which, and why.

    For whose it is, and the lab's staff.
    """
    found = _seen(booking_id)
    if not may_see_history(found.part(current_actor())):
        raise not_found("history")
    changes = history(session(), booking_id)
    return {"items": [shape.change_json(each, ZoneInfo(found.zone)) for each in changes], "next": None}


@blueprint.post("/bookings/<id:booking_id>/cancellation")
@writes
@blueprint.arguments(shape.CancellationIn)
@blueprint.response(201, shape.BookingOut)
def post_cancellation(body: dict[str, Any], booking_id: int) -> dict[str, Any]:
    """Cancel a booking and give its time back."""
    done = cancel_booking(session(), current_actor(), booking_id, utc_now(), body["reason"])
    return _json([done])[done.id]


def _seen(booking_id: int) -> BookingView:
    actor = current_actor()
    found = booking(session(), booking_id, actor=actor)
    if found is None or found.part(actor) is None:
        raise not_found("booking")
    return found


def _json(found: list[BookingView]) -> dict[int, dict[str, Any]]:
    """Bookings by id, groups with those who come along. One statement if there is a group among them."""
    actor = current_actor()
    groups = [each.id for each in found if each.head_count > 1 and may_see_participants(each.part(actor))]
    listed = participants(session(), groups) if groups else {}
    return {each.id: shape.booking_json(each, actor, listed.get(each.id, ())) for each in found}


def _organisation_id(slug: str) -> int:
    """The organisation, for who belongs to it and who sees every one."""
    found = organisation_by_slug(session(), slug)
    actor = current_actor()
    if found is None or not may_see_organisation(actor, standing(session(), found.id, actor.member_id)):
        raise not_found("organisation")
    return found.id
