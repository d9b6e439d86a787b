"""Bookings, their history, and the one table that makes a double booking impossible."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    DDL,
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    event,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import INT8RANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from fablab.db import Base
from fablab.machines.models import Machine
from fablab.members.models import Member
from fablab.organisations.models import Organisation, Project

STATES = ("requested", "confirmed", "started", "completed", "cancelled", "missed", "rejected")
PURPOSE_MAX, REASON_MAX = 200, 500


class Booking(Base):
    """A member's claim on a machine for the half-open span [starts_at, ends_at).

    The wall times the member asked for are kept beside the instants: a decree may move the clock
    after booking.
    """

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="span"),
        CheckConstraint("head_count BETWEEN 1 AND 500", name="head_count"),
        CheckConstraint(
            "state IN ('requested', 'confirmed', 'started', 'completed', 'cancelled', 'missed', 'rejected')",
            name="state",
        ),
        Index("ix_booking_machine_id_starts_at", "machine_id", "starts_at"),
        Index("ix_booking_member_id_starts_at", "member_id", "starts_at"),
        Index("ix_booking_lab_id_starts_at", "lab_id", "starts_at"),
        Index(
            "ix_booking_organisation_id_starts_at",
            "organisation_id",
            "starts_at",
            postgresql_where="organisation_id IS NOT NULL",
        ),
        Index("ix_booking_project_id", "project_id", postgresql_where="project_id IS NOT NULL"),
        Index(
            "ix_booking_due",
            "ends_at",
            postgresql_where="state IN ('confirmed', 'started')",
        ),
        Index("ix_booking_bundle_id", "bundle_id", postgresql_where="bundle_id IS NOT NULL"),
        Index("ix_booking_series_id", "series_id", postgresql_where="series_id IS NOT NULL"),
        Index("ix_booking_requested", "lab_id", "decide_by", postgresql_where="state = 'requested'"),
        # Finds what overlaps a span however long the history is.
        Index("ix_booking_span", text("tstzrange(starts_at, ends_at)"), postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id"))
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    created_by_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    zone: Mapped[str] = mapped_column(String(60))
    local_starts: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    local_ends: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    state: Mapped[str] = mapped_column(String(20))
    purpose: Mapped[str] = mapped_column(String(PURPOSE_MAX), default="")
    created_at: Mapped[datetime]
    # In whose name and for what, where it is not just the member's own affair.
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"))
    # How many come, the member included; more than one makes it a group booking, which the member leads.
    head_count: Mapped[int] = mapped_column(default=1, server_default="1")
    # Grows with every change: the ETag, and the SEQUENCE of its calendar entry.
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    # Bookings of several machines made as one share the id of the first.
    bundle_id: Mapped[int | None] = mapped_column(BigInteger)
    # Which occurrence of a series it is: the wall time at which the rule places it, wherever it was moved.
    series_id: Mapped[int | None] = mapped_column(ForeignKey("series.id"))
    series_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))
    # A request that nobody has decided by then is over.
    decide_by: Mapped[datetime | None]
    checked_in_at: Mapped[datetime | None]
    checked_out_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    # A missed booking that staff do not count against the member.
    forgiven: Mapped[bool] = mapped_column(default=False, server_default=false())

    machine: Mapped[Machine] = relationship()
    member: Mapped[Member] = relationship(foreign_keys=[member_id])
    organisation: Mapped[Organisation | None] = relationship()
    project: Mapped[Project | None] = relationship()


class Participant(Base):
    """One who comes along on a group booking.

    ``name`` is what the leader wrote, a name or an address. The leader reads just that again, whether there
    is an account behind it or not: otherwise a list would tell who has one.
    """

    __tablename__ = "participant"
    __table_args__ = (Index("uq_participant", "booking_id", "member_id", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"), index=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"), index=True)
    name: Mapped[str] = mapped_column(String(254))


class BookingChange(Base):
    """One change of a booking: who or what made it, when, from which state and time to which, and why.

    Times and machines are set where they changed, or began; ``broke`` lists the codes of the rules that an
    override by staff went over.
    """

    __tablename__ = "booking_change"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    # 'member', 'machine' (telemetry) or 'clock' (a task); the member is known in the first case only.
    made_by: Mapped[str] = mapped_column(String(10))
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    from_state: Mapped[str | None] = mapped_column(String(20))
    to_state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    from_starts_at: Mapped[datetime | None]
    from_ends_at: Mapped[datetime | None]
    from_machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id"))
    to_starts_at: Mapped[datetime | None]
    to_ends_at: Mapped[datetime | None]
    to_machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id"))
    # Whose it was and is, where it changed hands.
    from_holder_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    to_holder_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    broke: Mapped[list[str]] = mapped_column(ARRAY(String(40)), default=list, server_default="{}")


class Approval(Base):
    """One approver's yes to a request; how many are needed is a rule."""

    __tablename__ = "approval"

    booking_id: Mapped[int] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id"), primary_key=True, index=True)
    at: Mapped[datetime]


class Occupancy(Base):
    """Every live claim on a unit's time. Two that overlap cannot be stored.

    A booking has one for its machine and one for each machine that this one needs. An outage has as many as
    there are gaps between the bookings it met.

    ``slot`` puts the unit in the high bits and the epoch seconds in the low 33 bits of an int8range, so that
    one built-in operator class compares both, and the constraint needs no extension. Neighbours touch without
    clashing.
    """

    __tablename__ = "occupancy"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="span"),
        CheckConstraint("kind IN ('booking', 'outage', 'hold')", name="kind"),
        CheckConstraint(
            "(kind = 'booking') = (booking_id IS NOT NULL) AND (kind = 'outage') = (outage_id IS NOT NULL) "
            "AND (kind = 'hold') = (hold_id IS NOT NULL)",
            name="owner",
        ),
        ExcludeConstraint(("slot", "&&"), using="gist", name="one_claim_per_unit_and_instant"),
        # Outages are few among many bookings, and statistics look for them every minute.
        Index("ix_occupancy_outage", "ends_at", postgresql_where="kind = 'outage'"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    # The claimed span: the booking's own with its set-up before and its clean-up after.
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(10))
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id", ondelete="CASCADE"), index=True)
    outage_id: Mapped[int | None] = mapped_column(ForeignKey("outage.id", ondelete="CASCADE"), index=True)
    hold_id: Mapped[int | None] = mapped_column(ForeignKey("hold.id", ondelete="CASCADE"), index=True)
    slot: Mapped[Range[int]] = mapped_column(
        INT8RANGE, Computed("occupancy_slot(unit_id, starts_at, ends_at)", persisted=True)
    )


# extract() on timestamptz is STABLE only because some of its fields depend on the zone; the epoch does not.
SLOT_FUNCTION = """
CREATE FUNCTION occupancy_slot(unit_id bigint, starts_at timestamptz, ends_at timestamptz) RETURNS int8range
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT int8range((unit_id << 33) + extract(epoch FROM starts_at)::bigint,
                   (unit_id << 33) + extract(epoch FROM ends_at)::bigint)
$$
"""
event.listen(Base.metadata, "before_create", DDL(SLOT_FUNCTION))
