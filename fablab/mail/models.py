"""The outbox of mails."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base


class Mail(Base):
    """A mail to one person, written in the transaction of the act it tells of: neither goes alone."""

    __tablename__ = "mail"
    __table_args__ = (
        Index("ix_mail_due", "due_at", postgresql_where="sent_at IS NULL AND given_up_at IS NULL"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    # None: somebody without an account, such as an invited one.
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    address: Mapped[str] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(2))
    template: Mapped[str] = mapped_column(String(40))
    # What the template needs. Emptied once sent: a link in it may open an account.
    filling: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    # An iCalendar text that goes with it, emptied once sent; its METHOD stands in it.
    calendar: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]
    trouble: Mapped[str] = mapped_column(String(300), default="")


class NoticeChoice(Base):
    """That a member does not want one kind of notice by mail. Who says nothing gets them all."""

    __tablename__ = "notice_choice"

    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    notice: Mapped[str] = mapped_column(String(40), primary_key=True)
    by_mail: Mapped[bool]
