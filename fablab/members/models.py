"""Members, their roles, guardians' consents, and the audit."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Index,
    String,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from fablab.db import Base
from fablab.members.search import LONGEST, sought

ROLES = ("maker", "trainer", "manager", "operator", "admin")
ROLES_OF_ONE_LAB = ("trainer", "manager")
WORDS = "array_to_tsvector(array_remove(string_to_array(sought::text, ' '::text), ''::text))"


def _sought(context: Any) -> str:
    """What a new member is found by."""
    row = context.get_current_parameters()
    return sought(row["name"], row["email"])


class Member(Base):
    """A person with an account. E-mail addresses are unique without regard to case."""

    __tablename__ = "member"
    __table_args__ = (
        CheckConstraint("language IN ('fr', 'ar', 'en')", name="language"),
        Index("uq_member_email", text("lower(email)"), unique=True),
        Index("ix_member_words", "words", postgresql_using="gin"),
        # The order of every list of members.
        Index("ix_member_sought", "sought", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    language: Mapped[str] = mapped_column(String(2), default="fr", server_default="fr")
    # Only needed under 18; who is of age need not tell.
    birth_on: Mapped[date | None]
    email_verified_at: Mapped[datetime | None]
    # A slug of the network's tariff categories, as staff see it; "" where nobody said.
    category: Mapped[str] = mapped_column(String(60), default="", server_default="")
    # Set once the person's data is gone; the row stays for the statistics.
    erased_at: Mapped[datetime | None]
    # Name and address without accents and in lower case, as `fablab.members.search` writes them. Whoever
    # changes one of them sets this too. In the order of bytes, which is the same on every server.
    sought: Mapped[str] = mapped_column(String(LONGEST, collation="C"), default=_sought, server_default="")
    # No parser of the database comes between: a word is what stands between blanks.
    words: Mapped[str] = mapped_column(TSVECTOR, Computed(WORDS, persisted=True), deferred=True)

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


class GuardianConsent(Base):
    """A guardian's consent to a minor's account: who gave it, when, to which words, and who recorded it."""

    __tablename__ = "guardian_consent"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    guardian_name: Mapped[str] = mapped_column(String(120))
    guardian_email: Mapped[str | None] = mapped_column(String(254))
    # The very words that were agreed to: they may change later, the agreement does not.
    words: Mapped[str] = mapped_column(String(2000))
    given_on: Mapped[date]
    recorded_at: Mapped[datetime]
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    withdrawn_at: Mapped[datetime | None]


class Audit(Base):
    """Who did what to whom, when and from where: rights, overrides, commands, exports. It only grows.

    A trigger refuses changes, except that an address may be forgotten, and that what is older than
    AUDIT_KEPT_AT_LEAST may be deleted.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_actor_id", "actor_id", "id"),
        Index("ix_audit_on_member_id", "on_member_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    # None: the command line or the clock. Members' rows are never deleted, so no name is lost by accident.
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    on_member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    lab_id: Mapped[int | None] = mapped_column(ForeignKey("lab.id"))
    action: Mapped[str] = mapped_column(String(60), index=True)
    # The thing acted on, such as "booking 7"; never a name or an address.
    subject: Mapped[str] = mapped_column(String(120))
    detail: Mapped[str] = mapped_column(String(2000), default="")
    address: Mapped[str | None] = mapped_column(String(45))


AUDIT_KEPT_AT_LEAST = "1 year"
AUDIT_GUARD = f"""
CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.at < now() - interval '{AUDIT_KEPT_AT_LEAST}' THEN
      RETURN OLD;
    END IF;
  ELSIF TG_OP = 'UPDATE' THEN
    IF NEW.address IS NULL AND (to_jsonb(NEW) - 'address') = (to_jsonb(OLD) - 'address') THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit only grows' USING ERRCODE = 'integrity_constraint_violation';
END
$$
"""
AUDIT_TRIGGERS = """
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();
"""
event.listen(Base.metadata, "before_create", DDL(AUDIT_GUARD.replace("%", "%%")))
event.listen(Audit.__table__, "after_create", DDL(AUDIT_TRIGGERS))
