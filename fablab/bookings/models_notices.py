"""What people and programs are still to be told of bookings."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fablab.bookings.models import REASON_MAX
from fablab.db import Base


class Notice(Base):
    """An act upon a booking that nobody has been told of yet, with the booking as it was right after it.

    Written by the act's own statement or transaction, so that it costs the act next to nothing; the clock
    makes mails and webhook deliveries of it within seconds, and deletes it. What belongs to one act (a
    series, several machines) shares a ``batch``, and comes to a reader as one mail.
    """

    __tablename__ = "booking_notice"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    batch: Mapped[UUID]
    # A copy that lives for seconds: nothing but the booking is looked up when it is written.
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    what: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]
    # None: the clock, or the machine itself.
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    version: Mapped[int]
    machine_id: Mapped[int]
    member_id: Mapped[int] = mapped_column(BigInteger)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    # Whose it was before it was handed over.
    from_member_id: Mapped[int | None] = mapped_column(BigInteger)
    # Free spans offered instead: [{"machine", "lab", "starts_at", "ends_at"}].
    offers: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)


class Digest(Base):
    """The last local day whose digest a lab's staff have got."""

    __tablename__ = "digest"

    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date]
