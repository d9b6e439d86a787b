"""Calendars to subscribe to: whose key opens what, and what a calendar program finds in it for a year."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from fablab.bookings.feeds import KEYS_MOST, feed_of, keys_of, make_key, open_feed, revoke_key
from fablab.bookings.models_calendars import CalendarKey
from fablab.bookings.models_claims import Outage
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.members.models import Audit, Member
from tests.fixtures_cast import CASABLANCA, ZONE, Apis, Cast, tomorrow
from tests.support.letters import book, move
from tests.support.zones import MOROCCO_WITH_RAMADAN, zone_data

ADDRESS, HOST = "https://fablab.example.org", "fablab.example.org"


def read(session: Session, plain: str) -> icalendar.Calendar:
    opened = open_feed(session, plain)
    assert opened is not None
    [found] = icalendar.Calendar.from_ical(feed_of(session, opened, utc_now(), ADDRESS, HOST), multiple=True)
    assert not found.errors
    return found


def summaries(calendar: icalendar.Calendar) -> list[str]:
    return [str(each["SUMMARY"]) for each in calendar.walk("VEVENT")]


def key(session: Session, cast: Cast, name: str, **of: int) -> str:
    return make_key(session, cast.actors[name], utc_now(), **of)[1]


def test_there_is_an_end_to_addresses(session: Session, cast: Cast) -> None:
    for _ in range(KEYS_MOST):
        key(session, cast, "amina")
    with pytest.raises(DomainError) as refused:
        key(session, cast, "amina")
    assert [each.code for each in refused.value.refusals] == ["too_many_keys"]
    key(session, cast, "youssef")


def test_somebody_elses_address_does_not_exist_and_ones_own_ends_at_once(
    session: Session, cast: Cast
) -> None:
    made, plain = make_key(session, cast.actors["amina"], utc_now())
    for name in ("youssef", "salma", "admin"):
        with pytest.raises(DomainError) as refused:
            revoke_key(session, cast.actors[name], made.id, utc_now())
        assert refused.value.code is Code.NOT_FOUND
    assert open_feed(session, plain) is not None
    revoke_key(session, cast.actors["amina"], made.id, utc_now())
    assert open_feed(session, plain) is None
    assert keys_of(session, cast.members["amina"]) == []
    acts = session.scalars(select(Audit.action).order_by(Audit.id)).all()
    assert acts == ["calendar_key.make", "calendar_key.revoke"]


def test_no_secret_is_kept_and_a_closed_account_opens_nothing(session: Session, cast: Cast) -> None:
    plain = key(session, cast, "amina")
    [row] = session.scalars(select(CalendarKey))
    assert plain not in repr(vars(row))
    session.get_one(Member, cast.members["amina"]).active = False
    session.flush()
    assert open_feed(session, plain) is None


def test_ones_own_feed_has_what_one_leads_and_where_one_comes_along(session: Session, cast: Cast) -> None:
    mine = book(session, cast, purpose="A gear")
    asked = book(session, cast, starts_at=tomorrow(13), state="requested")
    along = book(session, cast, "youssef", starts_at=tomorrow(15), guests=("amina",), purpose="Theirs")
    book(session, cast, "youssef", starts_at=tomorrow(17))
    for n, state in enumerate(("cancelled", "rejected", "missed")):
        book(session, cast, starts_at=tomorrow(10, days=3 + n), state=state)
    found = read(session, key(session, cast, "amina")).walk("VEVENT")
    assert [each["UID"] for each in found] == [f"booking-{each.id}@{HOST}" for each in (mine, asked, along)]
    assert [each["STATUS"] for each in found] == ["CONFIRMED", "TENTATIVE", "CONFIRMED"]
    assert found[0]["DESCRIPTION"] == f"A gear\n{ADDRESS}/bookings/{mine.id}"
    assert "Theirs" not in found[2]["DESCRIPTION"]


def test_of_others_one_reads_that_it_is_booked_and_staff_read_by_whom(session: Session, cast: Cast) -> None:
    book(session, cast, "youssef", purpose="A secret")
    book(session, cast, "amina", starts_at=tomorrow(14))
    book(session, cast, "amina", "rabat-prusa-1")
    of = {"lab_id": cast.labs["tanger"]}
    for name, seen in (
        ("amina", "réservé"),
        ("karim", "réservé"),
        ("salma", "Youssef"),
        ("nadia", "Youssef"),
    ):
        calendar = read(session, key(session, cast, name, **of))
        assert summaries(calendar)[0] == f"Tanger Prusa 1: {seen}"
        assert len(summaries(calendar)) == 2
        text = calendar.to_ical().decode()
        assert ("A secret" in text) == (seen == "Youssef")
        assert ("Youssef" in text) == (seen == "Youssef")
    one = read(session, key(session, cast, "amina", machine_id=cast.machines["rabat-prusa-1"]))
    assert summaries(one) == ["Rabat Prusa 1: Amina"]


def test_an_outage_takes_time_too(session: Session, cast: Cast) -> None:
    at = {"machine_id": cast.machines["tanger-prusa-1"], "lab_id": cast.labs["tanger"], "category": "fault"}
    session.add(Outage(**at, starts_at=tomorrow(9), ends_at=tomorrow(12), created_at=utc_now()))
    session.add(Outage(**at, starts_at=tomorrow(13), ends_at=None, created_at=utc_now()))
    calendar = read(session, key(session, cast, "amina", lab_id=cast.labs["tanger"]))
    first, second = calendar.walk("VEVENT")
    assert first["SUMMARY"] == "Tanger Prusa 1: hors service"
    assert second.decoded("DTEND") - second.decoded("DTSTART") == timedelta(days=7)


def test_a_feed_is_right_for_a_year_over_ramadan(session: Session, cast: Cast, tmp_path: Path) -> None:
    """Read back by somebody else's program, day by day."""
    with zone_data(tmp_path, ZONE, MOROCCO_WITH_RAMADAN):
        first, zone = tomorrow(18).replace(tzinfo=None), ZoneInfo(ZONE)
        evenings = [(first + timedelta(days=n)).replace(tzinfo=zone) for n in range(366)]
        for each in evenings:
            book(session, cast, starts_at=each, hours=1.5)
        calendar = read(session, key(session, cast, "amina"))
    [table] = calendar.walk("VTIMEZONE")
    assert table["TZID"] == ZONE
    offsets = {part["TZOFFSETTO"].td for part in table.subcomponents}
    assert offsets == {timedelta(0), timedelta(hours=1)}
    found = recurring_ical_events.of(calendar).between(
        evenings[0].date() - timedelta(days=1), evenings[-1].date() + timedelta(days=2)
    )
    starts = [each["DTSTART"].dt for each in found]
    assert [each.replace(tzinfo=None) for each in starts] == [each.replace(tzinfo=None) for each in evenings]
    assert {each["DTEND"].dt - each["DTSTART"].dt for each in found} == {timedelta(hours=1.5)}


