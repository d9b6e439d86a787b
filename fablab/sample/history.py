"""The sample's history as rows, written in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Insert, Table, insert
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange, Occupancy
from fablab.bookings.models_claims import Outage as OutageRow
from fablab.db import Base
from fablab.sample.network import MACHINES, ZONE
from fablab.sample.plan import Booked, Outage
from fablab.sample.work import Worked
from fablab.usage.models import Job, UsageSession

# Slug -> ids of the machine, its lab and its unit.
Places = Mapping[str, tuple[int, int, int]]


@dataclass
class History:
    """Bookings of all machines, and sessions that name their booking by its place in that list."""

    booked: list[Booked] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    worked: list[tuple[int | None, Worked]] = field(default_factory=list)

    def add(self, booked: Sequence[Booked], outages: Sequence[Outage], worked: Sequence[Worked]) -> None:
        """Add one machine's history."""
        first = len(self.booked)
        self.booked.extend(booked)
        self.outages.extend(outages)
        self.worked.extend((None if each.booking is None else first + each.booking, each) for each in worked)


def write(
    session: Session, history: History, places: Places, members: Mapping[str, int], now: datetime
) -> None:
    """Store bookings with their changes and claims, outages, jobs and sessions.

    Into the tables, not through the mapped classes, which would cut the rows up by which values are null.
    """
    booking_ids = list(
        session.scalars(
            _into(Booking).returning(Booking.id, sort_by_parameter_order=True),
            [_booking(each, places, members) for each in history.booked],
        )
    )
    first_use: dict[int, datetime] = {}
    for number, each in history.worked:
        if number is not None:
            first_use.setdefault(number, each.started_at)
    session.execute(
        _into(BookingChange),
        [
            change
            for number, each in enumerate(history.booked)
            for change in _changes(booking_ids[number], each, members[each.email], first_use.get(number))
        ],
    )
    outage_ids = session.scalars(
        _into(OutageRow).returning(OutageRow.id, sort_by_parameter_order=True),
        [_outage(each, places, members) for each in history.outages],
    )
    session.execute(
        _into(Occupancy),
        [
            *(
                _claim(each, places, booking_ids[number])
                for number, each in enumerate(history.booked)
                if each.state != "cancelled"
            ),
            *(_stood_still(*pair, places) for pair in zip(history.outages, outage_ids, strict=True)),
        ],
    )
    owners: dict[int, dict[str, int | None]] = {
        number: {"booking_id": booking_ids[number], "member_id": members[each.email]}
        for number, each in enumerate(history.booked)
    }
    nobody: dict[str, int | None] = {"booking_id": None, "member_id": None}
    rows = [(each, nobody if number is None else owners[number]) for number, each in history.worked]
    session.execute(_into(Job), [_job(each, places, owner) for each, owner in rows if each.job])
    session.execute(_into(UsageSession), [_session(each, places, owner) for each, owner in rows])


def _into(model: type[Base]) -> Insert:
    table = model.__table__
    assert isinstance(table, Table)
    return insert(table)


def _booking(each: Booked, places: Places, members: Mapping[str, int]) -> dict[str, Any]:
    machine_id, lab_id, _ = places[each.machine]
    zone = ZoneInfo(ZONE)
    return {
        "machine_id": machine_id,
        "lab_id": lab_id,
        "member_id": members[each.email],
        "created_by_id": members[each.email],
        "starts_at": each.starts_at,
        "ends_at": each.ends_at,
        "zone": ZONE,
        "local_starts": each.starts_at.astimezone(zone).replace(tzinfo=None),
        "local_ends": each.ends_at.astimezone(zone).replace(tzinfo=None),
        "state": each.state,
        "purpose": each.purpose,
        "created_at": each.created_at,
    }


def _changes(
    booking_id: int, each: Booked, member_id: int, first_use: datetime | None
) -> Iterator[dict[str, Any]]:
    def change(
        at: datetime, made_by: str, before: str | None, after: str, reason: str = ""
    ) -> dict[str, Any]:
        return {
            "booking_id": booking_id,
            "at": at,
            "made_by": made_by,
            "member_id": member_id if made_by == "member" else None,
            "from_state": before,
            "to_state": after,
            "reason": reason,
        }

    yield change(each.created_at, "member", None, "confirmed")
    if each.cancelled_at is not None:
        yield change(each.cancelled_at, "member", "confirmed", "cancelled")
    elif each.state == "missed":
        yield change(each.ends_at, "clock", "confirmed", "missed", "its time is over")
    elif each.state == "completed":
        started_at = min(first_use or each.starts_at, each.ends_at)
        yield change(started_at, "machine", "confirmed", "started", "The machine reported its first use.")
        yield change(each.ends_at, "clock", "started", "completed", "its time is over")


_CLEANUP = {machine.slug: timedelta(seconds=machine.cleanup_s) for machine in MACHINES}


def _claim(each: Booked, places: Places, booking_id: int) -> dict[str, Any]:
    _, lab_id, unit_id = places[each.machine]
    return {
        "lab_id": lab_id,
        "unit_id": unit_id,
        "starts_at": each.starts_at,
        "ends_at": each.ends_at + _CLEANUP[each.machine],
        "kind": "booking",
        "booking_id": booking_id,
        "outage_id": None,
    }


def _outage(each: Outage, places: Places, members: Mapping[str, int]) -> dict[str, Any]:
    machine_id, lab_id, _ = places[each.machine]
    return {
        "machine_id": machine_id,
        "lab_id": lab_id,
        "starts_at": each.starts_at,
        "ends_at": each.ends_at,
        "category": each.category,
        "note": each.note,
        "created_by_id": members[each.reported_by],
        "created_at": each.starts_at,
    }


def _stood_still(each: Outage, outage_id: int, places: Places) -> dict[str, Any]:
    _, lab_id, unit_id = places[each.machine]
    return {
        "lab_id": lab_id,
        "unit_id": unit_id,
        "starts_at": each.starts_at,
        "ends_at": each.ends_at,
        "kind": "outage",
        "booking_id": None,
        "outage_id": outage_id,
    }


def _job(each: Worked, places: Places, owner: Mapping[str, int | None]) -> dict[str, Any]:
    assert each.job is not None
    machine_id, lab_id, _ = places[each.machine]
    return {
        "id": each.job.id,
        "machine_id": machine_id,
        "lab_id": lab_id,
        "file": each.job.file,
        "started_at": each.started_at,
        "ended_at": each.ended_at,
        "outcome": each.job.outcome,
        "reason": each.job.reason,
        "print_time_s": each.busy_s,
        "elapsed_s": (each.ended_at - each.started_at).total_seconds(),
        "estimated_s": each.job.estimated_s,
        "filament_mm": each.job.filament_mm,
        "historical": True,
        **owner,
    }


def _session(each: Worked, places: Places, owner: Mapping[str, int | None]) -> dict[str, Any]:
    machine_id, lab_id, _ = places[each.machine]
    return {
        "machine_id": machine_id,
        "lab_id": lab_id,
        "job_id": each.job.id if each.job else None,
        "started_at": each.started_at,
        "ended_at": each.ended_at,
        "busy_s": each.busy_s,
        "idle_s": each.idle_s,
        "busy": False,
        "counted_at": each.ended_at,
        "energy_wh": each.energy_wh,
        "stop_reason": "job_ended" if each.job else "power_off",
        **owner,
    }
