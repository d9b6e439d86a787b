"""Your data over REST and on the page: taken along, or erased by whoever is really the member."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, Participant
from fablab.clock import utc_now
from fablab.data_rights.rules import EXPORTS_A_DAY, for_days
from fablab.data_rights.service import erase
from fablab.mail.models import Mail
from fablab.members.models import Audit, Member
from fablab.settings import Settings
from fablab.signin.models import Guess, SignInSession
from fablab.web.pages.my_data import KEPT, kept
from tests.fixtures_cast import PASSWORD, Apis, Cast, tomorrow
from tests.support.pages import Reader, Visit, words


def long_ago(session: Session, name: str, cast: Cast) -> None:
    """Her browser has been signed in for an hour."""
    session.execute(
        update(SignInSession)
        .where(SignInSession.member_id == cast.members[name])
        .values(created_at=utc_now() - timedelta(hours=1))
    )
    session.commit()


def is_there(session: Session, cast: Cast, name: str = "amina") -> bool:
    session.rollback()
    found = session.scalars(select(Member.erased_at).where(Member.id == cast.members[name]))
    return found.one() is None


# ---- taking it along


def test_an_export_is_a_file_to_keep_that_no_cache_keeps(api: Apis) -> None:
    answer = api("amina").get("/me/export")
    assert answer.status_code == 200
    assert answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=fablab-")
    assert answer.headers["Cache-Control"] == "no-store"
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    assert json.loads(archive.read("data.json"))["account"][0]["email"] == "amina@example.org"


def test_after_some_exports_one_waits(api: Apis, visit: Visit) -> None:
    for _ in range(EXPORTS_A_DAY):
        assert api("amina").get("/me/export").status_code == 200
    answer = api("amina").get("/me/export")
    assert (answer.status_code, answer.json["code"]) == (429, "too_many")
    assert 86000 < int(answer.headers["Retry-After"]) <= 86400
    assert api("youssef").get("/me/export").status_code == 200
    browser = visit("amina")
    browser.get("/account/data")
    assert browser.post("/account/data/archive").status_code == 303
    assert "several times today" in words(browser.get("/account/data"))


def exports(session: Session) -> int:
    session.rollback()
    found = select(func.count()).select_from(Audit).where(Audit.action == "data.export")
    return session.scalar(found) or 0


def test_a_page_elsewhere_cannot_use_up_the_day_s_exports(visit: Visit, session: Session) -> None:
    """Whatever a browser sends without the page's own token, by link, image or form."""
    client = visit("amina").client
    assert client.get("/account/data/archive").status_code == 405
    assert client.post("/account/data/archive").status_code == 400
    for method in (client.get, client.head):
        assert method("/api/v1/me/export").status_code == 400
        assert method("/api/v1/me/export", headers={"X-CSRFToken": "guessed"}).status_code == 400
    assert exports(session) == 0


def test_a_reading_token_takes_nothing_along(api: Apis, session: Session) -> None:
    answer = api("amina", scope="read").get("/me/export")
    assert (answer.status_code, answer.json["code"]) == (403, "not_allowed")
    assert exports(session) == 0


def test_an_open_browser_does_not_give_the_archive_away(visit: Visit, session: Session, cast: Cast) -> None:
    browser = visit("amina")
    long_ago(session, "amina", cast)
    browser.get("/account/data")
    answer = browser.post("/account/data/archive")
    assert answer.status_code == 303
    assert answer.location.startswith("/account/security/sure")
    assert exports(session) == 0


def test_the_page_gives_the_same_file(visit: Visit) -> None:
    browser = visit("amina")
    browser.get("/account/data")
    answer = browser.post("/account/data/archive")
    assert zipfile.ZipFile(io.BytesIO(answer.data)).testzip() is None


def test_a_browser_s_program_sends_the_page_s_token(visit: Visit) -> None:
    browser = visit("amina")
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/account/data").text)
    assert token is not None
    answer = browser.client.get("/api/v1/me/export", headers={"X-CSRFToken": token[1]})
    assert answer.status_code == 200


# ---- erasing, refused


@pytest.mark.parametrize("body", [{}, {"password": None}, {"password": ""}, {"password": "wrong"}])
def test_a_token_alone_erases_nobody(
    api: Apis, session: Session, cast: Cast, body: dict[str, str | None]
) -> None:
    """Whoever finds a token must not be able to take the account away."""
    answer = api("amina").post("/me/erasure", body)
    assert answer.status_code == 422
    assert answer.json["refusals"][0]["code"] == "wrong_password"
    assert is_there(session, cast)


@pytest.mark.parametrize(
    "body", [{"password": 3}, {"password": "a\0b"}, {"sure": True}, {"password": "x" * 201}]
)
def test_nonsense_is_told_apart(api: Apis, body: dict[str, object]) -> None:
    assert api("amina").post("/me/erasure", body).status_code == 422


def test_a_reading_token_erases_nobody(api: Apis, session: Session, cast: Cast) -> None:
    assert api("amina", scope="read").post("/me/erasure", {"password": PASSWORD}).status_code == 403
    assert is_there(session, cast)


def test_guessing_the_password_here_is_guessing(api: Apis, session: Session, cast: Cast) -> None:
    answers = [api("amina").post("/me/erasure", {"password": "wrong"}).status_code for _ in range(12)]
    assert answers[0] == 422
    assert answers[-1] == 429
    assert session.scalar(select(func.count()).select_from(Guess))
    assert api("amina").post("/me/erasure", {"password": PASSWORD}).status_code == 429
    assert is_there(session, cast)


