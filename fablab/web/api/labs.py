"""Labs, and kinds of machine."""

from __future__ import annotations

from typing import Any

from fablab.clock import utc_now
from fablab.machines.queries import kinds, labs
from fablab.web.api.base import Blueprint, session, the_lab
from fablab.web.schemas import places
from fablab.web.schemas.base import page, page_of

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
