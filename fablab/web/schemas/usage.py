"""Jobs and usage sessions as JSON, as much of them as the viewer may know."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from marshmallow import fields, validate

from fablab.bookings.rules_people import may_see_whose
from fablab.members.rules import Actor
from fablab.usage.models import OUTCOMES
from fablab.usage.queries import JobView, SessionView
from fablab.web.schemas.base import (
    Cursor,
    Id,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    a_number,
    an_instant,
    person,
)


def _uuid_text(value: Any) -> str:
    return str(UUID(value))


def _number_text(value: Any) -> str:
    return str(a_number(int(value)))


class UsageQuery(PageQuery):
    machine = Slug()
    lab = Slug()
    since = Instant(data_key="from")
    until = Instant(data_key="to")
    booking = Id()
    member = Id()


class JobsQuery(UsageQuery):
    outcome = fields.String(validate=validate.OneOf(OUTCOMES))
    cursor = Cursor(an_instant, _uuid_text)


class SessionsQuery(UsageQuery):
    cursor = Cursor(an_instant, _number_text)


class JobOut(Strict):
    id = fields.UUID()
    machine = fields.String()
    lab = fields.String()
    file = fields.String(allow_none=True)
    started_at = Instant()
    ended_at = Instant(allow_none=True)
    outcome = fields.String(allow_none=True, metadata={"description": "Null while it runs"})
    reason = fields.String(allow_none=True)
    print_time_s = fields.Float(allow_none=True, metadata={"description": "Seconds at work, without pauses"})
    elapsed_s = fields.Float(allow_none=True, metadata={"description": "Seconds from start to end"})
    estimated_s = fields.Float(allow_none=True)
    filament_mm = fields.Float(allow_none=True)
    booking = fields.Integer(allow_none=True)
    member = fields.Nested(PersonOut, allow_none=True)
    historical = fields.Boolean(metadata={"description": "Reported after the fact"})


class SessionOut(Strict):
    id = fields.Integer()
    machine = fields.String()
    lab = fields.String()
    job = fields.UUID(allow_none=True)
    started_at = Instant()
    ended_at = Instant(allow_none=True, metadata={"description": "Null while it is open"})
    busy_s = fields.Float()
    idle_s = fields.Float()
    energy_wh = fields.Float(allow_none=True)
    booking = fields.Integer(allow_none=True)
    member = fields.Nested(PersonOut, allow_none=True)
    stop_reason = fields.String(allow_none=True)


def job_json(job: JobView, actor: Actor) -> dict[str, Any]:
    """A job; file, reason, booking and member only for whom they concern."""
    clock = ZoneInfo(job.zone)
    known = may_see_whose(actor, job.member_id, job.lab_id)
    return {
        "id": job.id,
        "machine": job.machine_slug,
        "lab": job.lab_slug,
        "file": job.file if known else None,
        "started_at": job.started_at.astimezone(clock),
        "ended_at": job.ended_at and job.ended_at.astimezone(clock),
        "outcome": job.outcome,
        "reason": job.reason if known else None,
        "print_time_s": job.print_time_s,
        "elapsed_s": job.elapsed_s,
        "estimated_s": job.estimated_s,
        "filament_mm": job.filament_mm,
        "booking": job.booking_id if known else None,
        "member": person(job.member_id, job.member_name) if known else None,
        "historical": job.historical,
    }


def session_json(session: SessionView, actor: Actor) -> dict[str, Any]:
    """A usage session; booking and member only for whom they concern."""
    clock = ZoneInfo(session.zone)
    known = may_see_whose(actor, session.member_id, session.lab_id)
    return {
        "id": session.id,
        "machine": session.machine_slug,
        "lab": session.lab_slug,
        "job": session.job_id,
        "started_at": session.started_at.astimezone(clock),
        "ended_at": session.ended_at and session.ended_at.astimezone(clock),
        "busy_s": session.busy_s,
        "idle_s": session.idle_s,
        "energy_wh": session.energy_wh,
        "booking": session.booking_id if known else None,
        "member": person(session.member_id, session.member_name) if known else None,
        "stop_reason": session.stop_reason,
    }
