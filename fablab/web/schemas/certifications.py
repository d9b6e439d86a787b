"""Certifications and their history as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from fablab.certifications.models import REASON_MAX
from fablab.certifications.queries import CertificationView, ChangeView
from fablab.certifications.rules import LEVELS, STANDINGS
from fablab.web.schemas.base import (
    Cursor,
    Day,
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
    page_of,
    person,
)


def level_field() -> Whole:
    return Whole(
        required=True,
        validate=validate.OneOf(LEVELS),
        metadata={"description": "1 basics, 2 on one's own, 3 may teach"},
    )


def member_field(**more: Any) -> WholeId:
    return WholeId(metadata={"description": "A member's number"}, **more)


class OneThing(Strict):
    """A kind of machine, or one machine: exactly one of the two."""

    kind = Slug()
    machine = Slug()

    @validates_schema
    def _one(self, data: dict[str, Any], **kwargs: Any) -> None:
        if ("kind" in data) == ("machine" in data):
            raise ValidationError({"kind": ["Give either a kind or a machine."]})


class CertificationsQuery(PageQuery):
    member = Id(metadata={"description": "A member's number; own certifications only, unless staff"})
    lab = Slug(metadata={"description": "What this lab has granted, for its staff"})
    kind = Slug()
    machine = Slug()
    cursor = Cursor(a_number)


class CertificationIn(OneThing):
    member = member_field(required=True)
    level = level_field()
    expires_on = Day(metadata={"description": "Last day it is good; otherwise as the settings have it"})
    lab = Slug(metadata={"description": "Who grants it; only needed on a kind, by staff of several labs"})


class RenewalIn(Strict):
    expires_on = Day(metadata={"description": "Last day it is good; otherwise as the settings have it"})
    reason = Text(REASON_MAX, load_default="")


class ReasonIn(Strict):
    reason = Text(REASON_MAX, load_default="", metadata={"description": "The holder reads it"})


class CertificationOut(Strict):
    id = fields.Integer()
    member = fields.Nested(PersonOut)
    kind = fields.String(allow_none=True)
    machine = fields.String(allow_none=True)
    level = fields.Integer()
    lab = fields.String(metadata={"description": "The lab that granted it"})
    state = fields.String(validate=validate.OneOf(STANDINGS))
    granted_at = Instant()
    renewed_at = Instant()
    expires_on = fields.Date(allow_none=True, metadata={"description": "The last day it is good"})
    last_used_at = Instant(allow_none=True)
    suspended_at = Instant(allow_none=True)
    revoked_at = Instant(allow_none=True)
    certificate = fields.String(metadata={"description": "Address at which anybody may verify it"})


class CertificationChangeOut(Strict):
    at = Instant()
    change = fields.String(metadata={"description": "granted, renewed, suspended, resumed or revoked"})
    level = fields.Integer()
    by = fields.Nested(PersonOut, allow_none=True, metadata={"description": "Null: the clock"})
    training = fields.Integer(allow_none=True)
    reason = fields.String()


CertificationPage = page_of(CertificationOut, "CertificationPage")
CertificationChangePage = page_of(CertificationChangeOut, "CertificationChangePage")


def certification_json(held: CertificationView, now: datetime, base_url: str) -> dict[str, Any]:
    """A certification the actor may see, in the granting lab's time."""
    zone = ZoneInfo(held.zone)

    def local(at: datetime | None) -> datetime | None:
        return None if at is None else at.astimezone(zone)

    return {
        "id": held.id,
        "member": person(held.member_id, held.member_name),
        "kind": held.thing.slug if held.thing.kind_id is not None else None,
        "machine": held.thing.slug if held.thing.machine_id is not None else None,
        "level": held.level,
        "lab": held.lab_slug,
        "state": held.state(now),
        "granted_at": local(held.granted_at),
        "renewed_at": local(held.renewed_at),
        "expires_on": held.expires_on,
        "last_used_at": local(held.last_used_at),
        "suspended_at": local(held.suspended_at),
        "revoked_at": local(held.revoked_at),
        "certificate": f"{base_url}/certificates/{held.code}",
    }


def certification_change_json(change: ChangeView, zone: str) -> dict[str, Any]:
    return {
        "at": change.at.astimezone(ZoneInfo(zone)),
        "change": change.change,
        "level": change.level,
        "by": person(change.member_id, change.member_name),
        "training": change.training_id,
        "reason": change.reason,
    }
