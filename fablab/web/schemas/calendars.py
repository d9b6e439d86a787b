"""What takes machines' time as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import fields

from fablab.bookings.calendar import CalendarRow
from fablab.bookings.rules_people import may_see_whose
from fablab.members.rules import Actor
from fablab.web.schemas.base import Instant, PersonOut, Strict, page_of, person


class CalendarQuery(Strict):
    since = Instant(data_key="from")
    until = Instant(data_key="to")


class CalendarOut(Strict):
    machine = fields.String()
    kind = fields.String(metadata={"description": "booking, hold or outage"})
    state = fields.String()
    starts_at = Instant()
    ends_at = Instant(
        metadata={"description": "Of an outage without an end: in the year 2200, until somebody ends it"}
    )
    mine = fields.Boolean()
    booking = fields.Integer(allow_none=True, metadata={"description": "Null when somebody else's"})
    member = fields.Nested(
        PersonOut, allow_none=True, metadata={"description": "For the lab's staff and oneself"}
    )


CalendarPage = page_of(CalendarOut, "CalendarPage")


def calendar_page(rows: Iterable[CalendarRow], actor: Actor) -> dict[str, Any]:
    """What a CalendarPage dumps, written down at once: a schema takes ten times as long over a full week."""
    zone_of = cache(ZoneInfo)
    items = []
    for row in rows:
        zone = zone_of(row.zone)
        known = row.member_id is not None and may_see_whose(actor, row.member_id, row.lab_id)
        items.append(
            {
                "machine": row.machine_slug,
                "kind": row.kind,
                "state": row.state,
                "starts_at": row.starts_at.astimezone(zone).isoformat(timespec="seconds"),
                "ends_at": row.ends_at.astimezone(zone).isoformat(timespec="seconds"),
                "mine": row.member_id == actor.member_id,
                "booking": row.booking_id if known else None,
                "member": person(row.member_id, row.member_name) if known else None,
            }
        )
    return {"items": items, "next": None}
