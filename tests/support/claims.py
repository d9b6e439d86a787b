"""Claims on a machine's time without the verbs that make them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from fablab.bookings.models import Occupancy
from fablab.bookings.models_claims import Outage
from fablab.machines.models import Machine, Unit


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
