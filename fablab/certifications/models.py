"""Certifications with their history, and the trainings that lead to them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base

TITLE_MAX, NOTES_MAX, REASON_MAX = 120, 2000, 500
PLACES_MAX = 500
ONE_THING = "(kind_id IS NULL) <> (machine_id IS NULL)"


class Certification(Base):
    """That a member may use a kind of machine, or one machine, at a level. There is one for each at most."""

    __tablename__ = "certification"
    __table_args__ = (
        CheckConstraint(ONE_THING, name="one_thing"),
        CheckConstraint("level BETWEEN 1 AND 3", name="level"),
        Index(
            "uq_certification",
            "member_id",
            text("coalesce(kind_id, 0)"),
            text("coalesce(machine_id, 0)"),
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    kind_id: Mapped[int | None] = mapped_column(ForeignKey("kind.id"))
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id"))
    # The lab whose trainer granted it.
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), index=True)
    # 1 basic, 2 on one's own, 3 may teach.
    level: Mapped[int] = mapped_column(SmallInteger)
    granted_at: Mapped[datetime]
    renewed_at: Mapped[datetime]
    expires_on: Mapped[date | None]
    # Told by measured use (`fablab.usage.tasks`), not typed in.
    last_used_at: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # The expiry the member has been reminded of: each is told of once.
    reminded_for: Mapped[date | None]
    # What the certificate's public page is asked for: long enough that nobody guesses one.
    code: Mapped[str] = mapped_column(String(32), unique=True)


class CertificationChange(Base):
    """One change of a certification: who or what made it, when, what, and why."""

    __tablename__ = "certification_change"
    __table_args__ = (
        CheckConstraint("change IN ('granted', 'renewed', 'suspended', 'resumed', 'revoked')", name="change"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    certification_id: Mapped[int] = mapped_column(
        ForeignKey("certification.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    # None: the clock.
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    change: Mapped[str] = mapped_column(String(10))
    level: Mapped[int] = mapped_column(SmallInteger)
    training_id: Mapped[int | None] = mapped_column(ForeignKey("training.id"))
    reason: Mapped[str] = mapped_column(String(REASON_MAX), default="")


class Training(Base):
    """A session in a lab with places, at the end of which those who came may be certified in one act."""

    __tablename__ = "training"
    __table_args__ = (
        CheckConstraint(ONE_THING, name="one_thing"),
        CheckConstraint("level BETWEEN 1 AND 3", name="level"),
        CheckConstraint("ends_at > starts_at", name="span"),
        CheckConstraint(f"places BETWEEN 1 AND {PLACES_MAX}", name="places"),
        Index("ix_training_lab_id_starts_at", "lab_id", "starts_at"),
        Index("ix_training_starts_at", "starts_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    kind_id: Mapped[int | None] = mapped_column(ForeignKey("kind.id"))
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id"))
    level: Mapped[int] = mapped_column(SmallInteger)
    title: Mapped[str] = mapped_column(String(TITLE_MAX))
    notes: Mapped[str] = mapped_column(String(NOTES_MAX), default="")
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    places: Mapped[int]
    trainer_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    created_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    # Attendance was taken and certifications granted: nothing changes any more.
    closed_at: Mapped[datetime | None]


class Enrolment(Base):
    """A member's place in a training, or in the line for one."""

    __tablename__ = "enrolment"
    __table_args__ = (
        CheckConstraint("state IN ('enrolled', 'waiting', 'cancelled', 'attended', 'absent')", name="state"),
    )

    training_id: Mapped[int] = mapped_column(ForeignKey("training.id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), primary_key=True, index=True)
    state: Mapped[str] = mapped_column(String(10))
    enrolled_at: Mapped[datetime]
    changed_at: Mapped[datetime]
