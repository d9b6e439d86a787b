"""What machines really did: jobs and usage sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fablab.bookings.queries import booking
from fablab.errors import not_found
from fablab.members.rules import Actor, may_look_for_work_of
from fablab.usage.queries import Page, job, jobs, usage_sessions
from fablab.web.api.base import Blueprint, session, the_lab, the_machine
from fablab.web.auth import current_actor
from fablab.web.schemas import usage as shape
from fablab.web.schemas.base import encode_cursor, page_of

blueprint = Blueprint("usage", "What machines really did")


@blueprint.get("/jobs")
@blueprint.arguments(shape.JobsQuery, location="query")
@blueprint.response(200, page_of(shape.JobOut, "JobPage"))
def list_jobs(query: dict[str, Any]) -> dict[str, Any]:
    """Jobs that started in [from, to), newest first. Whose they are is shown to them and the lab's staff."""
    actor = current_actor()
    return _page(
        jobs(session(), **_wanted(query, actor), outcome=query.get("outcome")),
        lambda each: shape.job_json(each, actor),
    )


@blueprint.get("/jobs/<uuid:job_id>")
@blueprint.response(200, shape.JobOut)
def get_job(job_id: UUID) -> dict[str, Any]:
    """One job."""
    found = job(session(), job_id)
    if found is None:
        raise not_found("job")
    return shape.job_json(found, current_actor())


@blueprint.get("/usage-sessions")
@blueprint.arguments(shape.SessionsQuery, location="query")
@blueprint.response(200, page_of(shape.SessionOut, "SessionPage"))
def list_sessions(query: dict[str, Any]) -> dict[str, Any]:
    """Spans in which machines were in use that began in [from, to), newest first."""
    actor = current_actor()
    return _page(
        usage_sessions(session(), **_wanted(query, actor)), lambda each: shape.session_json(each, actor)
    )


def _wanted(query: dict[str, Any], actor: Actor) -> dict[str, Any]:
    """What to ask the database for, once it is clear that the filters themselves give nothing away."""
    machine = the_machine(query["machine"]) if "machine" in query else None
    lab = the_lab(query["lab"]) if "lab" in query else None
    labs = {each for each in (machine and machine.lab_id, lab and lab.id) if each}
    member_id, booking_id = query.get("member"), query.get("booking")
    if member_id is not None and not may_look_for_work_of(actor, member_id, labs):
        raise not_found("member")
    if booking_id is not None:
        found = booking(session(), booking_id, actor=actor)
        if found is None or found.part(actor) is None:
            raise not_found("booking")
    return {
        "machine_id": machine and machine.id,
        "lab_id": lab and lab.id,
        "since": query.get("since"),
        "until": query.get("until"),
        "booking_id": booking_id,
        "member_id": member_id,
        "limit": query["limit"],
        "cursor": query.get("cursor"),
    }


def _page(found: Page[Any], render: Any) -> dict[str, Any]:
    return {
        "items": [render(each) for each in found.items],
        "next": encode_cursor(found.next) if found.next else None,
    }
