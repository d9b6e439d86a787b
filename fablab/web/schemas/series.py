"""Series of bookings as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from fablab.bookings.models import PURPOSE_MAX, REASON_MAX, STATES
from fablab.bookings.rederive_plan import Mover
from fablab.bookings.series_changes import SCOPES, SeriesChange
from fablab.bookings.series_plan import REFUSED, SKIPPED, Occurrence, SeriesRequest
from fablab.bookings.series_queries import SeriesView
from fablab.machines.models import RRULE_MAX
from fablab.members.rules import Actor
from fablab.web.schemas.base import Day, Flag, Instant, PersonOut, Slug, Strict, Text, person
from fablab.web.schemas.bookings import BookingIn, RefusalOut, booking_request
from fablab.web.schemas.hours import Clock, Wall

REFUSE, SKIP = ON_CLASH = ("refuse", "skip")


class SeriesIn(BookingIn):
    """The first occurrence as a booking, and how it comes again."""

    class Meta(Strict.Meta):
        exclude = ("override",)

    rrule = Text(
        RRULE_MAX,
        1,
        required=True,
        metadata={
            "description": "RFC 5545: FREQ of DAILY, WEEKLY, MONTHLY or YEARLY, INTERVAL, BYDAY, BYMONTHDAY, "
            "BYSETPOS, WKST, and COUNT or UNTIL; in the lab's wall time, where 18:00 stays 18:00 all year"
        },
    )
    on_clash = fields.String(
        load_default=REFUSE,
        validate=validate.OneOf(ON_CLASH),
        metadata={
            "description": "refuse: nothing is booked unless all can be. skip: what cannot be is left out "
            "and told, and can be added later"
        },
    )

    @validates_schema
    def _whole_minutes(self, data: dict[str, Any], **_: Any) -> None:
        for name in ("starts_at", "ends_at"):
            at = data.get(name)
            if at is not None and (at.second or at.microsecond):
                raise ValidationError("A series starts and ends on whole minutes.", name)


def series_request(body: dict[str, Any]) -> SeriesRequest:
    """The request that a SeriesIn makes."""
    first = {name: value for name, value in body.items() if name not in ("rrule", "on_clash")}
    return SeriesRequest(booking_request(first), body["rrule"], body["on_clash"] == SKIP)


class ScopeIn(Strict):
    """Which occurrences are meant."""

    scope = fields.String(
        required=True,
        validate=validate.OneOf(SCOPES),
        metadata={
            "description": "this, following (this and those after it) or all; what is over stays as it is"
        },
    )
    at = Wall(
        data_key="from",
        load_default=None,
        metadata={"description": "The `series_at` of an occurrence; for this and following"},
    )

    @validates_schema
    def _which(self, data: dict[str, Any], **_: Any) -> None:
        if (data.get("at") is None) != (data.get("scope") == "all"):
            raise ValidationError("Say which occurrence with this and following, and none with all.", "from")


class SeriesPatch(ScopeIn):
    starts = Clock(metadata={"description": "Time of day in the lab's wall time"})
    ends = Clock(
        metadata={"description": "At or before the start: on the next day. Without it the length stays"}
    )
    machine = Slug(metadata={"description": "Another one of the same lab"})
    purpose = Text(PURPOSE_MAX)

    @validates_schema
    def _something(self, data: dict[str, Any], **_: Any) -> None:
        if not data.keys() & {"starts", "ends", "machine", "purpose"}:
            raise ValidationError("Say what is to be different: starts, ends, machine or purpose.", "scope")


def series_change(body: dict[str, Any]) -> SeriesChange:
    """The change that a SeriesPatch makes."""
    return SeriesChange(body.get("starts"), body.get("ends"), body.get("machine"), body.get("purpose"))


class SeriesCancellationIn(ScopeIn):
    reason = Text(REASON_MAX, load_default="")


class AddedOccurrenceIn(Strict):
    on = Day(required=True, metadata={"description": "A day of the rule that is not booked"})


class OccurrenceOut(Strict):
    series_at = Wall(
        metadata={
            "description": "Where the rule places it, in the lab's wall time; what names it in the series"
        }
    )
    starts_at = Instant(allow_none=True, metadata={"description": "Null where the clock skips that time"})
    ends_at = Instant(allow_none=True)
    verdict = fields.String(
        validate=validate.OneOf([*STATES, REFUSED, SKIPPED]),
        metadata={"description": "The state of its booking, or refused or skipped"},
    )
    refusals = fields.List(fields.Nested(RefusalOut))
    codes = fields.List(
        fields.String(), metadata={"description": "Codes of what speaks, or spoke when skipped, against it"}
    )
    booking = fields.Integer(allow_none=True)


class SeriesPreviewOut(Strict):
    bookable = Flag(metadata={"description": "All of them can be booked"})
    rrule = fields.String(metadata={"description": "The rule as it would be kept"})
    occurrences = fields.List(fields.Nested(OccurrenceOut))


class SeriesOut(Strict):
    id = fields.Integer()
    machine = fields.String()
    machine_name = fields.String()
    lab = fields.String()
    member = fields.Nested(PersonOut, metadata={"description": "Whom it is for"})
    created_by = fields.Nested(PersonOut)
    rrule = fields.String()
    local_starts = Wall(metadata={"description": "The first occurrence, in the lab's wall time"})
    local_ends = Wall()
    purpose = fields.String()
    mine = Flag()
    created_at = Instant()
    occurrences = fields.List(fields.Nested(OccurrenceOut))


class MisplacedOut(Strict):
    """A booking that does not stand where its wall time is."""

    booking = fields.Integer()
    starts_at = Instant(metadata={"description": "Where it stands"})
    ends_at = Instant()
    meant_starts_at = Instant(metadata={"description": "Where its wall time is by now"})
    meant_ends_at = Instant()


def occurrence_json(occurrence: Occurrence) -> dict[str, Any]:
    return {
        "series_at": occurrence.at,
        "starts_at": occurrence.starts_at,
        "ends_at": occurrence.ends_at,
        "verdict": occurrence.verdict,
        "refusals": occurrence.refusals,
        "codes": occurrence.why,
        "booking": occurrence.booking_id,
    }


def series_json(series: SeriesView, occurrences: Sequence[Occurrence], actor: Actor) -> dict[str, Any]:
    """A series the actor may see, with what became of each occurrence."""
    return {
        "id": series.id,
        "machine": series.machine_slug,
        "machine_name": series.machine_name,
        "lab": series.lab_slug,
        "member": person(series.member_id, series.member_name),
        "created_by": person(series.created_by_id, series.created_by_name),
        "rrule": series.rrule,
        "local_starts": series.local_starts,
        "local_ends": series.local_ends,
        "purpose": series.purpose,
        "mine": series.member_id == actor.member_id,
        "created_at": series.created_at.astimezone(ZoneInfo(series.zone)),
        "occurrences": [occurrence_json(each) for each in occurrences],
    }


def misplaced_json(each: Mover, zone: str) -> dict[str, Any]:
    tz = ZoneInfo(zone)
    return {
        "booking": each.id,
        "starts_at": each.old.starts_at.astimezone(tz),
        "ends_at": each.old.ends_at.astimezone(tz),
        "meant_starts_at": each.new.starts_at.astimezone(tz),
        "meant_ends_at": each.new.ends_at.astimezone(tz),
    }
