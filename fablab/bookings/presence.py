"""Coming and going: checking in to a booking, and ending it when one is done."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.bookings.changes import by, turn
from fablab.bookings.ending import Running, end_early
from fablab.bookings.facts import Policy
from fablab.bookings.models import Booking
from fablab.bookings.queries import BookingView, booking
from fablab.bookings.rule_store import rulings_of_bookings
from fablab.bookings.rules_presence import (
    check_in_refusal,
    check_out_refusal,
    may_check_in,
    nobody_came,
    shortened_end,
)
from fablab.errors import not_allowed, not_found, refused
from fablab.members import audit
from fablab.members.rules import Actor


def check_in(session: Session, actor: Actor, booking_id: int, now: datetime, policy: Policy) -> BookingView:
    """Say that whose booking it is has come: confirmed becomes started.

    One that has started already, by the machine or by somebody else of the group, stays as it is. One
    that is to be given up by now is refused, whether the clock has come to it yet or not. Raises NOT_FOUND,
    NOT_ALLOWED, or REFUSED `check_in_early` and `not_to_check_in`.
    """
    found = _locked(session, actor, booking_id)
    if found.state == "started" and now < found.ends_at:
        return found
    ruling = rulings_of_bookings(session, [booking_id], policy)[booking_id]
    late = nobody_came(
        found.state, found.starts_at, found.ends_at, found.created_at, ruling.no_show_after_s, now
    )
    if why := check_in_refusal(
        "missed" if late else found.state,
        found.starts_at,
        found.ends_at,
        found.zone,
        now,
        ruling.check_in_before_s,
    ):
        raise refused(why)
    session.execute(update(Booking).where(Booking.id == booking_id).values(checked_in_at=now))
    turn(session, "confirmed", "started", now, by(actor), which=Booking.id == booking_id)
    letters.tell(session, [booking_id], "started", now, actor=actor)
    _note_for_others(session, actor, found, "booking.check_in", now)
    return _again(session, actor, booking_id)


def check_out(session: Session, actor: Actor, booking_id: int, now: datetime, policy: Policy) -> BookingView:
    """Say that they are done: started becomes completed, and the rest of the time is given back.

    Raises NOT_FOUND, NOT_ALLOWED, or REFUSED `not_to_check_out`.
    """
    found = _locked(session, actor, booking_id)
    if why := check_out_refusal(found.state, found.ends_at, now):
        raise refused(why)
    ruling = rulings_of_bookings(session, [booking_id], policy)[booking_id]
    session.execute(update(Booking).where(Booking.id == booking_id).values(checked_out_at=now))
    running = Running(found.id, found.machine_id, found.lab_id, found.state, found.ends_at, found.zone)
    end_early(
        session,
        [running],
        "completed",
        shortened_end(found.starts_at, found.ends_at, now),
        now,
        by(actor),
        policy,
        actor=actor,
        cleanup_s=ruling.cleanup_s,
    )
    _note_for_others(session, actor, found, "booking.check_out", now)
    return _again(session, actor, booking_id)


def _locked(session: Session, actor: Actor, booking_id: int) -> BookingView:
    """The booking, if the actor may say who came to it. Of two at once the second sees the first."""
    session.execute(select(Booking.id).where(Booking.id == booking_id).with_for_update(key_share=True))
    found = booking(session, booking_id, actor=actor)
    part = None if found is None else found.part(actor)
    if found is None or part is None:
        raise not_found("booking")
    if not may_check_in(actor, part, found.lab_id):
        raise not_allowed("You may read this booking, but not check in to it.")
    return found


def _note_for_others(session: Session, actor: Actor, found: BookingView, act: str, now: datetime) -> None:
    """Who comes along speaks for the group; staff speak for others."""
    if found.member_id != actor.member_id and not found.takes_part:
        audit.record(
            session,
            actor,
            act,
            f"booking {found.id}",
            now,
            on_member_id=found.member_id,
            lab_id=found.lab_id,
        )


def _again(session: Session, actor: Actor, booking_id: int) -> BookingView:
    found = booking(session, booking_id, actor=actor)
    assert found is not None, "the row is locked"
    return found
