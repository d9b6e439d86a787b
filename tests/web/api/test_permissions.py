"""Who gets which answer from which endpoint. A new endpoint without a row here fails."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.members.service import add_token
from fablab.usage.models import Job
from tests.fixtures_cast import PASSWORD, Apis, Cast, tomorrow
from tests.web.api.requests import BODIES, address, booking_body, routes

PEOPLE = ("amina", "youssef", "salma", "karim", "nadia", "admin")
# Status for Amina (whose booking and token they are), Youssef, Salma of Tanger, Karim of Rabat, Nadia, admin.
ALL = (200,) * 6
EXPECTED: dict[str, tuple[int, ...]] = {
    "GET /labs": ALL,
    "GET /labs/<slug:lab>": ALL,
    "GET /labs/<slug:lab>/hours": ALL,
    "GET /labs/<slug:lab>/calendar": ALL,
    "GET /kinds": ALL,
    "GET /machines": ALL,
    "GET /machines/<slug:machine>": ALL,
    "GET /machines/<slug:machine>/status": ALL,
    "GET /machines/<slug:machine>/calendar": ALL,
    "GET /bookings": ALL,
    "GET /bookings/<id:booking_id>": (200, 404, 200, 404, 200, 200),
    "GET /bookings/<id:booking_id>/history": (200, 404, 200, 404, 200, 200),
    "POST /bookings": (201, 201, 201, 201, 403, 201),
    "POST /bookings/preview": (200, 200, 200, 200, 403, 200),
    "POST /bookings/<id:booking_id>/cancellation": (201, 404, 201, 404, 403, 201),
    "GET /jobs": ALL,
    "GET /jobs/<uuid:job_id>": ALL,
    "GET /usage-sessions": ALL,
    "GET /utilisation": (403, 403, 200, 200, 200, 200),
    "GET /stream": ALL,
    "GET /me": ALL,
    "GET /me/tokens": ALL,
    "POST /me/tokens": (201,) * 6,
    "DELETE /me/tokens/<id:token_id>": (204, 404, 404, 404, 404, 404),
}


@pytest.fixture
def things(api: Apis, cast: Cast, sessions: sessionmaker[Session]) -> dict[str, int]:
    """Amina's booking of tanger-prusa-2, one of her tokens, and a job nobody booked."""
    made = api("amina").post("/bookings", booking_body(machine="tanger-prusa-2"))
    with transaction(sessions) as session:
        token, _ = add_token(session, cast.members["amina"], "old", "read", utc_now())
        now = utc_now()
        session.add(
            Job(
                id="00000000-0000-0000-0000-000000000007",
                machine_id=cast.machines["tanger-prusa-1"],
                lab_id=cast.labs["tanger"],
                started_at=now - timedelta(hours=1),
                ended_at=now,
                outcome="finished",
            )
        )
    return {"<id:booking_id>": made.json["id"], "<id:token_id>": token.id}


def test_every_endpoint_has_a_row(app: Flask) -> None:
    assert {str(route) for route in routes(app)} == EXPECTED.keys()


@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_gets_what_is_theirs(
    app: Flask, api: Apis, things: dict[str, int], sessions: sessionmaker[Session], person: str
) -> None:
    wrong = []
    for route in sorted(routes(app), key=lambda route: route.method == "DELETE"):
        answer = api(person).request(route.method, address(route, **things), BODIES.get(str(route)))
        expected = EXPECTED[str(route)][PEOPLE.index(person)]
        if answer.status_code != expected:
            wrong.append(f"{route}: {answer.status_code}, not {expected}")
        if answer.status_code >= 400:
            assert answer.content_type == "application/problem+json"
        answer.close()
    assert wrong == []


def test_strangers_are_told_to_sign_in_everywhere(app: Flask, api: Apis, things: dict[str, int]) -> None:
    for route in routes(app):
        answer = api(None).request(route.method, address(route, **things), BODIES.get(str(route)))
        assert (answer.status_code, answer.json["code"]) == (401, "not_signed_in"), route
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_to_read_writes_nothing(
    app: Flask, api: Apis, things: dict[str, int], session: Session
) -> None:
    reader = api("amina", scope="read")
    for route in routes(app):
        if route.method == "GET":
            continue
        answer = reader.request(route.method, address(route, **things), BODIES.get(str(route)))
        assert (answer.status_code, answer.json["code"]) == (403, "not_allowed"), route
    assert reader.get("/bookings").status_code == 200
    form = {"day": f"{tomorrow(10):%Y-%m-%d}", "time": "10:00", "duration": "60"}
    refused = reader._client.post("/machines/tanger-prusa-1/bookings", data=form, headers=reader.headers)
    assert refused.status_code == 403
    assert session.scalar(text("SELECT count(*) FROM booking")) == 1


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
    with client.session_transaction() as kept:
        raw = kept["csrf_token"]
    token = _signed(client, raw)
    made = client.post("/api/v1/bookings", json=booking_body(), headers={"X-CSRFToken": token})
    assert made.status_code == 201


def test_a_new_password_ends_old_sessions(
    client: FlaskClient, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    from fablab.members.service import set_password

    sign_in(client)
    assert client.get("/api/v1/me").status_code == 200
    with transaction(sessions) as session:
        set_password(session, cast.members["amina"], "another password", utc_now())
    assert client.get("/api/v1/me").status_code == 401


def test_karim_of_rabat_sees_only_public_facts_of_tanger(api: Apis, things: dict[str, int]) -> None:
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
    assert karim.get(f"/jobs?booking={things['<id:booking_id>']}").status_code == 404
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
