"""Organisations, who belongs to them, invitations, quotas and projects."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base

KINDS = ("school_club", "startup", "company", "university", "association", "individual")


class Organisation(Base):
    """A school club, a company or whoever else members act for."""

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('school_club', 'startup', 'company', 'university', 'association', 'individual')",
            name="kind",
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(20))
    # A slug of config/network.toml.
    tariff_category: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class Membership(Base):
    """A member in an organisation; owners invite, remove and see what is done in its name."""

    __tablename__ = "membership"

    organisation_id: Mapped[int] = mapped_column(
        ForeignKey("organisation.id", ondelete="CASCADE"), primary_key=True
    )
    member_id: Mapped[int] = mapped_column(
        ForeignKey("member.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    owner: Mapped[bool] = mapped_column(default=False)
    since: Mapped[datetime]


class Invitation(Base):
    """An invitation into an organisation, by mail. Only the SHA-256 of its secret is kept."""

    __tablename__ = "invitation"
    __table_args__ = (
        Index(
            "uq_invitation_open",
            "organisation_id",
            text("lower(email)"),
            unique=True,
            postgresql_where="accepted_at IS NULL AND withdrawn_at IS NULL",
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(254))
    owner: Mapped[bool] = mapped_column(default=False)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    invited_by_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]


class Quota(Base):
    """How much machine time an organisation may book in a local week or month, of one kind or of all."""

    __tablename__ = "quota"
    __table_args__ = (
        CheckConstraint("period IN ('week', 'month')", name="period"),
        CheckConstraint("limit_s >= 0", name="limit"),
        Index("uq_quota", "organisation_id", "period", text("coalesce(kind_id, 0)"), unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id", ondelete="CASCADE"))
    kind_id: Mapped[int | None] = mapped_column(ForeignKey("kind.id"))
    period: Mapped[str] = mapped_column(String(10))
    limit_s: Mapped[int] = mapped_column(BigInteger)


class Project(Base):
    """What bookings are for: a work in one creative field, perhaps funded by a programme."""

    __tablename__ = "project"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    # None: the member's own.
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"), index=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    # Slugs of config/network.toml.
    filiere: Mapped[str] = mapped_column(String(60))
    programme: Mapped[str | None] = mapped_column(String(60))
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
