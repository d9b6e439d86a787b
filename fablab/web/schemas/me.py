"""The signed-in member and tokens as JSON."""

from __future__ import annotations

from marshmallow import fields, validate

from fablab.mail.texts import LANGUAGES
from fablab.web.schemas.base import Instant, Strict, Text, Whole


class MeOut(Strict):
    id = fields.Integer()
    name = fields.String()
    email = fields.String()
    language = fields.String(metadata={"description": "Of mails: fr, ar or en"})
    birth_on = fields.Date(allow_none=True, metadata={"description": "Known of those under 18"})
    roles = fields.List(
        fields.String(), metadata={"description": "maker, operator, admin, manager:LAB, trainer:LAB"}
    )


class MeIn(Strict):
    name = Text(120, 1)
    language = fields.String(validate=validate.OneOf(LANGUAGES))


class SignInSessionOut(Strict):
    id = fields.Integer()
    browser = fields.String()
    address = fields.String()
    method = fields.String(metadata={"description": "password, passkey or oidc:PROVIDER"})
    second_factor = fields.Boolean()
    created_at = Instant()
    seen_at = Instant()
    expires_at = Instant()
    current = fields.Boolean(metadata={"description": "Whether it is the session that asks"})


class TokenIn(Strict):
    name = Text(80, 1, required=True)
    scope = fields.String(load_default="read", validate=validate.OneOf(("read", "write")))
    days = Whole(load_default=None, allow_none=True, validate=validate.Range(1, 3660))


class TokenOut(Strict):
    id = fields.Integer()
    name = fields.String()
    scope = fields.String()
    created_at = Instant()
    expires_at = Instant(allow_none=True)
    last_used_at = Instant(allow_none=True)


class NewTokenOut(TokenOut):
    token = fields.String(metadata={"description": "The token itself: shown now and never again"})
