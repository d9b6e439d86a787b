"""Claimed time: what is taken, and the statements that take it and give it back.

Whoever claims, for a booking, a hold or an outage, does it here. The exclusion constraint is the last line;
how claims are made keeps people from meeting it:

- A booking of one unit is one INSERT with ON CONFLICT DO NOTHING (`storing.claim_unit`). It waits for
  whoever is about to take or give back that time, holds nothing while it waits, and stores nothing when it
  comes too late.
- Whoever takes, moves or gives back more than one claim locks all units concerned first, ascending
  (`lock_units`), so that none waits for another in a circle.

Locks are taken in this order: members, organisation, bookings, units; each kind ascending.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.orm import Session

from fablab.bookings.facts import Claim
from fablab.bookings.holds import drop_expired
from fablab.machines.queries import MachineView
from fablab.machines.rules import Span

_AT = DateTime(timezone=True)
# Of a machine with needs a claim is tried again after so many plain bookings were faster.
_ATTEMPTS = 5

# Expired holds claim nothing, though their rows may still be there.
_CLAIMS = text(
    """
    SELECT wanted.number, occupancy.unit_id, occupancy.starts_at, occupancy.ends_at
    FROM unnest(CAST(:numbers AS integer[]), CAST(:units AS bigint[]), CAST(:since AS timestamptz[]),
                CAST(:until AS timestamptz[])) AS wanted(number, unit_id, since, until)
    JOIN occupancy ON occupancy.slot && occupancy_slot(wanted.unit_id, wanted.since, wanted.until)
    LEFT JOIN hold ON hold.id = occupancy.hold_id
    WHERE (occupancy.booking_id IS NULL OR occupancy.booking_id <> ALL(CAST(:but AS bigint[])))
      AND (hold.id IS NULL OR (hold.expires_at > :now AND hold.id IS DISTINCT FROM CAST(:but_hold AS bigint)))
    ORDER BY wanted.number, occupancy.unit_id, occupancy.starts_at
    """
).bindparams(bindparam("now", type_=_AT))

# FOR NO KEY UPDATE: a claim's foreign key takes a key share on its unit, and must not wait for this.
_LOCK_UNITS = text(
    """
    WITH RECURSIVE wanted (id) AS (
        SELECT unnest(CAST(:machines AS integer[]))
        UNION SELECT need.needs_id FROM machine_need AS need JOIN wanted ON wanted.id = need.machine_id
    )
    SELECT unit.id FROM unit WHERE unit.machine_id IN (SELECT id FROM wanted)
    ORDER BY unit.id FOR NO KEY UPDATE
    """
)

_TAKE = text(
    """
    INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, booking_id, outage_id, hold_id)
    SELECT machine.lab_id, unit.id, wanted.since, wanted.until, wanted.kind, wanted.booking, wanted.outage,
           wanted.hold
    FROM unnest(CAST(:units AS bigint[]), CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[]),
                CAST(:kinds AS text[]), CAST(:bookings AS bigint[]), CAST(:outages AS bigint[]),
                CAST(:holds AS bigint[]))
         AS wanted(unit_id, since, until, kind, booking, outage, hold)
    JOIN unit ON unit.id = wanted.unit_id JOIN machine ON machine.id = unit.machine_id
    ORDER BY unit.id, wanted.since
    ON CONFLICT DO NOTHING
    RETURNING id
    """
)

_GIVE_BACK = text(
    """
    DELETE FROM occupancy USING unit
    WHERE unit.id = occupancy.unit_id AND occupancy.booking_id = ANY(CAST(:bookings AS bigint[]))
      AND occupancy.starts_at >= coalesce(:since, '-infinity')
    RETURNING unit.machine_id, occupancy.starts_at, occupancy.ends_at
    """
).bindparams(bindparam("since", type_=_AT))
# What had begun by then keeps what it used.
_CUT_OFF = text(
    """
    UPDATE occupancy SET ends_at = :since
    FROM unit, occupancy AS before
    WHERE occupancy.booking_id = ANY(CAST(:bookings AS bigint[])) AND unit.id = occupancy.unit_id
      AND before.id = occupancy.id AND occupancy.starts_at < :since AND occupancy.ends_at > :since
    RETURNING unit.machine_id, CAST(:since AS timestamptz), before.ends_at
    """
).bindparams(bindparam("since", type_=_AT))


@dataclass(frozen=True)
class Owner:
    """What claims are made for; one of the three."""

    booking_id: int | None = None
    outage_id: int | None = None
    hold_id: int | None = None

    @property
    def kind(self) -> str:
        if self.booking_id is not None:
            return "booking"
        return "outage" if self.outage_id is not None else "hold"


def all_units(machine: MachineView) -> list[int]:
    """The units of the machine and of all it needs."""
    return [*machine.unit_ids, *(unit for need in machine.needs for unit in need.unit_ids)]


def lock_units(session: Session, machine_ids: Collection[int]) -> None:
    """Lock the units of these machines and of all they need until the transaction ends. One statement."""
    session.execute(_LOCK_UNITS, {"machines": sorted(set(machine_ids))})


def claims(
    session: Session,
    unit_ids: Collection[int],
    since: datetime,
    until: datetime,
    now: datetime,
    *,
    but: Collection[int] = (),
    but_hold: int | None = None,
) -> list[Claim]:
    """Every claim on these units that overlaps [since, until), by unit and start.

    Without those of the bookings ``but`` and of the hold ``but_hold``.
    """
    return claims_of_each(session, [(unit_ids, Span(since, until))], now, but=but, but_hold=but_hold)[0]


def claims_of_each(
    session: Session,
    wanted: Sequence[tuple[Collection[int], Span]],
    now: datetime,
    *,
    but: Collection[int] = (),
    but_hold: int | None = None,
) -> list[list[Claim]]:
    """As `claims`, for each of these units and spans. One statement for all of them."""
    asked = [
        (number, unit_id, span.starts_at, span.ends_at)
        for number, (unit_ids, span) in enumerate(wanted)
        if span.starts_at < span.ends_at
        for unit_id in unit_ids
    ]
    found: list[list[Claim]] = [[] for _ in wanted]
    if asked:
        columns = (list(column) for column in zip(*asked, strict=True))
        values: dict[str, Any] = dict(zip(("numbers", "units", "since", "until"), columns, strict=True))
        values |= {"now": now, "but": list(but), "but_hold": but_hold}
        for number, *claim in session.execute(_CLAIMS, values):
            found[number].append(Claim(*claim))
    return found


def take(session: Session, machine: MachineView, span: Span, owner: Owner, now: datetime) -> bool:
    """Claim a unit of the machine and one of everything it needs for the span; False: somebody has it.

    ``span`` holds set-up and clean-up already. Nothing is stored where it fails. Whoever takes for several
    machines in one transaction locks all their units before.
    """
    if machine.needs:
        lock_units(session, [machine.id])
    for _ in range(_ATTEMPTS):
        units = _free_units(session, machine, span, now)
        if units is None:
            return False
        if take_units(session, [(units, span, owner)]):
            return True
        drop_expired(session, units, span.starts_at, span.ends_at, now)
    return False


def take_units(session: Session, wanted: Sequence[tuple[Sequence[int], Span, Owner]]) -> bool:
    """Claim all of these units, each for its span and owner, or none. One statement where it goes well."""
    rows = [
        (unit, span.starts_at, span.ends_at, owner.kind, owner.booking_id, owner.outage_id, owner.hold_id)
        for units, span, owner in wanted
        for unit in units
    ]
    if not rows:
        return True
    names = ("units", "since", "until", "kinds", "bookings", "outages", "holds")
    columns = (list(column) for column in zip(*rows, strict=True))
    taken = session.scalars(_TAKE, dict(zip(names, columns, strict=True))).all()
    if len(taken) == len(rows):
        return True
    if taken:
        session.execute(text("DELETE FROM occupancy WHERE id = ANY(:ids)"), {"ids": list(taken)})
    return False


def give_back(
    session: Session, booking_ids: Collection[int], since: datetime | None = None
) -> list[tuple[int, Span]]:
    """Delete the claims of these bookings; what came free: machines' ids and spans, for `freed`.

    With ``since`` only from then on: what lies before stays claimed.
    """
    if not booking_ids:
        return []
    values: dict[str, Any] = {"bookings": sorted(booking_ids), "since": since}
    rows = list(session.execute(_GIVE_BACK, values))
    if since is not None:
        rows += session.execute(_CUT_OFF, values)
    return [(machine_id, Span(starts_at, ends_at)) for machine_id, starts_at, ends_at in rows]


def _free_units(session: Session, machine: MachineView, span: Span, now: datetime) -> tuple[int, ...] | None:
    """One free unit of the machine and of each it needs; None where there is none."""
    taken = {each.unit_id for each in claims(session, all_units(machine), span.starts_at, span.ends_at, now)}
    groups = [machine.unit_ids, *(need.unit_ids for need in machine.needs)]
    chosen = [next((unit for unit in group if unit not in taken), None) for group in groups]
    return None if None in chosen else tuple(unit for unit in chosen if unit is not None)


def day_around(span: Span) -> Span:
    """A range that holds the span with a margin, so that a joined open span is never cut short of it."""
    return Span(span.starts_at - timedelta(days=1), span.ends_at + timedelta(days=1))
