"""Places and the machines in them."""

from __future__ import annotations

from datetime import time
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, SmallInteger, String, UniqueConstraint, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from fablab.db import Base


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

    region: Mapped[Region] = relationship()
    openings: Mapped[list[Opening]] = relationship(order_by="Opening.weekday, Opening.opens")


class Opening(Base):
    """One open span of a weekday in the lab's wall time; Monday is 0. Closing at 00:00 means midnight."""

    __tablename__ = "opening"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("closes > opens OR closes = '00:00'", name="order"),
        UniqueConstraint("lab_id", "weekday", "opens"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id", ondelete="CASCADE"))
    weekday: Mapped[int] = mapped_column(SmallInteger)
    opens: Mapped[time]
    closes: Mapped[time]
    # Staff are there. Minors book only then.
    supervised: Mapped[bool] = mapped_column(default=True, server_default=true())


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
