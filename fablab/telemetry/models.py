"""What bridges report, and the bookkeeping that makes it exact."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base


class Bridge(Base):
    """A bridge in a lab, and whether it is connected."""

    __tablename__ = "bridge"
    __table_args__ = (Index("uq_bridge_lab_id_name", "lab_id", "name", unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    online: Mapped[bool] = mapped_column(default=False)
    boot: Mapped[str | None] = mapped_column(String(60))
    version: Mapped[str | None] = mapped_column(String(64))
    presence_at: Mapped[datetime | None]


class BridgeCredential(Base):
    """A broker account of a bridge. Two may be valid at once, so that a password changes without a break."""

    __tablename__ = "bridge_credential"
    __table_args__ = (
        Index("uq_bridge_credential_valid", "username", unique=True, postgresql_where="revoked_at IS NULL"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    bridge_id: Mapped[int] = mapped_column(ForeignKey("bridge.id", ondelete="CASCADE"), index=True)
    username: Mapped[str] = mapped_column(String(132))
    # PBKDF2-SHA512 as `fablab.telemetry.broker_accounts` writes it; the password itself is shown once.
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class BridgeOutbox(Base):
    """How far the numbered messages of one outbox file are in the database."""

    __tablename__ = "bridge_outbox"

    outbox: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    bridge_id: Mapped[int] = mapped_column(ForeignKey("bridge.id", ondelete="CASCADE"), index=True)
    committed_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    # A bridge whose file was replaced has several outboxes; the one announced last is in use.
    announced_at: Mapped[datetime]
    # Since when a message is missing that later ones have overtaken.
    gap_since: Mapped[datetime | None]


class MessageGap(Base):
    """Messages of an outbox that never came: given up after a while, and shown."""

    __tablename__ = "message_gap"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    outbox: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("bridge_outbox.outbox", ondelete="CASCADE"), index=True
    )
    first_seq: Mapped[int] = mapped_column(BigInteger)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    recorded_at: Mapped[datetime]


class MachineStatus(Base):
    """The newest word of each machine. ``at`` is the bridge's stamp, ``seen_at`` ours."""

    __tablename__ = "machine_status"

    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), index=True)
    bridge_id: Mapped[int | None] = mapped_column(ForeignKey("bridge.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime]
    at: Mapped[datetime]
    seen_at: Mapped[datetime]
    detail: Mapped[str | None] = mapped_column(String(1000))
    # The running job as the wire's JobStatus, or null.
    job: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # {"tool0": {"actual_c": 214.9, "target_c": 220.0}, ...}
    temperatures: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    power_w: Mapped[float | None]
    energy_wh: Mapped[float | None]
    clock_skew_s: Mapped[float | None]


class StatusChange(Base):
    """One change of a machine's state, for history and statistics."""

    __tablename__ = "status_change"
    __table_args__ = (Index("ix_status_change_machine_id_at", "machine_id", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    at: Mapped[datetime]
    from_state: Mapped[str | None] = mapped_column(String(20))
    to_state: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str | None] = mapped_column(String(1000))
    historical: Mapped[bool] = mapped_column(default=False)


class Reading(Base):
    """A measurement at an instant. Partitioned by month: partitions are made ahead."""

    __tablename__ = "reading"
    __table_args__ = ({"postgresql_partition_by": "RANGE (at)"},)

    machine_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    # The message's number in its outbox: two readings may carry the same millisecond.
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    lab_id: Mapped[int]
    progress: Mapped[float | None]
    temperatures: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    power_w: Mapped[float | None]
    energy_wh: Mapped[float | None]
    energy_epoch: Mapped[str | None] = mapped_column(String(64))


class DeadLetter(Base):
    """A message nobody could read, kept as it came (cut at 64 KiB) with the reason."""

    __tablename__ = "dead_letter"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    received_at: Mapped[datetime] = mapped_column(index=True)
    topic: Mapped[str] = mapped_column(String(300))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    size: Mapped[int]
    reason: Mapped[str] = mapped_column(String(500))
