"""Bookings that change hands as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from fablab.bookings.handover_queries import HandoverView, Side
from fablab.bookings.models import REASON_MAX
from fablab.bookings.models_claims import NOTE_MAX
from fablab.members.addresses import email_trouble
from fablab.members.rules import Actor
from fablab.web.schemas.base import (
    Cursor,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    Text,
    a_number,
    page_of,
    person,
)

STATES = ("offered", "accepted", "declined", "withdrawn", "expired")


def _an_address(data: dict[str, Any]) -> None:
    if "to" in data and email_trouble(data["to"]):
        raise ValidationError("Must be an e-mail address.", "to")


class HandoverIn(Strict):
    """To somebody for nothing, or for what is booked on a machine at a moment."""

    to = Text(254, 3, metadata={"description": "E-mail address of whom it is offered to, for nothing"})
    machine = Slug(metadata={"description": "For what is booked there `at` that moment: a swap"})
    at = Instant()
    note = Text(NOTE_MAX, load_default="", metadata={"description": "A word to whom it is offered to"})

    @validates_schema
    def _one_way(self, data: dict[str, Any], **_: Any) -> None:
        swap = "machine" in data or "at" in data
        if ("to" in data) == swap:
            raise ValidationError("Give `to`, or `machine` and `at`.", "to")
        for name in ("machine", "at") if swap else ():
            if name not in data:
                raise ValidationError("Is needed for a swap.", name)
        _an_address(data)


class TransferIn(Strict):
    to = Text(254, 3, required=True, metadata={"description": "The new holder's e-mail address"})
    reason = Text(REASON_MAX, load_default="")

    @validates_schema
    def _address(self, data: dict[str, Any], **_: Any) -> None:
        _an_address(data)


class SideOut(Strict):
    id = fields.Integer(allow_none=True, metadata={"description": "Null for somebody else's booking"})
    machine = fields.String()
    machine_name = fields.String()
    lab = fields.String()
    starts_at = Instant()
    ends_at = Instant()


class HandoverOut(Strict):
    id = fields.Integer()
    made = fields.Boolean(metadata={"description": "By you; else it was made to you"})
    booking = fields.Nested(SideOut, metadata={"description": "What is offered"})
    for_booking = fields.Nested(
        SideOut, allow_none=True, metadata={"description": "What is asked in return; null: nothing"}
    )
    from_member = fields.Nested(PersonOut)
    to = fields.String(
        allow_none=True,
        metadata={"description": "The address as you wrote it, whether anybody has it or not"},
    )
    note = fields.String()
    state = fields.String(
        validate=validate.OneOf(STATES),
        metadata={"description": "expired also when one of the bookings has changed since"},
    )
    created_at = Instant()
    expires_at = Instant()
    decided_at = Instant(allow_none=True)


class HandoversQuery(PageQuery):
    cursor = Cursor(a_number)


HandoverPage = page_of(HandoverOut, "HandoverPage")


def handover_json(view: HandoverView, actor: Actor, now: datetime) -> dict[str, Any]:
    zone = ZoneInfo(view.own.zone)
    made = view.from_member_id == actor.member_id
    return {
        "id": view.id,
        "made": made,
        "booking": _side_json(view.own, actor),
        "for_booking": None if view.back is None else _side_json(view.back, actor),
        "from_member": person(view.from_member_id, view.from_member_name),
        "to": (view.to_email or None) if made else None,
        "note": view.note,
        "state": view.state_at(now),
        "created_at": view.created_at.astimezone(zone),
        "expires_at": view.expires_at.astimezone(zone),
        "decided_at": view.decided_at and view.decided_at.astimezone(zone),
    }


def _side_json(side: Side, actor: Actor) -> dict[str, Any]:
    zone = ZoneInfo(side.zone)
    return {
        "id": side.booking_id if side.member_id == actor.member_id else None,
        "machine": side.machine_slug,
        "machine_name": side.machine_name,
        "lab": side.lab_slug,
        "starts_at": side.starts_at.astimezone(zone),
        "ends_at": side.ends_at.astimezone(zone),
    }
