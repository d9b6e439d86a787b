"""The door: who comes in, who does not, and where one goes then."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from fablab.members.models import Member
from tests.fixtures_cast import PASSWORD, Cast
from tests.support.pages import Reader, Visit, words


@pytest.mark.parametrize(
    "address", ["/", "/labs/tanger", "/machines/tanger-prusa-1", "/bookings", "/utilisation"]
)
def test_a_stranger_is_led_to_the_door_and_back(app: Flask, address: str) -> None:
    reader = Reader(app)
    answer = reader.get(address)
    assert answer.status_code == 302
    page = reader.get(answer.location)
    assert page.status_code == 200
    answer = reader.post("/sign-in", email="amina@example.org", password=PASSWORD, next=address)
    assert (answer.status_code, answer.location) == (303, address)


@pytest.mark.parametrize(
    ("referrer", "back"),
    [
        (None, "/"),
        ("https://evil.example/machines/tanger-prusa-1", "/"),
        ("http://localhost/machines/tanger-prusa-1?on=2027-01-31", "/machines/tanger-prusa-1?on=2027-01-31"),
    ],
)
def test_a_form_sent_after_the_end_of_the_session_leads_back_to_its_page(
    app: Flask, referrer: str | None, back: str
) -> None:
    reader = Reader(app)
    headers = {} if referrer is None else {"Referer": referrer}
    answer = reader.client.post("/bookings/1/cancellation", headers=headers)
    assert answer.status_code == 302
    wanted = parse_qs(urlsplit(answer.location).query).get("next", ["/"])[0]
    assert wanted == back


@pytest.mark.parametrize(
    ("email", "password", "says"),
    [
        ("amina@example.org", "wrong-password", "do not go together"),
        ("nobody@example.org", PASSWORD, "do not go together"),
        ("amina@example.org\0", PASSWORD, "do not go together"),
        ("", PASSWORD, "Please give your e-mail address"),
        ("amina@example.org", "", "Please give your password"),
    ],
)
def test_a_wrong_address_or_password_stays_at_the_door(
    app: Flask, email: str, password: str, says: str
) -> None:
    reader = Reader(app)
    reader.get("/sign-in")
    answer = reader.post("/sign-in", email=email, password=password)
    assert answer.status_code == 422
    assert says in words(answer)
    assert 'aria-invalid="true"' in answer.text
    assert PASSWORD not in answer.text
    assert reader.get("/bookings").status_code == 302


def test_an_inactive_member_stays_outside(app: Flask, session: Session, cast: Cast) -> None:
    session.execute(update(Member).where(Member.id == cast.members["youssef"]).values(active=False))
    session.commit()
    assert Reader(app).sign_in("youssef").status_code == 422


def test_a_form_from_elsewhere_does_not_sign_anybody_in(app: Flask) -> None:
    reader = Reader(app)
    answer = reader.client.post("/sign-in", data={"email": "amina@example.org", "password": PASSWORD})
    assert answer.status_code == 400
    assert reader.get("/bookings").status_code == 302


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil",
    ],
)
def test_signing_in_never_leads_to_another_host(app: Flask, elsewhere: str) -> None:
    reader = Reader(app)
    reader.get("/sign-in")
    answer = reader.post("/sign-in", email="amina@example.org", password=PASSWORD, next=elsewhere)
    assert (answer.status_code, answer.location) == (303, "/")


def test_signing_out_needs_its_own_form_and_ends_the_session(visit: Visit) -> None:
    amina = visit("amina")
    assert amina.client.get("/sign-out").status_code == 405
    amina.get("/")
    assert amina.post("/sign-out").status_code == 303
    assert amina.get("/bookings").status_code == 302


def test_who_is_in_already_does_not_see_the_door(visit: Visit) -> None:
    assert visit("amina").get("/sign-in?next=/bookings").location == "/bookings"


def test_a_part_of_a_page_asked_for_after_the_end_of_the_session_moves_the_whole_page(app: Flask) -> None:
    answer = Reader(app).get("/sign-in", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/sign-in"
