"""Bookings and their history as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, pre_dump, validate, validates_schema

from fablab.bookings.deciding import Asked
from fablab.bookings.facts import HEADS_MOST, LISTED_MOST, BookingRequest, Guest
from fablab.bookings.models import PURPOSE_MAX, REASON_MAX, STATES
from fablab.bookings.queries import BookingView, ChangeView, ParticipantView
from fablab.bookings.rules_people import Part, may_see_accounts, may_see_participants
from fablab.errors import Refusal
from fablab.members.addresses import email_trouble
from fablab.members.rules import Actor
from fablab.web.language import refusal_json
from fablab.web.schemas.base import (
    Cursor,
    Flag,
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
    person,
)
from fablab.web.schemas.rules import RuleInForceOut


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


class Override(Flag):
    """Whether staff go over rules."""

    def __init__(self, **kwargs: Any) -> None:
        said = "Only the lab's managers: over what rules say, never over somebody's time; it is recorded"
        super().__init__(metadata={"description": said}, **kwargs)


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
    override = Override(load_default=False)


def booking_request(body: dict[str, Any]) -> BookingRequest:
    """The request that a BookingIn makes; whether it goes over rules is another matter."""
    body = {name: value for name, value in body.items() if name != "override"}
    guests = tuple(Guest(**each) for each in body["participants"])
    return BookingRequest(**{**body, "participants": guests})


class ParticipantOut(Strict):
    name = fields.String(metadata={"description": "As it was written: a name or an address"})
    member = fields.Nested(
        PersonOut,
        allow_none=True,
        metadata={"description": "The account behind it; for the lab's staff"},
    )


class ApprovalsOut(Strict):
    given = fields.Integer(metadata={"description": "How many of the lab's managers have agreed"})
    needed = fields.Integer()


class BundledOut(Strict):
    """Another booking that was made together with one."""

    id = fields.Integer()
    machine = fields.String()
    machine_name = fields.String()
    starts_at = Instant()
    ends_at = Instant()
    state = fields.String()


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
    version = fields.Integer(metadata={"description": "Grows with every change; also in `ETag`"})
    bundle = fields.Integer(
        allow_none=True, metadata={"description": "Bookings with the same number were made as one"}
    )
    also = fields.List(
        fields.Nested(BundledOut),
        allow_none=True,
        metadata={"description": "The others that were booked together with it; null in lists"},
    )
    series = fields.Integer(allow_none=True)
    decide_by = Instant(
        allow_none=True, metadata={"description": "When a request is over that nobody decided on"}
    )
    checked_in_at = Instant(allow_none=True)
    checked_out_at = Instant(allow_none=True)
    approvals = fields.Nested(
        ApprovalsOut, allow_none=True, metadata={"description": "Of a request; else null"}
    )
    collides_with = fields.List(
        fields.Integer(),
        allow_none=True,
        metadata={
            "description": "Requests and bookings at the same time as a request; null for whom it does not "
            "concern"
        },
    )
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


class ChangeIn(Strict):
    """What is left out stays as it is."""

    machine = Slug()
    starts_at = Instant()
    ends_at = Instant()
    purpose = Text(PURPOSE_MAX)
    override = Override(load_default=False)
    reason = Text(REASON_MAX, load_default="")

    @validates_schema
    def _something(self, data: dict[str, Any], **_: Any) -> None:
        if not data.keys() & {"machine", "starts_at", "ends_at", "purpose"}:
            raise ValidationError("Say what shall change: machine, starts_at, ends_at or purpose.")


class ExtensionIn(Strict):
    ends_at = Instant(required=True)
    override = Override(load_default=False)


class ApprovalIn(Strict):
    """Nothing more is to be said."""


class RejectionIn(Strict):
    reason = Text(REASON_MAX, 1, required=True)


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
    bundle = Id(metadata={"description": "Made together, by this number"})
    series = Id(metadata={"description": "Occurrences of this series"})
    cursor = Cursor(an_instant, a_number)


class RefusalOut(Strict):
    """A rule's no. Made of a `Refusal`, it is in the caller's language."""

    code = fields.String()
    field = fields.String()
    message = fields.String()
    origin = fields.String(
        allow_none=True, metadata={"description": "Where the rule comes from, in words; null without one"}
    )

    @pre_dump
    def _in_words(self, refusal: Refusal | dict[str, Any], **_: Any) -> dict[str, Any]:
        return refusal_json(refusal) if isinstance(refusal, Refusal) else refusal


class AlternativeOut(Strict):
    machine = fields.String()
    lab = fields.String()
    starts_at = Instant()
    ends_at = Instant()


class PreviewOut(Strict):
    bookable = fields.Boolean()
    broke = fields.List(fields.String(), metadata={"description": "Codes of the rules it would go over"})
    state = fields.String(allow_none=True, metadata={"description": "State it would have, null if refused"})
    refusals = fields.List(fields.Nested(RefusalOut))
    alternatives = fields.List(fields.Nested(AlternativeOut))
    rules = fields.List(
        fields.Nested(RuleInForceOut), metadata={"description": "Those that were asked, with their origin"}
    )


class WhenOut(Strict):
    """Each is null where it did not change."""

    starts_at = Instant(allow_none=True)
    ends_at = Instant(allow_none=True)
    machine = fields.String(allow_none=True)
    holder = fields.String(allow_none=True)


class ChangeOut(Strict):
    at = Instant()
    made_by = fields.String(metadata={"description": "member, machine or clock"})
    member = fields.Nested(PersonOut, allow_none=True)
    from_state = fields.String(allow_none=True, data_key="from")
    to_state = fields.String(data_key="to")
    reason = fields.String()
    before = fields.Nested(
        WhenOut, metadata={"description": "Time, machine and holder as they were, where they changed"}
    )
    after = fields.Nested(WhenOut, metadata={"description": "And as they are since"})
    broke = fields.List(fields.String(), metadata={"description": "Codes of the rules that staff went over"})


def booking_json(
    booking: BookingView,
    actor: Actor,
    listed: Sequence[ParticipantView] = (),
    request: Asked | None = None,
) -> dict[str, Any]:
    """A booking the actor may see, in its lab's time; ``listed`` are its participants.

    ``request`` is what is known of it as a request.
    """
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
        "version": booking.version,
        "bundle": booking.bundle_id,
        "also": None,
        "series": booking.series_id,
        "decide_by": _there(booking.decide_by, zone) if booking.state == "requested" else None,
        "checked_in_at": _there(booking.checked_in_at, zone),
        "checked_out_at": _there(booking.checked_out_at, zone),
        "approvals": None if request is None else {"given": request.given, "needed": request.needed},
        "collides_with": list(request.collides_with) if request is not None and part is Part.STAFF else None,
        "participants": [_participant_json(each, part) for each in listed]
        if may_see_participants(part)
        else None,
        "role": part.value,
        "mine": booking.member_id == actor.member_id,
        "created_at": booking.created_at.astimezone(zone),
    }


def _there(at: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if at is None else at.astimezone(zone)


def _participant_json(participant: ParticipantView, part: Part) -> dict[str, Any]:
    return {
        "name": participant.written,
        "member": person(participant.member_id, participant.member_name) if may_see_accounts(part) else None,
    }


def bundled_json(booking: BookingView) -> dict[str, Any]:
    """One of the others booked together, in its lab's time."""
    zone = ZoneInfo(booking.zone)
    return {
        "id": booking.id,
        "machine": booking.machine_slug,
        "machine_name": booking.machine_name,
        "starts_at": booking.starts_at.astimezone(zone),
        "ends_at": booking.ends_at.astimezone(zone),
        "state": booking.state,
    }


def change_json(change: ChangeView, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "at": change.at.astimezone(zone),
        "made_by": change.made_by,
        "member": person(change.member_id, change.member_name),
        "from_state": change.from_state,
        "to_state": change.to_state,
        "reason": change.reason,
        "before": {
            "starts_at": _there(change.from_starts_at, zone),
            "ends_at": _there(change.from_ends_at, zone),
            "machine": change.from_machine,
            "holder": change.from_holder,
        },
        "after": {
            "starts_at": _there(change.to_starts_at, zone),
            "ends_at": _there(change.to_ends_at, zone),
            "machine": change.to_machine,
            "holder": change.to_holder,
        },
        "broke": list(change.broke),
    }
