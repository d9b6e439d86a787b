"""Calendar addresses and choices of mails as JSON."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from fablab.bookings.feeds import KeyView
from fablab.mail.choices import KINDS
from fablab.web.schemas.base import Flag, Instant, Slug, Strict, Text


class FeedQuery(Strict):
    key = Text(200, load_default="", metadata={"description": "The secret of a calendar address"})


class CalendarKeyIn(Strict):
    """A machine's, a lab's, or with neither one's own."""

    machine = Slug(load_default=None, allow_none=True)
    lab = Slug(load_default=None, allow_none=True)

    @validates_schema
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("machine") and data.get("lab"):
            raise ValidationError("Give a machine or a lab, not both.", "lab")


class CalendarKeyOut(Strict):
    id = fields.Integer()
    kind = fields.String(metadata={"description": "me, machine or lab"})
    machine = fields.String(allow_none=True)
    lab = fields.String(allow_none=True)
    created_at = Instant()
    used_at = Instant(allow_none=True, metadata={"description": "When a program last read it, to the hour"})


class NewCalendarKeyOut(CalendarKeyOut):
    key = fields.String(metadata={"description": "The secret: shown now and never again"})
    url = fields.String(metadata={"description": "What a calendar program subscribes to"})


def key_json(key: KeyView) -> dict[str, Any]:
    """The values of a CalendarKeyOut."""
    return {
        "id": key.id,
        "kind": key.kind,
        "machine": key.machine,
        "lab": key.lab,
        "created_at": key.created_at,
        "used_at": key.used_at,
    }


def feed_path(kind: str, slug: str | None) -> str:
    """Where a feed is read, below the REST prefix."""
    return "/me/calendar.ics" if kind == "me" else f"/{kind}s/{slug}/calendar.ics"


# One flag for each kind of mail there is; a misspelt one is refused.
NoticesIn = Strict.from_dict({name: Flag() for name in KINDS}, name="NoticesIn")
NoticesOut = Strict.from_dict(
    {
        name: fields.Boolean(metadata={"description": f"{kind.title}: {kind.what}"})
        for name, kind in KINDS.items()
    },
    name="NoticesOut",
)
