"""Places and the machines in them."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from fablab.db import Base

LABEL_MAX, RRULE_MAX = 120, 500


class _Named:
    """A thing with a slug and a name in the network's three languages."""

    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name_fr: Mapped[str] = mapped_column(String(120))
    name_ar: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(120))


class Region(_Named, Base):
    __tablename__ = "region"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)


class Lab(_Named, Base):
    """A fablab: where it is and which clock hangs on its wall (an IANA zone)."""

    __tablename__ = "lab"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    region_id: Mapped[int] = mapped_column(ForeignKey("region.id"))
    zone: Mapped[str] = mapped_column(String(60))
    address: Mapped[str] = mapped_column(String(200), default="")
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    # Another with every change of hours, seasons and closures: tells who has them in memory to read again.
    hours_version: Mapped[UUID] = mapped_column(default=uuid4, server_default=text("gen_random_uuid()"))

    region: Mapped[Region] = relationship()
    openings: Mapped[list[Opening]] = relationship(order_by="Opening.weekday, Opening.opens")


class Season(Base):
    """Days, the last one included, on which a lab keeps other hours, such as those of Ramadan.

    Where seasons overlap the highest priority counts, then the later start. A proposal counts once staff have
    confirmed it; one that they declined is kept, so that it is not proposed again.
    """

    __tablename__ = "season"
    __table_args__ = (
        CheckConstraint("ends_on >= starts_on", name="days"),
        CheckConstraint("state IN ('proposed', 'confirmed', 'declined')", name="state"),
        UniqueConstraint("lab_id", "proposal"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id", ondelete="CASCADE"))
    label: Mapped[str] = mapped_column(String(LABEL_MAX))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    priority: Mapped[int] = mapped_column(SmallInteger, default=0)
    # What proposed it, such as "ramadan-1448": it is proposed once. None: staff thought of it.
    proposal: Mapped[str | None] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(10), default="confirmed")


class Opening(Base):
    """One open span of a weekday in the lab's wall time; Monday is 0.

    Closing at or before the opening time means on the next day, at 00:00 midnight. It is a lab's own, one
    machine's, a season's, or one machine's in a season.
    """

    __tablename__ = "opening"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        Index(
            "uq_opening",
            "lab_id",
            text("coalesce(machine_id, 0)"),
            text("coalesce(season_id, 0)"),
            "weekday",
            "opens",
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id", ondelete="CASCADE"))
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    season_id: Mapped[int | None] = mapped_column(ForeignKey("season.id", ondelete="CASCADE"))
    weekday: Mapped[int] = mapped_column(SmallInteger)
    opens: Mapped[time]
    closes: Mapped[time]
    # Staff are there. Minors book only then.
    supervised: Mapped[bool] = mapped_column(default=True, server_default=true())


class Closure(Base):
    """A span of wall time, once or again and again, in which a lab or one machine is closed.

    ``rrule`` (RFC 5545, wall time) repeats it. A proposal counts once staff have confirmed it. One that they
    declined is kept, so that it is not proposed again.
    """

    __tablename__ = "closure"
    __table_args__ = (
        CheckConstraint("local_ends > local_starts", name="span"),
        CheckConstraint("state IN ('proposed', 'confirmed', 'declined')", name="state"),
        UniqueConstraint("lab_id", "proposal"),
        Index("ix_closure_lab_id_local_ends", "lab_id", "local_ends"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id", ondelete="CASCADE"))
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    label: Mapped[str] = mapped_column(String(LABEL_MAX))
    local_starts: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    local_ends: Mapped[datetime] = mapped_column(DateTime(timezone=False))
    rrule: Mapped[str | None] = mapped_column(String(RRULE_MAX))
    # Machines that may run unattended stand still, too.
    unattended_too: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(10), default="confirmed")
    proposal: Mapped[str | None] = mapped_column(String(200))
    # Read from this calendar; it goes with it.
    source_id: Mapped[int | None] = mapped_column(
        ForeignKey("calendar_source.id", ondelete="CASCADE"), index=True
    )


class CalendarSource(Base):
    """A calendar elsewhere (iCalendar over http) whose busy times are closures of a lab."""

    __tablename__ = "calendar_source"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(LABEL_MAX))
    url: Mapped[str] = mapped_column(String(500))
    etag: Mapped[str | None] = mapped_column(String(200))
    read_at: Mapped[datetime | None]
    # Why the last reading failed; empty when it did not.
    trouble: Mapped[str] = mapped_column(String(300), default="")


class Kind(_Named, Base):
    """A kind of machine, such as 3d-printer: what people look for when any of them will do."""

    __tablename__ = "kind"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)


class Machine(Base):
    """One bookable machine of one lab."""

    __tablename__ = "machine"
    __table_args__ = (CheckConstraint("setup_s >= 0 AND cleanup_s >= 0", name="buffers"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), index=True)
    kind_id: Mapped[int] = mapped_column(ForeignKey("kind.id"))
    capabilities: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    # May run, and be booked, while nobody is in the lab.
    unattended: Mapped[bool] = mapped_column(default=False)
    # Seconds claimed before and after every booking.
    setup_s: Mapped[int] = mapped_column(default=0)
    cleanup_s: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    # False: only ever claimed together with a machine that needs it, such as an extractor or a circuit.
    bookable: Mapped[bool] = mapped_column(default=True, server_default=true())

    lab: Mapped[Lab] = relationship()
    kind: Mapped[Kind] = relationship()
    units: Mapped[list[Unit]] = relationship(order_by="Unit.number")


class Unit(Base):
    """One of the interchangeable places of a machine; most machines have one."""

    __tablename__ = "unit"
    __table_args__ = (UniqueConstraint("machine_id", "number"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(SmallInteger, default=1)


class Need(Base):
    """A machine runs only together with another: booking it claims a unit of the other for the same time.

    Two machines that exclude one another need the same unit of something, such as the circuit they share.
    """

    __tablename__ = "machine_need"
    __table_args__ = (CheckConstraint("machine_id <> needs_id", name="another"),)

    machine_id: Mapped[int] = mapped_column(ForeignKey("machine.id", ondelete="CASCADE"), primary_key=True)
    needs_id: Mapped[int] = mapped_column(
        ForeignKey("machine.id", ondelete="CASCADE"), primary_key=True, index=True
    )
