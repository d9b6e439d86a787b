"""The rollup every report reads."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base


class MachineHour(Base):
    """One machine in one hour (UTC): seconds open, booked and used, and what happened.

    Derived only: recomputing any hour from bookings, sessions, jobs and claims gives the same row.
    """

    __tablename__ = "machine_hour"
    __table_args__ = (Index("ix_machine_hour_lab_id_hour", "lab_id", "hour"),)

    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    open_s: Mapped[int] = mapped_column(default=0)
    outage_s: Mapped[int] = mapped_column(default=0)
    booked_s: Mapped[float] = mapped_column(default=0.0)
    used_s: Mapped[float] = mapped_column(default=0.0)
    used_booked_s: Mapped[float] = mapped_column(default=0.0)
    used_unbooked_s: Mapped[float] = mapped_column(default=0.0)
    overrun_s: Mapped[float] = mapped_column(default=0.0)
    # Counted in the hour in which the booking starts, or the job ends.
    bookings: Mapped[int] = mapped_column(default=0)
    missed: Mapped[int] = mapped_column(default=0)
    jobs_finished: Mapped[int] = mapped_column(default=0)
    jobs_failed: Mapped[int] = mapped_column(default=0)
    jobs_cancelled: Mapped[int] = mapped_column(default=0)
    jobs_interrupted: Mapped[int] = mapped_column(default=0)
    energy_wh: Mapped[float] = mapped_column(default=0.0)
