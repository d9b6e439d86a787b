"""What the rows speak of, made once, and how a row is asked: as whom, with what, and without a trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.organisations.models import Membership, Organisation
from fablab.settings import Settings
from fablab.web.database import db
from tests.fixtures_cast import Apis, Cast
from tests.support.pages import Reader
from tests.web.permissions import PEOPLE, REST, Row, areas

# What stands in an address where the row does not say.
USUAL = {"lab": "tanger", "machine": "tanger-prusa-1"}
_PLACE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


@dataclass(frozen=True)
class World:
    """What an area's ``things`` may use: a transaction that will be committed, the cast, the settings, now.

    ``made`` holds the common things and those of areas whose names come earlier in the alphabet.
    """

    session: Session
    cast: Cast
    settings: Settings
    now: datetime
    made: dict[str, Any]


def make_things(sessions: sessionmaker[Session], cast: Cast, settings: Settings) -> dict[str, Any]:
    """Everything rows call by "$name": members' ids by name, the two organisations, and what areas add."""
    with transaction(sessions) as session:
        made: dict[str, Any] = {**cast.members, **_organisations(session, cast)}
        world = World(session, cast, settings, utc_now(), made)
        for area in areas():
            own = area.things(world) if hasattr(area, "things") else {}
            assert not own.keys() & made.keys(), f"{area.__name__}: {own.keys() & made.keys()} exist already"
            made.update(own)
    return made


def _organisations(session: Session, cast: Cast) -> dict[str, Any]:
    """Amina's "atlas-club" and Youssef's "other-startup", each with its owner alone."""
    made = {}
    for name, slug, kind, owner in (
        ("organisation", "atlas-club", "school_club", "amina"),
        ("other_organisation", "other-startup", "startup", "youssef"),
    ):
        row = Organisation(
            slug=slug, name=slug.title(), kind=kind, tariff_category="school", created_at=utc_now()
        )
        session.add(row)
        session.flush()
        since = utc_now()
        session.add(
            Membership(organisation_id=row.id, member_id=cast.members[owner], owner=True, since=since)
        )
        made |= {name: slug, f"{name}_id": row.id}
    return made


def filled(value: Any, things: dict[str, Any]) -> Any:
    """The value with every "$name" in it replaced by that thing."""
    if isinstance(value, str) and value.startswith("$"):
        assert value[1:] in things, f"no area makes a thing called {value[1:]!r}; there are {sorted(things)}"
        return things[value[1:]]
    if isinstance(value, dict):
        return {key: filled(each, things) for key, each in value.items()}
    return [filled(each, things) for each in value] if isinstance(value, list) else value


def address(route: str, row: Row, things: dict[str, Any]) -> str:
    """The path of "METHOD rule" with something in each of its places."""

    def value(place: re.Match[str]) -> str:
        name = place[1]
        assert name in row.at or name in USUAL, f"{route}: say in its row's `at` what <{name}> is"
        return str(filled(row.at.get(name, USUAL.get(name)), things))

    return _PLACE.sub(value, route.partition(" ")[2])


class Asking:
    """Asks rows of one application as anybody. Programs show a token, browsers a cookie."""

    def __init__(self, app: Flask, apis: Apis, things: dict[str, Any]) -> None:
        self.app, self.things, self._apis = app, things, apis
        self._browsers: dict[str | None, Browser] = {name: Browser(app, name) for name in (None, *PEOPLE)}

    def rest(self, route: str, row: Row, name: str | None, scope: str = "write") -> TestResponse:
        """As a program with a token; None has none."""
        client = self.app.test_client(use_cookies=False)
        return self._ask(client, route, row, self.credentials(name, scope))

    def credentials(self, name: str | None, scope: str = "write") -> dict[str, str]:
        """The headers by which a program shows who it is."""
        return {} if name is None else {"Authorization": f"Bearer {self._apis.token(name, scope)}"}

    def page(self, route: str, row: Row, name: str | None, csrf: bool = True) -> TestResponse:
        """As a browser; None has not signed in."""
        browser = self._browsers[name]
        client = self.app.test_client()
        # A copy: whoever signs out here is signed in again for the next row.
        client._cookies = dict(browser.cookies)
        return self._ask(client, route, row, {"X-CSRFToken": browser.csrf_token} if csrf else {})

    def usual(self, route: str, row: Row, name: str | None) -> TestResponse:
        """By token where programs go, by cookie elsewhere."""
        ask = self.rest if route.partition(" ")[2].startswith(REST) else self.page
        return ask(route, row, name)

    def _ask(self, client: Any, route: str, row: Row, headers: dict[str, str]) -> TestResponse:
        body: dict[str, Any] = {}
        if row.form is not None:
            body["data"] = filled(dict(row.form), self.things)
        elif route.partition(" ")[2].startswith(REST) and not route.startswith("GET"):
            body["json"] = filled(row.json, self.things) if row.json is not None else {}
        with undone(self.app):
            answer: TestResponse = client.open(
                address(route, row, self.things),
                method=route.partition(" ")[0],
                query_string=filled(dict(row.query), self.things),
                headers={**headers, **filled(dict(row.headers), self.things)},
                **body,
            )
            # All there is, except of a stream that never ends.
            if answer.mimetype != "text/event-stream":
                answer.get_data()
            answer.close()
        return answer


class Browser:
    """The cookies and the CSRF token of one person's browser; nobody's for None."""

    def __init__(self, app: Flask, name: str | None) -> None:
        reader = Reader(app)
        if name is None:
            reader.get("/sign-in")
        else:
            answer = reader.sign_in(name)
            assert answer.status_code == 303, f"{name} cannot sign in: {answer.text}"
            reader.get("/")
        self.cookies = dict(reader.client._cookies or {})
        self.csrf_token = reader._token


@contextmanager
def undone(app: Flask) -> Iterator[None]:
    """Whatever the application commits meanwhile is undone: its commits end savepoints of one transaction."""
    with app.app_context():
        engines = db.engines
    engine = engines[None]
    with engine.connect() as connection:
        outer = connection.begin()
        # Sessions open savepoints only where they find one; without it their rollback would end it all.
        connection.begin_nested()
        engines[None] = connection  # type: ignore[assignment]
        try:
            yield
        finally:
            engines[None] = engine
            outer.rollback()
