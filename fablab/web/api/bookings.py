"""Bookings: make, list, read, move, decide on, cancel."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from fablab.bookings.bundles import book_together, preview_together
from fablab.bookings.deciding import approve, asked, reject
from fablab.bookings.explaining import rules_in_force
from fablab.bookings.moving import Change, extend_booking, move_booking
from fablab.bookings.queries import (
    BookingView,
    booking,
    bookings,
    bookings_by_id,
    history,
    participants,
    siblings,
)
from fablab.bookings.rules_people import may_see_history, may_see_participants
from fablab.bookings.service import cancel_booking, create_booking, preview_booking
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.organisations.queries import organisation_by_slug, standing
from fablab.organisations.rules import may_see_organisation
from fablab.web.api.base import Blueprint, session, the_lab, the_machine
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.preconditions import etag, seen_versions, versioned
from fablab.web.schemas import bookings as shape
from fablab.web.schemas.base import page, page_of
from fablab.web.schemas.rules import in_force_json
from fablab.web.schemas.together import TogetherIn, plain_body, preview_of, together_request
from fablab.web.settings import booking_policy

blueprint = Blueprint("bookings", "Reserve machines")

# A booking as JSON, with headers.
Answer = tuple[dict[str, Any], dict[str, str]]


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
        bundle_id=query.get("bundle"),
        series_id=query.get("series"),
        after=query.get("cursor"),
        limit=query["limit"] + 1,
    )
    shown = _json(found)
    return page(found, query["limit"], lambda each: shown[each.id], lambda each: [each.starts_at, each.id])


@blueprint.post("/bookings")
@writes
@blueprint.arguments(TogetherIn)
@blueprint.response(201, shape.BookingOut)
def post_booking(body: dict[str, Any]) -> Answer:
    """Book a machine. 409 `machine_booked` says what is free instead; 422 lists every rule that says no.

    With `also`, or a `preset`, several machines, all or none. The answer is the first of them, a refusal's
    field says which it is about: `also.0.starts_at`.
    """
    if together := together_request(body):
        first, *_ = book_together(session(), current_actor(), together, utc_now(), booking_policy())
        return _answer(first)
    wanted = shape.booking_request(plain_body(body))
    made = create_booking(
        session(), current_actor(), wanted, utc_now(), booking_policy(), override=body["override"]
    )
    return _answer(made)


@blueprint.post("/bookings/preview")
@writes
@blueprint.arguments(TogetherIn)
@blueprint.response(200, shape.PreviewOut)
def post_preview(body: dict[str, Any]) -> dict[str, Any]:
    """What booking would answer now: all refusals and alternatives, and the rules asked; stores nothing."""
    if together := together_request(body):
        return preview_of(preview_together(session(), current_actor(), together, utc_now(), booking_policy()))
    wanted = shape.booking_request(plain_body(body))
    seen = preview_booking(
        session(), current_actor(), wanted, utc_now(), booking_policy(), override=body["override"]
    )
    return {
        "bookable": seen.state is not None,
        "state": seen.state,
        "refusals": seen.refusals,
        "alternatives": seen.alternatives,
        "broke": seen.broke,
        "rules": [in_force_json(each) for each in rules_in_force(seen.ruling)] if seen.ruling else [],
    }


@blueprint.get("/bookings/<id:booking_id>")
@blueprint.response(200, shape.BookingOut)
def get_booking(booking_id: int) -> Answer:
    """One booking: an own one, one you take part in, or one of a lab or organisation you answer for."""
    return _answer(_seen(booking_id))


@blueprint.patch("/bookings/<id:booking_id>")
@versioned
@writes
@blueprint.arguments(shape.ChangeIn)
@blueprint.response(200, shape.BookingOut)
def patch_booking(body: dict[str, Any], booking_id: int) -> Answer:
    """Give a booking another time, machine or purpose; what was booked with it moves by as much.

    All rules decide anew, and where they say no it stays as it was. One that has begun keeps its start and
    machine.
    """
    change = Change(**{name: body.get(name) for name in ("starts_at", "ends_at", "machine", "purpose")})
    moved = move_booking(
        session(),
        current_actor(),
        booking_id,
        change,
        utc_now(),
        booking_policy(),
        override=body["override"],
        seen=seen_versions(),
        reason=body["reason"],
    )
    return _answer(moved)


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
@versioned
@writes
@blueprint.arguments(shape.CancellationIn)
@blueprint.response(201, shape.BookingOut)
def post_cancellation(body: dict[str, Any], booking_id: int) -> Answer:
    """Cancel a booking, and what was booked with it, and give its time back."""
    done = cancel_booking(
        session(),
        current_actor(),
        booking_id,
        utc_now(),
        booking_policy(),
        body["reason"],
        seen=seen_versions(),
    )
    return _answer(done)


@blueprint.post("/bookings/<id:booking_id>/extension")
@versioned
@writes
@blueprint.arguments(shape.ExtensionIn)
@blueprint.response(201, shape.BookingOut)
def post_extension(body: dict[str, Any], booking_id: int) -> Answer:
    """Let a booking end later, also one that has begun. All rules decide anew."""
    longer = extend_booking(
        session(),
        current_actor(),
        booking_id,
        body["ends_at"],
        utc_now(),
        booking_policy(),
        override=body["override"],
        seen=seen_versions(),
    )
    return _answer(longer)


@blueprint.post("/bookings/<id:booking_id>/approval")
@versioned
@writes
@blueprint.arguments(shape.ApprovalIn)
@blueprint.response(201, shape.BookingOut)
def post_approval(body: dict[str, Any], booking_id: int) -> Answer:
    """Agree to a request, as one of the lab's managers. With as many as the rules ask for it is confirmed.

    409 `machine_booked` where its time is taken by now. Nobody agrees to their own request.
    """
    done = approve(session(), current_actor(), booking_id, utc_now(), booking_policy(), seen=seen_versions())
    return _answer(done)


@blueprint.post("/bookings/<id:booking_id>/rejection")
@versioned
@writes
@blueprint.arguments(shape.RejectionIn)
@blueprint.response(201, shape.BookingOut)
def post_rejection(body: dict[str, Any], booking_id: int) -> Answer:
    """Say no to a request, as one of the lab's managers, and why."""
    done = reject(session(), current_actor(), booking_id, utc_now(), body["reason"], seen=seen_versions())
    return _answer(done)


