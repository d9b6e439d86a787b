"""When labs and machines are open, and what their managers decide about it."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import Response

from fablab.bookings.outside_hours import left_outside
from fablab.clock import utc_now
from fablab.machines import closures, external_calendars, seasons, weeks
from fablab.machines.hours import MachineHours
from fablab.web.api.base import Blueprint, session, span_of, the_lab, the_machine
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import hours as shape
from fablab.web.schemas import places
from fablab.web.schemas.base import check_span, page, page_of
from fablab.web.settings import settings

blueprint = Blueprint("hours", "When labs and machines are open, seasons and closures")
LONGEST_DAYS = 92
HoursPage = page_of(places.DayOut, "HoursPage")


@blueprint.get("/labs/<slug:lab>/hours")
@blueprint.arguments(places.HoursQuery, location="query")
@blueprint.response(200, HoursPage)
def get_hours(query: dict[str, Any], lab: str) -> dict[str, Any]:
    """When a lab is open, local day by local day; seven days from today unless said otherwise, 92 at most.

    A night belongs to the day it begins on: where one reaches into the range, its day comes first.
    """
    return _days(query, the_lab(lab).hours)


@blueprint.get("/machines/<slug:machine>/hours")
@blueprint.arguments(places.HoursQuery, location="query")
@blueprint.response(200, HoursPage)
def get_machine_hours(query: dict[str, Any], machine: str) -> dict[str, Any]:
    """When a machine may be booked, as of a lab; one that may run unattended at any hour nothing closes."""
    return _days(query, the_machine(machine).hours)


def _days(query: dict[str, Any], hours: MachineHours) -> dict[str, Any]:
    since, until = span_of(query, hours.zone, utc_now(), days=7)
    check_span(since, until, LONGEST_DAYS)
    zone = ZoneInfo(hours.zone)
    return {"items": [places.day_json(day, zone) for day in hours.open_days(since, until)], "next": None}


@blueprint.get("/labs/<slug:lab>/week")
@blueprint.response(200, shape.WeekOut)
def get_week(lab: str) -> dict[str, Any]:
    """The usual week of a lab, in its wall time."""
    return _week_json(lab, None)


@blueprint.put("/labs/<slug:lab>/week")
@writes
@blueprint.arguments(shape.WeekIn)
@blueprint.response(200, shape.ChangedWeekOut)
def put_week(body: dict[str, Any], lab: str) -> dict[str, Any]:
    """Put another week in its place, all of it or nothing (the lab's managers)."""
    now, week = utc_now(), shape.week_of(body["openings"])
    _, outside = left_outside(
        session(),
        the_lab(lab).slug,
        now,
        lambda: weeks.replace_week(session(), current_actor(), lab, week, now),
    )
    return {**_week_json(lab, None), "left_outside": shape.outside_json(outside)}


def _week_json(lab: str, machine: str | None) -> dict[str, Any]:
    """The usual week of a lab, or of one of its machines."""
    known = seasons.weeks_of(session(), the_lab(lab).id)
    week = known.get(machine, known.get(None, ()))
    return {"openings": shape.week_json(week), "own": machine is None or machine in known}


@blueprint.get("/machines/<slug:machine>/week")
@blueprint.response(200, shape.WeekOut)
def get_machine_week(machine: str) -> dict[str, Any]:
    """The usual week of a machine: its own, or its lab's."""
    return _week_json(the_machine(machine).lab_slug, machine)


@blueprint.put("/machines/<slug:machine>/week")
@writes
@blueprint.arguments(shape.WeekIn)
@blueprint.response(200, shape.ChangedWeekOut)
def put_machine_week(body: dict[str, Any], machine: str) -> dict[str, Any]:
    """Give a machine a week of its own, or with no openings its lab's again (the lab's managers)."""
    now, week = utc_now(), shape.week_of(body["openings"])
    lab = the_machine(machine).lab_slug
    _, outside = left_outside(
        session(),
        lab,
        now,
        lambda: weeks.replace_week(session(), current_actor(), lab, week, now, machine=machine),
    )
    return {**_week_json(lab, machine), "left_outside": shape.outside_json(outside)}


@blueprint.get("/labs/<slug:lab>/seasons")
@blueprint.response(200, page_of(shape.SeasonOut, "SeasonPage"))
def list_seasons(lab: str) -> dict[str, Any]:
    """Seasons by their first day. Proposals and what was declined are shown to the lab's managers."""
    found = seasons.seasons_of(session(), current_actor(), the_lab(lab).id)
    return {"items": [shape.season_json(each) for each in found], "next": None}


@blueprint.post("/labs/<slug:lab>/seasons")
@writes
@blueprint.arguments(shape.SeasonIn)
@blueprint.response(201, shape.ChangedSeasonOut)
def post_season(body: dict[str, Any], lab: str) -> dict[str, Any]:
    """Have other hours from one day to another (the lab's managers)."""
    now, week = utc_now(), shape.week_of(body.pop("openings"))
    return _season(
        lab, lambda: seasons.add_season(session(), current_actor(), lab, week=week, now=now, **body)
    )


@blueprint.patch("/labs/<slug:lab>/seasons/<id:season_id>")
@writes
@blueprint.arguments(shape.SeasonPatch)
@blueprint.response(200, shape.ChangedSeasonOut)
def patch_season(body: dict[str, Any], lab: str, season_id: int) -> dict[str, Any]:
    """Change its name, days or priority; a proposal stays one (the lab's managers)."""
    return _season(
        lab,
        lambda: seasons.change_season(session(), current_actor(), lab, season_id, body, utc_now()),
    )


@blueprint.put("/labs/<slug:lab>/seasons/<id:season_id>/week")
@writes
@blueprint.arguments(shape.SeasonWeekIn)
@blueprint.response(200, shape.ChangedSeasonOut)
def put_season_week(body: dict[str, Any], lab: str, season_id: int) -> dict[str, Any]:
    """Put another week in the place of the season's, or of one machine's in it (the lab's managers)."""
    week, machine = shape.week_of(body["openings"]), body.get("machine")
    return _season(
        lab,
        lambda: seasons.replace_season_week(
            session(), current_actor(), lab, season_id, week, utc_now(), machine=machine
        ),
    )


@blueprint.post("/labs/<slug:lab>/seasons/<id:season_id>/confirmation")
@writes
@blueprint.response(201, shape.ChangedSeasonOut)
def post_season_confirmation(lab: str, season_id: int) -> dict[str, Any]:
    """Put a proposed season in force, with the days and hours it has now (the lab's managers)."""
    return _season(lab, lambda: seasons.confirm_season(session(), current_actor(), lab, season_id, utc_now()))


@blueprint.delete("/labs/<slug:lab>/seasons/<id:season_id>")
@writes
@blueprint.response(204)
def delete_season(lab: str, season_id: int) -> Response:
    """Take a season away, or decline a proposal (the lab's managers). It is not proposed again."""
    seasons.remove_season(session(), current_actor(), the_lab(lab).slug, season_id, utc_now())
    return Response(status=204)


def _season(lab: str, change: Any) -> dict[str, Any]:
    found, outside = left_outside(session(), the_lab(lab).slug, utc_now(), change)
    return {**shape.season_json(found), "left_outside": shape.outside_json(outside)}


@blueprint.get("/labs/<slug:lab>/closures")
@blueprint.arguments(shape.ClosuresQuery, location="query")
@blueprint.response(200, page_of(shape.HoursClosureOut, "ClosurePage"))
def list_closures(query: dict[str, Any], lab: str) -> dict[str, Any]:
    """Closures by their beginning. Proposals and what was declined are shown to the lab's managers."""
    found = closures.closures_of(
        session(),
        current_actor(),
        the_lab(lab).id,
        state=query.get("state"),
        since=query.get("since"),
        after=query.get("cursor"),
        limit=query["limit"] + 1,
    )
    return page(
        found,
        query["limit"],
        shape.closure_json,
        lambda each: [f"{each.local_starts:%Y-%m-%dT%H:%M}", each.id],
    )


@blueprint.post("/labs/<slug:lab>/closures")
@writes
@blueprint.arguments(shape.HoursClosureIn)
@blueprint.response(201, shape.ChangedHoursClosureOut)
def post_closure(body: dict[str, Any], lab: str) -> dict[str, Any]:
    """Close a lab, or one machine, for a span of wall time, once or again and again (the lab's managers)."""
    return _closure(lab, lambda: closures.add_closure(session(), current_actor(), lab, now=utc_now(), **body))


@blueprint.patch("/labs/<slug:lab>/closures/<id:closure_id>")
@writes
@blueprint.arguments(shape.HoursClosurePatch)
@blueprint.response(200, shape.ChangedHoursClosureOut)
def patch_closure(body: dict[str, Any], lab: str, closure_id: int) -> dict[str, Any]:
    """Change a closure; a proposal stays one (the lab's managers)."""
    return _closure(
        lab,
        lambda: closures.change_closure(session(), current_actor(), lab, closure_id, body, utc_now()),
    )


@blueprint.post("/labs/<slug:lab>/closures/<id:closure_id>/confirmation")
@writes
@blueprint.response(201, shape.ChangedHoursClosureOut)
def post_closure_confirmation(lab: str, closure_id: int) -> dict[str, Any]:
    """Put a proposed closure in force (the lab's managers)."""

    def confirm() -> closures.ClosureView:
        closures.confirm_closures(session(), current_actor(), lab, [closure_id], utc_now())
        return closures.closure_of(session(), the_lab(lab).id, closure_id)

    return _closure(lab, confirm)


@blueprint.delete("/labs/<slug:lab>/closures/<id:closure_id>")
@writes
@blueprint.response(204)
def delete_closure(lab: str, closure_id: int) -> Response:
    """Open again, or decline a proposal (the lab's managers). It is not proposed again."""
    closures.remove_closure(session(), current_actor(), the_lab(lab).slug, closure_id, utc_now())
    return Response(status=204)


def _closure(lab: str, change: Any) -> dict[str, Any]:
    found, outside = left_outside(session(), the_lab(lab).slug, utc_now(), change)
    return {**shape.closure_json(found), "left_outside": shape.outside_json(outside)}


@blueprint.get("/labs/<slug:lab>/calendar-sources")
@blueprint.response(200, page_of(shape.SourceOut, "CalendarSourcePage"))
def list_sources(lab: str) -> dict[str, Any]:
    """Calendars elsewhere whose busy times close the lab, and how reading them went (the lab's managers)."""
    found = external_calendars.sources_of(session(), current_actor(), the_lab(lab).id)
    return {"items": [shape.source_json(each) for each in found], "next": None}


@blueprint.post("/labs/<slug:lab>/calendar-sources")
@writes
@blueprint.arguments(shape.SourceIn)
@blueprint.response(201, shape.SourceOut)
def post_source(body: dict[str, Any], lab: str) -> dict[str, Any]:
    """Close the lab whenever a calendar elsewhere is busy; it is read soon, and again and again."""
    made = external_calendars.add_source(
        session(),
        current_actor(),
        lab,
        body["label"],
        body["url"],
        utc_now(),
        private=settings().hours.private_calendars,
    )
    return shape.source_json(made)


@blueprint.delete("/labs/<slug:lab>/calendar-sources/<id:source_id>")
@writes
@blueprint.response(204)
def delete_source(lab: str, source_id: int) -> Response:
    """Forget a calendar; its closures go with it."""
    external_calendars.remove_source(session(), current_actor(), the_lab(lab).slug, source_id, utc_now())
    return Response(status=204)
