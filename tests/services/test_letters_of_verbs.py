"""From the verb to the mail: what somebody does over REST is told, with an entry that calendars take over."""

from __future__ import annotations

import icalendar
import pytest
from sqlalchemy.orm import Session, sessionmaker

from fablab.db import transaction
from fablab.mail.models import Mail
from fablab.settings import Settings
from tests.fixtures_cast import Apis, Cast, tomorrow
from tests.support.letters import calendar_of, told


@pytest.fixture
def mails(sessions: sessionmaker[Session], settings: Settings):  # type: ignore[no-untyped-def]
    def read() -> dict[str, Mail]:
        with transaction(sessions) as session:
            return {mail.address.partition("@")[0]: mail for mail in told(session, settings)}

    return read


def one(mail: Mail) -> icalendar.Event:
    [found] = calendar_of(mail).walk("VEVENT")
    return found


def test_made_moved_and_cancelled_is_one_entry_that_grows(api: Apis, mails, cast: Cast) -> None:  # type: ignore[no-untyped-def]
    body = {
        "machine": "tanger-prusa-1",
        "starts_at": tomorrow(10).isoformat(),
        "ends_at": tomorrow(12).isoformat(),
        "participants": [{"email": "youssef@example.org"}],
    }
    made = api("amina").post("/bookings", body)
    assert made.status_code == 201, made.text
    first = mails()
    assert set(first) == {"amina", "youssef"}
    assert calendar_of(first["amina"])["METHOD"] == "REQUEST"
    number = made.json["id"]

    later = {"starts_at": tomorrow(14).isoformat(), "ends_at": tomorrow(16).isoformat()}
    moved = api("amina").request("PATCH", f"/bookings/{number}", later)
    assert moved.status_code == 200, moved.text
    second = mails()
    assert set(second) == {"amina", "youssef"}
    assert second["amina"].filling["was"] != ""

    gone = api("salma").post(f"/bookings/{number}/cancellation", {"reason": "The power is cut"})
    assert gone.status_code == 201, gone.text
    third = mails()
    assert third["amina"].filling["reason"] == "The power is cut"
    assert third["amina"].filling["by"] == "Salma"
    assert calendar_of(third["youssef"])["METHOD"] == "CANCEL"

    entries = [one(each["amina"]) for each in (first, second, third)]
    assert {entry["UID"] for entry in entries} == {f"booking-{number}@127.0.0.1"}
    assert [entry["SEQUENCE"] for entry in entries] == sorted({entry["SEQUENCE"] for entry in entries})
    assert [entry.decoded("DTSTART") for entry in entries] == [tomorrow(10), tomorrow(14), tomorrow(14)]


def test_who_is_booked_for_is_told_by_whom(api: Apis, mails, cast: Cast) -> None:  # type: ignore[no-untyped-def]
    body = {
        "machine": "tanger-prusa-1",
        "starts_at": tomorrow(10).isoformat(),
        "ends_at": tomorrow(12).isoformat(),
        "for_member": "youssef@example.org",
    }
    assert api("salma").post("/bookings", body).status_code == 201
    written = mails()
    assert set(written) == {"youssef"}
    assert written["youssef"].filling["by"] == "Salma"


def test_what_is_refused_is_not_told(api: Apis, mails, cast: Cast) -> None:  # type: ignore[no-untyped-def]
    body = {
        "machine": "tanger-laser-1",
        "starts_at": tomorrow(3).isoformat(),
        "ends_at": tomorrow(5).isoformat(),
    }
    assert api("amina").post("/bookings", body).status_code == 422
    assert mails() == {}
