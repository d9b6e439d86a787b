"""What takes the time of a machine, or of all machines of a lab."""

from __future__ import annotations

from typing import Any

from fablab.bookings.queries import calendar
from fablab.clock import utc_now
from fablab.machines.queries import machines
from fablab.web.api.base import Blueprint, session, span_of, the_lab, the_machine
from fablab.web.auth import current_actor
from fablab.web.schemas.base import check_span
from fablab.web.schemas.bookings import CalendarPage, CalendarQuery, calendar_json

blueprint = Blueprint("calendars", "What takes machines' time")
LONGEST_DAYS = 92


@blueprint.get("/machines/<slug:machine>/calendar")
@blueprint.arguments(CalendarQuery, location="query")
@blueprint.response(200, CalendarPage)
def get_machine_calendar(query: dict[str, Any], machine: str) -> dict[str, Any]:
    """A machine's taken spans; seven days from today unless said otherwise, 92 at most."""
    found = the_machine(machine)
    return _calendar([found.id], query, found.zone)


@blueprint.get("/labs/<slug:lab>/calendar")
@blueprint.arguments(CalendarQuery, location="query")
@blueprint.response(200, CalendarPage)
def get_lab_calendar(query: dict[str, Any], lab: str) -> dict[str, Any]:
    """The taken spans of all machines of a lab; seven days from today unless said otherwise, 92 at most."""
    found = the_lab(lab)
    return _calendar([each.id for each in machines(session(), lab=lab)], query, found.zone)


def _calendar(machine_ids: list[int], query: dict[str, Any], zone: str) -> dict[str, Any]:
    since, until = span_of(query, zone, utc_now(), days=7)
    check_span(since, until, LONGEST_DAYS)
    actor = current_actor()
    rows = calendar(session(), machine_ids, since, until)
    return {"items": [calendar_json(row, actor) for row in rows], "next": None}
