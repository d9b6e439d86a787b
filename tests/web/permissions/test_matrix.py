"""Every route is asked by everybody, and by nobody; how to add rows is said in this package's docstring."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.web.permissions import PEOPLE, REST, Row, all_rows
from tests.web.permissions.world import Asking

ROWS = all_rows()
FOLDER = "tests/web/permissions"


def routes(app: Flask) -> dict[str, str]:
    """Every route of the application, "METHOD rule", and its endpoint."""
    return {
        f"{method} {rule}": rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def rest(*, writing: bool = False) -> dict[str, Row]:
    return {
        route: row
        for route, row in ROWS.items()
        if route.partition(" ")[2].startswith(REST) and not (writing and route.startswith("GET"))
    }


def pages(*, writing: bool = False) -> dict[str, Row]:
    return {
        route: row
        for route, row in ROWS.items()
        if route not in rest() and not (writing and route.startswith("GET"))
    }


def speaks_its_kind(route: str, answer: TestResponse) -> bool:
    """Whether a refusal is one that programs, or people, can read."""
    wanted = "application/problem+json" if route in rest() else "text/html; charset=utf-8"
    return answer.status_code < 400 or answer.content_type == wanted


def test_every_route_has_a_row(app: Flask) -> None:
    found = routes(app)
    missing = [
        f"{route}: no row. Add one to the area it belongs to, for instance "
        f"{FOLDER}/{app.view_functions[endpoint].__module__.rpartition('.')[2]}.py"
        for route, endpoint in sorted(found.items())
        if route not in ROWS
    ]
    assert not missing, "\n".join([*missing, f"How: the docstring of {FOLDER}/__init__.py"])
    stale = sorted(ROWS.keys() - found.keys())
    assert not stale, f"These rows in {FOLDER}/ are of no route: {stale}"


def test_open_to_everybody_is_only_what_a_row_says(app: Flask) -> None:
    for route, endpoint in routes(app).items():
        view = app.view_functions[endpoint]
        public = getattr(view, "public", False) or endpoint == "static"
        if row := ROWS.get(route):
            assert public == row.public, f"{route}: @public says {public}, its row {row.public}"


@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_gets_what_is_theirs(matrix: Asking, person: str) -> None:
    wrong = []
    for route, row in ROWS.items():
        answer = matrix.usual(route, row, person)
        if answer.status_code != row.expected(person):
            said = "" if answer.mimetype == "text/event-stream" else answer.text[:200]
            wrong.append(f"{route}: {answer.status_code}, not {row.expected(person)} {said}")
        if not speaks_its_kind(route, answer):
            wrong.append(f"{route}: refuses in {answer.content_type}")
    assert not wrong, "\n".join(wrong)


def test_strangers_are_sent_to_the_door(matrix: Asking) -> None:
    wrong = []
    for route, row in ROWS.items():
        answer = matrix.usual(route, row, None)
        if row.public:
            well = answer.status_code == row.anonymous
        elif route in rest():
            well = answer.status_code == 401 and answer.json["code"] == "not_signed_in"
            well = well and answer.headers["WWW-Authenticate"].startswith("Bearer")
        else:
            well = answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in")
        if not well or not speaks_its_kind(route, answer):
            wrong.append(f"{route}: {answer.status_code} {answer.content_type}")
    assert not wrong, "\n".join(wrong)


def test_a_token_to_read_writes_nothing(matrix: Asking) -> None:
    wrong = []
    for route, row in rest(writing=True).items():
        if not row.public:
            answer = matrix.rest(route, row, "admin", scope="read")
            if answer.status_code != 403:
                wrong.append(f"{route}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


def test_a_token_opens_no_page(matrix: Asking) -> None:
    """Pages can do what makes a found token a lasting way in: they know browsers only."""
    wrong = []
    for route, row in pages().items():
        if not row.public and route != "GET /metrics":
            answer = matrix.rest(route, row, "admin")
            if answer.status_code != 302 or not answer.headers["Location"].startswith("/sign-in"):
                wrong.append(f"{route}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
    assert matrix.rest("GET /metrics", ROWS["GET /metrics"], "admin").status_code == 200


@pytest.mark.parametrize("person", [None, "admin"])
def test_no_form_is_taken_without_the_pages_token(matrix: Asking, person: str | None) -> None:
    wrong = []
    for route, row in (rest(writing=True) | pages(writing=True)).items():
        if (person is not None or row.public) and not row.proven_by_address:
            answer = matrix.page(route, row, person, csrf=False)
            if answer.status_code != 400 or "CSRF" not in answer.text:
                wrong.append(f"{route}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
