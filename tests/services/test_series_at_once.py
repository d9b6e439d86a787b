"""Many at the same moment: series over one another, and machines booked together in opposite orders.

FABLAB_TEST_ROUNDS sets how often each is tried.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.db import transaction
from tests.fixtures_cast import Apis, Cast, tomorrow
from tests.support.clients import HttpClient, at_once
from tests.support.web import serving

CLIENTS = 16
ROUNDS = int(os.environ.get("FABLAB_TEST_ROUNDS", "4"))
NAMES = ("amina", "youssef", "salma", "karim")
OVERLAPS = """
    SELECT count(*) FROM occupancy a JOIN occupancy b
    ON a.unit_id = b.unit_id AND a.id < b.id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
"""
# Whatever holds its time has its claim, and nothing else has one.
ASTRAY = """
    SELECT count(*) FROM booking FULL JOIN occupancy ON occupancy.booking_id = booking.id
    WHERE (booking.state = 'confirmed') IS DISTINCT FROM (occupancy.id IS NOT NULL)
       OR occupancy.starts_at <> booking.starts_at OR occupancy.ends_at <> booking.ends_at
"""
PRINTERS = ("tanger-prusa-1", "tanger-prusa-2")


def span(hours: float, days: int = 2) -> dict[str, str]:
    starts = tomorrow(0, days=days) + timedelta(hours=hours)
    return {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=1)).isoformat()}


def consistent(sessions: sessionmaker[Session]) -> None:
    with transaction(sessions) as session:
        assert session.scalar(text(OVERLAPS)) == 0
        assert session.scalar(text(ASTRAY)) == 0


def ask(clients: list[HttpClient], path: str, bodies: list[dict[str, Any]]) -> Counter[int]:
    answers = at_once(
        [partial(client.post, f"/api/v1/{path}", bodies[n % len(bodies)]) for n, client in enumerate(clients)]
    )
    for status, answer in answers:
        assert status in (201, 409), answer
        if status == 409:
            assert answer["code"] == "machine_booked", answer
    return Counter(status for status, _ in answers)


def test_of_many_series_over_one_another_one_is_made(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    with serving(database_url, tmp_path, workers=2) as base_url:
        clients = [HttpClient(base_url, api.token(NAMES[n % len(NAMES)])) for n in range(CLIENTS)]
        for n in range(ROUNDS):
            body = {"machine": PRINTERS[0], **span(n), "rrule": "FREQ=DAILY;COUNT=5"}
            assert ask(clients, "series", [body]) == {201: 1, 409: CLIENTS - 1}, n
        for client in clients:
            client.close()
    consistent(sessions)
    with transaction(sessions) as session:
        assert session.scalar(text("SELECT count(*) FROM series")) == ROUNDS
        assert session.scalar(text("SELECT count(*) FROM booking")) == 5 * ROUNDS


def test_series_that_skip_and_single_bookings_share_the_days(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Half of them book single days by the way that takes no locks: every day goes to exactly one."""
    with serving(database_url, tmp_path, workers=2) as base_url:
        clients = [HttpClient(base_url, api.token(NAMES[n % len(NAMES)])) for n in range(CLIENTS)]
        for n in range(ROUNDS):
            first = span(n)
            series = {"machine": PRINTERS[0], **first, "rrule": "FREQ=DAILY;COUNT=6", "on_clash": "skip"}
            singles = [{"machine": PRINTERS[0], **span(n + 24 * day)} for day in range(6)]
            calls = [
                partial(client.post, "/api/v1/series", series)
                if number % 2
                else partial(client.post, "/api/v1/bookings", singles[number // 2 % 6])
                for number, client in enumerate(clients)
            ]
            assert {status for status, _ in at_once(calls)} <= {201, 409}
            with transaction(sessions) as session:
                booked = text("SELECT count(*) FROM booking WHERE starts_at = :at")
                at = tomorrow(0, days=2) + timedelta(hours=n)
                for day in range(6):
                    assert session.scalar(booked, {"at": at + timedelta(days=day)}) == 1, (n, day)
        for client in clients:
            client.close()
    consistent(sessions)


def test_two_machines_in_opposite_order_never_wait_in_a_circle(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    with serving(database_url, tmp_path, workers=2) as base_url:
        clients = [HttpClient(base_url, api.token(NAMES[n % len(NAMES)])) for n in range(CLIENTS)]
        for n in range(ROUNDS):
            bodies = [
                {"machine": one, **span(n), "also": [{"machine": other, "duration_s": 3600}]}
                for one, other in (PRINTERS, PRINTERS[::-1])
            ]
            assert ask(clients, "bookings", bodies) == {201: 1, 409: CLIENTS - 1}, n
        for client in clients:
            client.close()
    consistent(sessions)
    with transaction(sessions) as session:
        assert session.scalar(text("SELECT count(*) FROM booking")) == 2 * ROUNDS
        bundles = (
            "SELECT count(*) FROM (SELECT bundle_id FROM booking GROUP BY 1 HAVING count(*) = 2) AS pair"
        )
        assert session.scalar(text(bundles)) == ROUNDS


def test_bundles_moved_over_one_another_stay_whole(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Two bundles in opposite order, both to be moved to the same hour by many: one of them gets it."""
    with serving(database_url, tmp_path, workers=2) as base_url:
        owner = HttpClient(base_url, api.token("salma"))
        clients = [HttpClient(base_url, api.token("salma")) for _ in range(8)]
        for n in range(ROUNDS):
            hours = 6 * n
            ids = []
            for place, (one, other) in enumerate((PRINTERS, PRINTERS[::-1])):
                body = {
                    "machine": one,
                    **span(hours + 2 * place),
                    "also": [{"machine": other, "duration_s": 3600}],
                }
                status, made = owner.post("/api/v1/bookings", body)
                assert status == 201, made
                ids.append(made["id"])
            calls = [
                partial(client.send, "PATCH", f"/api/v1/bookings/{ids[number % 2]}", span(hours + 4))
                for number, client in enumerate(clients)
            ]
            statuses = {status for status, _ in at_once(calls)}
            assert statuses <= {200, 409, 412}
            assert 200 in statuses
            consistent(sessions)
        for client in (owner, *clients):
            client.close()
