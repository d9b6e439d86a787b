"""Several machines in one booking, and a lab's presets, as JSON."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from fablab.bookings.bundles import Judged, Together
from fablab.bookings.facts import LONGEST_DAYS
from fablab.bookings.preset_queries import STEPS_MOST, PresetView, Step
from fablab.machines.models import LABEL_MAX
from fablab.web.schemas.base import Instant, Slug, Strict, Text, Whole, WholeId
from fablab.web.schemas.bookings import BookingIn, booking_request

_LONGEST_S = LONGEST_DAYS * 86400


class StepIO(Strict):
    machine = Slug(metadata={"description": "A machine of the same lab; or"})
    kind = Slug(metadata={"description": "a kind: the first of it that is free and allowed"})
    offset_s = Whole(
        load_default=0,
        validate=validate.Range(0, _LONGEST_S),
        metadata={"description": "Seconds from the booking's start"},
    )
    duration_s = Whole(required=True, validate=validate.Range(60, _LONGEST_S))

    @validates_schema
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if ("machine" in data) == ("kind" in data):
            raise ValidationError("Name a machine or a kind.", "machine")


class TogetherIn(BookingIn):
    """A booking of one machine, or of several together or one after the other."""

    machine = Slug(metadata={"description": "Required without `preset`"})
    ends_at = Instant(metadata={"description": "Required without `preset`"})
    also = fields.List(
        fields.Nested(StepIO),
        load_default=list,
        validate=validate.Length(max=STEPS_MOST - 1),
        metadata={"description": "Other machines of the same lab: all are booked, or none"},
    )
    preset = WholeId(
        load_default=None,
        metadata={"description": "A preset of the lab instead of `machine`, `ends_at` and `also`"},
    )

    @validates_schema
    def _whole(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("preset") is None:
            missing = {
                each: ["Missing data for required field."]
                for each in ("machine", "ends_at")
                if each not in data
            }
            if missing:
                raise ValidationError(missing)
        elif "machine" in data or "ends_at" in data or data.get("also"):
            raise ValidationError("A preset says machines and lengths; leave the others out.", "preset")
        if data.get("override") and (data.get("also") or data.get("preset") is not None):
            raise ValidationError("Rules are gone over for one machine at a time.", "override")


def together_request(body: dict[str, Any]) -> Together | None:
    """What a TogetherIn asks for where it is more than one machine; None: it is a plain booking."""
    if not body["also"] and body["preset"] is None:
        return None
    plain = {name: value for name, value in body.items() if name not in ("also", "preset", "override")}
    first = {"machine": "", "ends_at": body["starts_at"], **plain}
    return Together(booking_request(first), tuple(Step(**each) for each in body["also"]), body["preset"])


def plain_body(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a plain booking."""
    return {name: value for name, value in body.items() if name not in ("also", "preset")}


class PresetIn(Strict):
    name = Text(LABEL_MAX, 1, required=True)
    steps = fields.List(fields.Nested(StepIO), required=True, validate=validate.Length(1, STEPS_MOST))


class PresetPatch(Strict):
    name = Text(LABEL_MAX, 1)
    steps = fields.List(fields.Nested(StepIO), validate=validate.Length(1, STEPS_MOST))


class PresetOut(Strict):
    id = fields.Integer()
    lab = fields.String()
    name = fields.String()
    steps = fields.List(fields.Nested(StepIO))


def steps_of(body: list[dict[str, Any]]) -> list[Step]:
    return [Step(**each) for each in body]


def preset_json(found: PresetView) -> dict[str, Any]:
    return {
        "id": found.id,
        "lab": found.lab_slug,
        "name": found.name,
        "steps": [
            {
                **({"machine": each.machine} if each.machine is not None else {"kind": each.kind}),
                "offset_s": each.offset_s,
                "duration_s": each.duration_s,
            }
            for each in found.steps
        ],
    }


def preview_of(judged: list[Judged]) -> dict[str, Any]:
    """As a PreviewOut: whether all of it can be booked; requested where one of them would be."""
    refusals = [each for step in judged for each in step.refusals]
    requested = any(step.state == "requested" for step in judged)
    return {
        "bookable": not refusals,
        "state": None if refusals else "requested" if requested else "confirmed",
        "refusals": refusals,
        "alternatives": [],
        "broke": [],
        "rules": [],
    }
