"""The one cast and the small network every suite plays with, and the web application in front of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from fablab.bookings.rules import Policy
from fablab.db import connect, transaction
from fablab.machines.models import Kind, Lab, Machine, Opening, Region, Unit
from fablab.members.models import Member, Role
from fablab.members.rules import Actor
from fablab.settings import Database, Settings, load_settings
from fablab.signin.hashing import hash_password
from fablab.signin.tokens import add_token
from tests.support.actors import actor_of

ZONE = "Africa/Casablanca"
CASABLANCA = ZoneInfo(ZONE)
SUNDAY = 6
PASSWORD = "fablab-demo"
SECRET = "for-tests-only-" + "0" * 32
# Who plays: name, and roles as (role, lab).
CAST: dict[str, tuple[tuple[str, str | None], ...]] = {
    "amina": (("maker", None),),
    "youssef": (("maker", None),),
    "trainer": (("trainer", "tanger"),),
    "salma": (("manager", "tanger"),),
    "karim": (("maker", None), ("manager", "rabat")),
    "nadia": (("operator", None),),
    "admin": (("admin", None),),
}
# Machines: slug -> kind. Printers run unattended; lasers only while the lab is open, Monday to Saturday 9-18.
MACHINES = {
    "tanger-prusa-1": "3d-printer",
    "tanger-prusa-2": "3d-printer",
    "tanger-laser-1": "laser-cutter",
    "rabat-prusa-1": "3d-printer",
}


@dataclasses.dataclass(frozen=True)
class Cast:
    """Ids by name: members by first name, labs and machines by slug, units by their machine's slug."""

    members: dict[str, int]
    labs: dict[str, int]
    machines: dict[str, int]
    units: dict[str, int]
    actors: dict[str, Actor]


@cache
def _password_hash() -> str:
    """One hash for the whole cast: argon2 is slow on purpose."""
    return hash_password(PASSWORD)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return load_settings({"DATABASE_URL": database_url, "FABLAB_SECRET_KEY": SECRET})


@pytest.fixture
def policy(settings: Settings) -> Policy:
    return Policy(**dataclasses.asdict(settings.bookings))


@pytest.fixture
def sessions(settings: Settings) -> Iterator[sessionmaker[Session]]:
    """Makes sessions on the test's database."""
    maker = _sessions_on(settings.database)
    yield maker
    maker.kw["bind"].dispose()


@cache
def _sessions_on(database: Database) -> sessionmaker[Session]:
    """One engine for all tests of a run: it remembers how statements are compiled."""
    return connect(database)


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """A session of its own; a test that wants others to see its work commits."""
    with sessions() as session:
        yield session


@pytest.fixture
def cast(sessions: sessionmaker[Session]) -> Cast:
    """The cast and its network, in the database."""
    with transaction(sessions) as session:
        return build_cast(session)


def build_cast(session: Session) -> Cast:
    """Write the cast and the network; the caller commits."""
    now = datetime.now(UTC)

    def add(row: Any) -> Any:
        session.add(row)
        session.flush()
        return row

    kinds = {slug: add(Kind(**names(slug))).id for slug in sorted(set(MACHINES.values()))}
    regions = {"tanger": "tanger-tetouan-al-hoceima", "rabat": "rabat-sale-kenitra"}
    labs, machines, units, members = {}, {}, {}, {}
    for slug, region in regions.items():
        region_id = add(Region(**names(region))).id
        labs[slug] = add(Lab(**names(slug), region_id=region_id, zone=ZONE)).id
        for weekday in range(6):
            add(Opening(lab_id=labs[slug], weekday=weekday, opens=time(9), closes=time(18)))
    for slug, kind in MACHINES.items():
        machine = add(
            Machine(
                slug=slug,
                name=slug.replace("-", " ").title(),
                lab_id=labs[slug.split("-")[0]],
                kind_id=kinds[kind],
                capabilities={},
                unattended=kind == "3d-printer",
            )
        )
        machines[slug] = machine.id
        units[slug] = add(Unit(machine_id=machine.id)).id
    for name, roles in CAST.items():
        member = add(
            Member(
                email=f"{name}@example.org",
                name=name.capitalize(),
                password_hash=_password_hash(),
                created_at=now,
                email_verified_at=now,
            )
        )
        members[name] = member.id
        for role, lab in roles:
            add(Role(member_id=member.id, role=role, lab_id=labs[lab] if lab else None))
    actors = {name: _actor(session, member_id) for name, member_id in members.items()}
    return Cast(members, labs, machines, units, actors)


def names(slug: str) -> dict[str, str]:
    """Slug and names of a lab, kind or region; Arabic ones need not make sense here."""
    title = slug.replace("-", " ").title()
    return {"slug": slug, "name_fr": title, "name_ar": title, "name_en": title}


def _actor(session: Session, member_id: int) -> Actor:
    actor = actor_of(session, member_id)
    assert actor is not None
    return actor


def tomorrow(hour: int, minute: int = 0, days: int = 1) -> datetime:
    """A wall time in Casablanca, ``days`` from today; never a Sunday, when the labs are closed.

    Sundays from tomorrow on do not count, so that another number of days is always another day.
    """
    day, left = datetime.now(CASABLANCA).date(), days
    while left > 0:
        day += timedelta(days=1)
        left -= day.weekday() != SUNDAY
    if day.weekday() == SUNDAY:
        day += timedelta(days=1)
    return datetime.combine(day, time(hour, minute), CASABLANCA)


@pytest.fixture
def app(settings: Settings, cast: Cast) -> Iterator[Flask]:
    """The application with the cast in its database."""
    from fablab.web.database import db

    app = _application(settings)
    yield app
    with app.app_context():
        db.engine.dispose()


@cache
def _application(settings: Settings) -> Flask:
    """One application for all tests with these settings: to wire it takes longer than most tests."""
    from fablab.app import create_app

    app = create_app(settings)
    app.config["TESTING"] = True
    # In tests, too, an error is answered and not raised: what callers see is what is tested.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser nobody has signed in with yet."""
    return app.test_client()


class Api:
    """REST as one member, with a token: `api("amina").post("/bookings", {...})`."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self._client = app.test_client(use_cookies=False)
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def request(self, method: str, path: str, json: Any = None, **more: Any) -> TestResponse:
        headers = {**self.headers, **more.pop("headers", {})}
        body = {} if json is None else {"json": json}
        address = path if path.startswith("/api/") else f"/api/v1{path}"
        return self._client.open(address, method=method, headers=headers, **body, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.request("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.request("POST", path, json if json is not None else {}, **more)

    def patch(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.request("PATCH", path, json if json is not None else {}, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.request("DELETE", path, **more)


class Apis:
    """Api clients by first name; None is a stranger without a token."""

    def __init__(self, app: Flask, sessions: sessionmaker[Session], cast: Cast) -> None:
        self._app, self._sessions, self._cast = app, sessions, cast
        self._tokens: dict[tuple[str, str], str] = {}

    def __call__(self, name: str | None, scope: str = "write") -> Api:
        return Api(self._app, None if name is None else self.token(name, scope))

    def token(self, name: str, scope: str = "write") -> str:
        if (name, scope) not in self._tokens:
            now = datetime.now(UTC)
            with transaction(self._sessions) as session:
                _, plain = add_token(session, self._cast.members[name], "test", scope, now)
            self._tokens[name, scope] = plain
        return self._tokens[name, scope]


@pytest.fixture
def api(app: Flask, sessions: sessionmaker[Session], cast: Cast) -> Apis:
    """REST as anybody: `api("amina")`, `api("nadia", scope="read")`, `api(None)`."""
    return Apis(app, sessions, cast)
