"""What keeps others out: equal answers, our own forms, JSON only, headers, cookies, and silence in logs."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text, update
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from fablab.app import create_app
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.members.models import Member
from fablab.settings import Settings, SettingsError, load_settings
from fablab.signin import hashing
from fablab.signin.service import answer_requests
from fablab.web.database import db
from tests.fixtures_cast import PASSWORD, SECRET, Apis, Cast
from tests.support.pages import Reader, Visit

NEW = "violet tram sugar"
JOINING = {"name": "Hind", "password": NEW, "language": "fr"}
_VARIES = re.compile(r'name="csrf_token" value="[^"]+"|[a-z]+@example\.org')


@pytest.fixture
def work(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is done: a line for each statement, and one for each hash."""
    done: list[str] = []

    def statement(_connection: Any, _cursor: Any, sql: str, *_more: Any) -> None:
        done.append(sql)

    for name in ("_verify", "hash_password"):
        inner = getattr(hashing, name)

        def counted(*given: Any, inner: Any = inner) -> Any:
            done.append("hash")
            return inner(*given)

        monkeypatch.setattr(hashing, name, counted)
    monkeypatch.setattr("fablab.web.pages.join.hash_password", hashing.hash_password)
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", statement)
    yield done
    event.remove(engine, "before_cursor_execute", statement)


def told(answer: TestResponse) -> tuple[Any, ...]:
    """All that somebody learns from an answer, without what is another each time."""
    headers = sorted((name, value) for name, value in answer.headers if name not in ("Set-Cookie", "Date"))
    return (
        answer.status_code,
        _VARIES.sub("", answer.text),
        [each for each in headers if "ength" not in each[0]],
    )


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/sign-in", {"password": "nonsense"}), ("/forgotten", {}), ("/join", JOINING)],
)
def test_an_account_that_exists_is_answered_as_one_that_does_not(
    app: Flask, session: Session, cast: Cast, work: list[str], path: str, fields: dict[str, str]
) -> None:
    """The same status, headers and words, after the same statements and as many hashes."""
    session.execute(update(Member).where(Member.email == "youssef@example.org").values(active=False))
    session.execute(update(Member).where(Member.email == "karim@example.org").values(password_hash=None))
    session.commit()
    answers, works = [], []
    for name in ("amina", "nobody", "youssef", "karim"):
        reader = Reader(app)
        reader.get(path)
        del work[:]
        answers.append(told(reader.post(path, **fields, email=f"{name}@example.org")))
        works.append(list(work))
    assert all(each == answers[0] for each in answers)
    assert all(each == works[0] for each in works)
    assert works[0].count("hash") == (0 if path == "/forgotten" else 1)


def test_an_inactive_account_with_its_right_password_is_answered_as_a_wrong_one(
    app: Flask, session: Session, cast: Cast, work: list[str]
) -> None:
    session.execute(update(Member).where(Member.email == "youssef@example.org").values(active=False))
    session.commit()
    answers, works = [], []
    for name in ("youssef", "nobody"):
        reader = Reader(app)
        reader.get("/sign-in")
        del work[:]
        answers.append(told(reader.post("/sign-in", email=f"{name}@example.org", password=PASSWORD)))
        works.append(list(work))
    assert answers[0] == answers[1]
    assert works[0] == works[1]


def test_limits_answer_for_accounts_that_are_not_there_too(app: Flask) -> None:
    for name in ("amina", "nobody"):
        reader = Reader(app)
        reader.get("/sign-in")
        seen = [reader.post("/sign-in", email=f"{name}@example.org", password="x") for _ in range(6)]
        assert [each.status_code for each in seen] == [422] * 5 + [429]
        assert int(seen[-1].headers["Retry-After"]) in (1, 2)
        assert "tried too often" in seen[-1].text


