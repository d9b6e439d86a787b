"""Whatever is wrong with a field, the answer names it and nothing is stored.

The fields come from the API's own document, and what they go with from the rows of the permission matrix, so
that a new route is tested without being named here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from fablab.settings import Settings
from tests.fixtures_cast import Apis, Cast
from tests.web.api.requests import Route, names_field, routes
from tests.web.permissions import PEOPLE, Row, all_rows
from tests.web.permissions.world import address, filled, make_things

ROWS = all_rows()
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
WRONG_DAYS = ("yesterday", "", "2027-13-01", "2027-02-30", "2027-01-31T10:00:00Z", "31/01/2027")
NOT_TEXT = (5, 1.5, True, [], {}, ["x"], {"x": 1})
BAD_TEXT = ("nul \0", "half \ud800", "bell \a")


Ask = Callable[..., TestResponse]


@pytest.fixture
def things(sessions: sessionmaker[Session], cast: Cast, settings: Settings) -> dict[str, Any]:
    return make_things(sessions, cast, settings)


@pytest.fixture
def ask(api: Apis, things: dict[str, Any]) -> Ask:
    """Calls a route as its row says, as somebody who may: `ask(route, change={...}, without="name", ...)`."""

    for name in PEOPLE:
        api.token(name)

    def asked(
        route: Route, *, change: Any = None, without: str = "", query: str = "", **at: Any
    ) -> TestResponse:
        row = ROWS[str(route)]
        who = next(name for name in PEOPLE if row.expected(name) < 400)
        path = address(str(route), Row(200, at={**row.at, **at}), things)
        body = {**(filled(row.json, things) or {}), **(change or {})}
        body.pop(without, None)
        return api(who).request(route.method, path + query, None if route.method == "GET" else body)

    return asked


def stored(session: Session) -> dict[str, Any]:
    """How many rows each table has that a program can add to."""
    names = session.scalars(
        text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    ).all()
    # A call is remembered with its token; guesses are counted to refuse them.
    counts = {
        name: session.scalar(text(f'SELECT count(*) FROM "{name}"')) for name in names if name != "guess"
    }
    session.rollback()
    return counts


def wrong_values(schema: dict[str, Any], *, in_query: bool) -> Iterator[Any]:
    """Values that a field of this type must refuse."""
    types = schema.get("type", "string")
    types = {types} if isinstance(types, str) else set(types)
    if not in_query:
        named = {"array": [[5], ["x"]], "object": [{}], "boolean": [True], "null": [None], "other": [5.5]}
        # A list of the wrong things is wrong for lists, too.
        right = types & ({"boolean", "null"} | ({"object"} if "object" in types else set()))
        yield from (value for kind, values in named.items() if kind not in right for value in values)
    if schema.get("format") in {"date-time", "date"}:
        yield from WRONG_INSTANTS if schema["format"] == "date-time" else WRONG_DAYS
        yield from () if in_query else (1234567890, 1.5)
    elif "integer" in types:
        yield from ("x", "", -1, 2**70, 1.5)
        yield from (0,) if schema.get("minimum", 1) > 0 else ()
    elif "enum" in schema:
        yield from ("nonsense", "")
    elif "boolean" in types:
        yield from ("perhaps", "") if in_query else ("true", 1)
    elif not types & {"array", "object"}:
        yield from () if in_query else NOT_TEXT
        yield from () if in_query else BAD_TEXT
        yield "x" * 100_000 if not in_query else "x" * 2000


def asked_routes(app: Flask) -> list[Route]:
    """Those with a row; that every route has one is the matrix's own test.

    Without those that no program may use: they refuse before they read.
    """
    return [
        route
        for route in routes(app)
        if str(route) in ROWS and any(ROWS[str(route)].expected(name) < 400 for name in PEOPLE)
    ]


def document_of(app: Flask) -> dict[str, Any]:
    document: dict[str, Any] = app.test_client().get("/api/v1/openapi.json").json
    return document


def operation(document: dict[str, Any], route: Route) -> dict[str, Any]:
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.rule)
    found: dict[str, Any] = document["paths"][path][route.method.lower()]
    return found


def body_fields(document: dict[str, Any], route: Route) -> tuple[dict[str, Any], list[str]]:
    """The body's fields by name, and which are required."""
    content = operation(document, route).get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return {}, []
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    return schema.get("properties", {}), schema.get("required", [])


def query_parameters(document: dict[str, Any], route: Route) -> list[dict[str, Any]]:
    """What may follow the address."""
    listed = operation(document, route).get("parameters", [])
    known = document["components"].get("parameters", {})
    whole = [known[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in listed]
    return [each for each in whole if each["in"] == "query"]


def test_every_field_of_every_body_refuses_wrong_values(app: Flask, ask: Ask, session: Session) -> None:
    document = document_of(app)
    before, tried, wrong = stored(session), 0, []
    for route in asked_routes(app):
        for field, schema in body_fields(document, route)[0].items():
            for value in wrong_values(schema, in_query=False):
                answer = ask(route, change={field: value})
                tried += 1
                if not names_field(answer, field):
                    wrong.append(
                        f"{route} {field}={str(value)[:40]!r}: {answer.status_code} {answer.text[:200]}"
                    )
    assert not wrong, "\n".join(wrong)
    assert tried > 100
    assert stored(session) == before


def test_every_required_field_is_missed(app: Flask, ask: Ask, session: Session) -> None:
    document, tried = document_of(app), 0
    before = stored(session)
    for route in asked_routes(app):
        for field in body_fields(document, route)[1]:
            answer = ask(route, without=field)
            assert names_field(answer, field), (route, field, answer.text)
            tried += 1
    assert tried >= 7
    assert stored(session) == before


def test_unknown_fields_are_refused_everywhere(app: Flask, ask: Ask, session: Session) -> None:
    document = document_of(app)
    before = stored(session)
    for route in asked_routes(app):
        if body_fields(document, route)[0]:
            assert names_field(ask(route, change={"colours": "red"}), "colours"), route
        elif query_parameters(document, route):
            assert names_field(ask(route, query="?colour=red"), "colour"), route
    assert stored(session) == before


def test_every_query_parameter_refuses_wrong_values(app: Flask, ask: Ask) -> None:
    document, tried, wrong = document_of(app), 0, []
    for route in asked_routes(app):
        for parameter in query_parameters(document, route):
            if parameter["name"] == "last-event-id":
                continue
            for value in wrong_values(parameter["schema"], in_query=True):
                answer = ask(route, query=f"?{parameter['name']}={quote(str(value))}")
                tried += 1
                if not names_field(answer, parameter["name"]):
                    wrong.append(f"{route} {parameter['name']}={str(value)[:40]!r}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
    assert tried > 100


NOWHERE = {(404, "not_found"), (405, "method_not_allowed")}
NO_ADDRESS = ("%00", "..%2f", "UPPER", "x" * 61, "-1", "0", str(2**63), "9" * 400, "%ff", "a b", "'", "é")


def test_a_nonsense_address_does_not_exist(app: Flask, ask: Ask) -> None:
    tried = 0
    for route in asked_routes(app):
        for place in re.findall(r"<\w+:(\w+)>", route.rule):
            for value in NO_ADDRESS:
                answer = ask(route, **{place: value})
                # 405: another route's address, which knows other methods.
                assert (answer.status_code, answer.json["code"]) in NOWHERE, (route, value)
                tried += 1
    assert tried > 50
