"""Bookings a second over HTTP, as a ratio to bare inserts under the same constraint in the same database.

The web part runs as in production, one gunicorn worker with gevent; the clients are threads with a connection
each. A bare insert is one row of `occupancy` committed by psycopg, nothing else. Median of several rounds.
"""

from __future__ import annotations

import dataclasses
import http.client
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import psycopg
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from fablab.clock import utc_now
from fablab.db import connect, transaction
from fablab.embedded.postgres import EmbeddedPostgres
from fablab.settings import load_settings
from fablab.signin.tokens import add_token
from tests.fixtures_cast import SECRET, Cast, build_cast
from tests.support.clients import HttpClient, at_once
from tests.support.database import migrate, plain
from tests.support.web import serving

ROUNDS = 3
BOOKINGS = 320
CLIENTS = 16
SLOT = timedelta(minutes=10)
INSERT = (
    "INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, outage_id)"
    " VALUES (%s, %s, %s, %s, 'outage', 1)"
)
EMPTY = (
    "TRUNCATE booking, occupancy, outage RESTART IDENTITY CASCADE;"
    "INSERT INTO outage (machine_id, lab_id, starts_at, category, note, created_at)"
    " VALUES (1, 1, now(), 'fault', '', now())"
)


def rows() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="bench") as name, EmbeddedPostgres(Path(name)) as server:
        migrate(server.url)
        settings = load_settings({"DATABASE_URL": server.url, "FABLAB_SECRET_KEY": SECRET})
        sessions = connect(settings.database)
        with transaction(sessions) as session:
            cast = build_cast(session)
            _, token = add_token(session, cast.members["amina"], "bench", "write", utc_now())
        policy = Policy(**dataclasses.asdict(settings.bookings))
        with serving(server.url, Path(name)) as base_url:
            bench = _Bench(server.url, base_url, token, cast, sessions, policy)
            return [bench.row(1), bench.row(CLIENTS), bench.contended()]


@dataclasses.dataclass
class _Bench:
    database_url: str
    base_url: str
    token: str
    cast: Cast
    sessions: sessionmaker[Session]
    policy: Policy

    def row(self, clients: int) -> dict[str, Any]:
        """Different slots: everybody gets theirs."""
        works: dict[str, Callable[[int, int], None]] = {
            "http": self.book,
            "bare": self.insert,
            "ping": partial(self.get, "/healthz"),
            "me": partial(self.get, "/api/v1/me"),
            "verb": self.call,
        }
        taken = {name: self.seconds(work, clients) for name, work in works.items()}
        whole = taken["http"]
        share = {
            "HTTP server and client": taken["ping"],
            "routing, token, schema": taken["me"] - taken["ping"],
            "facts, rules and the claiming statement": taken["verb"],
        }
        return {
            "what": f"bookings/s, {clients} client{'s' if clients > 1 else ''}",
            "figure": round(BOOKINGS / whole),
            "reference": round(BOOKINGS / taken["bare"]),
            "ratio": round(taken["bare"] / whole, 3),
            # Each part is measured alone, so the shares are of their sum.
            "where": {step: f"{part / sum(share.values()):.0%}" for step, part in share.items()},
        }

    def contended(self) -> dict[str, Any]:
        """The same slot for all: one gets it, the others learn what is free instead."""
        answers = self.seconds(partial(self.book, same=True), CLIENTS)
        bare = self.seconds(partial(self.insert, same=True), CLIENTS)
        return {
            "what": f"answers/s, {CLIENTS} clients for the same slot",
            "figure": round(BOOKINGS / answers),
            "reference": round(BOOKINGS / bare),
            "ratio": round(bare / answers, 3),
        }

    def seconds(self, work: Callable[[int, int], None], clients: int) -> float:
        """Wall seconds until all clients have done BOOKINGS of it, each round in an empty calendar."""
        taken = []
        for _ in range(ROUNDS):
            with psycopg.connect(plain(self.database_url), autocommit=True) as connection:
                connection.execute(EMPTY)
            begun = time.perf_counter()
            at_once([partial(work, number, clients) for number in range(clients)])
            taken.append(time.perf_counter() - begun)
        return median(taken)

    def book(self, number: int, clients: int, same: bool = False) -> None:
        client = HttpClient(self.base_url, self.token)
        for n in range(BOOKINGS // clients):
            starts, ends = self.slot(n if same else n * clients + number)
            body = {"machine": "tanger-prusa-1", "starts_at": starts.isoformat(), "ends_at": ends.isoformat()}
            status, answer = client.post("/api/v1/bookings", body)
            if status != 201 and not (same and status == 409):
                raise AssertionError(f"{status}: {answer}")
        client.close()

    def insert(self, number: int, clients: int, same: bool = False) -> None:
        lab, unit = self.cast.labs["tanger"], self.cast.units["tanger-prusa-1"]
        statement = INSERT + (" ON CONFLICT DO NOTHING" if same else "")
        with psycopg.connect(plain(self.database_url), autocommit=True) as connection:
            for n in range(BOOKINGS // clients):
                slot = self.slot(n if same else n * clients + number)
                connection.execute(statement, (lab, unit, *slot))

    def call(self, number: int, clients: int) -> None:
        """The verb alone, with its transaction, without a web in front of it."""
        for n in range(BOOKINGS // clients):
            request = BookingRequest("tanger-prusa-1", *self.slot(n * clients + number))
            with transaction(self.sessions) as session:
                create_booking(session, self.cast.actors["amina"], request, utc_now(), self.policy)

    def get(self, path: str, number: int, clients: int) -> None:
        address = urlsplit(self.base_url)
        assert address.hostname is not None
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        for _ in range(BOOKINGS // clients):
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, path
        connection.close()

    def slot(self, number: int) -> tuple[datetime, datetime]:
        first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
        return first + number * SLOT, first + (number + 1) * SLOT


if __name__ == "__main__":
    for row in rows():
        print(row)
