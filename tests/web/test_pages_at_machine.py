"""What the code on a machine opens, for each who may stand before it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from fablab.clock import utc_now
from fablab.machines.models import Machine
from fablab.web.qr import code_file
from tests.fixtures_cast import Apis, Cast
from tests.support.pages import Visit, words

HERE = "/m/tanger-prusa-1"
SOON = timedelta(minutes=5)


@pytest.fixture
def soon(session: Session, cast: Cast, policy: Policy) -> int:
    """Amina's booking, in five minutes."""
    now = utc_now()
    wanted = BookingRequest("tanger-prusa-1", now + SOON, now + SOON + timedelta(hours=1))
    made = create_booking(session, cast.actors["amina"], wanted, now, policy).id
    session.commit()
    return made


def state(session: Session, booking_id: int) -> str | None:
    session.expire_all()
    return session.scalar(select(Booking.state).where(Booking.id == booking_id))


def test_who_is_not_signed_in_comes_back_after_the_door(app: Flask, cast: Cast) -> None:
    answer = app.test_client().get(HERE)
    assert answer.status_code == 302
    assert answer.location == "/sign-in?next=%2Fm%2Ftanger-prusa-1"


def test_an_unknown_machine(visit: Visit) -> None:
    assert visit("amina").get("/m/tanger-prusa-99").status_code == 404


def test_others_are_not_told_who_booked_and_cannot_act(visit: Visit, session: Session, soon: int) -> None:
    reader = visit("youssef")
    said = words(reader.get(HERE))
    assert "Amina" not in said
    assert "Check in" not in said
    assert reader.post(f"{HERE}/check-in", booking=str(soon)).status_code == 404
    assert state(session, soon) == "confirmed"


def test_whose_it_is_checks_in_and_is_done(visit: Visit, session: Session, soon: int) -> None:
    reader = visit("amina")
    assert "Check in" in words(reader.get(HERE))
    assert reader.post(f"{HERE}/check-in", booking=str(soon)).status_code == 303
    assert state(session, soon) == "started"
    said = words(reader.get(HERE))
    assert "You are checked in" in said
    assert "I am done" in said
    assert reader.post(f"{HERE}/check-out", booking=str(soon)).status_code == 303
    assert state(session, soon) == "completed"


def test_staff_check_in_for_whose_it_is(visit: Visit, session: Session, soon: int) -> None:
    reader = visit("salma")
    assert "Check Amina in" in words(reader.get(HERE))
    reader.post(f"{HERE}/check-in", booking=str(soon))
    assert state(session, soon) == "started"
    assert "They are done" in words(reader.get(HERE))


def test_a_free_machine_is_booked_and_begun_in_one_tap(visit: Visit, session: Session, cast: Cast) -> None:
    reader = visit("youssef")
    assert "Free now" in words(reader.get(HERE))
    assert reader.post(f"{HERE}/bookings", minutes="30").status_code == 303
    made = session.execute(select(Booking.state, Booking.member_id, Booking.checked_in_at)).one()
    assert (made.state, made.member_id) == ("started", cast.members["youssef"])
    assert made.checked_in_at is not None
    assert "Your booking is running" in words(reader.get(HERE))
    # Who comes next is told what is free instead.
    other = visit("amina")
    assert "Free instead" in words(other.get(HERE))
    assert other.post(f"{HERE}/bookings", minutes="30").status_code == 303
    assert "taken" in words(other.get(HERE))


@pytest.mark.parametrize("minutes", ["", "0", "-5", "99999999", "half"])
def test_a_length_that_is_none(visit: Visit, session: Session, minutes: str) -> None:
    reader = visit("amina")
    reader.get(HERE)
    assert reader.post(f"{HERE}/bookings", minutes=minutes).status_code == 303
    assert session.scalar(select(Booking.id)) is None
    assert "choose how long" in words(reader.get(HERE))


def test_what_comes_later_says_when_to_check_in(
    visit: Visit, session: Session, cast: Cast, policy: Policy
) -> None:
    now = utc_now()
    wanted = BookingRequest("tanger-prusa-1", now + timedelta(hours=3), now + timedelta(hours=4))
    create_booking(session, cast.actors["amina"], wanted, now, policy)
    session.commit()
    said = words(visit("amina").get(HERE))
    assert "Your booking comes later" in said
    assert "Check in from" in said


def test_what_nobody_came_to_is_said_to_be_free_again(
    visit: Visit, session: Session, cast: Cast, policy: Policy, soon: int
) -> None:
    from fablab.bookings.models_rules import RuleRow, RulesVersion

    now = utc_now()
    session.execute(update(Booking).values(starts_at=now - timedelta(minutes=40), created_at=now - SOON * 20))
    session.add(RuleRow(name="no_show_after_s", value=600, changed_at=now))
    session.add(RulesVersion(id=1))
    session.commit()
    said = words(visit("amina").get(HERE))
    assert "Your booking was given up" in said
    assert state(session, soon) == "confirmed", "reading changes nothing"
    reader = visit("amina")
    reader.get(HERE)
    reader.post(f"{HERE}/check-in", booking=str(soon))
    assert "Nobody came in time" in words(reader.get(HERE))


def test_a_machine_out_of_use_is_not_offered(visit: Visit, session: Session, cast: Cast) -> None:
    session.get_one(Machine, cast.machines["tanger-prusa-1"]).active = False
    session.commit()
    said = words(visit("amina").get(HERE))
    assert "You cannot book it now" in said
    assert "cannot be booked at present" in said


def test_the_sheet_of_codes_is_for_the_lab_s_staff(visit: Visit) -> None:
    assert visit("karim").get("/labs/tanger/codes").status_code == 404
    answer = visit("salma").get("/labs/tanger/codes")
    assert answer.text.count('class="qr"') == 3
    assert "/m/tanger-laser-1" in answer.text


def test_the_code_says_the_address_of_the_page(api: Apis, app: Flask) -> None:
    answer = api("youssef").get("/machines/tanger-prusa-1/qr.svg")
    assert answer.content_type == "image/svg+xml"
    base = app.extensions["fablab.settings"].web.base_url
    assert answer.data == code_file(f"{base}/m/tanger-prusa-1")
    assert answer.data != code_file(f"{base}/m/tanger-prusa-2")
