"""Hours, seasons, closures and calendars elsewhere as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate

from fablab.bookings.outside_hours import Outside
from fablab.machines.closures import ClosureView
from fablab.machines.external_calendars import SourceView
from fablab.machines.models import LABEL_MAX, RRULE_MAX
from fablab.machines.rules import OPENINGS_A_DAY, OpenHours
from fablab.machines.seasons import PRIORITY_MOST, SeasonView
from fablab.web.schemas.base import (
    FIRST_YEAR,
    LAST_YEAR,
    Cursor,
    Day,
    Flag,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    Text,
    Whole,
    a_number,
    person,
)

STATES = ("proposed", "confirmed", "declined")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_WALL = re.compile(r"(\d{4})-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d(:00)?", re.ASCII)


class Clock(fields.Field[time]):
    """A time of day on the lab's wall: 09:30, whole minutes."""

    def __init__(self, **kwargs: Any) -> None:
        more = {"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", **kwargs.pop("metadata", {})}
        super().__init__(metadata=more, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> time:
        if not isinstance(value, str) or not _CLOCK.fullmatch(value):
            raise ValidationError("Must be a time of day like 09:30.")
        return time.fromisoformat(value)

    def _serialize(self, value: time | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{value:%H:%M}"


class Wall(fields.Field[datetime]):
    """A day and time on the lab's wall, without an offset: 2027-01-31T09:30, whole minutes."""

    def __init__(self, **kwargs: Any) -> None:
        more = {"example": "2027-01-31T09:30", **kwargs.pop("metadata", {})}
        super().__init__(metadata=more, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        match = _WALL.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValidationError("Must be wall time like 2027-01-31T09:30, without an offset.")
        if not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            raise ValidationError(f"The year must lie between {FIRST_YEAR} and {LAST_YEAR}.")
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise ValidationError("There is no such day.") from None

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{value:%Y-%m-%dT%H:%M}"


def a_wall(value: Any) -> datetime:
    """Wall time in a cursor."""
    found: datetime = Wall().deserialize(f"{value}"[:16])
    return found


class OpeningIO(Strict):
    weekday = Whole(
        required=True, validate=validate.Range(0, 6), metadata={"description": "Monday is 0, Sunday 6"}
    )
    opens = Clock(required=True)
    closes = Clock(
        required=True, metadata={"description": "At or before `opens`: on the next day; 00:00 is midnight"}
    )
    supervised = Flag(load_default=True, metadata={"description": "Staff are there"})


def openings_field(**kwargs: Any) -> fields.List[Any]:
    return fields.List(fields.Nested(OpeningIO), validate=validate.Length(0, 7 * OPENINGS_A_DAY), **kwargs)


class WeekIn(Strict):
    openings = openings_field(required=True)


class SeasonWeekIn(WeekIn):
    machine = Slug(metadata={"description": "Of this machine alone; without it, the lab's"})


class OutsideOut(Strict):
    booking = fields.Integer()
    machine = fields.String()
    starts_at = Instant()
    ends_at = Instant()
    member = fields.Nested(PersonOut)


def left_outside_field() -> fields.List[Any]:
    return fields.List(
        fields.Nested(OutsideOut),
        metadata={"description": "Bookings that lie outside hours since this change. They stay booked"},
    )


class WeekOut(Strict):
    openings = fields.List(fields.Nested(OpeningIO))
    own = fields.Boolean(metadata={"description": "false: a machine that keeps its lab's hours"})


class ChangedWeekOut(WeekOut):
    left_outside = left_outside_field()


class MachineWeekOut(Strict):
    machine = fields.String()
    openings = fields.List(fields.Nested(OpeningIO))


class SeasonIn(Strict):
    label = Text(LABEL_MAX, 1, required=True)
    starts_on = Day(required=True)
    ends_on = Day(required=True, metadata={"description": "The last day of it"})
    priority = Whole(
        load_default=0,
        validate=validate.Range(0, PRIORITY_MOST),
        metadata={"description": "Where seasons overlap the highest counts, then the later start"},
    )
    openings = openings_field(
        required=True, metadata={"description": "The lab's week in it; none: the lab is closed"}
    )


class SeasonPatch(Strict):
    label = Text(LABEL_MAX, 1)
    starts_on = Day()
    ends_on = Day()
    priority = Whole(validate=validate.Range(0, PRIORITY_MOST))


class SeasonOut(Strict):
    id = fields.Integer()
    label = fields.String()
    starts_on = fields.Date()
    ends_on = fields.Date()
    priority = fields.Integer()
    state = fields.String(validate=validate.OneOf(STATES))
    proposed = fields.Boolean(metadata={"description": "Proposed by the calendar, not by somebody"})
    openings = fields.List(fields.Nested(OpeningIO))
    machines = fields.List(
        fields.Nested(MachineWeekOut), metadata={"description": "Machines with a week of their own in it"}
    )


class ChangedSeasonOut(SeasonOut):
    left_outside = left_outside_field()


class HoursClosureIn(Strict):
    label = Text(LABEL_MAX, 1, required=True)
    local_starts = Wall(required=True)
    local_ends = Wall(required=True)
    machine = Slug(load_default=None, allow_none=True, metadata={"description": "null: the whole lab"})
    rrule = Text(
        RRULE_MAX,
        1,
        load_default=None,
        allow_none=True,
        metadata={"description": "RFC 5545 in wall time, such as FREQ=YEARLY; with or without an end"},
    )
    unattended_too = Flag(
        load_default=False,
        metadata={"description": "Machines that may run unattended stand still, too"},
    )


class HoursClosurePatch(Strict):
    label = Text(LABEL_MAX, 1)
    local_starts = Wall()
    local_ends = Wall()
    machine = Slug(allow_none=True)
    rrule = Text(RRULE_MAX, 1, allow_none=True)
    unattended_too = Flag()


class HoursClosureOut(Strict):
    id = fields.Integer()
    label = fields.String()
    machine = fields.String(allow_none=True)
    local_starts = Wall()
    local_ends = Wall()
    rrule = fields.String(allow_none=True)
    unattended_too = fields.Boolean()
    state = fields.String(validate=validate.OneOf(STATES))
    proposed = fields.Boolean(metadata={"description": "Proposed by the calendar, not by somebody"})
    source = fields.String(
        allow_none=True, metadata={"description": "The calendar elsewhere that it comes from"}
    )


class ChangedHoursClosureOut(HoursClosureOut):
    left_outside = left_outside_field()


class ClosuresQuery(PageQuery):
    state = fields.String(validate=validate.OneOf(STATES))
    since = Day(data_key="from", metadata={"description": "Leaves out what was over by this day"})
    cursor = Cursor(a_wall, a_number)


class SourceIn(Strict):
    label = Text(LABEL_MAX, 1, required=True)
    url = Text(500, 1, required=True, metadata={"description": "Of an iCalendar file (.ics)"})


class SourceOut(Strict):
    id = fields.Integer()
    label = fields.String()
    url = fields.String()
    read_at = Instant(allow_none=True)
    trouble = fields.String(metadata={"description": "Why the last reading failed; empty when it did not"})
    closures = fields.Integer(metadata={"description": "Busy times it has now"})


def week_of(openings: Iterable[Mapping[str, Any]]) -> list[OpenHours]:
    """What a body lists as openings."""
    return [OpenHours(**each) for each in openings]


def week_json(week: Sequence[OpenHours]) -> list[dict[str, Any]]:
    return [vars(each) for each in week]


def season_json(season: SeasonView) -> dict[str, Any]:
    own = ((slug, week) for slug, week in season.weeks.items() if slug is not None)
    return {
        "id": season.id,
        "label": season.label,
        "starts_on": season.starts_on,
        "ends_on": season.ends_on,
        "priority": season.priority,
        "state": season.state,
        "proposed": season.proposal is not None,
        "openings": week_json(season.week),
        "machines": [{"machine": slug, "openings": week_json(week)} for slug, week in sorted(own)],
    }


def closure_json(closure: ClosureView) -> dict[str, Any]:
    return {**vars(closure), "proposed": closure.proposal is not None}


def source_json(source: SourceView) -> dict[str, Any]:
    return vars(source)


def outside_json(found: Iterable[Outside]) -> list[dict[str, Any]]:
    return [
        {
            "booking": each.booking_id,
            "machine": each.machine.slug,
            "starts_at": each.starts_at.astimezone(ZoneInfo(each.machine.zone)),
            "ends_at": each.ends_at.astimezone(ZoneInfo(each.machine.zone)),
            "member": person(each.member_id, each.member_name),
        }
        for each in found
    ]
