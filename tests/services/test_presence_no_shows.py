"""Bookings nobody came to, and reminders: by the clock, once, and right whenever somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings import noshow
from fablab.bookings.models import Booking, BookingChange, Occupancy
from fablab.bookings.models_notices import Notice
from fablab.bookings.models_rules import RuleRow, RulesVersion
from fablab.bookings.presence import check_in
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking, mark_started
from fablab.db import transaction
from fablab.errors import DomainError
from tests.fixtures_cast import Cast, tomorrow

MINUTE = timedelta(minutes=1)
MACHINE = "tanger-prusa-1"
TEN, NOON = tomorrow(10), tomorrow(12)
LATE = TEN + 15 * MINUTE


@pytest.fixture
def policy(policy: Policy) -> Policy:
    """After a quarter of an hour nobody is waited for, and an hour before one is reminded."""
    return replace(policy, no_show_after_s=900, check_in_before_s=900, remind_before_s=3600)


def book(
    session: Session,
    cast: Cast,
    policy: Policy,
    who: str = "amina",
    machine: str = MACHINE,
    starts_at: datetime = TEN,
    made_before: timedelta = timedelta(hours=5),
) -> int:
    request = BookingRequest(machine, starts_at, starts_at + timedelta(hours=2))
    return create_booking(session, cast.actors[who], request, starts_at - made_before, policy).id


def state(session: Session, booking_id: int) -> str:
    found = session.scalar(select(Booking.state).where(Booking.id == booking_id))
    assert found is not None
    return found


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    statements: list[str] = []

    def note(*args: Any) -> None:
        statements.append(args[2])

    event.listen(session.get_bind(), "before_cursor_execute", note)
    yield statements
    event.remove(session.get_bind(), "before_cursor_execute", note)


def told(session: Session, what: str) -> list[int]:
    return list(session.scalars(select(Notice.booking_id).where(Notice.what == what)))


# ---- nobody came


def test_without_a_rule_nothing_is_given_up(session: Session, cast: Cast, policy: Policy) -> None:
    book(session, cast, policy)
    assert noshow.release(session, NOON - MINUTE, replace(policy, no_show_after_s=0)) == []


def test_who_came_in_time_keeps_it(session: Session, cast: Cast, policy: Policy) -> None:
    came, seen = book(session, cast, policy), book(session, cast, policy, "youssef", "tanger-prusa-2")
    check_in(session, cast.actors["amina"], came, TEN + 14 * MINUTE, policy)
    mark_started(session, seen, TEN + 10 * MINUTE)
    assert noshow.release(session, LATE + MINUTE, policy) == []
    assert (state(session, came), state(session, seen)) == ("started", "started")


def test_it_is_given_up_at_the_minute_and_not_before(session: Session, cast: Cast, policy: Policy) -> None:
    booking_id = book(session, cast, policy)
    assert noshow.lapsed(session, LATE - timedelta(seconds=1), policy) == []
    assert noshow.lapsed(session, LATE, policy) == [booking_id]


def test_what_is_given_up_ends_and_its_time_is_others(session: Session, cast: Cast, policy: Policy) -> None:
    booking_id = book(session, cast, policy)
    at = TEN + 32 * MINUTE
    assert noshow.release(session, at, policy) == [booking_id], "a late run gives up, too"
    row = session.get_one(Booking, booking_id)
    session.refresh(row)
    assert (row.state, row.ends_at, row.version) == ("missed", at, 2)
    assert row.local_ends == at.replace(tzinfo=None)
    claim = session.scalars(select(Occupancy)).one()
    assert claim.ends_at == at, "what was taken stays taken in the figures"
    change = session.scalars(select(BookingChange).order_by(BookingChange.id.desc())).first()
    assert change is not None
    assert (change.made_by, change.to_state, change.from_ends_at) == ("clock", "missed", NOON)
    made = create_booking(session, cast.actors["youssef"], BookingRequest(MACHINE, at, NOON), at, policy)
    assert made.state == "confirmed"


def test_the_mail_speaks_of_the_time_that_was_booked(session: Session, cast: Cast, policy: Policy) -> None:
    booking_id = book(session, cast, policy)
    noshow.release(session, LATE, policy)
    notice = session.scalars(select(Notice).where(Notice.what == "missed")).one()
    assert (notice.booking_id, notice.starts_at, notice.ends_at) == (booking_id, TEN, NOON)


def test_who_comes_too_late_is_told_whether_the_clock_was_there_or_not(
    session: Session, cast: Cast, policy: Policy
) -> None:
    booking_id = book(session, cast, policy)
    with pytest.raises(DomainError) as before:
        check_in(session, cast.actors["amina"], booking_id, LATE, policy)
    noshow.release(session, LATE, policy)
    with pytest.raises(DomainError) as after:
        check_in(session, cast.actors["amina"], booking_id, LATE, policy)
    assert before.value.refusals == after.value.refusals
    assert "Nobody came in time" in before.value.message


def test_whoever_wants_the_machine_gets_it_before_the_clock_comes(
    session: Session, cast: Cast, policy: Policy
) -> None:
    """The scheduler may be down: a booking attempt gives up what has lapsed itself."""
    missed = book(session, cast, policy)
    made = create_booking(session, cast.actors["youssef"], BookingRequest(MACHINE, LATE, NOON), LATE, policy)
    assert made.state == "confirmed"
    assert state(session, missed) == "missed"
    assert told(session, "missed") == [missed]


def test_a_rule_of_one_machine_holds_there_alone(session: Session, cast: Cast, policy: Policy) -> None:
    policy = replace(policy, no_show_after_s=0)
    here, there = book(session, cast, policy), book(session, cast, policy, machine="tanger-prusa-2")
    session.add(
        RuleRow(name="no_show_after_s", value=600, machine_id=cast.machines["tanger-prusa-2"], changed_at=TEN)
    )
    _changed(session)
    assert noshow.release(session, LATE, policy) == [there]
    assert state(session, here) == "confirmed"


def test_twice_changes_nothing_and_statements_do_not_grow(
    session: Session, cast: Cast, policy: Policy
) -> None:
    counts = []
    for machines in (["tanger-prusa-1"], ["tanger-prusa-1", "tanger-prusa-2", "rabat-prusa-1"]):
        starts_at = TEN + timedelta(days=7 * len(counts))
        for machine in machines:
            book(session, cast, policy, machine=machine, starts_at=starts_at)
        session.flush()
        with counted(session) as statements:
            assert len(noshow.release(session, starts_at + 20 * MINUTE, policy)) == len(machines)
        counts.append(len(statements))
        assert noshow.release(session, starts_at + 20 * MINUTE, policy) == []
    assert counts[1] <= counts[0] + 1, "three bookings cost what one costs (and the rules' version)"


def test_two_schedulers_give_up_once(
    session: Session, sessions: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    ids = [book(session, cast, policy), book(session, cast, policy, "youssef", "tanger-prusa-2")]
    session.commit()
    found: list[list[int]] = []
    gate = threading.Barrier(4)

    def run() -> None:
        gate.wait(20)
        with transaction(sessions) as own:
            found.append(noshow.release(own, LATE, policy))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(booking for each in found for booking in each) == sorted(ids)
    assert sorted(told(session, "missed")) == sorted(ids)
    assert session.scalar(select(func.count()).where(BookingChange.to_state == "missed")) == 2


# ---- reminders


def test_one_is_reminded_once_and_not_after_the_start(session: Session, cast: Cast, policy: Policy) -> None:
    booking_id = book(session, cast, policy)
    assert noshow.remind(session, TEN - 61 * MINUTE, policy) == 0
    assert noshow.remind(session, TEN - 40 * MINUTE, policy) == 1, "a late run still reminds"
    assert noshow.remind(session, TEN - 39 * MINUTE, policy) == 0
    assert told(session, "reminder") == [booking_id]
    session.execute(update(Booking).values(reminded_at=None))
    assert noshow.remind(session, TEN, policy) == 0


def test_who_just_booked_needs_no_reminder(session: Session, cast: Cast, policy: Policy) -> None:
    book(session, cast, policy, made_before=timedelta(minutes=30))
    assert noshow.remind(session, TEN - 20 * MINUTE, policy) == 0


@pytest.mark.parametrize("state", ["requested", "cancelled", "started"])
def test_only_what_will_be_is_reminded_of(session: Session, cast: Cast, policy: Policy, state: str) -> None:
    book(session, cast, policy)
    session.execute(update(Booking).values(state=state))
    assert noshow.remind(session, TEN - 40 * MINUTE, policy) == 0


def test_a_longer_notice_in_one_lab_reaches_further(session: Session, cast: Cast, policy: Policy) -> None:
    book(session, cast, policy)
    at = TEN - timedelta(hours=3)
    assert noshow.remind(session, at, policy) == 0
    session.add(RuleRow(name="remind_before_s", value=4 * 3600, lab_id=cast.labs["tanger"], changed_at=TEN))
    _changed(session)
    assert noshow.remind(session, at, policy) == 1


def _changed(session: Session) -> None:
    """The rules are others now: who has them in memory reads again."""
    session.flush()
    if session.get(RulesVersion, 1) is None:
        session.add(RulesVersion(id=1))
    else:
        session.execute(update(RulesVersion).values(version=func.gen_random_uuid()))
    session.flush()
