"""A few rules of bookings, so that there is something to see: where, how much, and why."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.bookings.models_rules import RuleRow, RulesVersion
from fablab.machines.models import Kind, Lab


def add_rules(session: Session, now: datetime) -> None:
    """Lasers ask for a certification everywhere; in Tanger a member has eight bookings ahead at most."""
    laser = session.scalars(select(Kind.id).where(Kind.slug == "laser-cutter")).one()
    tanger = session.scalars(select(Lab.id).where(Lab.slug == "tanger")).one()
    session.add(
        RuleRow(
            name="certification_level",
            value=1,
            kind_id=laser,
            note="A laser burns what it should not, too",
            changed_at=now,
        )
    )
    session.add(
        RuleRow(
            name="max_ahead",
            value=8,
            lab_id=tanger,
            note="So that everybody finds a time",
            changed_at=now,
        )
    )
    session.merge(RulesVersion(id=1, version=uuid4()))
    session.flush()
