"""Whatever is wrong with a request, the answer says which field, and nothing is stored.

The fields come from the API's own document, so that a new one is tested without being named here.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from fablab.clock import utc_now
from tests.fixtures_cast import Apis, tomorrow
from tests.web.api.requests import BODIES, Route, address, booking_body, routes

WRONG_INSTANTS = (
    "yesterday",
    "",
    "2027-01-31",
    "2027-01-31T10:00:00",
    "2027-01-31 10:00",
    "2027-02-30T10:00:00Z",
    "2027-01-31T25:00:00Z",
    "2027-01-31T10:00:00+99:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "2027-W05-1T10:00:00Z",
    "1234567890",
)
NOT_TEXT = (5, 1.5, True, [], {}, ["x"], {"x": 1})
BAD_TEXT = ("nul \0", "half \ud800", "bell \a")


def stored(session: Session) -> dict[str, Any]:
    counts = {}
    for table in ("booking", "booking_change", "occupancy", "token", "idempotency", "audit"):
        counts[table] = session.scalar(text(f"SELECT count(*) FROM {table}"))
    session.rollback()
    return counts


def names_field(answer: TestResponse, field: str) -> bool:
    """Whether this is a clear refusal of that field."""
    return (
        400 <= answer.status_code < 500
        and answer.content_type == "application/problem+json"
        and any(each["field"].split(".")[0] == field and each["message"] for each in answer.json["refusals"])
    )


def wrong_values(schema: dict[str, Any], *, in_query: bool) -> Iterator[Any]:
    """Values that a field of this type must refuse."""
    types = schema.get("type", "string")
    types = {types} if isinstance(types, str) else set(types)
    if not in_query:
        yield from ([], {}, ["x"], True)
        if "null" not in types:
            yield None
    if schema.get("format") == "date-time":
        yield from WRONG_INSTANTS
        yield from () if in_query else (1234567890, 1.5)
    elif "integer" in types:
        yield from ("x", "", -1, 0, 2**70, 1.5)
    elif "enum" in schema:
        yield from ("nonsense", "")
    else:
        yield from () if in_query else NOT_TEXT
        yield from () if in_query else BAD_TEXT
        yield "x" * 100_000 if not in_query else "x" * 2000


def components(app: Flask) -> dict[str, Any]:
    document: dict[str, Any] = app.test_client().get("/api/v1/openapi.json").json
    return document


def operation(document: dict[str, Any], route: Route) -> dict[str, Any]:
    path = route.rule
    for place in ("lab", "machine", "booking_id", "token_id", "job_id"):
        for kind in ("slug", "id", "uuid"):
            path = path.replace(f"<{kind}:{place}>", f"{{{place}}}")
    found: dict[str, Any] = document["paths"][path][route.method.lower()]
    return found


def body_fields(document: dict[str, Any], route: Route) -> tuple[dict[str, Any], list[str]]:
    body = operation(document, route).get("requestBody")
    if body is None:
        return {}, []
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    return schema["properties"], schema.get("required", [])


def test_every_field_of_every_body_refuses_wrong_values(app: Flask, api: Apis, session: Session) -> None:
    made = api("amina").post("/bookings", booking_body(machine="tanger-prusa-2")).json["id"]
    document, amina = components(app), api("amina")
    before, tried, wrong = stored(session), 0, []
    for route in routes(app):
        fields, _ = body_fields(document, route)
        for field, schema in fields.items():
            for value in wrong_values(schema, in_query=False):
                path = address(route, **{"<id:booking_id>": made})
                answer = amina.request(route.method, path, {**BODIES[str(route)], field: value})
                tried += 1
                if not names_field(answer, field):
                    wrong.append(
                        f"{route} {field}={str(value)[:40]!r}: {answer.status_code} {answer.text[:200]}"
                    )
    assert wrong == []
    assert tried > 100
    assert stored(session) == before


def test_every_required_field_is_missed(app: Flask, api: Apis, session: Session) -> None:
    amina, document, tried = api("amina"), components(app), 0
    before = stored(session)
    for route in routes(app):
        for field in body_fields(document, route)[1]:
            body = {name: value for name, value in BODIES[str(route)].items() if name != field}
            answer = amina.request(route.method, address(route), body)
            assert names_field(answer, field), (route, field, answer.text)
            tried += 1
    assert tried >= 7
    assert stored(session) == before


def test_unknown_fields_are_refused_everywhere(app: Flask, api: Apis, session: Session) -> None:
    document = components(app)
    for route in routes(app):
        fields, _ = body_fields(document, route)
        if fields:
            body = {**BODIES[str(route)], "state": "confirmed"}
            assert names_field(api("amina").request(route.method, address(route), body), "state"), route
        elif route.method == "GET" and operation(document, route).get("parameters"):
            answer = api("amina").get(address(route) + "?colour=red")
            assert names_field(answer, "colour") or answer.status_code in (200, 404), route
    assert stored(session)["booking"] == 0


def test_every_query_parameter_refuses_wrong_values(app: Flask, api: Apis) -> None:
    document, admin, tried, wrong = components(app), api("admin"), 0, []
    for route in routes(app):
        for parameter in operation(document, route).get("parameters", []):
            if parameter["in"] != "query" or parameter["name"] == "last-event-id":
                continue
            for value in wrong_values(parameter["schema"], in_query=True):
                answer = admin.get(f"{address(route)}?{parameter['name']}={quote(str(value))}")
                tried += 1
                if not names_field(answer, parameter["name"]):
                    wrong.append(f"{route} {parameter['name']}={str(value)[:40]!r}: {answer.status_code}")
    assert wrong == []
    assert tried > 100


NO_ADDRESS = ("%00", "..%2f", "UPPER", "x" * 61, "-1", "0", str(2**63), "9" * 400, "%ff", "a b", "'", "é")


def test_a_nonsense_address_does_not_exist(app: Flask, api: Apis) -> None:
    admin, tried = api("admin"), 0
    for route in routes(app):
        for place in re.findall(r"<\w+:\w+>", route.rule):
            for value in NO_ADDRESS:
                answer = admin.request(route.method, address(route, **{place: value}), BODIES.get(str(route)))
                assert (answer.status_code, answer.json["code"]) == (404, "not_found"), (route, value)
                tried += 1
    assert tried > 50


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"machine": "tanger-prusa-9"}, 404, "unknown_machine", "machine"),
        ({"ends_at": tomorrow(10).isoformat()}, 422, "ends_before_start", "ends_at"),
        ({"ends_at": tomorrow(9).isoformat()}, 422, "ends_before_start", "ends_at"),
        ({"starts_at": (utc_now() - timedelta(days=1)).isoformat()}, 422, "in_the_past", "starts_at"),
        ({"ends_at": tomorrow(10, 1).isoformat()}, 422, "too_short", "ends_at"),
        ({"ends_at": tomorrow(11, days=4).isoformat()}, 422, "too_long", "ends_at"),
        ({"purpose": "x" * 201}, 422, "invalid", "purpose"),
        ({"for_member": "x" * 255}, 422, "invalid", "for_member"),
    ],
)
def test_a_booking_that_cannot_be_is_refused_by_name(
    api: Apis, session: Session, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = api("amina").post("/bookings", booking_body(**change))
    assert answer.status_code == status
    assert (code, field) in [(each["code"], each["field"]) for each in answer.json["refusals"]]
    assert stored(session)["booking"] == 0


@pytest.mark.parametrize(
    ("content", "mimetype", "status"),
    [
        (b"", "application/json", 422),
        (b"{", "application/json", 400),
        (b'{"machine": NaN}', "application/json", 422),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"machine": ' + b"9" * 10_000 + b"}", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'"tanger-prusa-1"', "application/json", 422),
        (b"null", "application/json", 422),
        (json.dumps(booking_body()).encode(), "text/plain", 422),
        (b"machine=tanger-prusa-1", "application/x-www-form-urlencoded", 422),
        (b'{"purpose": "' + b"x" * 2_000_000 + b'"}', "application/json", 413),
    ],
)
def test_a_body_that_is_no_booking_at_all_is_refused(
    api: Apis, session: Session, content: bytes, mimetype: str, status: int
) -> None:
    answer = api("amina").request("POST", "/bookings", data=content, content_type=mimetype)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    assert stored(session)["booking"] == 0


def test_a_booking_of_centuries_is_refused_without_counting_its_days(api: Apis) -> None:
    api("youssef").post("/bookings", booking_body())
    body = booking_body(ends_at="2199-12-31T00:00:00Z")
    for machine in ("tanger-prusa-1", "tanger-laser-1"):
        began = time.monotonic()
        answer = api("amina").post("/bookings", {**body, "machine": machine})
        assert answer.status_code == 422
        assert answer.json["refusals"][0]["code"] == "too_long"
        assert answer.json["alternatives"] == []
        assert time.monotonic() - began < 1


def test_another_method_is_refused_and_says_which_are_allowed(api: Apis) -> None:
    answer = api("amina").request("PUT", "/bookings", booking_body())
    assert (answer.status_code, answer.json["status"]) == (405, 405)
    assert "POST" in answer.headers["Allow"]


def test_an_error_of_ours_tells_nothing_of_it(app: Flask, api: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("fablab.web.api.bookings.bookings", broken)
    with capture_logs() as logged:
        answer = api("amina").get("/bookings")
    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    assert "42" not in answer.text
    reference = answer.json["detail"].rpartition("reference ")[2].rstrip(").")
    (entry,) = logged
    assert (entry["reference"], entry["path"]) == (reference, "/api/v1/bookings")
    assert str(entry["exc_info"]) == "the secret is 42"


def test_a_range_is_bounded_and_in_order(api: Apis) -> None:
    for path in ("/machines/tanger-prusa-1/calendar", "/labs/tanger/calendar", "/labs/tanger/hours"):
        for query in (
            "from=2027-02-01T00:00:00Z&to=2027-01-01T00:00:00Z",
            "from=2027-01-01T00:00:00Z&to=2029-01-01T00:00:00Z",
        ):
            assert names_field(api("amina").get(f"{path}?{query}"), "to"), (path, query)


def test_the_finer_the_figures_the_shorter_the_range(api: Apis) -> None:
    for bucket, days in (("hour", 31), ("day", 366), ("total", 1829)):
        for asked, status in ((days + 2, 422), (days, 200)):
            until = date(2026, 1, 1) + timedelta(days=asked)
            answer = api("nadia").get(f"/utilisation?bucket={bucket}&from=2026-01-01&to={until}")
            assert answer.status_code == status, (bucket, asked)


def test_a_plus_sign_that_was_not_escaped_is_understood(api: Apis) -> None:
    answer = api("amina").get(
        "/labs/tanger/hours?from=2026-01-05T00:00:00+01:00&to=2026-01-06T00:00:00+01:00"
    )
    assert answer.status_code == 200
    assert [day["on"] for day in answer.json["items"]] == ["2026-01-05"]
