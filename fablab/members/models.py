"""Members, their roles and their access tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from fablab.db import Base

ROLES = ("maker", "trainer", "manager", "operator", "admin")
ROLES_OF_ONE_LAB = ("trainer", "manager")


class Member(Base):
    """A person with an account. E-mail addresses are unique without regard to case."""

    __tablename__ = "member"
    __table_args__ = (Index("uq_member_email", text("lower(email)"), unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]

    roles: Mapped[list[Role]] = relationship(back_populates="member", cascade="all, delete-orphan")


class Role(Base):
    """What a member may do: trainer and manager in one lab, the others everywhere."""

    __tablename__ = "role"
    __table_args__ = (
        CheckConstraint("role IN ('maker', 'trainer', 'manager', 'operator', 'admin')", name="known"),
        CheckConstraint("(role IN ('trainer', 'manager')) = (lab_id IS NOT NULL)", name="scope"),
        Index("uq_role", "member_id", "role", text("coalesce(lab_id, 0)"), unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(20))
    lab_id: Mapped[int | None] = mapped_column(ForeignKey("lab.id"))

    member: Mapped[Member] = relationship(back_populates="roles")


class Token(Base):
    """A personal access token; only its SHA-256 is kept."""

    __tablename__ = "token"
    __table_args__ = (CheckConstraint("scope IN ('read', 'write')", name="scope"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scope: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Audit(Base):
    """Who did what to whom, when and from where: rights, overrides, commands, exports."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(120))
    detail: Mapped[str] = mapped_column(String(2000), default="")
    address: Mapped[str | None] = mapped_column(String(45))
