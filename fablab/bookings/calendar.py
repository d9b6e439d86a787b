"""What takes machines' time, read at once for however many machines."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.orm import Session

from fablab.bookings.facts import LONGEST_DAYS
from fablab.bookings.rules import HOLDING_STATES


@dataclass(frozen=True)
class CalendarRow:
    """Something that takes a machine's time. Booking and member are known for kind 'booking' only."""

    machine_id: int
    machine_slug: str
    lab_id: int
    zone: str
    kind: str
    state: str
    starts_at: datetime
    ends_at: datetime
    booking_id: int | None
    member_id: int | None
    member_name: str | None


# Outages and holds are few among the claims of a network, so each is found from its own side. A booking is
# never longer than some weeks, which spares reading all those that were before.
_READ = """
    WITH shown AS (
        SELECT machine.id, machine.slug, machine.lab_id, lab.zone
        FROM machine JOIN lab ON lab.id = machine.lab_id
        WHERE {which}
    )
    SELECT shown.id, shown.slug, shown.lab_id, shown.zone, 'booking' AS kind, booking.state,
           booking.starts_at AS starts_at, booking.ends_at, booking.id, member.id, member.name
    FROM shown
    JOIN booking ON booking.machine_id = shown.id AND booking.state = ANY(:states)
        AND booking.starts_at < :until AND booking.starts_at > :earliest AND booking.ends_at > :since
    JOIN member ON member.id = booking.member_id
    UNION ALL
    SELECT shown.id, shown.slug, shown.lab_id, shown.zone, 'outage', 'outage',
           occupancy.starts_at, occupancy.ends_at, NULL, NULL, NULL
    FROM occupancy
    JOIN unit ON unit.id = occupancy.unit_id
    JOIN shown ON shown.id = unit.machine_id
    WHERE occupancy.kind = 'outage' AND occupancy.starts_at < :until AND occupancy.ends_at > :since
    UNION ALL
    SELECT shown.id, shown.slug, shown.lab_id, shown.zone, 'hold', 'hold',
           occupancy.starts_at, occupancy.ends_at, NULL, NULL, NULL
    FROM hold
    JOIN occupancy ON occupancy.hold_id = hold.id
    JOIN unit ON unit.id = occupancy.unit_id
    JOIN shown ON shown.id = unit.machine_id
    WHERE hold.expires_at > :now AND occupancy.starts_at < :until AND occupancy.ends_at > :since
    ORDER BY starts_at, 2
"""
_INSTANTS = [bindparam(name, type_=DateTime(timezone=True)) for name in ("since", "until", "earliest", "now")]
_OF_MACHINES = text(_READ.format(which="machine.id = ANY(:machines)")).bindparams(*_INSTANTS)
_OF_LAB = text(_READ.format(which="machine.lab_id = :lab AND machine.active")).bindparams(*_INSTANTS)


def calendar(
    session: Session, machine_ids: Collection[int], since: datetime, until: datetime, now: datetime
) -> list[CalendarRow]:
    """Everything that takes these machines' time and overlaps [since, until), by start. One statement.

    Bookings with their own span (without buffers) unless they were cancelled, rejected or given up; outages
    and holds as claimed, without holds that are over at ``now``.
    """
    rows = session.execute(_OF_MACHINES, {"machines": list(machine_ids), **_within(since, until, now)})
    return [CalendarRow(*row) for row in rows]


def lab_calendar(
    session: Session, lab_id: int, since: datetime, until: datetime, now: datetime
) -> list[CalendarRow]:
    """The same of all machines of a lab that are in use."""
    rows = session.execute(_OF_LAB, {"lab": lab_id, **_within(since, until, now)})
    return [CalendarRow(*row) for row in rows]


def _within(since: datetime, until: datetime, now: datetime) -> dict[str, object]:
    return {
        "since": since,
        "until": until,
        "earliest": since - timedelta(days=LONGEST_DAYS),
        "now": now,
        "states": list(HOLDING_STATES),
    }
