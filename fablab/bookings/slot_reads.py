"""What the search for free time reads: labs, machines that can do the work, and gaps between claims.

Each function is one statement, however many machines and days it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from fablab.bookings.slot_groups import LabRow, MachineRows
from fablab.bookings.slot_queue import Ask
from fablab.bookings.slot_search import Pair


@dataclass(frozen=True)
class Wanted:
    """Which machines may do: slugs of which one fits each (none: any will), and what the work needs of them.

    ``build_volume_mm`` and ``bed_mm`` are what must fit; width and depth may be swapped. ``laser_w`` is the
    least power.
    """

    kinds: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    labs: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    material: str | None = None
    build_volume_mm: tuple[float, float, float] | None = None
    bed_mm: tuple[float, float] | None = None
    laser_w: float | None = None


@dataclass(frozen=True)
class Names:
    """How a machine is called."""

    slug: str
    name: str
    kind_slug: str
    kind_name: str
    lab_slug: str
    lab_name: str


_LABS = text(
    """
    SELECT lab.id, lab.slug, lab.zone, lab.latitude, lab.longitude, lab.hours_version,
           (SELECT version FROM rules_version) AS rules_version,
           (cardinality(CAST(:labs AS text[])) = 0 OR lab.slug = ANY(:labs))
           AND (cardinality(CAST(:regions AS text[])) = 0 OR region.slug = ANY(:regions)) AS wanted
    FROM lab JOIN region ON region.id = lab.region_id
    ORDER BY lab.id
    """
)
_MACHINES = """
    SELECT machine.lab_id, machine.kind_id, machine.unattended, machine.setup_s, machine.cleanup_s,
           array_agg(machine.id ORDER BY machine.id)
    FROM machine
    JOIN kind ON kind.id = machine.kind_id
    WHERE machine.active AND machine.bookable AND machine.lab_id = ANY(:labs)
    AND EXISTS (SELECT FROM unit WHERE unit.machine_id = machine.id)
