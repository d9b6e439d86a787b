"""Bookings that lie outside hours because the hours changed after they were made. They stay booked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from fablab.bookings.rules import LIVE_STATES
from fablab.machines.queries import MachineView, machines
from fablab.machines.rules import Span, covers

T = TypeVar("T")

_COMING = text(
    """
    SELECT booking.id, booking.machine_id, booking.starts_at, booking.ends_at,
           booking.member_id, member.name
    FROM booking JOIN lab ON lab.id = booking.lab_id JOIN member ON member.id = booking.member_id
    WHERE lab.slug = :lab AND booking.ends_at > :now AND booking.state = ANY(:states)
    ORDER BY booking.starts_at, booking.id
    """
).bindparams(bindparam("states", list(LIVE_STATES)))


@dataclass(frozen=True)
class Outside:
    """A booking to come that its machine's hours do not hold whole."""

    booking_id: int
    machine: MachineView
    starts_at: datetime
    ends_at: datetime
    member_id: int
    member_name: str


def outside_hours(session: Session, lab: str, now: datetime) -> list[Outside]:
    """Every booking of a lab (slug) that is not over and lies outside hours, in order. Two statements."""
    rows = session.execute(_COMING, {"lab": lab, "now": now}).all()
    if not rows:
        return []
    known = {each.id: each for each in machines(session, ids={row.machine_id for row in rows}, inactive=True)}
    return [
        Outside(row.id, known[row.machine_id], row.starts_at, row.ends_at, row.member_id, row.name)
        for row in rows
        if not _held(known[row.machine_id], Span(row.starts_at, row.ends_at))
    ]


def left_outside(
    session: Session, lab: str, now: datetime, change: Callable[[], T]
) -> tuple[T, list[Outside]]:
    """Change hours, and tell which bookings lie outside because of that."""
    before = {each.booking_id for each in outside_hours(session, lab, now)}
    done = change()
    session.flush()
    return done, [each for each in outside_hours(session, lab, now) if each.booking_id not in before]


def _held(machine: MachineView, span: Span) -> bool:
    return covers(machine.hours.open_spans(span.starts_at, span.ends_at), span)
