"""Pages of waiting lists and of bookings that change hands, without any script."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings import waiting
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.models import Booking
from fablab.bookings.models_claims import Hold, Waiting
from fablab.bookings.service import cancel_booking, create_booking
from fablab.bookings.waiting import WaitingRequest
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.mail.models import Mail
from tests.fixtures_cast import Cast, tomorrow
from tests.support.pages import Reader, Visit, words

PRINTER = "tanger-prusa-1"


@pytest.fixture
def taken(sessions: sessionmaker[Session], cast: Cast, policy: Policy) -> int:
    """The printer is the admin's tomorrow from 8 to 20."""
    with transaction(sessions) as session:
        request = BookingRequest(PRINTER, tomorrow(8), tomorrow(20))
        return create_booking(session, cast.actors["admin"], request, utc_now(), policy).id


def form(**changed: str) -> dict[str, str]:
    day = f"{tomorrow(9):%Y-%m-%d}"
    return {
        "machine": PRINTER,
        "what": "machine",
        "duration": "60",
        "day": day,
        "time": "09:00",
        "until_day": day,
        "until_time": "12:00",
        **changed,
    }


def give_back(sessions: sessionmaker[Session], cast: Cast, policy: Policy, taken: int) -> str:
    """Somebody waits, the time comes free; the path in the mail's link."""
    with transaction(sessions) as session:
        cancel_booking(session, cast.actors["admin"], taken, utc_now(), policy)
    with transaction(sessions) as session:
        mail = session.scalars(select(Mail).where(Mail.template == "waiting_offer")).one()
        return str(mail.filling["link"])


def test_what_is_wrong_stands_beside_its_field(visit: Visit, taken: int, session: Session) -> None:
    amina = visit("amina")
    amina.get(f"/waitlist?machine={PRINTER}")
    for changed, said in (
        ({"until_time": "08:00"}, "The window must end after it begins."),
        ({"day": "soon"}, "Please give a day"),
        ({"duration": ""}, "Please choose how long."),
        ({"what": "anything"}, "Please choose one of the list."),
        ({"until_time": "23:00"}, "No need to wait"),
        ({"until_time": "09:30"}, "shorter than"),
    ):
        answer = amina.post("/waitlist", **form(**changed))
        assert answer.status_code == 422
        assert said in words(answer)
    assert session.scalars(select(Waiting)).all() == []


def test_a_taken_machine_leads_to_its_line(visit: Visit, taken: int, session: Session) -> None:
    amina = visit("amina")
    amina.get(f"/machines/{PRINTER}")
    answer = amina.post(
        f"/machines/{PRINTER}/bookings", day=f"{tomorrow(9):%Y-%m-%d}", time="09:00", duration="60"
    )
    assert answer.status_code == 409
    assert f"/waitlist?machine={PRINTER}" in answer.text
    amina.get(f"/waitlist?machine={PRINTER}&day={tomorrow(9):%Y-%m-%d}&time=09:00&duration=60")
    assert amina.post("/waitlist", **form()).status_code == 303
    assert "You are first in line." in words(amina.get("/waitlist"))
    [line] = session.scalars(select(Waiting))
    asked = amina.get(f"/waitlist/{line.id}/leaving")
    assert "Leave the line?" in words(asked)
    assert amina.post(f"/waitlist/{line.id}/leaving").status_code == 303
    assert "You are in no line" in words(amina.get("/waitlist"))


def test_the_mails_link_shows_and_changes_nothing_until_it_is_answered(
    app: Flask,
    visit: Visit,
    sessions: sessionmaker[Session],
    cast: Cast,
    policy: Policy,
    taken: int,
    session: Session,
) -> None:
    with transaction(sessions) as writing:
        asked = WaitingRequest(PRINTER, None, None, 3600, tomorrow(9), tomorrow(12))
        waiting.join(writing, cast.actors["amina"], asked, utc_now(), policy)
    link = give_back(sessions, cast, policy, taken)
    # Whoever opens it, scanners of mails included, changes nothing.
    stranger = Reader(app)
    for _ in range(3):
        page = stranger.get(link)
        assert "Book it" in page.text
        assert "Tanger Prusa 1" in words(page)
    assert len(session.scalars(select(Hold)).all()) == 1
    assert stranger.client.post(link).status_code == 400
    done = stranger.post(link)
    assert done.status_code == 200
    assert "It is booked" in words(done)
    session.rollback()
    made = session.scalars(select(Booking).where(Booking.member_id == cast.members["amina"])).one()
    assert (made.starts_at, made.state) == (tomorrow(9), "confirmed")
    again = stranger.post(link)
    assert (again.status_code, "This is not kept any more" in words(again)) == (422, True)
    assert stranger.get("/bookings").status_code == 302


def test_what_is_kept_stands_on_my_bookings_and_is_booked_there(
    visit: Visit, sessions: sessionmaker[Session], cast: Cast, policy: Policy, taken: int
) -> None:
    with transaction(sessions) as writing:
        asked = WaitingRequest(PRINTER, None, None, 3600, tomorrow(9), tomorrow(12))
        line = waiting.join(writing, cast.actors["amina"], asked, utc_now(), policy).id
    give_back(sessions, cast, policy, taken)
    amina = visit("amina")
    assert "Kept for you until" in words(amina.get("/bookings"))
    assert "Kept for you" not in words(visit("youssef").get("/bookings"))
    amina.get("/waitlist")
    booked = amina.post(f"/waitlist/{line}/acceptance")
    assert booked.status_code == 303
    assert "made=1" in booked.headers["Location"]


def test_a_booking_is_given_by_one_and_taken_by_the_other(
    visit: Visit, sessions: sessionmaker[Session], cast: Cast, policy: Policy, session: Session
) -> None:
    with transaction(sessions) as writing:
        request = BookingRequest(PRINTER, tomorrow(9), tomorrow(9) + timedelta(hours=1))
        own = create_booking(writing, cast.actors["amina"], request, utc_now(), policy).id
    amina, youssef = visit("amina"), visit("youssef")
    assert "Give or swap" in amina.get(f"/bookings/{own}").text
    amina.get(f"/bookings/{own}/handover")
    for fields, said in (
        ({"way": "give", "to": "nobody"}, "That does not look like an e-mail address."),
        ({"way": "give", "to": "amina@example.org"}, "That booking is yours already."),
        (
            {"way": "swap", "machine": PRINTER, "day": f"{tomorrow(9):%Y-%m-%d}", "time": "15:00"},
            "Nobody has booked",
        ),
    ):
        answer = amina.post(f"/bookings/{own}/handover", **fields)
        assert (answer.status_code, said in words(answer)) == (422, True), words(answer)
    assert amina.post(f"/bookings/{own}/handover", way="give", to="youssef@example.org").status_code == 303
    assert "Amina gives you a booking" in words(youssef.get("/bookings"))
    [offer] = session.scalars(select(Booking.id))
    page = youssef.get("/handovers")
    assert "Take it" in words(page)
    number = page.text.split("/handovers/")[1].split("/")[0]
    taken = youssef.post(f"/handovers/{number}/acceptance")
    assert taken.status_code == 303
    assert taken.headers["Location"].endswith(f"/bookings/{offer}")
    assert "From Amina to Youssef" in words(youssef.get(f"/bookings/{own}"))
    assert amina.get(f"/bookings/{own}").status_code == 404
