"""Reads about places and machines; whatever takes a session is one statement and returns plain records.

One more where the hours of a lab have changed since this process read them last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Select, Uuid, bindparam, column, func, literal_column, select, table
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from fablab.machines.hours import Hours, MachineHours
from fablab.machines.known_hours import hours_of_labs
from fablab.machines.models import Kind, Lab, Machine, Region, Unit


@dataclass(frozen=True)
class LabView:
    """A lab with its own hours. ``names`` are keyed fr, ar, en."""

    id: int
    slug: str
    names: dict[str, str]
    region_slug: str
    region_names: dict[str, str]
    zone: str
    address: str
    latitude: float | None
    longitude: float | None
    hours: MachineHours


@dataclass(frozen=True)
class KindView:
    """A kind of machine, and how many of them can be booked."""

    id: int
    slug: str
    names: dict[str, str]
    machines: int


@dataclass(frozen=True)
class NeededUnits:
    """A machine that another cannot run without, and its units, ascending."""

    machine_id: int
    slug: str
    unit_ids: tuple[int, ...]


@dataclass(frozen=True)
class MachineView:
    """A machine with what its lab contributes. ``unit_ids`` ascend.

    ``needs`` are the machines that are claimed with it, also those that they need in turn. One that is not
    ``bookable`` is only ever claimed so.
    """

    id: int
    slug: str
    name: str
    lab_id: int
    lab_slug: str
    lab_name: str
    zone: str
    kind_id: int
    kind_slug: str
    kind_name: str
    capabilities: dict[str, Any]
    unattended: bool
    setup_s: int
    cleanup_s: int
    active: bool
    bookable: bool
    unit_ids: tuple[int, ...]
    needs: tuple[NeededUnits, ...]
    hours: MachineHours
    # Of the rules of bookings, which domains above keep in memory; None: there never was one.
    rules_version: UUID | None


def labs(session: Session, *, region: str | None = None) -> list[LabView]:
    """All labs, or those of one region (slug), by slug."""
    query = _labs().order_by(Lab.slug)
    if region is not None:
        query = query.where(Region.slug == region)
    rows = session.execute(query).all()
    known = hours_of_labs(session, {row.id: row.hours_version for row in rows})
    return [_lab_view(row, known[row.id]) for row in rows]


def common_zone(labs: Sequence[LabView]) -> str:
    """The zone in which days are meant that concern several labs: that of the first one."""
    return labs[0].zone if labs else "UTC"


def lab_by_slug(session: Session, slug: str) -> LabView | None:
    row = session.execute(_labs().where(Lab.slug == slug)).one_or_none()
    if row is None:
        return None
    return _lab_view(row, hours_of_labs(session, {row.id: row.hours_version})[row.id])


def kinds(session: Session) -> list[KindView]:
    """All kinds of machine, by slug."""
    count = select(func.count()).where(Machine.kind_id == Kind.id, Machine.active).scalar_subquery()
    rows = session.execute(
        select(Kind.id, Kind.slug, Kind.name_fr, Kind.name_ar, Kind.name_en, count).order_by(Kind.slug)
    )
    return [KindView(id_, slug, _names(fr, ar, en), n) for id_, slug, fr, ar, en, n in rows]


def machines(
    session: Session,
    *,
    lab: str | None = None,
    region: str | None = None,
    kind: str | None = None,
    ids: Iterable[int] | None = None,
    after: str | None = None,
    limit: int | None = None,
    inactive: bool = False,
) -> list[MachineView]:
    """Machines by slug. ``lab``, ``region`` and ``kind`` are slugs; ``after`` and ``limit`` page."""
    query = _machines().order_by(Machine.slug)
    if not inactive:
        query = query.where(Machine.active)
    if lab is not None:
        query = query.where(Lab.slug == lab)
    if region is not None:
        query = query.join(Region, Region.id == Lab.region_id).where(Region.slug == region)
    if kind is not None:
        query = query.where(Kind.slug == kind)
    if ids is not None:
        query = query.where(Machine.id.in_(tuple(ids)))
    if after is not None:
        query = query.where(Machine.slug > after)
    if limit is not None:
        query = query.limit(limit)
    rows = session.execute(query).all()
    known = hours_of_labs(session, {row.lab_id: row.hours_version for row in rows})
    return [_machine_view(row, known[row.lab_id]) for row in rows]


def machine_by_slug(session: Session, slug: str) -> MachineView | None:
    """The machine, also when it is no longer active."""
    row = session.execute(_MACHINE_BY_SLUG, {"slug": slug}).one_or_none()
    if row is None:
        return None
    return _machine_view(row, hours_of_labs(session, {row.lab_id: row.hours_version})[row.lab_id])


def _labs() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Lab.id,
            Lab.slug,
            Lab.name_fr,
            Lab.name_ar,
            Lab.name_en,
            Region.slug.label("region_slug"),
            Region.name_fr.label("region_fr"),
            Region.name_ar.label("region_ar"),
            Region.name_en.label("region_en"),
            Lab.zone,
            Lab.address,
            Lab.latitude,
            Lab.longitude,
            Lab.hours_version,
        )
        .select_from(Lab)
        .join(Region, Region.id == Lab.region_id)
    )


# Looked for only where a machine is known to need any: the machines listed once, and few are.
_NEEDS = literal_column(
    """
    CASE WHEN machine.id IN (SELECT machine_id FROM machine_need) THEN (
        WITH RECURSIVE needed (id) AS (
            SELECT needs_id FROM machine_need WHERE machine_id = machine.id
            UNION SELECT next.needs_id FROM machine_need AS next JOIN needed ON needed.id = next.machine_id
        )
        SELECT json_agg(json_build_array(needed.id, other.slug, (
            SELECT json_agg(unit.id ORDER BY unit.id) FROM unit WHERE unit.machine_id = needed.id
        )) ORDER BY needed.id)
        FROM needed JOIN machine AS other ON other.id = needed.id
        WHERE needed.id <> machine.id
    ) END
    """,
    type_=JSON,
).label("needs")
# The table alone: bookings are above machines, and their models are not known here.
_RULES_VERSION = (
    select(table("rules_version", column("version", Uuid)).c.version).scalar_subquery().label("rules_version")
)


def _machines() -> Select[*tuple[Any, ...]]:
    units = (
        select(func.array_agg(aggregate_order_by(Unit.id, Unit.id)))
        .where(Unit.machine_id == Machine.id)
        .scalar_subquery()
    )
    return (
        select(
            Machine.id,
            Machine.slug,
            Machine.name,
            Machine.lab_id,
            Lab.slug.label("lab_slug"),
            Lab.name_en.label("lab_name"),
            Lab.zone,
            Machine.kind_id,
            Kind.slug.label("kind_slug"),
            Kind.name_en.label("kind_name"),
            Machine.capabilities,
            Machine.unattended,
            Machine.setup_s,
            Machine.cleanup_s,
            Machine.active,
            Machine.bookable,
            units.label("unit_ids"),
            _NEEDS,
            Lab.hours_version,
            _RULES_VERSION,
        )
        .select_from(Machine)
        .join(Lab, Lab.id == Machine.lab_id)
        .join(Kind, Kind.id == Machine.kind_id)
    )


def _lab_view(row: Any, hours: Hours) -> LabView:
    return LabView(
        id=row.id,
        slug=row.slug,
        names=_names(row.name_fr, row.name_ar, row.name_en),
        region_slug=row.region_slug,
        region_names=_names(row.region_fr, row.region_ar, row.region_en),
        zone=row.zone,
        address=row.address,
        latitude=row.latitude,
        longitude=row.longitude,
        hours=hours.of(None),
    )


def _machine_view(row: Any, hours: Hours) -> MachineView:
    values = dict(row._mapping)
    del values["hours_version"]
    values["unit_ids"] = tuple(row.unit_ids or ())
    values["needs"] = tuple(
        NeededUnits(id_, slug, tuple(units or ())) for id_, slug, units in row.needs or ()
    )
    values["hours"] = hours.of(row.id, row.unattended)
    return MachineView(**values)


def _names(fr: str, ar: str, en: str) -> dict[str, str]:
    return {"fr": fr, "ar": ar, "en": en}


# Built once: every booking and every page of a machine asks for it.
_MACHINE_BY_SLUG = _machines().where(Machine.slug == bindparam("slug"))