def test_nobody_can_have_mails_sent_without_end(app: Flask, session: Session) -> None:
    reader = Reader(app)
    reader.get("/forgotten")
    seen = [reader.post("/forgotten", email="nobody@example.org").status_code for _ in range(5)]
    assert seen == [200, 200, 200, 429, 429]
    seen = [reader.post("/forgotten", email=f"n{n}@example.org").status_code for n in range(20)]
    assert seen == [200] * 17 + [429] * 3
    assert session.scalar(text("SELECT count(*) FROM link_request")) == 20


def test_bad_tokens_are_counted_by_place_and_good_ones_pass(app: Flask, api: Apis, visit: Visit) -> None:
    guesser = app.test_client()
    seen = [
        guesser.get("/api/v1/me", headers={"Authorization": f"Bearer fab_{n}"}).status_code for n in range(22)
    ]
    assert seen == [401] * 20 + [429] * 2
    page = guesser.get("/bookings", headers={"Authorization": "Bearer fab_x", "Accept": "text/html"})
    assert page.status_code == 302, "pages look at no token"
    assert api("amina").get("/me").status_code == 200
    assert visit("amina").get("/bookings").status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_rest_takes_json_only(api: Apis, kind: str) -> None:
    headers = {"Content-Type": kind}
    answer = api("amina").request("POST", "/me/tokens", data=b'{"name": "x"}', headers=headers)
    assert (answer.status_code, answer.content_type) == (415, "application/problem+json")


