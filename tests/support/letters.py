"""Bookings as rows, and what the clock then tells of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import icalendar
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.bookings import tasks
from fablab.bookings.models import Booking, BookingChange, Participant
from fablab.clock import utc_now
from fablab.machines.models import Machine
from fablab.mail.models import Mail
from fablab.members.models import Member
from fablab.settings import Settings
from tests.fixtures_cast import CASABLANCA, ZONE, Cast, tomorrow


def book(
    session: Session,
    cast: Cast,
    leader: str = "amina",
    machine: str = "tanger-prusa-1",
    starts_at: datetime | None = None,
    hours: float = 2,
    **more: Any,
) -> Booking:
    """A booking as a verb leaves it; ``guests`` are names of the cast who come along."""
    starts_at = starts_at or tomorrow(10)
    ends_at = starts_at + timedelta(hours=hours)
    guests = more.pop("guests", ())
    row = Booking(
        machine_id=cast.machines[machine],
        lab_id=session.scalars(select(Machine.lab_id).where(Machine.id == cast.machines[machine])).one(),
        member_id=cast.members[leader],
        created_by_id=cast.members[leader],
        starts_at=starts_at,
        ends_at=ends_at,
        zone=ZONE,
        local_starts=starts_at.astimezone(CASABLANCA).replace(tzinfo=None),
        local_ends=ends_at.astimezone(CASABLANCA).replace(tzinfo=None),
        created_at=utc_now(),
        **{"state": "confirmed", "version": 1, "head_count": 1 + len(guests), **more},
    )
    session.add(row)
    session.flush()
    session.add_all(
        Participant(booking_id=row.id, member_id=cast.members[guest], name=guest) for guest in guests
    )
    session.flush()
    return row


def move(session: Session, booking: Booking, by: timedelta, now: datetime) -> None:
    """Another time, as the verb writes it down."""
    session.add(
        BookingChange(
            booking_id=booking.id,
            at=now,
            made_by="member",
            from_state=booking.state,
            to_state=booking.state,
            from_starts_at=booking.starts_at,
            from_ends_at=booking.ends_at,
            from_machine_id=booking.machine_id,
        )
    )
    booking.starts_at += by
    booking.ends_at += by
    booking.version += 1
    session.flush()


def told(session: Session, settings: Settings) -> list[Mail]:
    """What the clock writes now, in the order in which it was written."""
    newest = max(session.scalars(select(Mail.id)).all(), default=0)
    tasks.tell(session, utc_now(), settings)
    return list(session.scalars(select(Mail).where(Mail.id > newest).order_by(Mail.id)))


def speak(session: Session, cast: Cast, name: str, language: str) -> None:
    """Let somebody read mails in another language than French."""
    member = session.get(Member, cast.members[name])
    assert member is not None
    member.language = language
    session.flush()


def calendar_of(mail: Mail) -> icalendar.Calendar:
    assert mail.calendar is not None
    [found] = icalendar.Calendar.from_ical(mail.calendar, multiple=True)
    assert not found.errors
    return found
