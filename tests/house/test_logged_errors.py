"""An error of the database is logged without the values in it: no address, name or hash leaves its table."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import connect
from fablab.leader import leader_engine
from fablab.logs import log_to_stderr, logger
from fablab.mail.models import Mail
from fablab.members.models import Member
from fablab.settings import Settings
from fablab.web.database import db
from tests.fixtures_cast import Cast

SECRETS = ("amina@example.org", "Amina of the harbour", "a-hash-nobody-sees")


def _again(session: Session, *_: Any) -> None:
    """Make a member whose address is taken."""
    email, name, password_hash = SECRETS
    session.execute(
        insert(Member).values(email=email, name=name, password_hash=password_hash, created_at=utc_now())
    )


def _half_a_row(session: Session, *_: Any) -> None:
    """Write a row that misses a value: PostgreSQL quotes the whole row."""
    session.execute(
        text("INSERT INTO mail (address, template) VALUES (:address, :name)"),
        {"address": SECRETS[0], "name": "welcome"},
    )


@pytest.mark.parametrize("breaks", [_again, _half_a_row])
def test_a_request_that_breaks_a_constraint_logs_no_value(
    app: Flask, cast: Cast, breaks: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr()
    with app.test_request_context("/api/v1/me"):
        with pytest.raises(IntegrityError) as error:
            breaks(db.session())
        answer = app.handle_user_exception(error.value)
        db.session.rollback()
    assert app.make_response(answer).status_code == 500
    said = capfd.readouterr().err
    assert "unexpected_error" in said
    assert "IntegrityError" in said
    assert [each for each in SECRETS if each in said] == []


def _engines(app: Flask, settings: Settings) -> dict[str, Engine]:
    with app.app_context():
        web = db.engine
    bound = connect(settings.database).kw["bind"]
    return {"web": web, "connect": bound, "leader": leader_engine(settings.database)}


@pytest.mark.parametrize("kind", ["web", "connect", "leader"])
def test_no_engine_s_error_shows_what_was_bound(
    app: Flask, cast: Cast, settings: Settings, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr()
    engine = _engines(app, settings)[kind]
    try:
        with Session(engine) as session:
            for breaks in (_again, _half_a_row, _no_number):
                try:
                    breaks(session)
                except (IntegrityError, DataError):
                    logger("test").exception("went_wrong")
                session.rollback()
    finally:
        engine.dispose()
    said = capfd.readouterr().err
    assert said.count("went_wrong") == 3
    assert "uq_member_email" in said, "the sentence itself is needed"
    assert [each for each in SECRETS if each in said] == []


def _no_number(session: Session) -> None:
    """A value that is no number: PostgreSQL quotes it in its sentence."""
    session.execute(text("SELECT CAST(:name AS integer)"), {"name": SECRETS[1]})


def test_an_orm_error_shows_no_row(
    sessions: sessionmaker[Session], cast: Cast, capfd: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr()
    now = utc_now()
    with sessions() as session:
        row = {"language": "fr", "template": "welcome", "filling": {"link": SECRETS[2]}, "created_at": now}
        session.add(Mail(member_id=10**9, address=SECRETS[0], due_at=now, **row))
        try:
            session.flush()
        except IntegrityError:
            logger("test").exception("went_wrong")
    said = capfd.readouterr().err
    assert "fk_mail_member_id" in said
    assert [each for each in SECRETS if each in said] == []