def test_a_body_has_a_bound(api: Apis, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", 1000)
    answer = api("amina").post("/me/tokens", {"name": "x" * 2000})
    assert answer.status_code == 413
    reader = Reader(app)
    reader.get("/sign-in")
    assert reader.post("/sign-in", email="a@example.org", password="x" * 2000).status_code == 413


@pytest.fixture
def over_https(settings: Settings, cast: Cast) -> Iterator[Flask]:
    web = dataclasses.replace(settings.web, base_url="https://fablab.example.org", proxies=1)
    app = create_app(dataclasses.replace(settings, web=web))
    app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
    yield app
    with app.app_context():
        db.engine.dispose()


def test_behind_https_cookies_are_for_this_host_and_https_alone(
    over_https: Flask, sessions: sessionmaker[Session]
) -> None:
    client = over_https.test_client()
    ours = {"base_url": "https://fablab.example.org", "headers": {"Referer": "https://fablab.example.org/"}}
    page = client.get("/sign-in", **ours)
    assert page.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    [token] = set(re.findall(r'name="csrf_token" value="([^"]+)"', page.text))
    form = {"csrf_token": token, "email": "amina@example.org", "password": PASSWORD}
    elsewhere = {**ours, "headers": {"Referer": "https://evil.example/"}}
    assert client.post("/sign-in", data=form, **elsewhere).status_code == 400
    answer = client.post("/sign-in", data=form, **ours)
    assert answer.status_code == 303
    set_now = answer.headers.getlist("Set-Cookie")
    assert any(each.startswith("__Host-fablab_in=") for each in set_now)
    for each in [*set_now, *page.headers.getlist("Set-Cookie")]:
        assert each.startswith("__Host-fablab")
        parts = {part.strip().lower() for part in each.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= parts, each
        assert not any(part.startswith("domain") for part in parts)
    # The page a mail leads to tells only the host where it comes from; its form must still be taken.
    with transaction(sessions) as session:
        from fablab.signin import links

        amina = session.query(Member.id).filter(Member.email == "amina@example.org").scalar()
        link = links.make(session, amina, "reset", "amina@example.org", utc_now())
    page = client.get(f"/reset/{link}", **ours)
    assert page.headers["Referrer-Policy"] == "strict-origin"
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
    done = client.post("/reset", data={"csrf_token": token, "link": link, "password": NEW}, **ours)
    assert done.status_code == 303


def test_without_https_nothing_is_promised(app: Flask) -> None:
    answer = Reader(app).get("/sign-in")
    assert "Strict-Transport-Security" not in answer.headers
    assert all("Secure" not in each for each in answer.headers.getlist("Set-Cookie"))


def test_only_our_own_proxies_are_believed(
    app: Flask, over_https: Flask, sessions: sessionmaker[Session]
) -> None:
    def where_from(app: Flask, header: str) -> str:
        """Which address somebody who signs in with this X-Forwarded-For is seen at."""
        client = app.test_client()
        ours = {
            "base_url": "https://fablab.example.org",
            "headers": {"X-Forwarded-For": header, "Referer": "https://fablab.example.org/"},
        }
        token = re.findall(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in", **ours).text)[0]
        form = {"csrf_token": token, "email": "amina@example.org", "password": PASSWORD}
        assert client.post("/sign-in", data=form, **ours).status_code == 303
        with transaction(sessions) as session:
            newest = text("SELECT address FROM sign_in_session ORDER BY id DESC LIMIT 1")
            return str(session.scalar(newest))

    assert where_from(app, "203.0.113.5") == "127.0.0.1"
    assert where_from(over_https, "203.0.113.5") == "203.0.113.5"
    # What the client claimed itself stands to the left of what the proxy has seen.
    assert where_from(over_https, "1.2.3.4, 203.0.113.5") == "203.0.113.5"


@pytest.mark.parametrize(
    "secret",
    ["", "short", "0" * 64, "changeme" * 8, "a-very-secret-key-that-is-long-enough", "abcabc" * 10],
)
def test_a_secret_others_can_guess_does_not_serve(secret: str) -> None:
    settings = load_settings({"FABLAB_SECRET_KEY": secret})
    with pytest.raises(SettingsError, match="FABLAB_SECRET_KEY"):
        settings.web.check_secret()


@pytest.mark.parametrize("secret", ["3f1c0b7a9d2e4856" * 2, SECRET])
def test_a_random_one_serves(secret: str) -> None:
    load_settings({"FABLAB_SECRET_KEY": secret}).web.check_secret()


def test_no_secret_is_logged(
    app: Flask,
    api: Apis,
    sessions: sessionmaker[Session],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sign-in, reset, tokens good and bad, and errors in the midst of them, with all that is logged kept."""
    from fablab.logs import log_to_stderr
    from fablab.mail.models import Mail

    log_to_stderr()
    caplog.set_level(logging.DEBUG)
    # SQLAlchemy's own log of statements is off outside development, and stays off here.
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)
    reader = Reader(app)
    secrets = {PASSWORD, NEW, "a wrong guess", "fab_badtoken123"}
    reader.sign_in("amina", "a wrong guess")
    reader.sign_in("amina")
    cookie = reader.client.get_cookie("fablab_in")
    assert cookie is not None
    secrets.add(cookie.value)
    secrets.add(api.token("amina"))
    api("amina").get("/me")
    app.test_client().get("/api/v1/me", headers={"Authorization": "Bearer fab_badtoken123"})
    reader.get("/forgotten")
    reader.post("/forgotten", email="amina@example.org")
    with transaction(sessions) as session:
        answer_requests(session, "http://localhost", utc_now())
        link = session.query(Mail.filling).order_by(Mail.id.desc()).first()[0]["link"].rpartition("/")[2]
    secrets.add(link)

    def breaks(*_given: object, **_more: object) -> None:
        raise RuntimeError("in the midst")

    with monkeypatch.context() as broken:
        broken.setattr("fablab.web.pages.links.render_template", breaks)
        assert reader.get(f"/reset/{link}").status_code == 500
    with monkeypatch.context() as broken:
        broken.setattr("fablab.web.pages.sign_in.limits.attempt", breaks)
        assert reader.post("/sign-in", email="amina@example.org", password=PASSWORD).status_code == 500
    reader.get(f"/reset/{link}")
    assert reader.post("/reset", link=link, password=NEW).status_code == 303
    out, err = capfd.readouterr()
    said = out + err + caplog.text
    assert said.count("unexpected_error") == 2
    assert "/reset/<link>" in said
    assert {each for each in secrets if each in said} == set()
