"""Outages: take a machine out of service, say until when, and see what that touches."""

from __future__ import annotations

from typing import Any

from fablab.bookings.outages import begin_outage, change_outage, outages
from fablab.clock import utc_now
from fablab.web.api.base import Blueprint, session, the_machine
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import outages as shape
from fablab.web.schemas.base import page, page_of
from fablab.web.settings import booking_policy

blueprint = Blueprint("outages", "Machines out of service")


@blueprint.get("/machines/<slug:machine>/outages")
@blueprint.arguments(shape.OutagesQuery, location="query")
@blueprint.response(200, page_of(shape.OutageOut, "OutagePage"))
def list_outages(query: dict[str, Any], machine: str) -> dict[str, Any]:
    """A machine's outages, past and planned, by start."""
    actor = current_actor()
    found = outages(
        session(),
        the_machine(machine).id,
        since=query.get("since"),
        until=query.get("until"),
        after=query.get("cursor"),
        limit=query["limit"] + 1,
    )
    return page(
        found,
        query["limit"],
        lambda each: shape.outage_json(each, actor),
        lambda each: [each.starts_at, each.id],
    )


@blueprint.post("/machines/<slug:machine>/outages")
@writes
@blueprint.arguments(shape.OutageIn)
@blueprint.response(201, shape.OutageToldOut)
def post_outage(body: dict[str, Any], machine: str) -> dict[str, Any]:
    """Take a machine out of service, as one of the lab's managers.

    The answer lists the bookings it touches with what is free instead; whose they are is told the same. They
    stay booked, and everything else of that time is taken.
    """
    actor = current_actor()
    told = begin_outage(
        session(), actor, the_machine(machine), shape.outage_wish(body), utc_now(), booking_policy()
    )
    return shape.told_json(told, actor)


@blueprint.patch("/machines/<slug:machine>/outages/<id:outage_id>")
@writes
@blueprint.arguments(shape.OutagePatch)
@blueprint.response(200, shape.OutageToldOut)
def patch_outage(body: dict[str, Any], machine: str, outage_id: int) -> dict[str, Any]:
    """Change an outage, or end it by its `ends_at`. What it takes no more is free at once."""
    actor = current_actor()
    told = change_outage(session(), actor, the_machine(machine), outage_id, body, utc_now(), booking_policy())
    return shape.told_json(told, actor)