def test_the_same_statements_for_few_and_many(session: Session, cast: Cast) -> None:
    keys = [
        key(session, cast, "amina"),
        key(session, cast, "salma", lab_id=cast.labs["tanger"]),
        key(session, cast, "youssef", machine_id=cast.machines["tanger-prusa-1"]),
    ]

    def count(plain: str) -> int:
        session.flush()
        statements: list[str] = []
        note = lambda *given: statements.append(given[2])  # noqa: E731
        event.listen(session.get_bind(), "before_cursor_execute", note)
        read(session, plain)
        event.remove(session.get_bind(), "before_cursor_execute", note)
        return len(statements)

    book(session, cast)
    few = [count(each) for each in keys]
    for n in range(60):
        book(session, cast, starts_at=tomorrow(9) + timedelta(days=n, hours=3))
    assert [count(each) for each in keys] == few == [2, 4, 4]


def get(app: Flask, path: str, **headers: str) -> TestResponse:
    """As a calendar program asks: without a cookie, without a token."""
    return app.test_client(use_cookies=False).get(path, headers=headers)


def test_a_program_subscribes_and_asks_again(
    app: Flask, api: Apis, sessions: sessionmaker[Session], cast: Cast
) -> None:
    with transaction(sessions) as session:
        booking = book(session, cast)
    made = api("amina").post("/me/calendar-keys").json
    assert made["url"] == f"http://127.0.0.1:8000/api/v1/me/calendar.ics?key={made['key']}"
    path = made["url"].removeprefix("http://127.0.0.1:8000")
    answer = get(app, path)
    assert (answer.status_code, answer.content_type) == (200, "text/calendar; charset=utf-8")
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert f"booking-{booking.id}@127.0.0.1" in answer.text
    tag = answer.headers["ETag"]
    again = get(app, path, **{"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    with transaction(sessions) as session:
        move(session, session.merge(booking), timedelta(hours=1), utc_now())
    changed = get(app, path, **{"If-None-Match": tag})
    assert (changed.status_code, changed.headers["ETag"] != tag) == (200, True)
    assert "SEQUENCE:2" in changed.text
    [listed] = api("amina").get("/me/calendar-keys").json["items"]
    assert "key" not in listed
    assert listed["used_at"] is not None


def test_a_wrong_key_and_anothers_thing_are_alike_and_guessing_ends(
    app: Flask, api: Apis, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = api("amina").post("/me/calendar-keys", {"lab": "tanger"}).json["key"]
    assert get(app, f"/api/v1/labs/tanger/calendar.ics?key={lab}").status_code == 200
    wrong = [
        f"/api/v1/labs/rabat/calendar.ics?key={lab}",
        f"/api/v1/labs/atlantis/calendar.ics?key={lab}",
        f"/api/v1/me/calendar.ics?key={lab}",
        f"/api/v1/machines/tanger-prusa-1/calendar.ics?key={lab}",
        "/api/v1/me/calendar.ics?key=cal_guess",
    ]
    answers = [get(app, path) for path in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    for path, status in (
        ("/api/v1/me/calendar.ics", 404),
        ("/api/v1/me/calendar.ics?key=", 404),
        ("/api/v1/me/calendar.ics?key=%00", 422),
    ):
        assert get(app, path).status_code == status
    guesses = [get(app, f"/api/v1/me/calendar.ics?key=cal_{n}") for n in range(40)]
    assert {answer.status_code for answer in guesses} == {404, 429}
    assert int(guesses[-1].headers["Retry-After"]) > 0
    # Whoever has a key reads on, although the whole lab shares an address with who guesses.
    assert get(app, f"/api/v1/labs/tanger/calendar.ics?key={lab}").status_code == 200
    said = capsys.readouterr()
    assert lab not in said.out + said.err


def test_an_address_is_a_machines_or_a_labs(api: Apis) -> None:
    amina = api("amina")
    both = amina.post("/me/calendar-keys", {"lab": "tanger", "machine": "tanger-prusa-1"})
    assert both.status_code == 422
    assert amina.post("/me/calendar-keys", {"machine": "atlantis-1"}).status_code == 404
    assert amina.post("/me/calendar-keys", {"machine": "tanger-prusa-1"}).json["kind"] == "machine"


def test_local_times_are_the_labs(session: Session, cast: Cast) -> None:
    booking = book(session, cast, starts_at=tomorrow(10))
    [found] = read(session, key(session, cast, "amina")).walk("VEVENT")
    assert found["DTSTART"].to_ical().decode() == f"{booking.starts_at.astimezone(CASABLANCA):%Y%m%dT%H%M%S}"
