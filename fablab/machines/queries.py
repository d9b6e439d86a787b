"""Reads about places and machines; whatever takes a session is one statement and returns plain records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from fablab.machines.models import Kind, Lab, Machine, Opening, Region, Unit
from fablab.machines.rules import OpenHours


@dataclass(frozen=True)
class LabView:
    """A lab with its weekly hours. ``names`` are keyed fr, ar, en."""

    id: int
    slug: str
    names: dict[str, str]
    region_slug: str
    region_names: dict[str, str]
    zone: str
    address: str
    latitude: float | None
    longitude: float | None
    openings: tuple[OpenHours, ...]


@dataclass(frozen=True)
class KindView:
    """A kind of machine, and how many of them can be booked."""

    id: int
    slug: str
    names: dict[str, str]
    machines: int


@dataclass(frozen=True)
class MachineView:
    """A machine with what its lab contributes. ``unit_ids`` ascend."""

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
    unit_ids: tuple[int, ...]
    openings: tuple[OpenHours, ...]


def labs(session: Session, *, region: str | None = None) -> list[LabView]:
    """All labs, or those of one region (slug), by slug."""
    query = _labs().order_by(Lab.slug)
    if region is not None:
        query = query.where(Region.slug == region)
    return [_lab_view(row) for row in session.execute(query)]


def common_zone(labs: Sequence[LabView]) -> str:
    """The zone in which days are meant that concern several labs: that of the first one."""
    return labs[0].zone if labs else "UTC"


def lab_by_slug(session: Session, slug: str) -> LabView | None:
    row = session.execute(_labs().where(Lab.slug == slug)).one_or_none()
    return None if row is None else _lab_view(row)


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
    return [_machine_view(row) for row in session.execute(query)]


def machine_by_slug(session: Session, slug: str) -> MachineView | None:
    """The machine, also when it is no longer active."""
    row = session.execute(_MACHINE_BY_SLUG, {"slug": slug}).one_or_none()
    return None if row is None else _machine_view(row)


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
            _openings_of(Lab.id),
        )
        .select_from(Lab)
        .join(Region, Region.id == Lab.region_id)
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
            units.label("unit_ids"),
            _openings_of(Machine.lab_id),
        )
        .select_from(Machine)
        .join(Lab, Lab.id == Machine.lab_id)
        .join(Kind, Kind.id == Machine.kind_id)
    )


def _openings_of(lab_id: Any) -> Any:
    """The lab's week as JSON, so that it comes with the row it belongs to."""
    return (
        select(
            func.json_agg(
                func.json_build_array(Opening.weekday, Opening.opens, Opening.closes, Opening.supervised)
            )
        )
        .where(Opening.lab_id == lab_id)
        .scalar_subquery()
        .label("openings")
    )


def _lab_view(row: Any) -> LabView:
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
        openings=_openings(row.openings),
    )


def _machine_view(row: Any) -> MachineView:
    values = dict(row._mapping)
    values["unit_ids"] = tuple(row.unit_ids or ())
    values["openings"] = _openings(row.openings)
    return MachineView(**values)


def _openings(rows: list[tuple[int, str, str, bool]] | None) -> tuple[OpenHours, ...]:
    week = (
        OpenHours(day, time.fromisoformat(opens), time.fromisoformat(closes), supervised)
        for day, opens, closes, supervised in rows or ()
    )
    return tuple(sorted(week, key=lambda opening: (opening.weekday, opening.opens)))


def _names(fr: str, ar: str, en: str) -> dict[str, str]:
    return {"fr": fr, "ar": ar, "en": en}


# Built once: every booking and every page of a machine asks for it.
_MACHINE_BY_SLUG = _machines().where(Machine.slug == bindparam("slug"))
