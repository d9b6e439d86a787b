"""Rules as rows: what is asked of bookings, where, and of whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base

NAME_MAX, CATEGORY_MAX, NOTE_MAX = 40, 60, 300


class RuleRow(Base):
    """One value of one rule. What is None does not narrow it; with nothing set it holds in the whole network.

    Of several that fit a booking the most specific counts (`fablab.bookings.rulebook`).
    """

    __tablename__ = "rule"
    __table_args__ = (
        CheckConstraint("machine_id IS NULL OR (lab_id IS NULL AND kind_id IS NULL)", name="place"),
        Index(
            "uq_rule",
            "name",
            text("coalesce(lab_id, 0)"),
            text("coalesce(kind_id, 0)"),
            text("coalesce(machine_id, 0)"),
            text("coalesce(category, '')"),
            text("coalesce(organisation_id, 0)"),
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    value: Mapped[Any] = mapped_column(JSONB)
    lab_id: Mapped[int | None] = mapped_column(ForeignKey("lab.id", ondelete="CASCADE"))
    kind_id: Mapped[int | None] = mapped_column(ForeignKey("kind.id", ondelete="CASCADE"))
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    # Of a member: a slug of the network's tariff categories.
    category: Mapped[str | None] = mapped_column(String(CATEGORY_MAX))
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id", ondelete="CASCADE"))
    note: Mapped[str] = mapped_column(String(NOTE_MAX), default="")
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    changed_at: Mapped[datetime]


class RulesVersion(Base):
    """One row, another version with every change: who has the rules in memory knows when to read again."""

    __tablename__ = "rules_version"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    version: Mapped[UUID] = mapped_column(default=uuid4, server_default=text("gen_random_uuid()"))
