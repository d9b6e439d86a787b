"""Whoever guesses at an account keeps its owner out of unknown browsers only."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.fixtures_cast import PASSWORD
from tests.support.pages import Reader

COOKIE = "fablab_known"


def guessed_until_shut(app: Flask, name: str) -> None:
    thief = Reader(app)
    seen = [thief.sign_in(name, "wrong").status_code for _ in range(7)]
    assert seen[-1] == 429


def cookie(reader: Reader) -> str:
    found = reader.client.get_cookie(COOKIE)
    return found.value if found else ""


def test_a_browser_known_for_one_account_is_unknown_for_another(app: Flask, session: Session) -> None:
    own = Reader(app)
    assert own.sign_in("youssef").status_code == 303
    own.get("/")
    own.post("/sign-out")
    guessed_until_shut(app, "amina")
    assert own.sign_in("amina").status_code == 429


@pytest.mark.parametrize("made_up", ["x", "x~y", "~", "." * 500, "é~é", "a~" + "0" * 32])
def test_a_cookie_somebody_made_up_is_none(app: Flask, session: Session, made_up: str) -> None:
    guessed_until_shut(app, "amina")
    other = Reader(app)
    other.client.set_cookie(COOKIE, made_up)
    assert other.sign_in("amina").status_code == 429


def test_a_known_browser_guesses_no_more_than_an_unknown_one(app: Flask, session: Session) -> None:
    reader = Reader(app)
    assert reader.sign_in("amina").status_code == 303
    reader.get("/")
    reader.post("/sign-out")
    assert [reader.sign_in("amina", "wrong").status_code for _ in range(6)] == [422] * 5 + [429]
    assert Reader(app).sign_in("amina").status_code == 303, "the account's own count is another"


def test_a_wrong_password_makes_no_browser_known(app: Flask, session: Session) -> None:
    reader = Reader(app)
    reader.sign_in("amina", "wrong")
    assert not cookie(reader)


def test_the_owner_comes_in_while_others_guess(app: Flask, session: Session) -> None:
    owner, second = Reader(app), Reader(app)
    assert owner.sign_in("amina").status_code == 303
    assert "amina" not in cookie(owner)
    owner.get("/")
    owner.post("/sign-out")
    guessed_until_shut(app, "amina")
    assert second.sign_in("amina").status_code == 429, "a browser that was never in waits"
    assert owner.sign_in("amina", PASSWORD).status_code == 303
    failures = session.scalar(text("SELECT max(failures) FROM guess"))
    assert failures >= 5, "the guesser's count stays"
