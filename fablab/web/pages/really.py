"""What was really done in bookings, as the machines told it: jobs with their outcome, and seconds in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from fablab.bookings.queries import BookingView
from fablab.usage import queries as usage
from fablab.usage.queries import JobView, SessionView

# A job may begin a little before its booking.
EARLY = timedelta(days=1)
PAGE = 200


@dataclass
class Really:
    """One booking's jobs and sessions, oldest first."""

    jobs: list[JobView] = field(default_factory=list)
    sessions: list[SessionView] = field(default_factory=list)

    @property
    def busy_s(self) -> float:
        return sum(each.busy_s for each in self.sessions)

    @property
    def idle_s(self) -> float:
        return sum(each.idle_s for each in self.sessions)

    @property
    def energy_wh(self) -> float | None:
        """None when no meter was there."""
        metered = [each.energy_wh for each in self.sessions if each.energy_wh is not None]
        return sum(metered) if metered else None


def really_done(session: Session, booking_id: int) -> Really:
    """Everything that was attributed to one booking."""
    return Really(
        usage.jobs(session, booking_id=booking_id, limit=PAGE).items[::-1],
        usage.usage_sessions(session, booking_id=booking_id, limit=PAGE).items[::-1],
    )


def really_done_by(session: Session, member_id: int, shown: Sequence[BookingView]) -> dict[int, Really]:
    """The same for many bookings of one member, by booking; those in which nothing was done are left out."""
    if not shown:
        return {}
    since = min(each.starts_at for each in shown) - EARLY
    wanted = {each.id for each in shown}
    found: dict[int, Really] = {}
    for job in _all(usage.jobs, session, member_id, since):
        if job.booking_id in wanted:
            found.setdefault(job.booking_id, Really()).jobs.insert(0, job)
    for each in _all(usage.usage_sessions, session, member_id, since):
        if each.booking_id in wanted:
            found.setdefault(each.booking_id, Really()).sessions.insert(0, each)
    return found


def _all(read: Callable[..., Any], session: Session, member_id: int, since: datetime) -> list[Any]:
    items: list[Any] = []
    cursor = None
    while True:
        page = read(session, member_id=member_id, since=since, limit=PAGE, cursor=cursor)
        items += page.items
        cursor = page.next
        if cursor is None:
            return items
