"""Machines and what they do now."""

from __future__ import annotations

from typing import Any

from fablab.bookings.facts import Who
from fablab.bookings.rule_store import ruling_at
from fablab.bookings.rulebook import Ruling
from fablab.clock import utc_now
from fablab.machines.queries import MachineView, machines
from fablab.telemetry.queries import statuses
from fablab.web.api.base import Blueprint, session, the_machine
from fablab.web.auth import current_actor
from fablab.web.schemas import places
from fablab.web.schemas.base import page, page_of
from fablab.web.schemas.status import StatusOut, status_json
from fablab.web.settings import booking_policy, settings

blueprint = Blueprint("machines", "Machines and their live status")


@blueprint.get("/machines")
@blueprint.arguments(places.MachinesQuery, location="query")
@blueprint.response(200, page_of(places.MachineOut, "MachinePage"))
def list_machines(query: dict[str, Any]) -> dict[str, Any]:
    """Machines with their live status, by slug. Two statements, however many there are."""
    after = query["cursor"][0] if "cursor" in query else None
    by_state = "state" in query
    limit = query["limit"]
    found = machines(
        session(),
        lab=query.get("lab"),
        region=query.get("region"),
        kind=query.get("kind"),
        after=after,
        limit=None if by_state else limit + 1,
    )
    status = _status_of(found)
    if by_state:
        found = [each for each in found if status[each.id]["state"] == query["state"]][: limit + 1]
    return page(
        found,
        limit,
        lambda machine: places.machine_json(machine, status[machine.id], _ruling(machine)),
        lambda machine: [machine.slug],
    )


@blueprint.get("/machines/<slug:machine>")
@blueprint.response(200, places.MachineOut)
def get_machine(machine: str) -> dict[str, Any]:
    """One machine."""
    found = the_machine(machine)
    return places.machine_json(found, _status_of([found])[found.id], _ruling(found))


@blueprint.get("/machines/<slug:machine>/status")
@blueprint.response(200, StatusOut)
def get_status(machine: str) -> dict[str, Any]:
    """What a machine does now. File and booking are shown to the booking's holder and the lab's staff."""
    found = the_machine(machine)
    return _status_of([found])[found.id]


def _status_of(found: list[MachineView]) -> dict[int, dict[str, Any]]:
    views = statuses(session(), [each.id for each in found], utc_now(), settings())
    known = {view.machine_id: view for view in views}
    actor = current_actor()
    return {each.id: status_json(known.get(each.id), each.zone, actor) for each in found}


def _ruling(machine: MachineView) -> Ruling:
    """What is asked of the caller's own bookings of the machine."""
    return ruling_at(session(), machine, Who(current_actor().category, None), booking_policy())
