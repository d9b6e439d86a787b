"""What claims a machine's time beside bookings, and what members agree among themselves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base

NOTE_MAX = 500


class Outage(Base):
    """A span in which a machine is out of service. ``ends_at`` None: until somebody says otherwise."""

    __tablename__ = "outage"
    __table_args__ = (
        CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name="span"),
        CheckConstraint(
            "category IN ('fault', 'maintenance', 'upgrade', 'supplies', 'other')", name="category"
        ),
        Index("ix_outage_machine_id_starts_at", "machine_id", "starts_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id"))
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    category: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(String(NOTE_MAX), default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    created_at: Mapped[datetime]


class Waiting(Base):
    """A member in line for a machine, or any of a kind, for some time within [after, before).

    Who was first is offered first. While ``state`` is 'held' a hold stands for them.
    """

    __tablename__ = "waiting"
    __table_args__ = (
        CheckConstraint("(kind_id IS NULL) <> (machine_id IS NULL)", name="one_thing"),
        CheckConstraint("before > after AND duration_s > 0", name="window"),
        CheckConstraint("state IN ('waiting', 'held', 'accepted', 'withdrawn', 'expired')", name="state"),
        Index("ix_waiting_machine_id", "machine_id", postgresql_where="state = 'waiting'"),
        Index("ix_waiting_kind_id", "kind_id", postgresql_where="state = 'waiting'"),
        Index("ix_waiting_member_id", "member_id"),
        Index("ix_waiting_before", "before", postgresql_where="state IN ('waiting', 'held')"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id"))
    kind_id: Mapped[int | None] = mapped_column(ForeignKey("kind.id"))
    # Only machines of this lab; None: any lab's.
    lab_id: Mapped[int | None] = mapped_column(ForeignKey("lab.id"))
    duration_s: Mapped[int]
    after: Mapped[datetime]
    before: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    created_at: Mapped[datetime]
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id", ondelete="SET NULL"))


class Hold(Base):
    """A freed span kept for the first in line until ``expires_at``. It goes when taken, declined or over."""

    __tablename__ = "hold"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="span"),
        Index("ix_hold_expires_at", "expires_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    waiting_id: Mapped[int] = mapped_column(ForeignKey("waiting.id", ondelete="CASCADE"), unique=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    # SHA-256 of the secret in the mail's link.
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)


class Handover(Base):
    """A member offers another one a booking, for nothing (transfer) or for one of theirs (swap)."""

    __tablename__ = "handover"
    __table_args__ = (
        CheckConstraint("state IN ('offered', 'accepted', 'declined', 'withdrawn', 'expired')", name="state"),
        Index("ix_handover_booking_id", "booking_id"),
        Index("ix_handover_for_booking_id", "for_booking_id"),
        Index("ix_handover_to_member_id", "to_member_id"),
        Index("ix_handover_expires_at", "expires_at", postgresql_where="state = 'offered'"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    # What is asked in return; None: nothing.
    for_booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"))
    from_member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    # As it was written; empty for a swap. No account need be behind it, and no answer tells.
    to_email: Mapped[str] = mapped_column(String(254), default="", server_default="")
    to_member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    # What the bookings were when it was offered: it is about these, and no later change of them.
    version: Mapped[int]
    for_version: Mapped[int | None]
    note: Mapped[str] = mapped_column(String(NOTE_MAX), default="")
    state: Mapped[str] = mapped_column(String(10), default="offered")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
