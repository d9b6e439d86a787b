"""Counting machine hours: from bookings, sessions, jobs and outages to the rows reports read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CursorResult, select, text
from sqlalchemy.orm import Session

from fablab.bookings.rules import COUNTED_STATES
from fablab.machines.models import Machine
from fablab.machines.queries import labs
from fablab.machines.rules import open_spans
from fablab.utilisation.rules import ceil_hour, floor_hour
from fablab.utilisation.statement import ROLL_UP

# Two roll-ups of one hour must not cross: the one with the older view could write last.
_LOCK = 7_042_002


def roll_up(session: Session, machine_ids: Sequence[int] | None, since: datetime, until: datetime) -> int:
    """Count every hour that [since, until) touches anew, for these machines (None: all in service).

    Sessions that are still open count up to the last word heard of them. Facts decide alone: counting again
    gives the same rows, in whatever pieces the span is counted. When a session ends or a booking changes,
    all its hours have to be counted again.

    Returns how many rows are new or differ from before. Waits for another roll-up that has not committed.
    """
    first, last = floor_hour(since), ceil_hour(until)
    if first >= last or (machine_ids is not None and not machine_ids):
        return 0
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    session.flush()
    open_labs, starts, ends = _open_hours(session, machine_ids, first, last)
    result = session.execute(
        text(ROLL_UP),
        {
            "machines": None if machine_ids is None else list(machine_ids),
            "since": first,
            "until": last,
            "states": list(COUNTED_STATES),
            "open_labs": open_labs,
            "open_starts": starts,
            "open_ends": ends,
        },
    )
    assert isinstance(result, CursorResult)
    return int(result.rowcount)


def _open_hours(
    session: Session, machine_ids: Sequence[int] | None, since: datetime, until: datetime
) -> tuple[list[int], list[datetime], list[datetime]]:
    """Open spans of every lab that has one of these machines, as three columns."""
    wanted = select(Machine.lab_id).where(Machine.unattended.is_(False)).distinct()
    if machine_ids is not None:
        wanted = wanted.where(Machine.id.in_(machine_ids))
    needed = set(session.scalars(wanted))
    opened = [
        (lab.id, span.starts_at, span.ends_at)
        for lab in labs(session)
        if lab.id in needed
        for span in open_spans(lab.openings, lab.zone, since, until)
    ]
    return [each[0] for each in opened], [each[1] for each in opened], [each[2] for each in opened]
