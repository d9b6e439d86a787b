"""Waiting lists as JSON."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from fablab.bookings.facts import LONGEST_DAYS
from fablab.bookings.waiting import WaitingRequest
from fablab.bookings.waiting_queries import WaitingView
from fablab.web.schemas.base import (
    Cursor,
    Duration,
    Instant,
    PageQuery,
    Slug,
    Strict,
    a_number,
    page_of,
)

STATES = ("waiting", "held", "accepted", "withdrawn", "expired")


class WaitingIn(Strict):
    machine = Slug(metadata={"description": "This machine; or give `kind`"})
    kind = Slug(metadata={"description": "Any machine of this kind"})
    lab = Slug(load_default=None, metadata={"description": "With `kind`: only those of this lab"})
    duration = Duration(timedelta(days=LONGEST_DAYS), required=True)
    after = Instant(load_default=None, metadata={"description": "Not before then; left out: from now on"})
    before = Instant(required=True, metadata={"description": "Over by then"})

    @validates_schema
    def _one(self, data: dict[str, Any], **_: Any) -> None:
        if ("machine" in data) == ("kind" in data):
            raise ValidationError("Give a machine or a kind, one of them.", "machine")
        if "machine" in data and data.get("lab") is not None:
            raise ValidationError("A machine has its lab; leave it out, or give a kind.", "lab")


def waiting_request(body: dict[str, Any], now: datetime) -> WaitingRequest:
    return WaitingRequest(
        machine=body.get("machine"),
        kind=body.get("kind"),
        lab=body["lab"],
        duration_s=int(body["duration"].total_seconds()),
        after=body["after"] or now,
        before=body["before"],
    )


class HoldOut(Strict):
    machine = fields.String()
    machine_name = fields.String()
    lab = fields.String()
    starts_at = Instant()
    ends_at = Instant()
    expires_at = Instant(metadata={"description": "Accept before then, or the next in line gets it"})


class WaitingOut(Strict):
    id = fields.Integer()
    machine = fields.String(allow_none=True)
    kind = fields.String(allow_none=True, metadata={"description": "Null when one machine is waited for"})
    lab = fields.String(allow_none=True)
    duration = Duration()
    after = Instant()
    before = Instant()
    state = fields.String(validate=validate.OneOf(STATES))
    ahead = fields.Integer(
        metadata={"description": "How many came before who wait for some of the same; 0: the first in line"}
    )
    hold = fields.Nested(HoldOut, allow_none=True, metadata={"description": "What is kept for you now"})
    booking = fields.Integer(allow_none=True, metadata={"description": "What came of it"})
    created_at = Instant()


class WaitlistQuery(PageQuery):
    state = fields.String(
        validate=validate.OneOf(STATES),
        metadata={"description": "Left out: those that wait, and those that have something kept"},
    )
    cursor = Cursor(a_number)


WaitingPage = page_of(WaitingOut, "WaitingPage")


def waiting_json(view: WaitingView, now: datetime) -> dict[str, Any]:
    """A line in the time of its lab. A hold that is over is none any more."""
    zone = ZoneInfo(view.zone)
    hold = view.held(now)
    state = "expired" if view.state == "held" and hold is None else view.state
    return {
        "id": view.id,
        "machine": view.machine_slug,
        "kind": None if view.machine_slug else view.kind_slug,
        "lab": view.lab_slug,
        "duration": view.wanted.duration_s,
        "after": view.wanted.after.astimezone(zone),
        "before": view.wanted.before.astimezone(zone),
        "state": state,
        "ahead": view.ahead if state == "waiting" else 0,
        "hold": None
        if hold is None
        else {
            "machine": hold.machine_slug,
            "machine_name": hold.machine_name,
            "lab": hold.lab_slug,
            "starts_at": hold.starts_at.astimezone(ZoneInfo(hold.zone)),
            "ends_at": hold.ends_at.astimezone(ZoneInfo(hold.zone)),
            "expires_at": hold.expires_at.astimezone(ZoneInfo(hold.zone)),
        },
        "booking": view.booking_id,
        "created_at": view.created_at.astimezone(zone),
    }
