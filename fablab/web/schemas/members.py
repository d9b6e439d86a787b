"""Members, their roles and guardians' consents as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import fields, validate

from fablab.mail.texts import LANGUAGES
from fablab.members.directory import ConsentView, Details, RoleHeld
from fablab.members.models import ROLES
from fablab.members.rules import is_minor
from fablab.web.schemas.base import (
    Cursor,
    Flag,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    Text,
    a_number,
    person,
)

LANGUAGE = validate.OneOf(LANGUAGES)


def a_place(value: Any) -> str:
    """The place of a member in the order of names, as a cursor keeps it."""
    if not isinstance(value, str) or len(value) > 400 or not value.replace(" ", "x").isalnum():
        raise ValueError
    return value


class MembersQuery(PageQuery):
    q = Text(
        200,
        load_default="",
        metadata={"description": "Words, or beginnings of words, of name and address; accents do not matter"},
    )
    cursor = Cursor(a_number, a_place, a_number)


class MemberOut(Strict):
    id = fields.Integer()
    name = fields.String()
    email = fields.String()
    active = fields.Boolean()
    roles = fields.List(
        fields.String(), metadata={"description": "maker, operator, admin, manager:LAB, trainer:LAB"}
    )


class DetailsOut(Strict):
    language = fields.String(validate=LANGUAGE)
    birth_on = fields.Date(allow_none=True)
    minor = fields.Boolean(metadata={"description": "Under 18 today"})
    consent = fields.Boolean(metadata={"description": "A guardian's consent is on record"})
    created_at = Instant()
    email_verified_at = Instant(allow_none=True)


class OneMemberOut(MemberOut):
    details = fields.Nested(
        DetailsOut, allow_none=True, metadata={"description": "For managers and admins; null for others"}
    )


class MemberIn(Strict):
    email = Text(254, 3, required=True)
    name = Text(120, 1, required=True)
    language = fields.String(load_default="fr", validate=LANGUAGE)
    birth_on = fields.Date(load_default=None, allow_none=True)
    under_18 = Flag(load_default=False, metadata={"description": "Then the birth date is needed"})


class MemberPatch(Strict):
    name = Text(120, 1)
    language = fields.String(validate=LANGUAGE)
    birth_on = fields.Date(allow_none=True)
    active = Flag(metadata={"description": "Admins only: false ends every session and token"})


class RoleIn(Strict):
    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    lab = Slug(
        load_default=None, allow_none=True, metadata={"description": "Of a trainer or manager, no other"}
    )


class RoleQuery(Strict):
    lab = Slug(load_default=None)


class ConsentIn(Strict):
    guardian_name = Text(120, 1, required=True)
    guardian_email = Text(254, 3, load_default=None, allow_none=True)
    words = Text(
        2000, 1, required=True, metadata={"description": "What was agreed to: one of GET /consent-words"}
    )
    given_on = fields.Date(required=True)


class ConsentOut(Strict):
    id = fields.Integer()
    guardian_name = fields.String()
    guardian_email = fields.String(allow_none=True)
    words = fields.String()
    given_on = fields.Date()
    recorded_at = Instant()
    recorded_by = fields.Nested(PersonOut, allow_none=True)
    withdrawn_at = Instant(allow_none=True)


class WordsOut(Strict):
    language = fields.String()
    words = fields.String()


def roles_json(roles: tuple[RoleHeld, ...], labs: Mapping[int, str]) -> list[str]:
    return [role if lab_id is None else f"{role}:{labs[lab_id]}" for role, lab_id in roles]


def details_json(found: Details, consent: bool, today: date) -> dict[str, Any]:
    return {
        "language": found.language,
        "birth_on": found.birth_on,
        "minor": is_minor(found.birth_on, today),
        "consent": consent,
        "created_at": found.created_at,
        "email_verified_at": found.email_verified_at,
    }


def consent_json(found: ConsentView) -> dict[str, Any]:
    return {**vars(found), "recorded_by": person(found.recorded_by_id, found.recorded_by)}
