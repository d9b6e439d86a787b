"""Jobs as machines report them, and the usage sessions they make up."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base

OUTCOMES = ("finished", "failed", "cancelled", "interrupted")


class Job(Base):
    """One piece of work as the machine told it. The bridge mints the id; a job that ended stays as it is."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("outcome IN ('finished', 'failed', 'cancelled', 'interrupted')", name="outcome"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
        Index("ix_job_machine_id_started_at", "machine_id", "started_at"),
        Index("ix_job_lab_id_started_at", "lab_id", "started_at"),
        Index("ix_job_ended_at", "ended_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id"))
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    file: Mapped[str | None] = mapped_column(String(500))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(1000))
    # Seconds at work without pauses, and on the wall clock from start to end.
    print_time_s: Mapped[float | None]
    elapsed_s: Mapped[float | None]
    estimated_s: Mapped[float | None]
    filament_mm: Mapped[float | None]
    # Whom the machine itself names, for instance the OctoPrint account.
    owner: Mapped[str | None] = mapped_column(String(200))
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id"), index=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"), index=True)
    historical: Mapped[bool] = mapped_column(default=False)


class UsageSession(Base):
    """A span in which a machine was in use, with its busy and idle seconds. One open session a machine."""

    __tablename__ = "usage_session"
    __table_args__ = (
        CheckConstraint("ended_at >= started_at", name="span"),
        CheckConstraint("busy_s >= 0 AND idle_s >= 0", name="seconds"),
        Index(
            "uq_usage_session_open",
            "machine_id",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
        Index("ix_usage_session_machine_id_started_at", "machine_id", "started_at"),
        Index("ix_usage_session_lab_id_started_at", "lab_id", "started_at"),
        # Closed at both ends: a session of no length is a span too. An open one has no upper bound.
        Index(
            "ix_usage_session_span", text("tstzrange(started_at, ended_at, '[]')"), postgresql_using="gist"
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id"))
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    job_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("job.id"), index=True)
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id"), index=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"), index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    busy_s: Mapped[float] = mapped_column(default=0.0)
    idle_s: Mapped[float] = mapped_column(default=0.0)
    # Whether the machine is at work now, and since when the seconds above are counted up.
    busy: Mapped[bool] = mapped_column(default=True)
    counted_at: Mapped[datetime]
    energy_wh: Mapped[float | None]
    # The meter's last counter value, so that only positive steps are added.
    meter_wh: Mapped[float | None]
    meter_epoch: Mapped[str | None] = mapped_column(String(64))
    stop_reason: Mapped[str | None] = mapped_column(String(40))
