"""Labs, hours, kinds and machines as JSON."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import fields, validate

from fablab.bookings.rulebook import Ruling
from fablab.machines.hours import OpenDay
from fablab.machines.queries import KindView, LabView, MachineView
from fablab.machines.rules import Span
from fablab.web.schemas.base import Cursor, Duration, Instant, PageQuery, Slug, Strict, a_slug
from fablab.web.schemas.status import StatusOut
from firmware_bridge.wire.messages import MachineState

STATES = tuple(state.value for state in MachineState)


class Names(Strict):
    fr = fields.String()
    ar = fields.String()
    en = fields.String()


class SpanOut(Strict):
    starts_at = Instant()
    ends_at = Instant()


class RegionOut(Strict):
    slug = fields.String()
    names = fields.Nested(Names)


class LabOut(Strict):
    slug = fields.String()
    name = fields.String()
    names = fields.Nested(Names)
    region = fields.Nested(RegionOut)
    zone = fields.String(metadata={"description": "IANA time zone"})
    address = fields.String()
    latitude = fields.Float(allow_none=True)
    longitude = fields.Float(allow_none=True)
    hours_today = fields.List(fields.Nested(SpanOut))
    open_now = fields.Boolean()


class DayOut(Strict):
    on = fields.Date()
    open = fields.List(fields.Nested(SpanOut))
    supervised = fields.List(
        fields.Nested(SpanOut),
        metadata={"description": "Those with staff there; whoever is under 18 books then"},
    )
    season = fields.String(
        allow_none=True, metadata={"description": "The season whose hours these are; null: the usual ones"}
    )
    closure = fields.String(
        allow_none=True, metadata={"description": "What closes it on this day, or part of it; null: nothing"}
    )


class KindOut(Strict):
    slug = fields.String()
    name = fields.String()
    names = fields.Nested(Names)
    machines = fields.Integer(metadata={"description": "How many there are in the network"})


class RulesOut(Strict):
    shortest = Duration()
    longest = Duration()
    horizon = Duration()
    setup = Duration()
    cleanup = Duration()
    certification_level = fields.Integer(metadata={"description": "Level of certification needed; 0: none"})
    approvals = fields.Integer(metadata={"description": "How many of the lab's managers must agree; 0: none"})


class MachineOut(Strict):
    slug = fields.String()
    name = fields.String()
    kind = fields.String()
    lab = fields.String()
    lab_name = fields.String()
    zone = fields.String()
    capabilities = fields.Dict()
    unattended = fields.Boolean(metadata={"description": "May be booked while the lab is closed"})
    active = fields.Boolean()
    units = fields.Integer(metadata={"description": "Bookings it takes at the same time"})
    rules = fields.Nested(RulesOut)
    status = fields.Nested(StatusOut)


class LabsQuery(PageQuery):
    region = Slug()
    cursor = Cursor(a_slug)


class KindsQuery(PageQuery):
    cursor = Cursor(a_slug)


class MachinesQuery(PageQuery):
    lab = Slug()
    region = Slug()
    kind = Slug()
    state = fields.String(validate=validate.OneOf(STATES))
    cursor = Cursor(a_slug)


class HoursQuery(Strict):
    since = Instant(data_key="from")
    until = Instant(data_key="to")


def lab_json(lab: LabView, now: datetime) -> dict[str, Any]:
    zone = ZoneInfo(lab.zone)
    today = lab.hours.day(now.astimezone(zone).date()).spans
    return {
        "slug": lab.slug,
        "name": lab.names["en"],
        "names": lab.names,
        "region": {"slug": lab.region_slug, "names": lab.region_names},
        "zone": lab.zone,
        "address": lab.address,
        "latitude": lab.latitude,
        "longitude": lab.longitude,
        "hours_today": [span_json(span, zone) for span in today],
        "open_now": bool(lab.hours.open_spans(now, now + timedelta(seconds=1))),
    }


def day_json(day: OpenDay, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "on": day.on,
        "open": [span_json(span, zone) for span in day.spans],
        "supervised": [span_json(span, zone) for span in day.supervised],
        "season": day.season,
        "closure": day.closure,
    }


def kind_json(kind: KindView) -> dict[str, Any]:
    return {"slug": kind.slug, "name": kind.names["en"], "names": kind.names, "machines": kind.machines}


def machine_json(machine: MachineView, status: dict[str, Any], ruling: Ruling) -> dict[str, Any]:
    """``ruling``: what is asked of the caller's bookings of it."""
    return {
        "slug": machine.slug,
        "name": machine.name,
        "kind": machine.kind_slug,
        "lab": machine.lab_slug,
        "lab_name": machine.lab_name,
        "zone": machine.zone,
        "capabilities": machine.capabilities,
        "unattended": machine.unattended,
        "active": machine.active,
        "units": len(machine.unit_ids),
        "rules": {
            "shortest": ruling.min_s,
            "longest": ruling.max_s,
            "horizon": timedelta(days=ruling.horizon_days),
            "setup": ruling.setup_s,
            "cleanup": ruling.cleanup_s,
            "certification_level": ruling.certification_level,
            "approvals": ruling.approvals,
        },
        "status": status,
    }


def span_json(span: Span, zone: ZoneInfo) -> dict[str, datetime]:
    return {"starts_at": span.starts_at.astimezone(zone), "ends_at": span.ends_at.astimezone(zone)}
