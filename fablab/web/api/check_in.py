"""Coming and going: check-in, check-out, and the code on a machine."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.bookings.presence import check_in, check_out
from fablab.bookings.queries import BookingView, participants
from fablab.bookings.rules_people import may_see_participants
from fablab.clock import utc_now
from fablab.web.api.base import Blueprint, session, the_machine
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.qr import code_file, machine_address
from fablab.web.schemas import bookings as shape
from fablab.web.settings import base_url, booking_policy

blueprint = Blueprint("check_in", "Come and go")


@blueprint.post("/bookings/<id:booking_id>/check-in")
@writes
@blueprint.response(200, shape.BookingOut)
def post_check_in(booking_id: int) -> dict[str, Any]:
    """Say that you came, or that the lab's staff saw somebody come: the booking is started.

    For whose it is, who comes along, and the lab's managers; from some minutes before the start (rule
    `check_in_before_s`) until the end. One that has started already stays as it is.
    """
    return _json(check_in(session(), current_actor(), booking_id, utc_now(), booking_policy()))


@blueprint.post("/bookings/<id:booking_id>/check-out")
@writes
@blueprint.response(200, shape.BookingOut)
def post_check_out(booking_id: int) -> dict[str, Any]:
    """Say that you are done: the booking is completed, and the rest of its time is given back."""
    return _json(check_out(session(), current_actor(), booking_id, utc_now(), booking_policy()))


@blueprint.get("/machines/<slug:machine>/qr.svg")
@blueprint.response(200, {"type": "string"}, content_type="image/svg+xml")
def get_code(machine: str) -> Response:
    """The QR code to put on a machine, as an SVG. It opens the page to check in there, or to book it now."""
    found = the_machine(machine)
    answer = Response(code_file(machine_address(base_url(), found.slug)), content_type="image/svg+xml")
    answer.headers["Content-Disposition"] = f'inline; filename="{found.slug}.svg"'
    return answer


def _json(found: BookingView) -> dict[str, Any]:
    actor = current_actor()
    sees = found.head_count > 1 and may_see_participants(found.part(actor))
    listed = participants(session(), [found.id]).get(found.id, []) if sees else []
    return shape.booking_json(found, actor, listed)
