"""The claims of outages: whatever nobody else has of a machine's time while it is out of service."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.orm import Session

from fablab.machines.rules import Span

# What an outage without an end claims until: after the last year that can be booked, and within the 33 bits
# that claims have for instants.
FOREVER = datetime(2200, 1, 1, tzinfo=UTC)
# So often somebody may book between our look and our claim.
_ATTEMPTS = 20

_FILL = text(
    """
    WITH gap AS (
        SELECT outage.id, outage.lab_id, unit.id AS unit_id, gap AS slot
        FROM outage JOIN unit ON unit.machine_id = outage.machine_id
        CROSS JOIN LATERAL (
            SELECT occupancy_slot(unit.id, outage.starts_at, coalesce(outage.ends_at, :forever)) AS slot
        ) AS wanted
        CROSS JOIN LATERAL unnest(int8multirange(wanted.slot) - coalesce((
            SELECT range_agg(taken.slot) FROM occupancy AS taken WHERE taken.slot && wanted.slot
        ), '{}')) AS gap
        WHERE outage.id = :outage
    ), claimed AS (
        INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, outage_id)
        SELECT lab_id, unit_id, to_timestamp(lower(slot) - (CAST(unit_id AS bigint) << 33)),
               to_timestamp(upper(slot) - (CAST(unit_id AS bigint) << 33)), 'outage', id
        FROM gap ORDER BY unit_id, slot
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM gap
    """
).bindparams(bindparam("forever", FOREVER, type_=DateTime(timezone=True)))

_TOUCHED = text(
    """
    SELECT DISTINCT outage.id
    FROM unnest(CAST(:machines AS integer[]), CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[]))
         AS freed(machine_id, since, until)
    JOIN outage ON outage.machine_id = freed.machine_id AND outage.starts_at < freed.until
         AND coalesce(outage.ends_at, 'infinity') > freed.since
    ORDER BY outage.id
    """
)
_EMPTY = text(
    """
    DELETE FROM occupancy USING unit
    WHERE unit.id = occupancy.unit_id AND occupancy.outage_id = :outage
    RETURNING unit.machine_id, occupancy.starts_at, occupancy.ends_at
    """
)


def fill(session: Session, outage_ids: Collection[int]) -> None:
    """Claim for these outages what is free in their time. The units are locked by the caller.

    Plain bookings take no lock: what one of them takes meanwhile is looked at again.
    """
    for outage_id in sorted(outage_ids):
        for _ in range(_ATTEMPTS):
            if not session.scalar(_FILL, {"outage": outage_id}):
                break


def empty(session: Session, outage_id: int) -> list[tuple[int, Span]]:
    """Give back everything the outage claims: machines' ids and spans, for `freed`."""
    rows = session.execute(_EMPTY, {"outage": outage_id})
    return [(machine_id, Span(starts_at, ends_at)) for machine_id, starts_at, ends_at in rows]


def refill(session: Session, spans: Sequence[tuple[int, Span]]) -> None:
    """Make what of these spans, by machine's id, lies in an outage a part of it. One statement if none."""
    values = {
        "machines": [machine_id for machine_id, _ in spans],
        "since": [span.starts_at for _, span in spans],
        "until": [span.ends_at for _, span in spans],
    }
    fill(session, session.scalars(_TOUCHED, values).all())
