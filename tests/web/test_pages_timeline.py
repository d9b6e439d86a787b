"""A lab's day on a page, and the form that moves a booking."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.queries import booking
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from fablab.clock import utc_now
from fablab.db import transaction
from tests.fixtures_cast import Cast, tomorrow
from tests.support.pages import Visit, words

DAY = f"{tomorrow(10):%Y-%m-%d}"


@pytest.fixture
def made(sessions: sessionmaker[Session], cast: Cast, policy: Policy) -> int:
    """Amina's booking, tomorrow from 10 to 12."""
    request = BookingRequest("tanger-prusa-1", tomorrow(10), tomorrow(12))
    with transaction(sessions) as session:
        return create_booking(session, cast.actors["amina"], request, utc_now(), policy).id


@pytest.mark.parametrize("name", ["youssef", "karim"])
def test_what_is_not_theirs_is_not_there_to_move(visit: Visit, made: int, name: str) -> None:
    reader = visit(name)
    assert reader.get(f"/bookings/{made}/move").status_code == 404
    assert reader.post(f"/bookings/{made}/move", day=DAY, time="13:00", duration="60").status_code == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"day": "soon"}, "Please give a day"),
        ({"time": "late"}, "Please give a time"),
        ({"duration": ""}, "Please choose how long"),
        ({"duration": "1"}, "at least"),
        ({"machine": "rabat-prusa-1"}, "Please choose one of the list"),
        ({"machine": "atlantis"}, "Please choose one of the list"),
        ({"machine": "tanger-laser-1", "time": "22:00"}, "open"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_moves(
    visit: Visit, session: Session, made: int, fields: dict[str, str], said: str
) -> None:
    amina = visit("amina")
    amina.get(f"/bookings/{made}/move")
    sent = {"machine": "tanger-prusa-1", "day": DAY, "time": "13:00", "duration": "60", **fields}
    answer = amina.post(f"/bookings/{made}/move", **sent)
    assert answer.status_code == 422
    assert said in words(answer)
    view = booking(session, made)
    assert view is not None
    assert (view.starts_at, view.machine_slug) == (tomorrow(10), "tanger-prusa-1")


def test_taken_time_is_refused_with_what_is_free_instead(
    visit: Visit, sessions: sessionmaker[Session], cast: Cast, policy: Policy, made: int
) -> None:
    request = BookingRequest("tanger-prusa-1", tomorrow(14), tomorrow(16))
    with transaction(sessions) as session:
        create_booking(session, cast.actors["youssef"], request, utc_now(), policy)
    amina = visit("amina")
    amina.get(f"/bookings/{made}/move")
    answer = amina.post(
        f"/bookings/{made}/move", machine="tanger-prusa-1", day=DAY, time="13:30", duration="60"
    )
    assert answer.status_code == 409
    assert "Free instead" in words(answer)
    assert f"/bookings/{made}/move?" in answer.text


def test_it_moves_to_another_time_and_machine(visit: Visit, session: Session, made: int) -> None:
    amina = visit("amina")
    form = amina.get(f"/bookings/{made}/move?machine=tanger-prusa-2&time=13:00")
    assert 'value="13:00"' in form.text
    answer = amina.post(
        f"/bookings/{made}/move", machine="tanger-prusa-2", day=DAY, time="13:00", duration="60"
    )
    assert (answer.status_code, answer.location) == (303, f"/bookings/{made}")
    assert "Moved: Tanger Prusa 2" in words(amina.get(f"/bookings/{made}"))
    view = booking(session, made)
    assert view is not None
    assert (view.machine_slug, view.starts_at) == ("tanger-prusa-2", tomorrow(13))
    assert view.ends_at - view.starts_at == timedelta(hours=1)


def test_a_day_shows_each_machine_and_whose_is_ones_own(visit: Visit, made: int) -> None:
    page = visit("amina").get(f"/labs/tanger/timeline?day={DAY}")
    assert "10:00 – 12:00 Your booking" in words(page)
    assert "Tanger Laser 1" in words(page)
    others = words(visit("youssef").get(f"/labs/tanger/timeline?day={DAY}"))
    assert "10:00 – 12:00 Booked" in others
    assert "Amina" not in others


@pytest.mark.parametrize("day", ["", "soon", "1066-10-14", "2027-13-45"])
def test_a_day_that_is_none_is_today(visit: Visit, day: str) -> None:
    assert "All machines, today" in words(visit("amina").get(f"/labs/tanger/timeline?day={day}"))


def test_there_is_no_timeline_of_a_lab_that_is_not_there(visit: Visit) -> None:
    assert visit("amina").get("/labs/atlantis/timeline").status_code == 404
