"""Checking in and out: who may, when, what it does, and that the rest of the time is others'."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.models import Booking, BookingChange, Occupancy, Participant
from fablab.bookings.presence import check_in, check_out
from fablab.bookings.queries import BookingView, booking
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking, mark_started
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.members.models import Audit
from fablab.members.rules import Actor
from tests.fixtures_cast import Cast, tomorrow

MINUTE = timedelta(minutes=1)
MACHINE = "tanger-prusa-1"
TEN, NOON = tomorrow(10), tomorrow(12)


@pytest.fixture
def policy(policy: Policy) -> Policy:
    return replace(policy, check_in_before_s=900, no_show_after_s=0)


def book(
    session: Session, actor: Actor, policy: Policy, machine: str = MACHINE, starts_at: datetime = TEN
) -> int:
    request = BookingRequest(machine, starts_at, starts_at + timedelta(hours=2))
    return create_booking(session, actor, request, starts_at - timedelta(hours=5), policy).id


def code_of(refused: pytest.ExceptionInfo[DomainError]) -> str:
    return refused.value.refusals[0].code


@pytest.mark.parametrize(
    ("who", "code"), [("youssef", Code.NOT_FOUND), ("karim", Code.NOT_FOUND), ("nadia", Code.NOT_ALLOWED)]
)
@pytest.mark.parametrize("verb", [check_in, check_out])
def test_others_do_not_say_who_came(
    session: Session, cast: Cast, policy: Policy, who: str, code: Code, verb: object
) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    with pytest.raises(DomainError) as refused:
        verb(session, cast.actors[who], booking_id, TEN, policy)  # type: ignore[operator]
    assert refused.value.code is code


def test_too_early_says_when(session: Session, cast: Cast, policy: Policy) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    with pytest.raises(DomainError) as refused:
        check_in(session, cast.actors["amina"], booking_id, TEN - 16 * MINUTE, policy)
    assert code_of(refused) == "check_in_early"
    assert "09:45" in refused.value.message


@pytest.mark.parametrize("state", ["requested", "cancelled", "rejected", "missed", "completed"])
def test_what_is_none_of_theirs_any_more(session: Session, cast: Cast, policy: Policy, state: str) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    session.execute(update(Booking).values(state=state))
    with pytest.raises(DomainError) as refused:
        check_in(session, cast.actors["amina"], booking_id, TEN, policy)
    assert code_of(refused) == "not_to_check_in"
    with pytest.raises(DomainError) as refused:
        check_out(session, cast.actors["amina"], booking_id, TEN, policy)
    assert code_of(refused) == "not_to_check_out"


def test_checking_in_starts_the_booking(session: Session, cast: Cast, policy: Policy) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    at = TEN - 15 * MINUTE
    done = check_in(session, cast.actors["amina"], booking_id, at, policy)
    assert (done.state, done.checked_in_at, done.version) == ("started", at, 2)
    change = session.scalars(select(BookingChange).order_by(BookingChange.id.desc())).first()
    assert change is not None
    assert (change.from_state, change.to_state, change.made_by) == ("confirmed", "started", "member")
    assert change.member_id == cast.members["amina"]
    again = check_in(session, cast.actors["amina"], booking_id, TEN, policy)
    assert (again.checked_in_at, again.version) == (at, 2), "a second time changes nothing"
    assert not session.scalar(
        select(func.count()).select_from(Audit).where(Audit.action == "booking.check_in")
    )


def test_what_the_machine_started_needs_no_check_in(session: Session, cast: Cast, policy: Policy) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    assert mark_started(session, booking_id, TEN)
    done = check_in(session, cast.actors["amina"], booking_id, TEN + MINUTE, policy)
    assert (done.state, done.checked_in_at) == ("started", None)


def test_who_comes_along_checks_the_group_in(session: Session, cast: Cast, policy: Policy) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    session.add(Participant(booking_id=booking_id, member_id=cast.members["youssef"], name="Youssef"))
    session.flush()
    assert check_in(session, cast.actors["youssef"], booking_id, TEN, policy).state == "started"
    assert not session.scalar(
        select(func.count()).select_from(Audit).where(Audit.action == "booking.check_in")
    )


def test_staff_check_others_in_and_out_and_it_is_written_down(
    session: Session, cast: Cast, policy: Policy
) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    check_in(session, cast.actors["salma"], booking_id, TEN, policy)
    check_out(session, cast.actors["salma"], booking_id, TEN + 30 * MINUTE, policy)
    acts = session.execute(
        select(Audit.action, Audit.actor_id, Audit.on_member_id).where(Audit.action.like("booking.check%"))
    ).all()
    assert [tuple(act) for act in acts] == [
        ("booking.check_in", cast.members["salma"], cast.members["amina"]),
        ("booking.check_out", cast.members["salma"], cast.members["amina"]),
    ]


def test_checking_out_gives_the_rest_to_others(session: Session, cast: Cast, policy: Policy) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    check_in(session, cast.actors["amina"], booking_id, TEN, policy)
    at = TEN + 30 * MINUTE
    with pytest.raises(DomainError):
        create_booking(session, cast.actors["youssef"], BookingRequest(MACHINE, at, NOON), at, policy)
    done = check_out(session, cast.actors["amina"], booking_id, at, policy)
    assert (done.state, done.ends_at, done.checked_out_at) == ("completed", at, at)
    made = create_booking(session, cast.actors["youssef"], BookingRequest(MACHINE, at, NOON), at, policy)
    assert made.state == "confirmed"
    change = session.scalars(
        select(BookingChange).where(BookingChange.booking_id == booking_id).order_by(BookingChange.id.desc())
    ).first()
    assert change is not None
    assert (change.from_ends_at, change.to_ends_at, change.to_state) == (NOON, at, "completed")
    row = session.get_one(Booking, booking_id)
    session.refresh(row)
    assert row.local_ends == at.replace(tzinfo=None)
    with pytest.raises(DomainError) as refused:
        check_out(session, cast.actors["amina"], booking_id, at + MINUTE, policy)
    assert code_of(refused) == "not_to_check_out"


def test_the_clean_up_stays_claimed(session: Session, cast: Cast, policy: Policy) -> None:
    from fablab.machines.models import Machine

    session.get_one(Machine, cast.machines[MACHINE]).cleanup_s = 600
    session.commit()
    booking_id = book(session, cast.actors["amina"], policy)
    check_in(session, cast.actors["amina"], booking_id, TEN, policy)
    check_out(session, cast.actors["amina"], booking_id, TEN + 30 * MINUTE, policy)
    claim = session.scalars(select(Occupancy)).one()
    assert claim.ends_at == TEN + 40 * MINUTE


def test_who_leaves_before_the_start_still_had_a_booking(
    session: Session, cast: Cast, policy: Policy
) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    check_in(session, cast.actors["amina"], booking_id, TEN - 10 * MINUTE, policy)
    done = check_out(session, cast.actors["amina"], booking_id, TEN - 5 * MINUTE, policy)
    assert (done.starts_at, done.ends_at) == (TEN, TEN + MINUTE)


def test_two_at_once_check_out_once(
    session: Session, sessions: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    booking_id = book(session, cast.actors["amina"], policy)
    check_in(session, cast.actors["amina"], booking_id, TEN, policy)
    session.commit()
    at = TEN + 30 * MINUTE
    found: list[BookingView | str] = []
    gate = threading.Barrier(4)

    def leave() -> None:
        gate.wait(20)
        try:
            with transaction(sessions) as own:
                found.append(check_out(own, cast.actors["amina"], booking_id, at, policy))
        except DomainError as error:
            found.append(error.refusals[0].code)

    threads = [threading.Thread(target=leave) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(each if isinstance(each, str) else "done" for each in found) == [
        "done",
        *["not_to_check_out"] * 3,
    ]
    session.expire_all()
    view = booking(session, booking_id)
    assert view is not None
    assert view.ends_at == at
