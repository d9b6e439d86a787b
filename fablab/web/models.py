"""What the HTTP edge itself keeps."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base


class Idempotency(Base):
    """The answer to a POST that carried an Idempotency-Key, so that sending it again changes nothing."""

    __tablename__ = "idempotency"

    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    # SHA-256 of method, path and body: the same key with another request is refused.
    digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    body: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
