"""Bookings, their history and calendars as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from fablab.bookings.facts import HEADS_MOST, LISTED_MOST, BookingRequest, Guest
from fablab.bookings.models import PURPOSE_MAX, REASON_MAX, STATES
from fablab.bookings.queries import BookingView, CalendarRow, ChangeView, ParticipantView
from fablab.bookings.rules_people import Part, may_see_accounts, may_see_participants, may_see_whose
from fablab.members.addresses import email_trouble
from fablab.members.rules import Actor
from fablab.web.schemas.base import (
    Cursor,
    Id,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    Text,
    Whole,
    WholeId,
    a_number,
    an_instant,
    page_of,
    person,
)


class ParticipantIn(Strict):
    """Somebody who comes along: an address or a name, not both."""

    email = Text(254, 3)
    name = Text(120, 1)

    @validates_schema
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ValidationError("Give an e-mail address or a name.")
        if "email" in data and email_trouble(data["email"]):
            raise ValidationError("Must be an e-mail address.", "email")


class BookingIn(Strict):
    machine = Slug(required=True)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    purpose = Text(PURPOSE_MAX, load_default="")
    for_member = Text(
        254,
        3,
        load_default=None,
        metadata={"description": "E-mail address; only the lab's managers book for others"},
    )
    organisation = Slug(
        load_default=None,
        metadata={"description": "In whose name; one the member belongs to. It counts on its quotas"},
    )
    project = WholeId(
        load_default=None,
        metadata={"description": "Own, or of one of the member's organisations, in whose name it is then"},
    )
    participants = fields.List(
        fields.Nested(ParticipantIn),
        load_default=list,
        validate=validate.Length(max=LISTED_MOST),
        metadata={
            "description": "Who comes along. An address shows the booking to the member who has it; one that "
            "nobody has is kept like a name, and no answer tells which it was"
        },
    )
    head_count = Whole(
        load_default=None,
        validate=validate.Range(1, HEADS_MOST),
        metadata={"description": "How many come, the member included; if left out, as many as are listed"},
    )


def booking_request(body: dict[str, Any]) -> BookingRequest:
    """The request that a BookingIn makes."""
    guests = tuple(Guest(**each) for each in body["participants"])
    return BookingRequest(**{**body, "participants": guests})


class ParticipantOut(Strict):
    name = fields.String(metadata={"description": "As it was written: a name or an address"})
    member = fields.Nested(
        PersonOut,
        allow_none=True,
        metadata={"description": "The account behind it; for the lab's staff"},
    )


class BookingOut(Strict):
    id = fields.Integer()
    machine = fields.String()
    machine_name = fields.String()
    lab = fields.String()
    member = fields.Nested(PersonOut, metadata={"description": "Whom it is for"})
    created_by = fields.Nested(PersonOut, metadata={"description": "Who made it"})
    starts_at = Instant()
    ends_at = Instant()
    state = fields.String(validate=validate.OneOf(STATES))
    purpose = fields.String()
    organisation = fields.String(allow_none=True, metadata={"description": "In whose name: its slug"})
    organisation_name = fields.String(allow_none=True)
    project = fields.Integer(allow_none=True)
    project_name = fields.String(allow_none=True)
    head_count = fields.Integer(metadata={"description": "How many come, the member included"})
    participants = fields.List(
        fields.Nested(ParticipantOut),
        allow_none=True,
        metadata={"description": "Null for whom their names do not concern"},
    )
    role = fields.String(
        validate=validate.OneOf([part.value for part in Part]),
        metadata={
            "description": "What you have to do with it: leader (it is yours), staff, participant (you come "
            "along, and may only read), owner (of the organisation it is made for; may only read)"
        },
    )
    mine = fields.Boolean()
    created_at = Instant()


class CancellationIn(Strict):
    reason = Text(REASON_MAX, load_default="")


class BookingsQuery(PageQuery):
    machine = Slug()
    lab = Slug()
    member = Id(metadata={"description": "A member's number; own bookings only, unless staff"})
    organisation = Slug(
        metadata={"description": "Made in its name: for its owners all, for its members their own"}
    )
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
    member = fields.Nested(PersonOut, allow_none=True)
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
    member = fields.Nested(
        PersonOut, allow_none=True, metadata={"description": "For the lab's staff and oneself"}
    )


CalendarPage = page_of(CalendarOut, "CalendarPage")


def booking_json(
    booking: BookingView, actor: Actor, listed: Sequence[ParticipantView] = ()
) -> dict[str, Any]:
    """A booking the actor may see, in its lab's time; ``listed`` are its participants."""
    zone = ZoneInfo(booking.zone)
    part = booking.part(actor)
    assert part is not None, "what does not exist for the actor is not shown"
    return {
        "id": booking.id,
        "machine": booking.machine_slug,
        "machine_name": booking.machine_name,
        "lab": booking.lab_slug,
        "member": person(booking.member_id, booking.member_name),
        "created_by": person(booking.created_by_id, booking.created_by_name),
        "starts_at": booking.starts_at.astimezone(zone),
        "ends_at": booking.ends_at.astimezone(zone),
        "state": booking.state,
        "purpose": booking.purpose,
        "organisation": booking.organisation_slug,
        "organisation_name": booking.organisation_name,
        "project": booking.project_id,
        "project_name": booking.project_name,
        "head_count": booking.head_count,
        "participants": [_participant_json(each, part) for each in listed]
        if may_see_participants(part)
        else None,
        "role": part.value,
        "mine": booking.member_id == actor.member_id,
        "created_at": booking.created_at.astimezone(zone),
    }


def _participant_json(participant: ParticipantView, part: Part) -> dict[str, Any]:
    return {
        "name": participant.written,
        "member": person(participant.member_id, participant.member_name) if may_see_accounts(part) else None,
    }


def change_json(change: ChangeView, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "at": change.at.astimezone(zone),
        "made_by": change.made_by,
        "member": person(change.member_id, change.member_name),
        "from_state": change.from_state,
        "to_state": change.to_state,
        "reason": change.reason,
    }


def calendar_json(row: CalendarRow, actor: Actor) -> dict[str, Any]:
    """A taken span; whose booking it is only for whom that is meant."""
    zone = ZoneInfo(row.zone)
    known = row.member_id is not None and may_see_whose(actor, row.member_id, row.lab_id)
    return {
        "machine": row.machine_slug,
        "kind": row.kind,
        "state": row.state,
        "starts_at": row.starts_at.astimezone(zone),
        "ends_at": row.ends_at.astimezone(zone),
        "mine": row.member_id == actor.member_id,
        "booking": row.booking_id if known else None,
        "member": person(row.member_id, row.member_name) if known else None,
    }
