"""Free times as JSON, and how one asks for them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from fablab.bookings.facts import LONGEST_DAYS
from fablab.bookings.slot_reads import Wanted
from fablab.bookings.slots import LIMIT_MOST, Found, Slot, SlotWish
from fablab.web.schemas.base import Instant, Slug, Strict, Text

_LENGTH = re.compile(r"PT(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?", re.ASCII)
_SLUGS_MOST = 50
# A lab's coordinates and a machine's sizes, in whatever unit: nothing larger is meant in earnest.
_NUMBER_MOST = 1e6


class Length(fields.Field[timedelta]):
    """A length of time, ISO 8601 in hours, minutes and seconds: PT90M, PT1H30M."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> timedelta:
        match = _LENGTH.fullmatch(value) if isinstance(value, str) else None
        hours, minutes, seconds = (int(each or 0) for each in match.groups()) if match else (0, 0, 0)
        length = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if not timedelta(minutes=1) <= length <= timedelta(days=LONGEST_DAYS):
            raise ValidationError(f"Must be a length like PT90M, from a minute to {LONGEST_DAYS * 24} hours.")
        return length


class Slugs(fields.Field[tuple[str, ...]]):
    """One slug or several with commas between them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else []
        if not 0 < len(parts) <= _SLUGS_MOST:
            raise ValidationError(f"Must be one name, or up to {_SLUGS_MOST} with commas between them.")
        slug = Slug()
        return tuple(dict.fromkeys(str(slug.deserialize(each)) for each in parts))


class Numbers(fields.Field[tuple[float, ...]]):
    """So many numbers with commas between them, each within bounds."""

    def __init__(self, count: int, least: float, most: float, example: str, **kwargs: Any) -> None:
        self._count, self._least, self._most, self._example = count, least, most, example
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[float, ...]:
        try:
            found = tuple(float(each) for each in value.split(","))
        except (ValueError, AttributeError):
            found = ()
        if len(found) != self._count or not all(
            math.isfinite(each) and self._least <= each <= self._most for each in found
        ):
            raise ValidationError(f"Must be {self._count} numbers like {self._example}.")
        return found


class Near(fields.Field[Any]):
    """A latitude and a longitude in degrees, or the slug of a lab."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or "," not in value:
            return Slug().deserialize(value)
        north, east = Numbers(2, -180, 180, "35.76,-5.83").deserialize(value)
        if abs(north) > 90:
            raise ValidationError("The latitude comes first and lies between -90 and 90.")
        return north, east


def _size(count: int, example: str, description: str) -> Numbers:
    return Numbers(count, 0.001, _NUMBER_MOST, example, metadata={"description": description})


class SlotsQuery(Strict):
    duration = Length(
        required=True,
        metadata={"description": "How long, ISO 8601 in hours, minutes and seconds, such as PT90M"},
    )
    kind = Slugs(metadata={"description": "Kinds of machine, such as 3d-printer; several with commas"})
    machine = Slugs(metadata={"description": "Machines; several with commas"})
    lab = Slugs(metadata={"description": "Labs; several with commas"})
    region = Slugs(metadata={"description": "Regions; several with commas"})
    after = Instant(metadata={"description": "No slot starts before; now if left out"})
    before = Instant(metadata={"description": "No slot ends later; each machine's horizon if left out"})
    material = Text(60, 1, metadata={"description": "One of the machine's `materials`, in any letters"})
    build_volume = _size(
        3, "200,150,100", "Width, depth, height in mm that `build_volume_mm` holds; turned if need be"
    )
    bed = _size(2, "600,300", "Width and depth in mm that `bed_mm` holds; turned if need be")
    laser_w = fields.Float(
        validate=validate.Range(0.001, _NUMBER_MOST),
        metadata={"description": "Least power of the laser in W (`laser_w`)"},
    )
    near = Near(
        metadata={
            "description": "LATITUDE,LONGITUDE in degrees, or a lab. Of equal starts the one nearest by "
            "comes first; an earlier start far away still comes before a later one close by"
        }
    )
    limit = fields.Integer(
        load_default=10,
        validate=validate.Range(1, LIMIT_MOST),
        metadata={"description": f"How many slots, 1 to {LIMIT_MOST}"},
    )

    @validates_schema
    def _room(self, data: dict[str, Any], **_: Any) -> None:
        if "after" in data and "before" in data and data["before"] - data["after"] < data["duration"]:
            raise ValidationError("Must be at least the duration after `after`.", "before")


class SlotOut(Strict):
    machine = fields.String()
    machine_name = fields.String()
    kind = fields.String()
    kind_name = fields.String()
    lab = fields.String()
    lab_name = fields.String()
    starts_at = Instant()
    ends_at = Instant()
    state = fields.String(
        metadata={"description": "confirmed, or requested where the lab's staff decide on bookings"}
    )
    distance_km = fields.Float(
        allow_none=True, metadata={"description": "From `near` as the bird flies; null if not asked for"}
    )


class SlotPage(Strict):
    items = fields.List(fields.Nested(SlotOut), required=True)
    next = fields.String(allow_none=True, metadata={"description": "Always null: ask again with `after`"})
    machines = fields.Integer(metadata={"description": "Machines that are like what was asked for"})
    left_out = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={
            "description": "How many of them have no slot, by the code of the refusal that booking one would "
            'get, such as {"not_certified": 3, "machine_booked": 2}'
        },
    )
    complete = fields.Boolean(
        metadata={
            "description": "False: the search ended with the last slot that was wanted, so that of taken "
            "machines not all are counted in `left_out`"
        }
    )


def slot_wish(query: Mapping[str, Any]) -> SlotWish:
    """The wish that a SlotsQuery makes."""
    volume, bed = query.get("build_volume"), query.get("bed")
    return SlotWish(
        length_s=int(query["duration"].total_seconds()),
        wanted=Wanted(
            kinds=query.get("kind", ()),
            machines=query.get("machine", ()),
            labs=query.get("lab", ()),
            regions=query.get("region", ()),
            material=query.get("material"),
            build_volume_mm=volume,
            bed_mm=bed,
            laser_w=query.get("laser_w"),
        ),
        after=query.get("after"),
        before=query.get("before"),
        near=query.get("near"),
        limit=query["limit"],
    )


def slots_json(found: Found) -> dict[str, Any]:
    return {
        "items": [_slot(each) for each in found.slots],
        "next": None,
        "machines": found.machines,
        "left_out": found.left_out,
        "complete": found.whole,
    }


def _slot(slot: Slot) -> dict[str, Any]:
    zone = ZoneInfo(slot.zone)
    return {
        "machine": slot.names.slug,
        "machine_name": slot.names.name,
        "kind": slot.names.kind_slug,
        "kind_name": slot.names.kind_name,
        "lab": slot.names.lab_slug,
        "lab_name": slot.names.lab_name,
        "starts_at": slot.starts_at.astimezone(zone),
        "ends_at": slot.ends_at.astimezone(zone),
        "state": slot.state,
        "distance_km": None if slot.km is None else round(slot.km, 1),
    }
