"""Outages as JSON, with the bookings they touch."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from fablab.bookings.models_claims import NOTE_MAX
from fablab.bookings.outages import CATEGORIES, OutageView, OutageWish, Told, Touched
from fablab.members.rules import Actor, may_see_lab_details
from fablab.web.schemas.base import (
    Cursor,
    Instant,
    PageQuery,
    PersonOut,
    Strict,
    Text,
    a_number,
    an_instant,
    person,
)
from fablab.web.schemas.bookings import AlternativeOut

_UNTIL = {"description": "Null: until somebody says otherwise"}


class OutageIn(Strict):
    starts_at = Instant(required=True)
    ends_at = Instant(load_default=None, allow_none=True, metadata=_UNTIL)
    category = fields.String(required=True, validate=validate.OneOf(CATEGORIES))
    note = Text(NOTE_MAX, load_default="")


class OutagePatch(Strict):
    """What is left out stays as it is. An outage ends by its `ends_at`."""

    starts_at = Instant()
    ends_at = Instant(allow_none=True, metadata=_UNTIL)
    category = fields.String(validate=validate.OneOf(CATEGORIES))
    note = Text(NOTE_MAX)

    @validates_schema
    def _something(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Say what shall change: starts_at, ends_at, category or note.")


class OutagesQuery(PageQuery):
    since = Instant(data_key="from")
    until = Instant(data_key="to")
    cursor = Cursor(an_instant, a_number)


class TouchedOut(Strict):
    """A booking in an outage's time, and what was offered instead."""

    booking = fields.Integer()
    machine = fields.String(metadata={"description": "The machine itself, or one that needs it"})
    member = fields.Nested(PersonOut)
    starts_at = Instant()
    ends_at = Instant()
    state = fields.String()
    alternatives = fields.List(fields.Nested(AlternativeOut))


class OutageOut(Strict):
    id = fields.Integer()
    machine = fields.String()
    starts_at = Instant()
    ends_at = Instant(allow_none=True, metadata=_UNTIL)
    category = fields.String(validate=validate.OneOf(CATEGORIES))
    note = fields.String()
    created_by = fields.Nested(
        PersonOut, allow_none=True, metadata={"description": "For the lab's staff; else null"}
    )
    created_at = Instant()


class OutageToldOut(OutageOut):
    bookings = fields.List(
        fields.Nested(TouchedOut), metadata={"description": "Live bookings it touches; they stay booked"}
    )


def outage_wish(body: dict[str, Any]) -> OutageWish:
    return OutageWish(**body)


def outage_json(outage: OutageView, actor: Actor) -> dict[str, Any]:
    """An outage in its lab's time; who wrote it down is for staff."""
    zone = ZoneInfo(outage.zone)
    known = may_see_lab_details(actor, outage.lab_id)
    return {
        "id": outage.id,
        "machine": outage.machine_slug,
        "starts_at": outage.starts_at.astimezone(zone),
        "ends_at": None if outage.ends_at is None else outage.ends_at.astimezone(zone),
        "category": outage.category,
        "note": outage.note,
        "created_by": person(outage.created_by_id, outage.created_by_name) if known else None,
        "created_at": outage.created_at.astimezone(zone),
    }


def told_json(told: Told, actor: Actor) -> dict[str, Any]:
    """An outage as whoever changed it reads it."""
    return {**outage_json(told.outage, actor), "bookings": [_touched_json(each) for each in told.touched]}


def _touched_json(touched: Touched) -> dict[str, Any]:
    zone = ZoneInfo(touched.zone)
    return {
        "booking": touched.booking_id,
        "machine": touched.machine_slug,
        "member": person(touched.member_id, touched.member_name),
        "starts_at": touched.starts_at.astimezone(zone),
        "ends_at": touched.ends_at.astimezone(zone),
        "state": touched.state,
        "alternatives": touched.alternatives,
    }
