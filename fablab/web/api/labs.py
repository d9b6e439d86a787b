"""Labs, their hours, and kinds of machine."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from fablab.clock import utc_now
from fablab.machines.queries import kinds, labs
from fablab.machines.rules import open_days
from fablab.web.api.base import Blueprint, session, span_of, the_lab
from fablab.web.schemas import places
from fablab.web.schemas.base import check_span, page, page_of

blueprint = Blueprint("labs", "Places and their hours")


@blueprint.get("/labs")
@blueprint.arguments(places.LabsQuery, location="query")
@blueprint.response(200, page_of(places.LabOut, "LabPage"))
def list_labs(query: dict[str, Any]) -> dict[str, Any]:
    """Labs, by slug."""
    now = utc_now()
    found = _after(labs(session(), region=query.get("region")), query)
    return page(found, query["limit"], lambda lab: places.lab_json(lab, now), lambda lab: [lab.slug])


@blueprint.get("/labs/<slug:lab>")
@blueprint.response(200, places.LabOut)
def get_lab(lab: str) -> dict[str, Any]:
    """One lab, with its hours of today."""
    return places.lab_json(the_lab(lab), utc_now())


@blueprint.get("/labs/<slug:lab>/hours")
@blueprint.arguments(places.HoursQuery, location="query")
@blueprint.response(200, page_of(places.DayOut, "HoursPage"))
def get_hours(query: dict[str, Any], lab: str) -> dict[str, Any]:
    """When a lab is open, local day by local day; seven days from today unless said otherwise, 92 at most."""
    found = the_lab(lab)
    since, until = span_of(query, found.zone, utc_now(), days=7)
    check_span(since, until, 92)
    zone = ZoneInfo(found.zone)
    days = open_days(found.openings, found.zone, since, until)
    return {"items": [places.day_json(day, zone) for day in days], "next": None}


@blueprint.get("/kinds")
@blueprint.arguments(places.KindsQuery, location="query")
@blueprint.response(200, page_of(places.KindOut, "KindPage"))
def list_kinds(query: dict[str, Any]) -> dict[str, Any]:
    """Kinds of machine, by slug."""
    found = _after(kinds(session()), query)
    return page(found, query["limit"], places.kind_json, lambda kind: [kind.slug])


def _after(found: list[Any], query: dict[str, Any]) -> list[Any]:
    """Places are few: they are read whole and paged here."""
    if "cursor" in query:
        found = [each for each in found if each.slug > query["cursor"][0]]
    return found[: query["limit"] + 1]
