"""A lab's presets: machines that are often booked together."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.bookings import presets
from fablab.bookings.preset_queries import presets as presets_of
from fablab.clock import utc_now
from fablab.web.api.base import Blueprint, session, the_lab
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import together as shape
from fablab.web.schemas.base import page_of

blueprint = Blueprint("presets", "Machines that are often booked together")


@blueprint.get("/labs/<slug:lab>/presets")
@blueprint.response(200, page_of(shape.PresetOut, "PresetPage"))
def get_presets(lab: str) -> dict[str, Any]:
    """What can be booked together by `preset` in `POST /bookings`, by name."""
    found = presets_of(session(), the_lab(lab).id)
    return {"items": [shape.preset_json(each) for each in found], "next": None}


@blueprint.post("/labs/<slug:lab>/presets")
@writes
@blueprint.arguments(shape.PresetIn)
@blueprint.response(201, shape.PresetOut)
def post_preset(body: dict[str, Any], lab: str) -> dict[str, Any]:
    """Add one; for the lab's managers."""
    steps = shape.steps_of(body["steps"])
    made = presets.add_preset(session(), current_actor(), the_lab(lab), body["name"], steps, utc_now())
    return shape.preset_json(made)


@blueprint.patch("/presets/<id:preset_id>")
@writes
@blueprint.arguments(shape.PresetPatch)
@blueprint.response(200, shape.PresetOut)
def patch_preset(body: dict[str, Any], preset_id: int) -> dict[str, Any]:
    """Give it another name or other steps. Bookings made by it stay as they are."""
    done = presets.change_preset(
        session(),
        current_actor(),
        preset_id,
        utc_now(),
        name=body.get("name"),
        steps=shape.steps_of(body["steps"]) if "steps" in body else None,
    )
    return shape.preset_json(done)


@blueprint.delete("/presets/<id:preset_id>")
@writes
@blueprint.response(204)
def delete_preset(preset_id: int) -> Response:
    """Take it away. Bookings made by it stay as they are."""
    presets.remove_preset(session(), current_actor(), preset_id, utc_now())
    return Response(status=204)
