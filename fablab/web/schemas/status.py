"""A machine's live status as JSON, as much of it as the viewer may know."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import fields

from fablab.bookings.rules_people import may_see_whose
from fablab.members.rules import Actor
from fablab.telemetry.queries import StatusView
from fablab.web.schemas.base import Instant, Strict


class RunningJobOut(Strict):
    id = fields.String()
    file = fields.String(allow_none=True, metadata={"description": "Null for whom it does not concern"})
    progress = fields.Float(allow_none=True, metadata={"description": "0 to 1"})
    eta_at = Instant(allow_none=True)
    print_time_s = fields.Float(allow_none=True)


class TemperatureOut(Strict):
    actual_c = fields.Float(allow_none=True)
    target_c = fields.Float(allow_none=True)


class StatusOut(Strict):
    state = fields.String()
    since = Instant(allow_none=True)
    seen_at = Instant(allow_none=True, metadata={"description": "Last word from the machine's bridge"})
    fresh = fields.Boolean(metadata={"description": "False when the last word is too old to trust"})
    detail = fields.String(allow_none=True)
    job = fields.Nested(RunningJobOut, allow_none=True)
    temperatures = fields.Dict(keys=fields.String(), values=fields.Nested(TemperatureOut), allow_none=True)
    power_w = fields.Float(allow_none=True)
    booking = fields.Integer(allow_none=True)


NEVER_HEARD_OF: dict[str, Any] = {
    "state": "unreachable",
    "since": None,
    "seen_at": None,
    "fresh": False,
    "detail": None,
    "job": None,
    "temperatures": {},
    "power_w": None,
    "booking": None,
}


def status_values(view: StatusView | None, zone: str, *, full: bool) -> dict[str, Any]:
    """The values of StatusOut; without ``full`` the job's file and the booking are left out."""
    if view is None:
        return dict(NEVER_HEARD_OF)
    clock = ZoneInfo(zone)
    return {
        "state": view.state,
        "since": _local(view.since, clock),
        "seen_at": _local(view.seen_at, clock),
        "fresh": view.fresh,
        "detail": view.detail,
        "job": None if view.job is None else _job(view.job, clock, full),
        "temperatures": view.temperatures or {},
        "power_w": view.power_w,
        "booking": view.booking_id if full else None,
    }


def status_json(view: StatusView | None, zone: str, actor: Actor) -> dict[str, Any]:
    """The values of StatusOut as this viewer may see them."""
    full = view is not None and may_see_whose(actor, view.booking_member_id, view.lab_id)
    return status_values(view, zone, full=full)


def _job(job: dict[str, Any], clock: ZoneInfo, full: bool) -> dict[str, Any]:
    eta_at = job.get("eta_at")
    return {
        "id": str(job["id"]),
        "file": job.get("file") if full else None,
        "progress": job.get("progress"),
        "eta_at": _local(datetime.fromisoformat(eta_at) if isinstance(eta_at, str) else eta_at, clock),
        "print_time_s": job.get("print_time_s"),
    }


def _local(instant: datetime | None, clock: ZoneInfo) -> datetime | None:
    return None if instant is None else instant.astimezone(clock)
