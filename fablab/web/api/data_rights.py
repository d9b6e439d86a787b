"""One's own data: taking it along, and making it go."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.clock import utc_now
from fablab.data_rights.service import erase
from fablab.web.api.base import Blueprint
from fablab.web.auth import current_actor
from fablab.web.database import writing
from fablab.web.own_data import archive, check_taking
from fablab.web.proof import make_sure
from fablab.web.schemas import data_rights as shape
from fablab.web.settings import base_url, settings

blueprint = Blueprint("data_rights", "One's own data")


@blueprint.get("/me/export")
@blueprint.alt_response(400, response="Unreadable")
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/zip")
def get_export() -> Response:
    """Everything held about oneself, as a ZIP: one JSON, a CSV a table, and an explanation.

    A few times a day; then 429 with Retry-After. A token of scope `read` is refused with 403. A browser that
    is signed in by its cookie sends its page's token as `X-CSRFToken`, as for requests that change something;
    without, 400.
    """
    actor = current_actor()
    check_taking(actor)
    return archive(actor)


@blueprint.post("/me/erasure")
@blueprint.arguments(shape.ErasureIn)
@blueprint.response(200, shape.ErasureOut)
def post_erasure(body: dict[str, Any]) -> dict[str, Any]:
    """Erase one's own account: everything personal goes and cannot come back; figures stay.

    Bookings to come are given back. Refused while a booking runs, or while others depend on the account.
    Every session and token ends with it, this one too.
    """
    actor = current_actor()
    make_sure(actor, body["password"])
    with writing() as session:
        done = erase(session, actor, actor.member_id, utc_now(), base_url(), goodbye=settings().mail.go_out)
    return {"erased_at": done.at, "bookings_cancelled": done.bookings_cancelled}
