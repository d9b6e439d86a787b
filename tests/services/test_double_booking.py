"""One slot, many who want it at the same moment: exactly one gets it, whoever they ask and how often."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.db import transaction
from tests.fixtures_cast import Apis, Cast, tomorrow
from tests.support.at_once import CLIENTS, OVERLAPS, ROUNDS
from tests.support.clients import HttpClient, at_once
from tests.support.web import serving


def everybody_posts(
    clients: list[HttpClient], body: dict[str, str], **headers: str
) -> list[tuple[int, dict[str, Any]]]:
    return at_once([partial(client.post, "/api/v1/bookings", body, **headers) for client in clients])


@pytest.mark.parametrize("workers", [1, 2])
def test_of_sixteen_at_once_exactly_one_books(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], database_url: str, tmp_path: Path, workers: int
) -> None:
    names = ["amina", "youssef", "salma", "karim"]
    clients = []
    with serving(database_url, tmp_path, workers) as base_url:
        clients = [HttpClient(base_url, api.token(names[n % len(names)])) for n in range(CLIENTS)]
        for n in range(ROUNDS):
            starts = tomorrow(0, days=2) + timedelta(hours=n)
            body = {
                "machine": "tanger-prusa-1",
                "starts_at": starts.isoformat(),
                "ends_at": (starts + timedelta(hours=1)).isoformat(),
            }
            answers = everybody_posts(clients, body)
            assert Counter(status for status, _ in answers) == {201: 1, 409: CLIENTS - 1}, n
            for status, problem in answers:
                if status == 409:
                    assert problem["code"] == "machine_booked"
                    assert [each["code"] for each in problem["refusals"]] == ["machine_booked"]
                    assert len(problem["alternatives"]) == 3, problem
                    # No alternative is the very thing that was taken.
                    assert all(
                        each["machine"] != "tanger-prusa-1" or each["starts_at"] != body["starts_at"]
                        for each in problem["alternatives"]
                    )
        for client in clients:
            client.close()
    with transaction(sessions) as session:
        assert session.scalar(text(OVERLAPS)) == 0
        assert session.scalar(text("SELECT count(*) FROM occupancy")) == ROUNDS
        assert session.scalar(text("SELECT count(*) FROM booking")) == ROUNDS
        assert session.scalar(text("SELECT count(*) FROM booking_change")) == ROUNDS


def test_two_places_of_one_machine_take_two_bookings_of_many(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    with transaction(sessions) as session:
        session.execute(
            text("INSERT INTO unit (machine_id, number) VALUES (:machine, 2)"),
            {"machine": cast.machines["tanger-prusa-1"]},
        )
    with serving(database_url, tmp_path) as base_url:
        clients = [HttpClient(base_url, api.token("amina")) for _ in range(8)]
        for n in range(10):
            starts = tomorrow(0, days=2) + timedelta(hours=n)
            body = {
                "machine": "tanger-prusa-1",
                "starts_at": starts.isoformat(),
                "ends_at": (starts + timedelta(hours=1)).isoformat(),
            }
            answers = everybody_posts(clients, body)
            assert Counter(status for status, _ in answers) == {201: 2, 409: 6}
        for client in clients:
            client.close()
    with transaction(sessions) as session:
        assert session.scalar(text(OVERLAPS)) == 0


def test_the_same_key_sent_at_once_books_once(api: Apis, database_url: str, tmp_path: Path) -> None:
    starts = tomorrow(0, days=2)
    body = {
        "machine": "tanger-prusa-1",
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=1)).isoformat(),
    }
    with serving(database_url, tmp_path, workers=2) as base_url:
        clients = [HttpClient(base_url, api.token("amina")) for _ in range(8)]
        answers = everybody_posts(clients, body, **{"Idempotency-Key": "once"})
        for client in clients:
            client.close()
    assert {status for status, _ in answers} == {201}
    assert len({booking["id"] for _, booking in answers}) == 1
