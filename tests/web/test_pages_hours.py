"""The pages on which a lab's managers set its hours, without any script."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.machines.external_calendars import add_source
from fablab.machines.models import CalendarSource, Closure, Lab, Opening, Season
from fablab.machines.tasks import propose_hours
from fablab.settings import Settings
from tests.fixtures_cast import CASABLANCA, Cast, tomorrow
from tests.support.pages import Reader, Visit, words

HOURS = "/labs/tanger/hours"


@pytest.fixture
def salma(visit: Visit) -> Reader:
    reader = visit("salma")
    reader.get(f"{HOURS}/week")
    return reader


def week(**changed: str) -> dict[str, str]:
    """The form of a week: Monday to Friday 9 to 17 with staff, and what is changed."""
    usual = {f"opens-{day}-0": "09:00" for day in range(5)} | {f"closes-{day}-0": "17:00" for day in range(5)}
    return usual | {f"staff-{day}-0": "on" for day in range(5)} | changed


def openings(session: Session, cast: Cast) -> list[tuple[int, str, str, bool]]:
    rows = session.scalars(
        select(Opening)
        .where(Opening.lab_id == cast.labs["tanger"], Opening.season_id.is_(None))
        .order_by(Opening.weekday, Opening.opens)
    )
    return [(row.weekday, f"{row.opens:%H:%M}", f"{row.closes:%H:%M}", row.supervised) for row in rows]


def test_the_menu_leads_managers_to_the_hours_of_their_lab(visit: Visit) -> None:
    answer = visit("salma").get("/staff/hours")
    assert (answer.status_code, answer.location) == (302, HOURS)
    assert "/staff/hours" in visit("admin").get("/staff/members").text
    assert "/staff/hours" not in visit("nadia").get("/staff/members").text
    assert visit("karim").get(HOURS).status_code == 403


def test_a_week_is_saved_with_its_nights_and_hours_without_staff(
    salma: Reader, cast: Cast, session: Session
) -> None:
    changes = {"opens-4-1": "22:00", "closes-4-1": "02:00", "opens-6-0": "", "closes-6-0": ""}
    answer = salma.post(f"{HOURS}/week", **week(**changes))
    assert (answer.status_code, answer.location) == (303, f"{HOURS}/week")
    assert openings(session, cast)[-2:] == [(4, "09:00", "17:00", True), (4, "22:00", "02:00", False)]
    page = salma.get(f"{HOURS}/week")
    assert 'name="opens-4-1" value="22:00"' in page.text
    assert "The week is saved." in words(page)


def test_overlaps_and_half_an_opening_come_back_at_their_day_and_change_nothing(
    salma: Reader, cast: Cast, session: Session
) -> None:
    before = openings(session, cast)
    answer = salma.post(f"{HOURS}/week", **week(**{"closes-2-0": ""}))
    assert answer.status_code == 422
    assert re.search(r"Wednesday.*Please give a time, for instance 14:30\.", words(answer))
    answer = salma.post(f"{HOURS}/week", **week(**{"opens-2-1": "16:00", "closes-2-1": "18:00"}))
    assert answer.status_code == 422
    assert "Wednesday 09:00-17:00 and Wednesday 16:00-18:00 are at the same time." in words(answer)
    assert 'value="18:00"' in answer.text, "what was typed is there again"
    session.expire_all()
    assert openings(session, cast) == before


def test_a_machine_gets_a_week_of_its_own_and_the_lab_s_again(salma: Reader, session: Session) -> None:
    own = select(Opening.id).where(Opening.machine_id.is_not(None))
    salma.post(f"{HOURS}/week", machine="tanger-laser-1", **week())
    assert len(session.scalars(own).all()) == 5
    page = salma.get(f"{HOURS}/week?machine=tanger-laser-1")
    assert "It keeps hours of its own." in words(page)
    salma.post(f"{HOURS}/week", machine="tanger-laser-1", as_lab="1", **week())
    assert session.scalars(own).all() == []


def test_a_season_is_added_with_the_usual_week_and_refused_when_it_ends_before_it_begins(
    salma: Reader, session: Session
) -> None:
    salma.get(f"{HOURS}/seasons")
    days = {"starts_on": "2031-02-10", "ends_on": "2031-02-01", "priority": "0"}
    answer = salma.post(f"{HOURS}/seasons", label="Exams", **days)
    assert answer.status_code == 422
    assert "It ends on 2031-02-01, before it begins on 2031-02-10." in words(answer)
    assert session.scalars(select(Season)).all() == []
    answer = salma.post(f"{HOURS}/seasons", label="Exams", **{**days, "ends_on": "2031-02-20"})
    assert answer.status_code == 303
    page = salma.get(answer.location)
    assert "Set its own below." in words(page)
    assert page.text.count('value="18:00"') == 6


def test_proposals_are_confirmed_and_declined_by_ticking_them(
    salma: Reader, cast: Cast, sessions: sessionmaker[Session], settings: Settings
) -> None:
    with transaction(sessions) as session:
        propose_hours(session, utc_now(), settings)
    overview = words(salma.get(HOURS))
    assert "The calendar proposes, you decide." in overview
    assert "Ramadan" in overview
    page = salma.get(f"{HOURS}/closures")
    first, second = re.findall(r'name="closure" value="(\d+)"', page.text)[:2]
    assert "Tick the proposals" in words(
        _followed(salma, salma.post(f"{HOURS}/closures/decisions", confirm="1"))
    )
    said = words(_followed(salma, salma.post(f"{HOURS}/closures/decisions", closure=first, confirm="1")))
    assert "1 confirmed. The lab is closed then." in said
    said = words(_followed(salma, salma.post(f"{HOURS}/closures/decisions", closure=second, decline="1")))
    assert "1 declined. The lab stays open then." in said
    with sessions() as session:
        states = dict(session.execute(select(Closure.id, Closure.state)).tuples().all())
    assert (states[int(first)], states[int(second)]) == ("confirmed", "declined")


def _followed(reader: Reader, answer: object) -> object:
    location: str = answer.location  # type: ignore[attr-defined]
    return reader.get(location)


def test_a_closure_that_leaves_a_booking_outside_says_so_and_lists_it(
    salma: Reader, visit: Visit, cast: Cast
) -> None:
    at = tomorrow(15)
    amina = visit("amina")
    amina.get("/machines/tanger-laser-1")
    made = amina.post(
        "/machines/tanger-laser-1/bookings", day=f"{at:%Y-%m-%d}", time="15:00", duration="60", purpose=""
    )
    assert made.status_code == 303, words(made)
    answer = salma.post(
        f"{HOURS}/closures",
        label="Fair",
        first_day=f"{at:%Y-%m-%d}",
        starts="14:00",
        ends="18:00",
        again="",
        machine="",
    )
    assert answer.location == f"{HOURS}#outside"
    said = words(salma.get(HOURS))
    assert "1 booking lies outside the new hours." in said
    assert "Booked outside hours" in said
    assert "Amina" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"first_day": ""}, "Please give a day"),
        ({"last_day": "2030-01-01"}, "It ends at 2030-01-02 00:00, and begins at 2031-01-01 00:00."),
        ({"starts": "25:00"}, "Please give a time"),
        ({"label": ""}, "Give it a name"),
        ({"machine": "rabat-prusa-1"}, "Please choose one of the list."),
        ({"again": "hourly"}, "Please choose one of the list."),
    ],
)
def test_a_closure_with_a_mistake_comes_back_with_what_was_typed(
    salma: Reader, session: Session, changed: dict[str, str], said: str
) -> None:
    typed = {"label": "Fair", "first_day": "2031-01-01", "again": "yearly", "machine": ""} | changed
    answer = salma.post(f"{HOURS}/closures", **typed)
    assert answer.status_code == 422
    assert said in words(answer)
    assert session.scalars(select(Closure)).all() == []


def test_the_year_shows_what_each_day_is(salma: Reader, cast: Cast, sessions: sessionmaker[Session]) -> None:
    today = utc_now().astimezone(CASABLANCA).date()
    day = datetime.combine(today + timedelta(days=3), time(0))
    with transaction(sessions) as session:
        session.add(
            Closure(
                lab_id=cast.labs["tanger"],
                label="Fair",
                local_starts=day,
                local_ends=day + timedelta(days=1),
            )
        )
        session.add(
            Season(
                lab_id=cast.labs["tanger"],
                label="Ramadan 1449",
                starts_on=day.date(),
                ends_on=day.date(),
                state="proposed",
                proposal="ramadan-1449",
            )
        )
        session.flush()
        _changed(session, cast)
    page = salma.get(HOURS)
    assert f"{day:%-d %B}: closed, Fair; proposed: Ramadan 1449" in words(page)
    assert page.text.count("<caption>") == 12


def _changed(session: Session, cast: Cast) -> None:
    session.get_one(Lab, cast.labs["tanger"]).hours_version = uuid4()


def test_a_calendar_shows_how_reading_it_went_and_its_address_only_to_the_lab_s_managers(
    salma: Reader, visit: Visit, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    with transaction(sessions) as session:
        made = add_source(
            session, cast.actors["salma"], "tanger", "Lessons", "https://example.org/x.ics", utc_now()
        )
        row = session.get_one(CalendarSource, made.id)
        row.read_at, row.trouble = utc_now(), "The server answered 404."
    said = words(salma.get(f"{HOURS}/calendars"))
    assert "The server answered 404. What was read before still counts." in said
    assert visit("nadia").get(f"{HOURS}/calendars").status_code == 403
    answer = salma.post(f"{HOURS}/calendars", label="Exams", url="http://10.0.0.1/exams.ics")
    assert answer.status_code == 422
    assert "https://" in words(answer)
