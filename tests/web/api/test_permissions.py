"""Tokens, sessions and what other labs' people see. Who may call what: tests/web/permissions."""

from __future__ import annotations

import os

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from tests.fixtures_cast import PASSWORD, Apis, Cast
from tests.web.api.requests import booking_body


def test_a_token_to_read_reads(app: Flask, api: Apis, session: Session) -> None:
    reader = api("amina", scope="read")
    assert reader.get("/bookings").status_code == 200
    assert reader.post("/bookings", booking_body()).status_code == 403
    assert session.scalar(text("SELECT count(*) FROM booking")) == 0


def test_a_bad_token_is_refused_even_beside_a_good_session(client: FlaskClient, cast: Cast) -> None:
    sign_in(client)
    assert client.get("/api/v1/me").status_code == 200
    for bad in ("Bearer nonsense", "Bearer ", "Basic YTpi", "Bearer \xff\xfe"):
        assert client.get("/api/v1/me", headers={"Authorization": bad}).status_code == 401, bad


def test_a_session_writes_only_with_the_pages_token(
    client: FlaskClient, cast: Cast, session: Session
) -> None:
    sign_in(client)
    refused = client.post("/api/v1/bookings", json=booking_body())
    assert (refused.status_code, refused.json["code"]) == (400, "csrf")
    assert session.scalar(text("SELECT count(*) FROM booking")) == 0
    client.get("/")
    with client.session_transaction() as kept:
        raw = kept["csrf_token"]
    token = _signed(client, raw)
    made = client.post("/api/v1/bookings", json=booking_body(), headers={"X-CSRFToken": token})
    assert made.status_code == 201


def test_a_new_password_ends_old_sessions(
    client: FlaskClient, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    from fablab.signin.passwords import set_password

    sign_in(client)
    assert client.get("/api/v1/me").status_code == 200
    with transaction(sessions) as session:
        set_password(session, None, cast.members["amina"], "violet tram sugar", utc_now())
    assert client.get("/api/v1/me").status_code == 401


def test_karim_of_rabat_sees_only_public_facts_of_tanger(api: Apis) -> None:
    made = api("amina").post("/bookings", booking_body(machine="tanger-prusa-2"))
    karim = api("karim")
    for path in (
        "/labs/tanger/calendar",
        "/machines/tanger-prusa-2/calendar",
        "/machines",
        "/bookings",
        "/jobs",
    ):
        answer = karim.get(path)
        assert "Amina" not in answer.text, path
        assert all(each.get("booking") is None for each in answer.json["items"]), path
    assert karim.get("/utilisation?lab=tanger").status_code == 404
    assert karim.get("/utilisation?lab=atlantis").status_code == 404
    assert api("amina").get("/utilisation?lab=tanger").status_code == 403
    assert karim.get(f"/jobs?booking={made.json['id']}").status_code == 404
    assert karim.get("/jobs?member=1").status_code == 404


def test_open_addresses_need_no_sign_in(client: FlaskClient) -> None:
    for path in ("/healthz", "/readyz", "/api/v1/openapi.json", "/api/docs"):
        assert client.get(path).status_code == 200, path
    assert client.get("/metrics", headers={"Accept": "application/json"}).status_code == 401


def test_metrics_are_for_operators(api: Apis) -> None:
    assert api("amina")._client.get("/metrics", headers=api("amina").headers).status_code == 403
    seen = api("nadia")._client.get("/metrics", headers=api("nadia").headers)
    assert seen.status_code == 200
    assert 'fablab_http_requests_total{endpoint="health.metrics"' in seen.text


def test_metrics_do_not_grow_with_what_callers_invent(app: Flask, api: Apis) -> None:
    for number in range(3):
        app.test_client().open(f"/nowhere/{number}", method=f"INVENTED{number}")
    seen = api("nadia")._client.get("/metrics", headers=api("nadia").headers)
    assert "INVENTED" not in seen.text
    assert f'method="OTHER",status="404",worker="{os.getpid()}"' in seen.text


def sign_in(client: FlaskClient) -> None:
    """As a browser does: fetch the form, send it back with its token."""
    page = client.get("/sign-in").text
    client.get("/")
    with client.session_transaction() as kept:
        raw = kept["csrf_token"]
    assert raw not in page, "the page must carry the signed token only"
    answer = client.post(
        "/sign-in",
        data={"email": "amina@example.org", "password": PASSWORD, "csrf_token": _signed(client, raw)},
    )
    assert answer.status_code in (302, 303), answer.text


def _signed(client: FlaskClient, raw: str) -> str:
    """The token as a page carries it: the session's, signed."""
    from itsdangerous import URLSafeTimedSerializer

    secret = client.application.secret_key
    return str(URLSafeTimedSerializer(secret, salt="wtf-csrf-token").dumps(raw))
