"""Lines of the audit as JSON."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from fablab.members.audit import Act
from fablab.web.schemas.base import (
    Cursor,
    Id,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    Text,
    a_number,
    person,
)


class AuditQuery(PageQuery):
    action = Text(60, 1, metadata={"description": "A whole action (role.grant) or its first word (role)"})
    actor = Id(metadata={"description": "Who did it, by the member's id"})
    on = Id(metadata={"description": "To whom, by the member's id"})
    lab = Slug()
    since = Instant(data_key="from")
    until = Instant(data_key="to")
    cursor = Cursor(a_number)

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if "since" in data and "until" in data and data["until"] <= data["since"]:
            raise ValidationError({"to": ["Must be after from."]})


class ActOut(Strict):
    id = fields.Integer()
    at = Instant()
    actor = fields.Nested(PersonOut, allow_none=True, metadata={"description": "null: command line or clock"})
    on = fields.Nested(PersonOut, allow_none=True)
    lab = fields.String(allow_none=True)
    action = fields.String()
    subject = fields.String()
    detail = fields.String()
    address = fields.String(allow_none=True, metadata={"description": "Where the request came from"})


def act_json(act: Act) -> dict[str, Any]:
    """One line of the audit."""
    return {
        **vars(act),
        "actor": person(act.actor_id, act.actor_name),
        "on": person(act.on_member_id, act.on_member_name),
    }
