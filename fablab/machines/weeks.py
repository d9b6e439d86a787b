"""Replacing a week of hours: a lab's, a machine's, or either's in a season. All of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from fablab.errors import refused
from fablab.machines.lab_hours import ManagedLab, lock_managed_lab, machine_of
from fablab.machines.models import Opening
from fablab.machines.rules import OpenHours, opening_in_words, week_refusals
from fablab.members import audit
from fablab.members.rules import Actor


def replace_week(
    session: Session,
    actor: Actor,
    lab: str,
    week: Sequence[OpenHours],
    now: datetime,
    *,
    machine: str | None = None,
) -> None:
    """Put this week in the place of the usual one of a lab, or of one machine of it (slugs).

    A machine whose own week is empty keeps the lab's hours. Raises DomainError that names every overlap.
    """
    managed = lock_managed_lab(session, actor, lab)
    machine_id = machine_of(session, managed, machine)
    put_week(session, managed, week, machine_id=machine_id)
    _record(session, actor, managed, machine or lab, week, now)


def put_week(
    session: Session,
    lab: ManagedLab,
    week: Sequence[OpenHours],
    *,
    machine_id: int | None = None,
    season_id: int | None = None,
) -> None:
    """Check a week and store it instead of the one there is."""
    if refusals := week_refusals(week):
        raise refused(*refusals)
    session.execute(
        delete(Opening).where(
            Opening.lab_id == lab.id,
            Opening.machine_id.is_not_distinct_from(machine_id),
            Opening.season_id.is_not_distinct_from(season_id),
        )
    )
    if week:
        session.execute(
            insert(Opening),
            [
                {
                    "lab_id": lab.id,
                    "machine_id": machine_id,
                    "season_id": season_id,
                    "weekday": each.weekday,
                    "opens": each.opens,
                    "closes": each.closes,
                    "supervised": each.supervised,
                }
                for each in week
            ],
        )


def week_in_words(week: Sequence[OpenHours]) -> str:
    """For the audit."""
    spans = "; ".join(opening_in_words(each) + ("" if each.supervised else " without staff") for each in week)
    return spans or "no openings"


def _record(
    session: Session,
    actor: Actor,
    lab: ManagedLab,
    subject: str,
    week: Sequence[OpenHours],
    now: datetime,
) -> None:
    audit.record(session, actor, "hours.change", subject, now, week_in_words(week), lab_id=lab.id)
