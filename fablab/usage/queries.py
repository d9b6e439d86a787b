"""Reads about jobs and usage sessions, newest first, page by page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.machines.models import Lab, Machine
from fablab.members.models import Member
from fablab.usage.models import Job, UsageSession


@dataclass(frozen=True)
class JobView:
    """A job with the names a person needs to read it; None where nobody knows."""

    id: UUID
    machine_id: int
    machine_slug: str
    lab_id: int
    lab_slug: str
    zone: str
    file: str | None
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    reason: str | None
    print_time_s: float | None
    elapsed_s: float | None
    estimated_s: float | None
    filament_mm: float | None
    owner: str | None
    booking_id: int | None
    member_id: int | None
    member_name: str | None
    historical: bool


@dataclass(frozen=True)
class SessionView:
    """A usage session; ``ended_at`` is None while it is open, its seconds then count up to ``counted_at``."""

    id: int
    machine_id: int
    machine_slug: str
    lab_id: int
    lab_slug: str
    zone: str
    job_id: UUID | None
    started_at: datetime
    ended_at: datetime | None
    counted_at: datetime
    busy_s: float
    idle_s: float
    energy_wh: float | None
    booking_id: int | None
    member_id: int | None
    member_name: str | None
    stop_reason: str | None


V = TypeVar("V", JobView, SessionView)


@dataclass(frozen=True)
class Page(Generic[V]):
    """Some rows and the cursor of the next ones, None at the end."""

    items: list[V]
    next: tuple[datetime, str] | None


def job(session: Session, job_id: UUID) -> JobView | None:
    """One job."""
    found = [JobView(*row) for row in session.execute(_JOBS.where(Job.id == job_id))]
    return found[0] if found else None


def jobs(
    session: Session,
    *,
    machine_id: int | None = None,
    lab_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    outcome: str | None = None,
    booking_id: int | None = None,
    member_id: int | None = None,
    limit: int = 50,
    cursor: tuple[datetime, str] | None = None,
) -> Page[JobView]:
    """Jobs that started in [since, until), newest first. ``cursor`` is the `next` of the page before."""
    query = _narrow(_JOBS, Job, machine_id, lab_id, booking_id, member_id, since, until)
    if outcome is not None:
        query = query.where(Job.outcome == outcome)
    if cursor is not None:
        query = query.where(tuple_(Job.started_at, Job.id) < (cursor[0], UUID(cursor[1])))
    rows = session.execute(query.order_by(Job.started_at.desc(), Job.id.desc()).limit(limit + 1))
    return _page([JobView(*row) for row in rows], limit)


def usage_sessions(
    session: Session,
    *,
    machine_id: int | None = None,
    lab_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    booking_id: int | None = None,
    member_id: int | None = None,
    limit: int = 50,
    cursor: tuple[datetime, str] | None = None,
) -> Page[SessionView]:
    """Sessions that started in [since, until), newest first. ``cursor`` is the `next` of the page before."""
    query = _narrow(_SESSIONS, UsageSession, machine_id, lab_id, booking_id, member_id, since, until)
    if cursor is not None:
        query = query.where(tuple_(UsageSession.started_at, UsageSession.id) < (cursor[0], int(cursor[1])))
    rows = session.execute(
        query.order_by(UsageSession.started_at.desc(), UsageSession.id.desc()).limit(limit + 1)
    )
    return _page([SessionView(*row) for row in rows], limit)


def booked_machines(
    session: Session, machine_ids: Collection[int], since: datetime, until: datetime
) -> list[int]:
    """Those of the machines that have a booking, in whatever state, which overlaps [since, until)."""
    return list(
        session.scalars(
            select(Booking.machine_id)
            .where(Booking.machine_id.in_(machine_ids), Booking.starts_at < until, Booking.ends_at > since)
            .distinct()
            .order_by(Booking.machine_id)
        )
    )


_JOBS: Select[*tuple[Any, ...]] = (
    select(
        Job.id,
        Job.machine_id,
        Machine.slug,
        Job.lab_id,
        Lab.slug,
        Lab.zone,
        Job.file,
        Job.started_at,
        Job.ended_at,
        Job.outcome,
        Job.reason,
        Job.print_time_s,
        Job.elapsed_s,
        Job.estimated_s,
        Job.filament_mm,
        Job.owner,
        Job.booking_id,
        Job.member_id,
        Member.name,
        Job.historical,
    )
    .join(Machine, Machine.id == Job.machine_id)
    .join(Lab, Lab.id == Job.lab_id)
    .outerjoin(Member, Member.id == Job.member_id)
)

_SESSIONS: Select[*tuple[Any, ...]] = (
    select(
        UsageSession.id,
        UsageSession.machine_id,
        Machine.slug,
        UsageSession.lab_id,
        Lab.slug,
        Lab.zone,
        UsageSession.job_id,
        UsageSession.started_at,
        UsageSession.ended_at,
        UsageSession.counted_at,
        UsageSession.busy_s,
        UsageSession.idle_s,
        UsageSession.energy_wh,
        UsageSession.booking_id,
        UsageSession.member_id,
        Member.name,
        UsageSession.stop_reason,
    )
    .join(Machine, Machine.id == UsageSession.machine_id)
    .join(Lab, Lab.id == UsageSession.lab_id)
    .outerjoin(Member, Member.id == UsageSession.member_id)
)


def _narrow(
    query: Select[*tuple[Any, ...]],
    table: type[Job] | type[UsageSession],
    machine_id: int | None,
    lab_id: int | None,
    booking_id: int | None,
    member_id: int | None,
    since: datetime | None,
    until: datetime | None,
) -> Select[*tuple[Any, ...]]:
    wanted = {
        table.machine_id: machine_id,
        table.lab_id: lab_id,
        table.booking_id: booking_id,
        table.member_id: member_id,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    if since is not None:
        query = query.where(table.started_at >= since)
    if until is not None:
        query = query.where(table.started_at < until)
    return query


def _page(items: list[V], limit: int) -> Page[V]:
    if len(items) <= limit:
        return Page(items, None)
    last = items[limit - 1]
    return Page(items[:limit], (last.started_at, str(last.id)))
