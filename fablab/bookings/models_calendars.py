"""Keys to calendar feeds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, String
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base


class CalendarKey(Base):
    """A secret that opens one feed without signing in: a member's, a machine's or a lab's.

    A machine's and a lab's show what the member who made it may see.
    """

    __tablename__ = "calendar_key"
    __table_args__ = (CheckConstraint("machine_id IS NULL OR lab_id IS NULL", name="one_thing"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    lab_id: Mapped[int | None] = mapped_column(ForeignKey("lab.id", ondelete="CASCADE"))
    # SHA-256 of the secret.
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
