"""Bookings nobody came to, by the clock and whenever somebody wants the time; and reminders."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, DateTime, cast, func, literal, select, update
from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.bookings.changes import CLOCK
from fablab.bookings.ending import Running, end_early
from fablab.bookings.facts import Policy
from fablab.bookings.models import Booking
from fablab.bookings.rule_store import current, rulings_of_bookings
from fablab.bookings.rules_presence import nobody_came, reminder_due

REASON = "nobody checked in"


def lapsed(
    session: Session, now: datetime, policy: Policy, machine_ids: Collection[int] | None = None
) -> list[int]:
    """Bookings under way that are to be given up, because nobody came; of these machines, or of all.

    Only reads, whether the clock has come to them or not: their claims count for nobody any more.
    """
    if not current(session).in_force("no_show_after_s", policy):
        return []
    which: list[ColumnElement[bool]] = [Booking.state == "confirmed", _under_way(now)]
    if machine_ids is not None:
        which.append(Booking.machine_id.in_(sorted(set(machine_ids))))
    rows = session.execute(
        select(Booking.id, Booking.state, Booking.starts_at, Booking.ends_at, Booking.created_at)
        .where(*which)
        .order_by(Booking.id)
    ).all()
    rulings = rulings_of_bookings(session, [row.id for row in rows], policy) if rows else {}
    return [
        row.id
        for row in rows
        if nobody_came(
            row.state, row.starts_at, row.ends_at, row.created_at, rulings[row.id].no_show_after_s, now
        )
    ]


def release(
    session: Session, now: datetime, policy: Policy, machine_ids: Collection[int] | None = None
) -> list[int]:
    """Give up what has `lapsed`: it was missed, and the rest of its time is others'. Returns which bookings.

    A booking ends where it was given up, so that no two ever stand for the same time; its history says when
    it would have ended. Run twice, also at once, it gives each up once.
    """
    wanted = lapsed(session, now, policy, machine_ids)
    if not wanted:
        return []
    found = session.execute(
        select(Booking.id, Booking.machine_id, Booking.lab_id, Booking.state, Booking.ends_at, Booking.zone)
        # Who checked in meanwhile has come.
        .where(Booking.id.in_(wanted), Booking.state == "confirmed")
        .order_by(Booking.id)
        .with_for_update(key_share=True)
    ).all()
    if not found:
        return []
    running = [Running(*row) for row in found]
    end_early(session, running, "missed", now.replace(microsecond=0), now, CLOCK, policy, reason=REASON)
    return [each.id for each in running]


def remind(session: Session, now: datetime, policy: Policy) -> int:
    """Remind of bookings that begin soon, each once; returns how many. A late run leaves out what began."""
    rules = current(session)
    asked_s = [each.value for each in rules.rows if each.name == "remind_before_s"]
    longest_s = max(policy.remind_before_s, *asked_s, 0)
    if not longest_s:
        return 0
    rows = session.execute(
        select(Booking.id, Booking.starts_at, Booking.created_at).where(
            Booking.state == "confirmed",
            Booking.reminded_at.is_(None),
            Booking.starts_at > now,
            Booking.starts_at <= now + timedelta(seconds=longest_s),
        )
    ).all()
    rulings = rulings_of_bookings(session, [row.id for row in rows], policy) if rows else {}
    due = [
        row.id
        for row in rows
        if reminder_due(row.starts_at, row.created_at, rulings[row.id].remind_before_s, now)
    ]
    if not due:
        return 0
    reminded = session.scalars(
        update(Booking)
        .where(Booking.id.in_(due), Booking.reminded_at.is_(None), Booking.state == "confirmed")
        .values(reminded_at=now)
        .returning(Booking.id)
        .execution_options(synchronize_session=False)
    ).all()
    letters.tell(session, sorted(reminded), "reminder", now)
    return len(reminded)


def _under_way(now: datetime) -> ColumnElement[bool]:
    """By the index of spans: whatever is to come costs nothing."""
    at = cast(literal(now), DateTime(timezone=True))
    return func.tstzrange(Booking.starts_at, Booking.ends_at).op("@>")(at)
