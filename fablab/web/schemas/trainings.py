"""Trainings and who comes to them as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import fields, validate

from fablab.certifications.models import NOTES_MAX, PLACES_MAX, TITLE_MAX
from fablab.certifications.rules import may_see_enrolments
from fablab.certifications.training_queries import EnrolmentView, TrainingView
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
    a_number,
    an_instant,
    page_of,
    person,
)
from fablab.web.schemas.certifications import OneThing, level_field, member_field

STATES = ("planned", "under_way", "held", "closed", "cancelled")


def places_field(**more: Any) -> Whole:
    return Whole(validate=validate.Range(1, PLACES_MAX), **more)


class TrainingsQuery(PageQuery):
    lab = Slug()
    kind = Slug(metadata={"description": "For this kind, or a machine of it"})
    since = Instant(data_key="from", metadata={"description": "Ends after this instant; now, if not given"})
    until = Instant(data_key="to")
    mine = fields.Boolean(
        truthy={"true"},
        falsy={"false"},
        load_default=False,
        metadata={"description": "true: only where one has a place, or waits for one"},
    )
    cursor = Cursor(an_instant, a_number)


class TrainingIn(OneThing):
    lab = Slug(required=True)
    level = level_field()
    title = Text(TITLE_MAX, 1, required=True)
    notes = Text(NOTES_MAX, load_default="")
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    places = places_field(required=True)


class TrainingPatch(Strict):
    title = Text(TITLE_MAX, 1)
    notes = Text(NOTES_MAX)
    starts_at = Instant()
    ends_at = Instant()
    places = places_field()


class EnrolmentIn(Strict):
    member = member_field(load_default=None)


class EnrolmentQuery(Strict):
    member = Id(load_default=None, metadata={"description": "Staff take somebody else off the list"})


class ClosureIn(Strict):
    attended = fields.List(member_field(), required=True, validate=validate.Length(0, PLACES_MAX))


class TrainingOut(Strict):
    id = fields.Integer()
    lab = fields.String()
    kind = fields.String(allow_none=True)
    machine = fields.String(allow_none=True)
    level = fields.Integer(metadata={"description": "What those who come are certified at"})
    title = fields.String()
    notes = fields.String()
    starts_at = Instant()
    ends_at = Instant()
    places = fields.Integer()
    free = fields.Integer()
    waiting = fields.Integer(metadata={"description": "How many wait for a place"})
    state = fields.String(validate=validate.OneOf(STATES))
    mine = fields.String(
        allow_none=True, metadata={"description": "enrolled, waiting, attended, absent, or null"}
    )
    ahead = fields.Integer(metadata={"description": "How many wait before oneself"})
    trainer = fields.Nested(PersonOut, allow_none=True, metadata={"description": "For the lab's staff"})


class EnrolmentOut(Strict):
    member = fields.Nested(PersonOut)
    state = fields.String()
    enrolled_at = Instant()


TrainingPage = page_of(TrainingOut, "TrainingPage")
EnrolmentPage = page_of(EnrolmentOut, "EnrolmentPage")


def training_json(training: TrainingView, actor: Actor, now: datetime) -> dict[str, Any]:
    """A training in its lab's time; names only for whom they are meant."""
    zone = ZoneInfo(training.zone)
    return {
        "id": training.id,
        "lab": training.lab_slug,
        "kind": training.thing.slug if training.thing.kind_id is not None else None,
        "machine": training.thing.slug if training.thing.machine_id is not None else None,
        "level": training.level,
        "title": training.title,
        "notes": training.notes,
        "starts_at": training.starts_at.astimezone(zone),
        "ends_at": training.ends_at.astimezone(zone),
        "places": training.places,
        "free": training.free,
        "waiting": training.waiting,
        "state": training.state(now),
        "mine": training.own_state,
        "ahead": training.ahead,
        "trainer": person(training.trainer_id, training.trainer_name)
        if may_see_enrolments(actor, training.lab_id)
        else None,
    }


def enrolment_json(enrolment: EnrolmentView, zone: str) -> dict[str, Any]:
    return {
        "member": person(enrolment.member_id, enrolment.member_name),
        "state": enrolment.state,
        "enrolled_at": enrolment.enrolled_at.astimezone(ZoneInfo(zone)),
    }
