"""Which mails somebody does without: chosen on a page, by REST, or by one click in the mail itself."""

from __future__ import annotations

import dataclasses

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import DomainError
from fablab.mail.choices import KINDS, choose, turn_off, unwanted, wanted
from fablab.mail.models import Mail
from fablab.mail.service import Letter, Recipient, queue, queue_all
from fablab.mail.unsubscribing import unsubscribes, unsubscribing
from fablab.settings import Settings
from tests.fixtures_cast import SECRET, Apis, Cast
from tests.mail.conftest import Outbox
from tests.support.mail_server import MailServer

TRAINING = {"title": "Laser", "when": "Monday", "lab": "Tanger"}


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Mail)) or 0


def someone(cast: Cast, name: str) -> Recipient:
    return Recipient(f"{name}@example.org", name.title(), "en", cast.members[name])


def test_there_is_no_such_kind(session: Session, cast: Cast) -> None:
    with pytest.raises(DomainError) as refused:
        choose(session, cast.members["amina"], {"reset_password": False})
    assert [(each.code, each.field) for each in refused.value.refusals] == [("invalid", "reset_password")]


def test_who_says_nothing_gets_them_all(session: Session, cast: Cast) -> None:
    assert wanted(session, cast.members["amina"]) == dict.fromkeys(KINDS, True)


def test_what_is_not_wanted_is_not_written_and_others_still_get_it(session: Session, cast: Cast) -> None:
    choose(session, cast.members["amina"], {"trainings": False, "reminders": True})
    assert wanted(session, cast.members["amina"]) == {**dict.fromkeys(KINDS, True), "trainings": False}
    letters = [
        Letter("training_cancelled", someone(cast, name), TRAINING) for name in ("amina", "youssef", "salma")
    ]
    assert queue_all(session, letters, utc_now()) == 2
    queue(session, "training_cancelled", someone(cast, "amina"), TRAINING, utc_now())
    session.flush()
    written = session.scalars(select(Mail.address).order_by(Mail.id)).all()
    assert written == ["youssef@example.org", "salma@example.org"]
    choose(session, cast.members["amina"], {"trainings": True})
    assert queue_all(session, letters, utc_now()) == 3


def test_what_concerns_the_account_always_comes(session: Session, cast: Cast) -> None:
    choose(session, cast.members["amina"], dict.fromkeys(KINDS, False))
    queue(session, "password_changed", someone(cast, "amina"), {}, utc_now())
    session.flush()
    assert count(session) == 1


def test_a_token_ends_just_what_it_was_made_for() -> None:
    token = unsubscribing(SECRET, 7, "reminders")
    assert unsubscribes(SECRET, token) == (7, "reminders")
    assert unsubscribes("another" * 8, token) is None
    for forged in (
        token.replace("7-", "8-", 1),
        token.replace("reminders", "bookings"),
        token[:-1],
        "",
        "7",
        "١-x-0",
    ):
        assert unsubscribes(SECRET, forged) is None


def test_a_mail_that_may_be_turned_off_says_how_and_one_post_does_it(
    app: Flask,
    sessions: sessionmaker[Session],
    settings: Settings,
    cast: Cast,
    server: MailServer,
) -> None:
    web = dataclasses.replace(settings.web, base_url="https://fablab.example.org/")
    box = Outbox(sessions, dataclasses.replace(settings, web=web), url=server.url)
    with transaction(sessions) as session:
        queue(session, "training_cancelled", someone(cast, "amina"), TRAINING, utc_now())
        queue(session, "password_changed", someone(cast, "amina"), {}, utc_now())
    assert box.send() == 2
    notice, account = server.mails
    assert account["List-Unsubscribe"] is None
    assert notice["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = notice["List-Unsubscribe"].strip("<>")
    assert address.startswith("https://fablab.example.org/notices/off/")
    path = address.removeprefix("https://fablab.example.org")
    strange = app.test_client(use_cookies=False)
    asked = strange.get(path)
    assert asked.status_code == 200
    assert "Trainings" in asked.text
    with sessions() as session:
        assert unwanted(session, [cast.members["amina"]]) == set(), "looking at it changes nothing"
    done = strange.post(path, data={"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    with sessions() as session:
        assert unwanted(session, [cast.members["amina"]]) == {(cast.members["amina"], "trainings")}
    assert strange.post(path[:-1] + "x").status_code == 404


def test_links_of_ours_get_the_address_of_the_service(
    sessions: sessionmaker[Session], settings: Settings, server: MailServer
) -> None:
    web = dataclasses.replace(settings.web, base_url="https://fablab.example.org")
    box = Outbox(sessions, dataclasses.replace(settings, web=web), url=server.url)
    box.write(filling={"link": "/reset/abc?x=1"})
    assert box.send() == 1
    assert "https://fablab.example.org/reset/abc?x=1" in server.mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_rest_reads_and_changes_ones_own(api: Apis) -> None:
    amina = api("amina")
    assert amina.request("PATCH", "/me/notices", {"misspelt": False}).status_code == 422
    assert amina.request("PATCH", "/me/notices", {"reminders": 0}).status_code == 422
    changed = amina.request("PATCH", "/me/notices", {"reminders": False})
    assert (changed.status_code, changed.json) == (200, {**dict.fromkeys(KINDS, True), "reminders": False})
    assert api("youssef").get("/me/notices").json == dict.fromkeys(KINDS, True)


def test_turning_off_twice_is_once(session: Session, cast: Cast) -> None:
    assert turn_off(session, cast.members["amina"], "digest")
    assert not turn_off(session, cast.members["amina"], "digest")