def test_a_form_from_elsewhere_erases_nobody(visit: Visit, session: Session, cast: Cast) -> None:
    browser = visit("amina")
    assert browser.client.post("/account/data/erasure", data={"sure": "1"}).status_code == 400
    assert is_there(session, cast)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"password": PASSWORD}, "cannot be undone"),
        ({"sure": "1"}, "Give your password"),
        ({"sure": "1", "password": "wrong"}, "That is not your password"),
        ({"sure": "1", "password": "a\0b"}, "That is not your password"),
    ],
)
def test_the_page_asks_who_was_in_for_a_while(
    visit: Visit, session: Session, cast: Cast, form: dict[str, str], says: str
) -> None:
    browser = visit("amina")
    long_ago(session, "amina", cast)
    assert 'name="password"' in browser.get("/account/data/erasure").text
    answer = browser.post("/account/data/erasure", **form)
    assert answer.status_code == 422
    assert says in words(answer)
    assert is_there(session, cast)


def test_who_has_no_password_signs_in_again(visit: Visit, session: Session, cast: Cast) -> None:
    browser = visit("amina")
    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(password_hash=None))
    long_ago(session, "amina", cast)
    page = browser.get("/account/data/erasure")
    assert "sign in again" in words(page)
    assert 'name="sure"' not in page.text


def test_what_has_to_be_settled_first_is_said(visit: Visit) -> None:
    page = visit("admin").get("/account/data/erasure")
    assert "only administrator" in words(page)
    assert "Is it really you?" not in words(page)


# ---- erasing, done


def test_a_program_erases_with_the_password(api: Apis, session: Session, cast: Cast) -> None:
    made = api("amina").post(
        "/bookings",
        {
            "machine": "tanger-prusa-1",
            "starts_at": tomorrow(10).isoformat(),
            "ends_at": tomorrow(11).isoformat(),
        },
    )
    assert made.status_code == 201
    answer = api("amina").post("/me/erasure", {"password": PASSWORD}, headers={"Idempotency-Key": "once"})
    assert answer.status_code == 200
    assert answer.json["bookings_cancelled"] == 1
    assert not is_there(session, cast)
    assert api("amina").get("/me").status_code == 401
    assert session.scalars(select(Audit.action).order_by(Audit.id.desc())).first() == "data.erase"


@pytest.mark.parametrize(("folder", "written"), [("", 0), ("/var/mails", 1)])
def test_a_goodbye_is_written_only_where_mails_go_out(
    app: Flask, api: Apis, session: Session, monkeypatch: pytest.MonkeyPatch, folder: str, written: int
) -> None:
    """Otherwise name and address would wait for ever to be sent."""
    settings: Settings = app.extensions["fablab.settings"]
    mail = replace(settings.mail, url="", folder=folder)
    monkeypatch.setitem(app.extensions, "fablab.settings", replace(settings, mail=mail))
    assert api("amina").post("/me/erasure", {"password": PASSWORD}).status_code == 200
    assert session.scalar(select(func.count()).select_from(Mail)) == written


def test_a_fresh_sign_in_is_enough(app: Flask, visit: Visit, session: Session, cast: Cast) -> None:
    browser = visit("amina")
    page = browser.get("/account/data/erasure")
    assert 'name="password"' not in page.text
    answer = browser.post("/account/data/erasure", sure="1")
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert "is erased" in words(browser.get("/sign-in"))
    assert not is_there(session, cast)
    assert browser.get("/bookings").status_code == 302
    assert Reader(app).sign_in("amina").status_code != 303


# ---- what others see afterwards


def test_staff_see_an_erased_member_and_others_see_booked(
    api: Apis, session: Session, cast: Cast, settings: Settings
) -> None:
    now = utc_now()
    lived = {
        "machine_id": cast.machines["tanger-prusa-1"],
        "lab_id": cast.labs["tanger"],
        "member_id": cast.members["amina"],
        "created_by_id": cast.members["amina"],
        "starts_at": now - timedelta(hours=5),
        "ends_at": now - timedelta(hours=4),
        "zone": "Africa/Casablanca",
        "local_starts": (now - timedelta(hours=5)).replace(tzinfo=None),
        "local_ends": (now - timedelta(hours=4)).replace(tzinfo=None),
        "state": "completed",
        "purpose": "A secret gift",
        "created_at": now - timedelta(days=1),
        "head_count": 2,
    }
    booking = Booking(**lived)
    session.add(booking)
    session.flush()
    session.add(Participant(booking_id=booking.id, name="Ines"))
    session.flush()
    erase(session, cast.actors["amina"], cast.members["amina"], now, settings.web.base_url)
    session.commit()
    staff = api("salma").get(f"/bookings/{booking.id}")
    assert staff.status_code == 200
    assert staff.json["member"]["name"] == f"Erased member {cast.members['amina']}"
    for said in (staff.text, api("salma").get(f"/bookings/{booking.id}/history").text):
        assert "Ines" not in said
        assert "gift" not in said
        assert "Amina" not in said
    assert api("youssef").get(f"/bookings/{booking.id}").status_code == 404
    day = (now - timedelta(days=1)).isoformat()
    calendar = api("youssef").get("/machines/tanger-prusa-1/calendar", query_string={"from": day})
    assert calendar.status_code == 200
    assert "Erased" not in calendar.text


# ---- what is kept


def test_the_page_says_how_long_everything_is_kept(visit: Visit, settings: Settings) -> None:
    said = words(visit("amina").get("/account/data"))
    assert {setting for _, setting, _ in KEPT} == set(vars(settings.retention))
    for what, length in kept(settings.retention):
        assert what in said
        assert length in said
    assert for_days(settings.retention.audit_days) in said
