"""Reads about machines' states and bridges."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, case, select, true
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.bookings.rules import CURRENT_STATES
from fablab.machines.models import Lab, Machine
from fablab.settings import Settings
from fablab.telemetry.models import Bridge, MachineStatus
from fablab.telemetry.rules import is_fresh
from fablab.usage.models import UsageSession

UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class StatusView:
    """How a machine is now. Where nobody can know, the state is `unreachable` and measured values are None.

    ``since`` is the instant of the last change of state; ``seen_at`` that of the last word, None before the
    first. ``job`` has the wire's fields and `eta_at`. ``booking_id`` is the booking of the running session,
    None when that has none; without a session the one whose time it is.
    """

    machine_id: int
    machine_slug: str
    lab_id: int
    lab_slug: str
    state: str
    since: datetime | None
    seen_at: datetime | None
    fresh: bool
    detail: str | None
    job: dict[str, Any] | None
    temperatures: dict[str, Any] | None
    power_w: float | None
    booking_id: int | None
    booking_member_id: int | None


def statuses(
    session: Session, machine_ids: Collection[int], now: datetime, settings: Settings
) -> list[StatusView]:
    """The status of each of these machines, by slug; one statement."""
    if not machine_ids:
        return []
    present = (
        select(Booking.id, Booking.member_id)
        .where(
            Booking.machine_id == Machine.id,
            Booking.state.in_(CURRENT_STATES),
            Booking.starts_at <= now,
            Booking.ends_at > now,
        )
        .order_by(Booking.starts_at.desc())
        .limit(1)
        .lateral("present")
    )
    in_use = UsageSession.id.is_not(None)
    rows = session.execute(
        select(
            Machine.id,
            Machine.slug,
            Machine.lab_id,
            Lab.slug.label("lab"),
            MachineStatus.state,
            MachineStatus.since,
            MachineStatus.seen_at,
            MachineStatus.detail,
            MachineStatus.job,
            MachineStatus.temperatures,
            MachineStatus.power_w,
            Bridge.name.label("bridge"),
            Bridge.online,
            Bridge.presence_at,
            case((in_use, UsageSession.booking_id), else_=present.c.id).label("booking_id"),
            case((in_use, UsageSession.member_id), else_=present.c.member_id).label("member_id"),
        )
        .join(Lab, Lab.id == Machine.lab_id)
        .outerjoin(MachineStatus, MachineStatus.machine_id == Machine.id)
        .outerjoin(Bridge, Bridge.id == MachineStatus.bridge_id)
        .outerjoin(
            UsageSession,
            and_(UsageSession.machine_id == Machine.id, UsageSession.ended_at.is_(None)),
        )
        .outerjoin(present, true())
        .where(Machine.id.in_(machine_ids))
        .order_by(Machine.slug)
    )
    return [_view(row, now, settings.telemetry.silent_after_s) for row in rows]


def _view(row: Row[*tuple[Any, ...]], now: datetime, silent_after_s: int) -> StatusView:
    state, since, detail = row.state, row.since, row.detail
    fresh = row.seen_at is not None and is_fresh(row.seen_at, bool(row.online), now, silent_after_s)
    if row.seen_at is None:
        state, detail = UNREACHABLE, "It has never reported."
    elif not fresh:
        state = UNREACHABLE
        bridge_is_gone = row.online is False and row.presence_at is not None
        since = row.presence_at if bridge_is_gone else row.seen_at
        who = f"Bridge {row.bridge} is offline" if bridge_is_gone else "Nothing was heard of it"
        detail = f"{who} since {since:%Y-%m-%d %H:%M:%S} UTC; it was {row.state} then."
    return StatusView(
        machine_id=row.id,
        machine_slug=row.slug,
        lab_id=row.lab_id,
        lab_slug=row.lab,
        state=state,
        since=since,
        seen_at=row.seen_at,
        fresh=fresh,
        detail=detail,
        job=row.job if fresh else None,
        temperatures=row.temperatures if fresh else None,
        power_w=row.power_w if fresh else None,
        booking_id=row.booking_id,
        booking_member_id=row.member_id,
    )