"""
_GROUPED = " GROUP BY 1, 2, 3, 4, 5"
# What people typed in about a machine may be anything: a path finds nothing where a cast would fail.
_ABLE = {
    "kinds": "kind.slug = ANY(:kinds)",
    "machines": "machine.slug = ANY(:machines)",
    "material": "EXISTS (SELECT FROM jsonb_path_query(machine.capabilities, '$.materials[*]') AS each (name) "
    "WHERE lower(each.name #>> '{}') = lower(:material))",
    "laser_w": "jsonb_path_exists(machine.capabilities, '$ ? (@.laser_w >= $w)', :laser_w)",
    "bed_mm": "jsonb_path_exists(machine.capabilities, '$ ? ((@.bed_mm[0] >= $x && @.bed_mm[1] >= $y) "
    "|| (@.bed_mm[0] >= $y && @.bed_mm[1] >= $x))', :bed_mm)",
    "build_volume_mm": "jsonb_path_exists(machine.capabilities, '$ ? (@.build_volume_mm[2] >= $z && "
    "((@.build_volume_mm[0] >= $x && @.build_volume_mm[1] >= $y) "
    "|| (@.build_volume_mm[0] >= $y && @.build_volume_mm[1] >= $x)))', :build_volume_mm)",
}
_JSON = ("laser_w", "bed_mm", "build_volume_mm")
# Claims of a unit are one range of numbers after another in one index, which holds all that is needed here; a
# last one after the end closes the last gap. Holds that are over are no claims.
_GAPS = text(
    """
    WITH RECURSIVE asked AS (
        SELECT * FROM unnest(CAST(:machines AS bigint[]), CAST(:since AS bigint[]), CAST(:until AS bigint[]),
                             CAST(:least AS bigint[])) AS asked (machine_id, since, until, least)
    ), part (machine_id, part_id) AS (
        SELECT machine_id, machine_id FROM asked
        UNION
        SELECT part.machine_id, machine_need.needs_id
        FROM part JOIN machine_need ON machine_need.machine_id = part.part_id
    ), claimed AS (
        SELECT asked.machine_id, part.part_id, unit.id AS unit_id, CAST(unit.id AS bigint) << 33 AS base,
               asked.since, asked.until, asked.least
        FROM asked
        JOIN part ON part.machine_id = asked.machine_id
        LEFT JOIN unit ON unit.machine_id = part.part_id
    )
    SELECT machine_id, part_id, unit_id, gap.since - base, gap.until - base
    FROM claimed
    LEFT JOIN LATERAL (
        SELECT lag(upper(slot), 1, base + claimed.since) OVER (ORDER BY slot) AS since, lower(slot) AS until
        FROM (
            SELECT slot FROM occupancy
            WHERE slot && int8range(base + claimed.since, base + claimed.until)
            AND slot NOT IN (SELECT ended.slot FROM hold JOIN occupancy AS ended ON ended.hold_id = hold.id
                             WHERE hold.expires_at <= :now)
            UNION ALL
            SELECT int8range(base + claimed.until, base + claimed.until + 1)
        ) AS claim
        WHERE claimed.unit_id IS NOT NULL
    ) AS gap ON gap.until - gap.since >= claimed.least
    """
).bindparams(bindparam("now", type_=DateTime(timezone=True)))
_NAMES = text(
    """
    SELECT machine.id, machine.slug, machine.name, kind.slug, kind.name_en, lab.slug, lab.name_en
    FROM machine JOIN kind ON kind.id = machine.kind_id JOIN lab ON lab.id = machine.lab_id
    WHERE machine.id = ANY(:machines)
    """
)
_STRANGE = text(
    """
    SELECT 'kind' FROM unnest(CAST(:kinds AS text[])) AS one WHERE one NOT IN (SELECT slug FROM kind)
    UNION ALL
    SELECT 'machine' FROM unnest(CAST(:machines AS text[])) AS one WHERE one NOT IN (SELECT slug FROM machine)
    UNION ALL
    SELECT 'lab' FROM unnest(CAST(:labs AS text[])) AS one WHERE one NOT IN (SELECT slug FROM lab)
    UNION ALL
    SELECT 'region' FROM unnest(CAST(:regions AS text[])) AS one WHERE one NOT IN (SELECT slug FROM region)
    """
)


def labs_of(session: Session, wanted: Wanted) -> list[LabRow]:
    """All labs, by number."""
    rows = session.execute(_LABS, {"labs": list(wanted.labs), "regions": list(wanted.regions)})
    return [
        LabRow(
            row.id,
            row.slug,
            row.zone,
            None if row.latitude is None or row.longitude is None else (row.latitude, row.longitude),
            row.hours_version,
            row.rules_version,
            row.wanted,
        )
        for row in rows
    ]


def machines_of(session: Session, wanted: Wanted, lab_ids: Sequence[int]) -> list[MachineRows]:
    """The machines in these labs that can do the work and can be booked."""
    values = {
        "kinds": list(wanted.kinds),
        "machines": list(wanted.machines),
        "material": wanted.material,
        "laser_w": {"w": wanted.laser_w} if wanted.laser_w is not None else None,
        "bed_mm": _named(wanted.bed_mm),
        "build_volume_mm": _named(wanted.build_volume_mm),
    }
    asked = {name: value for name, value in values.items() if value}
    statement = text(" AND ".join([_MACHINES, *(_ABLE[name] for name in asked)]) + _GROUPED).bindparams(
        *(bindparam(name, type_=JSONB) for name in asked if name in _JSON)
    )
    rows = session.execute(statement, {"labs": list(lab_ids), **asked})
    return [MachineRows(*row) for row in rows]


def unknown_among(session: Session, wanted: Wanted) -> str | None:
    """What (such as a kind) is asked for under a name that there is not; None: all names are known."""
    names = {name: list(getattr(wanted, name)) for name in ("kinds", "machines", "labs", "regions")}
    found: str | None = session.scalar(_STRANGE, names)
    return found


def gaps_of(session: Session, asks: Sequence[Ask], now: datetime) -> dict[int, list[list[list[Pair]]]]:
    """The gaps that were asked for, by machine, in groups: the machine's units, then those of what it needs.

    A group without any gap is empty.
    """
    values = {
        "machines": [ask.seeker.machine_id for ask in asks],
        "since": [ask.since for ask in asks],
        "until": [ask.until for ask in asks],
        "least": [ask.least_s for ask in asks],
        "now": now,
    }
    found: dict[int, dict[int, dict[int, list[Pair]]]] = {}
    for machine_id, part_id, unit_id, since, until in session.execute(_GAPS, values):
        units = found.setdefault(machine_id, {}).setdefault(part_id, {})
        if since is not None:
            units.setdefault(unit_id, []).append((since, until))
    return {
        machine_id: [list(units.values()) for units in parts.values()] for machine_id, parts in found.items()
    }


def names_of(session: Session, machine_ids: Sequence[int]) -> dict[int, Names]:
    """How these machines are called, by number."""
    rows = session.execute(_NAMES, {"machines": list(machine_ids)})
    return {row[0]: Names(*row[1:]) for row in rows}


def _named(size: tuple[float, ...] | None) -> dict[str, float] | None:
    return None if size is None else dict(zip("xyz", size, strict=False))