def _seen(booking_id: int) -> BookingView:
    actor = current_actor()
    found = booking(session(), booking_id, actor=actor)
    if found is None or found.part(actor) is None:
        raise not_found("booking")
    return found


def _answer(found: BookingView) -> Answer:
    """One booking, with what was booked together with it, and its version as ETag."""
    shown = _json([found])[found.id]
    if found.bundle_id is None:
        return {**shown, "also": []}, etag(found.version)
    others = bookings_by_id(session(), siblings(session(), found.id, found.bundle_id), actor=current_actor())
    return {**shown, "also": [shape.bundled_json(each) for each in others]}, etag(found.version)


def _json(found: list[BookingView]) -> dict[int, dict[str, Any]]:
    """Bookings by id, groups with those who come along, requests with where they stand.

    One statement if there is a group among them, three if there is a request.
    """
    actor = current_actor()
    groups = [each.id for each in found if each.head_count > 1 and may_see_participants(each.part(actor))]
    listed = participants(session(), groups) if groups else {}
    requests = asked(session(), [each.id for each in found if each.state == "requested"], booking_policy())
    return {
        each.id: shape.booking_json(each, actor, listed.get(each.id, ()), requests.get(each.id))
        for each in found
    }


def _organisation_id(slug: str) -> int:
    """The organisation, for who belongs to it and who sees every one."""
    found = organisation_by_slug(session(), slug)
    actor = current_actor()
    if found is None or not may_see_organisation(actor, standing(session(), found.id, actor.member_id)):
        raise not_found("organisation")
    return found.id
