"""What takes the time of a machine, or of all machines of a lab."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, jsonify

from fablab.bookings.calendar import calendar, lab_calendar
from fablab.clock import utc_now
from fablab.web.api.base import Blueprint, session, span_of, the_lab, the_machine
from fablab.web.auth import current_actor
from fablab.web.schemas.base import check_span
from fablab.web.schemas.calendars import CalendarPage, CalendarQuery, calendar_page

blueprint = Blueprint("calendars", "What takes machines' time")
LONGEST_DAYS = 92


@blueprint.get("/machines/<slug:machine>/calendar")
@blueprint.arguments(CalendarQuery, location="query")
@blueprint.response(200, CalendarPage)
def get_machine_calendar(query: dict[str, Any], machine: str) -> Response:
    """A machine's taken spans; seven days from today unless said otherwise, 92 at most."""
    found, now = the_machine(machine), utc_now()
    since, until = _span(query, found.zone, now)
    rows = calendar(session(), [found.id], since, until, now)
    return jsonify(calendar_page(rows, current_actor()))


@blueprint.get("/labs/<slug:lab>/calendar")
@blueprint.arguments(CalendarQuery, location="query")
@blueprint.response(200, CalendarPage)
def get_lab_calendar(query: dict[str, Any], lab: str) -> Response:
    """The taken spans of all machines of a lab; seven days from today unless said otherwise, 92 at most."""
    found, now = the_lab(lab), utc_now()
    since, until = _span(query, found.zone, now)
    rows = lab_calendar(session(), found.id, since, until, now)
    return jsonify(calendar_page(rows, current_actor()))


def _span(query: dict[str, Any], zone: str, now: datetime) -> tuple[datetime, datetime]:
    since, until = span_of(query, zone, now, days=7)
    check_span(since, until, LONGEST_DAYS)
    return since, until
