"""Counting machine hours: from bookings, sessions, jobs and outages to the rows reports read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from fablab.bookings.rules import COUNTED_STATES
from fablab.machines.queries import machines
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
    result = session.execute(
        text(ROLL_UP),
        {
            "machines": None if machine_ids is None else list(machine_ids),
            "since": first,
            "until": last,
            "states": list(COUNTED_STATES),
            **_open_hours(session, machine_ids, first, last),
        },
    )
    assert isinstance(result, CursorResult)
    return int(result.rowcount)


def _open_hours(
    session: Session, machine_ids: Sequence[int] | None, since: datetime, until: datetime
) -> dict[str, list[Any]]:
    """Which hours each machine keeps, and the open spans of those hours, as columns.

    Machines of a lab without hours of their own share them, so that there are few.
    """
    found = machines(session, ids=machine_ids, inactive=machine_ids is not None)
    number = {id(each.hours): place for place, each in enumerate(found)}
    different = {number[id(each.hours)]: each.hours for each in found}
    spans = [
        (place, span.starts_at, span.ends_at)
        for place, hours in different.items()
        for span in hours.open_spans(since, until)
    ]
    return {
        "kept_by": [each.id for each in found],
        "kept_hours": [number[id(each.hours)] for each in found],
        "open_hours": [place for place, _, _ in spans],
        "open_starts": [starts for _, starts, _ in spans],
        "open_ends": [ends for _, _, ends in spans],
    }
