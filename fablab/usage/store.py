"""Rows of jobs and usage sessions as they are written. Decides nothing: `service` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from fablab.bookings.queries import HoldingBooking
from fablab.usage.models import Job, UsageSession
from fablab.usage.rules import Usage


@dataclass(frozen=True, slots=True)
class JobNews:
    """A job as one event tells of it; units as in the `job` table."""

    id: UUID
    file: str | None
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    reason: str | None = None
    print_time_s: float | None = None
    elapsed_s: float | None = None
    estimated_s: float | None = None
    filament_mm: float | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The booking that a use belongs to, and its member; both None without a booking."""

    booking_id: int | None
    member_id: int | None


NOBODY = Owner(None, None)


def begin_job(
    session: Session, machine_id: int, lab_id: int, news: JobNews, owner: Owner, historical: bool
) -> None:
    """A new job. One that the machine never told the end of is over: one machine does one job at a time."""
    session.execute(
        update(Job)
        .where(Job.machine_id == machine_id, Job.ended_at.is_(None), Job.started_at <= news.started_at)
        .values(
            ended_at=news.started_at,
            outcome="interrupted",
            reason="The machine started another job and never told how this one ended.",
        )
    )
    session.execute(
        insert(Job).values(
            id=news.id,
            machine_id=machine_id,
            lab_id=lab_id,
            file=news.file,
            started_at=news.started_at,
            estimated_s=news.estimated_s,
            owner=news.owner,
            booking_id=owner.booking_id,
            member_id=owner.member_id,
            historical=historical,
        )
    )


def end_job(session: Session, news: JobNews, ended_at: datetime) -> None:
    """How the job ended."""
    session.execute(
        update(Job)
        .where(Job.id == news.id)
        .values(
            ended_at=ended_at,
            outcome=news.outcome,
            reason=news.reason,
            print_time_s=news.print_time_s,
            elapsed_s=news.elapsed_s,
            filament_mm=news.filament_mm,
        )
    )


def give_job(session: Session, job_id: UUID, booking: HoldingBooking) -> None:
    """The job belongs to this booking, unless it has one already or began after its end."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.booking_id.is_(None), Job.started_at < booking.ends_at)
        .values(booking_id=booking.id, member_id=booking.member_id)
    )


def has_session(session: Session, job_id: UUID) -> bool:
    """Whether the job's use was counted already."""
    return bool(session.scalar(select(UsageSession.id).where(UsageSession.job_id == job_id).limit(1)))


def insert_session(session: Session, machine_id: int, lab_id: int, usage: Usage, owner: Owner) -> int:
    """A new session, open or past; its id."""
    row: int = session.execute(
        insert(UsageSession)
        .values(
            machine_id=machine_id,
            lab_id=lab_id,
            job_id=usage.job_id,
            booking_id=owner.booking_id,
            member_id=owner.member_id,
            started_at=usage.started_at,
            ended_at=usage.ended_at,
            busy_s=usage.busy_s,
            idle_s=usage.idle_s,
            busy=usage.busy,
            counted_at=usage.counted_at,
            energy_wh=usage.energy_wh,
            meter_wh=usage.meter_wh,
            stop_reason=usage.stop_reason,
        )
        .returning(UsageSession.id)
    ).scalar_one()
    return row


def end_session(session: Session, row: int, usage: Usage) -> None:
    """The last seconds of a session, and why it ended."""
    session.execute(
        update(UsageSession)
        .where(UsageSession.id == row)
        .values(
            job_id=usage.job_id,
            ended_at=usage.ended_at,
            busy_s=usage.busy_s,
            idle_s=usage.idle_s,
            busy=False,
            counted_at=usage.counted_at,
            energy_wh=usage.energy_wh,
            meter_wh=usage.meter_wh,
            meter_epoch=usage.meter_epoch,
            stop_reason=usage.stop_reason,
        )
    )


def give_session(session: Session, row: int, owner: Owner) -> None:
    """The session belongs to this booking."""
    session.execute(
        update(UsageSession)
        .where(UsageSession.id == row)
        .values(booking_id=owner.booking_id, member_id=owner.member_id)
    )


def count_sessions(session: Session, counted: Sequence[tuple[int, Usage]]) -> None:
    """The seconds and energy of open sessions so far, by row; one statement for any number."""
    rows, usages = zip(*counted, strict=True)
    session.execute(
        text(_COUNT),
        {
            "ids": list(rows),
            "jobs": [usage.job_id for usage in usages],
            "busy_s": [usage.busy_s for usage in usages],
            "idle_s": [usage.idle_s for usage in usages],
            "busy": [usage.busy for usage in usages],
            "counted": [usage.counted_at for usage in usages],
            "energy": [usage.energy_wh for usage in usages],
            "meter": [usage.meter_wh for usage in usages],
            "epochs": [usage.meter_epoch for usage in usages],
        },
    )


_COUNT = """
UPDATE usage_session AS s
SET job_id = n.job_id, busy_s = n.busy_s, idle_s = n.idle_s, busy = n.busy, counted_at = n.counted_at,
    energy_wh = n.energy_wh, meter_wh = n.meter_wh, meter_epoch = n.meter_epoch
FROM unnest(CAST(:ids AS bigint[]), CAST(:jobs AS uuid[]), CAST(:busy_s AS float8[]),
            CAST(:idle_s AS float8[]), CAST(:busy AS boolean[]), CAST(:counted AS timestamptz[]),
            CAST(:energy AS float8[]), CAST(:meter AS float8[]), CAST(:epochs AS text[]))
  AS n (id, job_id, busy_s, idle_s, busy, counted_at, energy_wh, meter_wh, meter_epoch)
WHERE s.id = n.id
"""
