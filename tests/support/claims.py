"""Claims on a machine's time without the verbs that make them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.bookings.models import Occupancy
from fablab.bookings.models_claims import Outage
from fablab.machines.models import Machine, Need, Unit


def claim_outage(session: Session, unit_id: int, starts_at: datetime, ends_at: datetime) -> Occupancy:
    """An outage of one unit, with the row that stands for it."""
    machine = session.get_one(Machine, session.get_one(Unit, unit_id).machine_id)
    outage = Outage(
        machine_id=machine.id,
        lab_id=machine.lab_id,
        starts_at=starts_at,
        ends_at=ends_at,
        category="fault",
        created_at=starts_at,
    )
    session.add(outage)
    session.flush()
    claim = Occupancy(
        lab_id=machine.lab_id,
        unit_id=unit_id,
        starts_at=starts_at,
        ends_at=ends_at,
        kind="outage",
        outage_id=outage.id,
    )
    session.add(claim)
    session.flush()
    return claim


def add_needed(session: Session, slug: str, needed_by: Sequence[str], units: int = 1) -> int:
    """A machine that is claimed along with these (slugs), in the lab of the first; its id."""
    machines = session.scalars(select(Machine).where(Machine.slug.in_(needed_by)).order_by(Machine.id)).all()
    needed = Machine(
        slug=slug,
        name=slug.title(),
        lab_id=machines[0].lab_id,
        kind_id=machines[0].kind_id,
        capabilities={},
        unattended=True,
        bookable=False,
        units=[Unit(number=number + 1) for number in range(units)],
    )
    session.add(needed)
    session.flush()
    session.add_all(Need(machine_id=each.id, needs_id=needed.id) for each in machines)
    session.flush()
    return needed.id


def taken(session: Session, machine: str) -> list[tuple[str, datetime, datetime]]:
    """What is claimed of a machine's units: kind, start and end, by start."""
    session.flush()
    rows = session.execute(
        select(Occupancy.kind, Occupancy.starts_at, Occupancy.ends_at)
        .join(Unit, Unit.id == Occupancy.unit_id)
        .join(Machine, Machine.id == Unit.machine_id)
        .where(Machine.slug == machine)
        .order_by(Occupancy.starts_at, Occupancy.unit_id)
    )
    return [tuple(row) for row in rows]
