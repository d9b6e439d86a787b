"""Ending bookings before their time: the rest is given back, and their history says what it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.bookings.changes import By, Turned, note, tell_viewers
from fablab.bookings.claims import give_back, lock_units
from fablab.bookings.facts import Policy
from fablab.bookings.freed import freed
from fablab.bookings.models import Booking
from fablab.members.rules import Actor


@dataclass(frozen=True)
class Running:
    """A booking under way, whose row the caller has locked."""

    id: int
    machine_id: int
    lab_id: int
    state: str
    ends_at: datetime
    zone: str


def end_early(
    session: Session,
    running: Sequence[Running],
    to_state: str,
    until: datetime,
    now: datetime,
    by: By,
    policy: Policy,
    *,
    reason: str = "",
    actor: Actor | None = None,
    cleanup_s: int = 0,
) -> None:
    """Let these bookings end at ``until``, in a state that is over, and give the rest of their time back.

    They end there in every calendar, so that no two ever stand for the same time. The number of statements
    grows with zones, not with bookings.
    """
    ids = [each.id for each in running]
    lock_units(session, {each.machine_id for each in running})
    these = update(Booking).where(Booking.id.in_(ids)).execution_options(synchronize_session=False)
    session.execute(these.values(state=to_state, version=Booking.version + 1))
    changes = [
        {
            "booking_id": each.id,
            "from_state": each.state,
            "to_state": to_state,
            "from_ends_at": each.ends_at,
            "to_ends_at": until,
        }
        for each in running
    ]
    note(session, changes, now, by, reason)
    # Before the end moves: a mail speaks of the time that was booked.
    letters.tell(session, ids, to_state, now, actor=actor, reason=reason)
    for zone in sorted({each.zone for each in running}):
        # Not by the database, whose own time zones may be older than ours.
        wall = until.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        session.execute(these.where(Booking.zone == zone).values(ends_at=until, local_ends=wall))
    spans = give_back(session, ids, since=until + timedelta(seconds=cleanup_s))
    tell_viewers(session, [Turned(each.id, each.machine_id, each.lab_id) for each in running])
    freed(session, spans, now, policy)
