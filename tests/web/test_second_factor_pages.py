"""The second step at the door, and the pages on which one sets it up, renews and removes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.app import create_app
from fablab.clock import utc_now
from fablab.settings import load_settings
from fablab.signin import authenticator, recovery, second_factor
from fablab.signin.models import SignInSession
from fablab.web.database import db
from tests.fixtures_cast import PASSWORD, SECRET, Apis, Cast
from tests.support.pages import Reader, Visit, words

APP = "/account/security/authenticator"
CODES = "/account/security/recovery-codes"
KEY = authenticator.key_from(SECRET)


def enrol(session: Session, cast: Cast, name: str) -> tuple[str, list[str]]:
    """Set an app up for somebody, ten minutes ago; gives its secret and the recovery codes."""
    actor, then = cast.actors[name], utc_now() - timedelta(minutes=10)
    authenticator.begin(session, actor, KEY, then)
    secret = authenticator.pending_secret(session, actor, KEY)
    assert secret is not None
    codes = second_factor.confirm(session, actor, KEY, pyotp.TOTP(secret).at(then), then)
    assert codes is not None
    session.commit()
    return secret, codes


def code_now(secret: str) -> str:
    return pyotp.TOTP(secret).at(utc_now())


def half_in(app: Flask, name: str) -> Reader:
    """A browser in which the password was right, and the code is still to come."""
    reader = Reader(app)
    reader.get("/sign-in")
    answer = reader.post("/sign-in", email=f"{name}@example.org", password=PASSWORD, next="/bookings")
    assert (answer.status_code, answer.location) == (303, "/sign-in/second-step")
    reader.get(answer.location)
    return reader


def test_nobody_is_at_the_second_step_without_the_first(app: Flask) -> None:
    reader = Reader(app)
    assert reader.get("/sign-in/second-step").location == "/sign-in"
    reader.get("/sign-in")
    assert reader.post("/sign-in/second-step", code="000000").location == "/sign-in"


def test_half_in_is_not_in(app: Flask, session: Session, cast: Cast) -> None:
    secret, _ = enrol(session, cast, "amina")
    reader = half_in(app, "amina")
    assert reader.get("/bookings").status_code == 302
    answer = reader.post("/sign-in/second-step", code="000000")
    assert answer.status_code == 422
    assert "not right, or was used already" in words(answer)
    assert session.scalar(select(SignInSession.id)) is None
    answer = reader.post("/sign-in/second-step", code=code_now(secret))
    assert (answer.status_code, answer.location) == (303, "/bookings")
    row = session.scalars(select(SignInSession)).one()
    assert (row.method, row.second_factor) == ("password", True)
    assert reader.get("/bookings").status_code == 200


def test_the_first_half_lasts_ten_minutes(
    app: Flask, session: Session, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, _ = enrol(session, cast, "amina")
    reader = half_in(app, "amina")
    later = utc_now() + timedelta(minutes=11)
    monkeypatch.setattr("fablab.web.half_way.utc_now", lambda: later)
    answer = reader.post("/sign-in/second-step", code=code_now(secret))
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert session.scalar(select(SignInSession.id)) is None


def test_a_code_seen_over_the_shoulder_does_not_work_again(app: Flask, session: Session, cast: Cast) -> None:
    secret, codes = enrol(session, cast, "amina")
    first, second = half_in(app, "amina"), half_in(app, "amina")
    code = code_now(secret)
    assert first.post("/sign-in/second-step", code=code).status_code == 303
    assert second.post("/sign-in/second-step", code=code).status_code == 422
    page = second.get("/sign-in/second-step?recovery=1")
    assert "Recovery code" in words(page)
    assert second.post("/sign-in/second-step", code=codes[0]).status_code == 303
    third = half_in(app, "amina")
    assert third.post("/sign-in/second-step", code=codes[0]).status_code == 422


def test_guessing_codes_is_slowed_down(app: Flask, session: Session, cast: Cast) -> None:
    secret, _ = enrol(session, cast, "amina")
    reader = half_in(app, "amina")
    answers = [reader.post("/sign-in/second-step", code=f"{number:06}") for number in range(6)]
    assert [each.status_code for each in answers] == [422] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    right = reader.post("/sign-in/second-step", code=code_now(secret))
    assert right.status_code == 429, "not even the right one"
    # And in another browser: it is the account that is counted.
    assert half_in(app, "amina").post("/sign-in/second-step", code=code_now(secret)).status_code == 429


def test_an_app_is_set_up_and_its_codes_are_shown_once(visit: Visit, session: Session, cast: Cast) -> None:
    amina = visit("amina")
    assert "Set it up" in words(amina.get(APP))
    assert amina.post(APP).status_code == 303
    page = amina.get(APP)
    assert "<svg" in page.text
    secret = re.search(r'aria-label="The key">([A-Z2-7 ]+)<', page.text)
    assert secret
    wrong = amina.post(f"{APP}/confirmation", code="000000")
    assert wrong.status_code == 422
    assert "Type the one the app shows now" in words(wrong)
    shown = amina.post(f"{APP}/confirmation", code=code_now(secret[1].replace(" ", "")))
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    codes = re.findall(r"<code>([a-z0-9-]+)</code>", shown.text)
    assert len(codes) == 10
    assert session.scalars(select(SignInSession.second_factor)).one() is True
    for address in (APP, CODES, "/account/security"):
        text = amina.get(address).text
        assert not any(code in text for code in codes)
        assert secret[1] not in text
    again = amina.post(f"{APP}/confirmation", code="000000")
    assert (again.status_code, again.location) == (303, "/account/security/recovery-codes"), "loaded anew"
    assert "The codes were shown already" in words(amina.get(again.location))
    assert recovery.left(session, cast.members["amina"]) == 10


@pytest.mark.parametrize("address", [f"{APP}/removal", CODES])
def test_proof_is_asked_for_before_anything_is_taken_away(
    app: Flask, session: Session, cast: Cast, address: str
) -> None:
    secret, codes = enrol(session, cast, "amina")
    amina = half_in(app, "amina")
    assert amina.post("/sign-in/second-step", code=code_now(secret)).status_code == 303
    amina.get(address)
    for wrong in ("", "wrong password", "000000", code_now(secret)):
        answer = amina.post(address, proof=wrong)
        assert answer.status_code == 422
        assert "neither your password nor a code" in words(answer)
    assert recovery.left(session, cast.members["amina"]) == 10
    answer = amina.post(address, proof=codes[0] if address == CODES else PASSWORD)
    assert answer.status_code == (200 if address == CODES else 303)
    session.expire_all()
    assert second_factor.required(session, cast.members["amina"]) is (address == CODES)
    if address == CODES:
        assert "Your new recovery codes" in words(answer)
        assert codes[1] not in answer.text


def test_new_codes_loaded_anew_stay_as_they_are(app: Flask, session: Session, cast: Cast) -> None:
    """Whoever loads the page again sends its form again: that must not put other codes in place of hers."""
    secret, _ = enrol(session, cast, "amina")
    amina = half_in(app, "amina")
    assert amina.post("/sign-in/second-step", code=code_now(secret)).status_code == 303
    edition = re.search(r'name="edition" value="(\d+)"', amina.get(CODES).text)
    assert edition
    shown = amina.post(CODES, proof=PASSWORD, edition=edition[1])
    codes = re.findall(r"<code>([a-z0-9-]+)</code>", shown.text)
    assert len(codes) == 10
    assert "shown only now" in words(shown)
    again = amina.post(CODES, proof=PASSWORD, edition=edition[1])
    assert (again.status_code, again.location) == (303, CODES)
    page = words(amina.get(CODES))
    assert "The codes were shown already; if you do not have them, make new ones." in page
    assert "Make ten new codes" in page
    session.expire_all()
    assert recovery.take(session, cast.members["amina"], codes[0], utc_now())


@pytest.mark.parametrize(("name", "nudged"), [("amina", False), ("salma", True), ("nadia", True)])
def test_staff_see_why_they_should(visit: Visit, name: str, nudged: bool) -> None:
    page = words(visit(name).get("/account/security"))
    assert ("Your role opens other people" in page) is nudged
    assert "Set up an authenticator app" in page


def test_few_codes_left_is_said(app: Flask, session: Session, cast: Cast) -> None:
    secret, codes = enrol(session, cast, "amina")
    for code in codes[:9]:
        assert recovery.take(session, cast.members["amina"], code, utc_now())
    session.commit()
    amina = half_in(app, "amina")
    amina.post("/sign-in/second-step", code=code_now(secret))
    assert "Only one recovery code is left" in words(amina.get("/account/security"))


@pytest.fixture
def strict_app(database_url: str, cast: Cast) -> Iterator[Flask]:
    """The application where staff must have a second factor."""
    given = {"DATABASE_URL": database_url, "FABLAB_SECRET_KEY": SECRET}
    app = create_app(load_settings({**given, "FABLAB_SIGNIN__STAFF_SECOND_FACTOR": "required"}))
    app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
    yield app
    with app.app_context():
        db.engine.dispose()


def test_where_it_is_required_staff_set_it_up_before_anything_else(
    strict_app: Flask, session: Session, cast: Cast
) -> None:
    salma, amina = Reader(strict_app), Reader(strict_app)
    salma.sign_in("salma")
    amina.sign_in("amina")
    assert amina.get("/bookings").status_code == 200, "makers may, staff must"
    for address in ("/", "/bookings", "/account/security", "/utilisation"):
        answer = salma.get(address)
        assert (answer.status_code, answer.location) == (302, APP)
    refused = salma.get("/api/v1/me")
    assert (refused.status_code, refused.json["code"]) == (403, "not_allowed")
    assert "Set up the second step first" in words(salma.get(APP))
    assert salma.post(APP).status_code == 303
    secret = authenticator.pending_secret(session, cast.actors["salma"], KEY)
    assert secret
    salma.get(APP)
    assert salma.post(f"{APP}/confirmation", code=code_now(secret)).status_code == 200
    assert salma.get("/bookings").status_code == 200


def test_where_it_is_required_a_session_begun_without_it_shows_it_now(
    strict_app: Flask, session: Session, cast: Cast
) -> None:
    salma = Reader(strict_app)
    salma.sign_in("salma")
    _, codes = enrol(session, cast, "salma")
    answer = salma.get("/bookings")
    assert (answer.status_code, answer.location) == (302, "/sign-in/second-step")
    salma.get(answer.location)
    assert salma.post("/sign-in/second-step", code=codes[0]).status_code == 303
    assert salma.get("/bookings").status_code == 200


def test_where_it_is_required_a_token_of_staff_without_one_does_nothing(
    strict_app: Flask, api: Apis, session: Session, cast: Cast
) -> None:
    program = strict_app.test_client(use_cookies=False)

    def asked(name: str) -> int:
        headers = {"Authorization": f"Bearer {api.token(name)}"}
        return program.get("/api/v1/me", headers=headers).status_code

    assert asked("salma") == 403
    assert asked("amina") == 200, "makers may, staff must"
    enrol(session, cast, "salma")
    assert asked("salma") == 200
