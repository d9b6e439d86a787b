"""Bookings, their history and calendars as JSON."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import fields, validate

from fablab.bookings.models import STATES
from fablab.bookings.queries import BookingView, CalendarRow, ChangeView
from fablab.members.rules import Actor, may_see_booking
from fablab.web.schemas.base import (
    Cursor,
    Id,
    Instant,
    PageQuery,
    Slug,
    Strict,
    Text,
    a_number,
    an_instant,
    page_of,
)


class BookingIn(Strict):
    machine = Slug(required=True)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    purpose = Text(200, load_default="")
    for_member = Text(
        254,
        3,
        load_default=None,
        metadata={"description": "E-mail address; only the lab's managers book for others"},
    )


class BookingOut(Strict):
    id = fields.Integer()
    machine = fields.String()
    machine_name = fields.String()
    lab = fields.String()
    member = fields.String(metadata={"description": "Whom it is for"})
    created_by = fields.String(metadata={"description": "Who made it"})
    starts_at = Instant()
    ends_at = Instant()
    state = fields.String(validate=validate.OneOf(STATES))
    purpose = fields.String()
    mine = fields.Boolean()
    created_at = Instant()


class CancellationIn(Strict):
    reason = Text(500, load_default="")


class BookingsQuery(PageQuery):
    machine = Slug()
    lab = Slug()
    member = Id(metadata={"description": "A member's number; own bookings only, unless staff"})
    since = Instant(data_key="from")
    until = Instant(data_key="to")
    state = fields.String(validate=validate.OneOf(STATES))
    cursor = Cursor(an_instant, a_number)


class RefusalOut(Strict):
    code = fields.String()
    field = fields.String()
    message = fields.String()


class AlternativeOut(Strict):
    machine = fields.String()
    lab = fields.String()
    starts_at = Instant()
    ends_at = Instant()


class PreviewOut(Strict):
    bookable = fields.Boolean()
    state = fields.String(allow_none=True, metadata={"description": "State it would have, null if refused"})
    refusals = fields.List(fields.Nested(RefusalOut))
    alternatives = fields.List(fields.Nested(AlternativeOut))


class ChangeOut(Strict):
    at = Instant()
    made_by = fields.String(metadata={"description": "member, machine or clock"})
    member = fields.String(allow_none=True)
    from_state = fields.String(allow_none=True, data_key="from")
    to_state = fields.String(data_key="to")
    reason = fields.String()


class CalendarQuery(Strict):
    since = Instant(data_key="from")
    until = Instant(data_key="to")


class CalendarOut(Strict):
    machine = fields.String()
    kind = fields.String(metadata={"description": "booking, hold or outage"})
    state = fields.String()
    starts_at = Instant()
    ends_at = Instant()
    mine = fields.Boolean()
    booking = fields.Integer(allow_none=True, metadata={"description": "Null when somebody else's"})
    member = fields.String(allow_none=True, metadata={"description": "For the lab's staff and oneself"})


CalendarPage = page_of(CalendarOut, "CalendarPage")


def booking_json(booking: BookingView, actor: Actor) -> dict[str, Any]:
    """A booking the actor may see, in its lab's time."""
    zone = ZoneInfo(booking.zone)
    return {
        "id": booking.id,
        "machine": booking.machine_slug,
        "machine_name": booking.machine_name,
        "lab": booking.lab_slug,
        "member": booking.member_name,
        "created_by": booking.created_by_name,
        "starts_at": booking.starts_at.astimezone(zone),
        "ends_at": booking.ends_at.astimezone(zone),
        "state": booking.state,
        "purpose": booking.purpose,
        "mine": booking.member_id == actor.member_id,
        "created_at": booking.created_at.astimezone(zone),
    }


def change_json(change: ChangeView, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "at": change.at.astimezone(zone),
        "made_by": change.made_by,
        "member": change.member_name,
        "from_state": change.from_state,
        "to_state": change.to_state,
        "reason": change.reason,
    }


def calendar_json(row: CalendarRow, actor: Actor) -> dict[str, Any]:
    """A taken span; whose booking it is only for whom that is meant."""
    zone = ZoneInfo(row.zone)
    known = row.member_id is not None and may_see_booking(actor, row.member_id, row.lab_id)
    return {
        "machine": row.machine_slug,
        "kind": row.kind,
        "state": row.state,
        "starts_at": row.starts_at.astimezone(zone),
        "ends_at": row.ends_at.astimezone(zone),
        "mine": row.member_id == actor.member_id,
        "booking": row.booking_id if known else None,
        "member": row.member_name if known else None,
    }
