"""Bookings that come again, and several machines that are often booked together."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fablab.bookings.models import PURPOSE_MAX
from fablab.db import Base
from fablab.machines.models import LABEL_MAX, RRULE_MAX


class Series(Base):
    """A rule (RFC 5545, wall time of the lab) and the first occurrence; each occurrence is a booking.

    What was asked for is kept, so that a skipped date can be added later.
    """

    __tablename__ = "series"
    __table_args__ = (
        CheckConstraint("local_ends > local_starts", name="span"),
        Index("ix_series_member_id", "member_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    created_by_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    rrule: Mapped[str] = mapped_column(String(RRULE_MAX))
    zone: Mapped[str] = mapped_column(String(60))
    local_starts: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    local_ends: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    purpose: Mapped[str] = mapped_column(String(PURPOSE_MAX), default="")
    created_at: Mapped[datetime]


class Skip(Base):
    """An occurrence of a series that was not booked, and why: codes of refusals."""

    __tablename__ = "series_skip"

    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"), primary_key=True)
    series_at: Mapped[datetime] = mapped_column(DateTime(timezone=False), primary_key=True)
    reason: Mapped[str] = mapped_column(String(200))


class Preset(Base):
    """Machines of a lab that are often booked together.

    ``steps`` is a list of {"machine": id or "kind": id, "offset_s": int, "duration_s": int}.
    """

    __tablename__ = "preset"
    __table_args__ = (UniqueConstraint("lab_id", "name"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(LABEL_MAX))
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
