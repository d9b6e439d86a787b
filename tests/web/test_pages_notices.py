"""The pages of mails, calendar addresses and webhooks, without any script."""

from __future__ import annotations

import html
import re

from flask import Flask
from sqlalchemy.orm import Session, sessionmaker

from fablab.mail.choices import KINDS, wanted
from tests.fixtures_cast import Cast
from tests.support.pages import Visit


def test_one_chooses_ones_mails(visit: Visit, sessions: sessionmaker[Session], cast: Cast) -> None:
    amina = visit("amina")
    page = amina.get("/account/notices")
    assert "Requests to decide" not in page.text, "what only staff get is not offered"
    shown = [name for name, kind in KINDS.items() if not kind.staff]
    assert re.findall(r'name="shown" value="(\w+)"', page.text) == shown
    assert page.text.count(" checked") == len(shown)
    answer = amina.post("/account/notices", shown=shown, wanted=["bookings"])  # type: ignore[arg-type]
    assert answer.status_code == 303
    with sessions() as session:
        found = wanted(session, cast.members["amina"])
    assert {name for name, by_mail in found.items() if by_mail and name in shown} == {"bookings"}
    assert found["digest"], "what was not on the page stays"
    assert amina.get("/account/notices").text.count(" checked") == 1
    assert "Requests to decide" in visit("salma").get("/account/notices").text


def test_an_address_is_shown_once_and_read_until_it_ends(visit: Visit, app: Flask) -> None:
    amina = visit("amina")
    amina.get("/account/calendars")
    assert amina.post("/account/calendars", of="lab-atlantis").status_code == 422
    made = amina.post("/account/calendars", of="machine-tanger-prusa-1")
    [address] = set(re.findall(r'value="http://127\.0\.0\.1:8000(/api/v1/[^"]+)"', made.text))
    address = html.unescape(address)
    assert 'href="webcal://127.0.0.1:8000/' in made.text
    program = app.test_client(use_cookies=False)
    assert program.get(address).mimetype == "text/calendar"
    page = amina.get("/account/calendars")
    assert "cal_" not in page.text
    assert "Tanger Prusa 1" in page.text
    [end] = re.findall(r'action="(/account/calendars/\d+/end)"', page.text)
    assert amina.post(end).status_code == 303
    assert program.get(address).status_code == 404


def test_a_webhook_is_made_tried_and_taken_away(visit: Visit) -> None:
    salma = visit("salma")
    salma.get("/staff/webhooks")
    bad = salma.post("/staff/webhooks", lab="tanger", url="http://example.org/", events="booking.confirmed")
    assert (bad.status_code, "must begin with https://" in bad.text) == (422, True)
    none = salma.post("/staff/webhooks", lab="tanger", url="https://example.org/")
    assert (none.status_code, "Choose at least one event." in none.text) == (422, True)
    other = salma.post("/staff/webhooks", lab="rabat", url="https://example.org/", events="booking.confirmed")
    assert other.status_code == 422
    made = salma.post("/staff/webhooks", lab="tanger", url="https://example.org/", events="booking.confirmed")
    assert len(re.findall(r'value="whsec_[^"]{43}"', made.text)) == 1
    page = salma.get("/staff/webhooks")
    assert "whsec_" not in page.text
    [place] = re.findall(r'href="(/staff/webhooks/\d+)"', page.text)
    assert salma.post(f"{place}/test").status_code == 303
    assert "webhook.test" in salma.get(place).text
    assert "Take the webhook away?" in salma.get(f"{place}/removal").text
    assert salma.post(f"{place}/removal").status_code == 303
    assert salma.get(place).status_code == 404
