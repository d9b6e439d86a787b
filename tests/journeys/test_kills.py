"""kill -9 of each part in turn during a print: afterwards the history is whole, each message counted once."""

from __future__ import annotations

import os
import signal
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from fablab.embedded.postgres import EmbeddedPostgres
from tests.journeys.conftest import machines_of, make_broker, wait_for_state
from tests.journeys.stack import Api, Stack, eventually
from tests.support.database import migrate, plain
from tests.support.octoprint import OctoPrintFarm

MACHINE = "tanger-prusa-1"


def test_every_part_killed_during_one_print(
    octoprint_farm: OctoPrintFarm, data_dir: Path, tmp_path: Path
) -> None:
    broker = make_broker(tmp_path / "mosquitto")
    broker.start()
    [printer] = octoprint_farm(1)
    with EmbeddedPostgres(data_dir, fast=True) as postgres:
        migrate(postgres.url)
        stack = Stack(tmp_path, postgres.url, broker, machines_of([printer]))
        stack.load_sample()
        stack.start()
        try:
            nadia = stack.sign_in("nadia@example.org")
            wait_for_state(nadia, MACHINE, "idle", 40)
            printer.print_file("job_20s.gcode")
            wait_for_state(nadia, MACHINE, "running", 10)

            stack.parts["ingest"].restart()
            wait_for_news(nadia, "what the second ingest wrote")
            stack.parts["bridge"].kill()
            eventually(lambda: status(nadia)["fresh"], lambda fresh: not fresh, 30, "the bridge gone")
            stack.parts["bridge"].start()
            wait_for_news(nadia, "what the second bridge saw")
            broker.kill()
            broker.forget()
            broker.start()
            assert postgres.pid is not None
            os.kill(postgres.pid, signal.SIGKILL)
            eventually(postgres.alive, lambda alive: not alive, 15, "PostgreSQL gone")
            postgres.start()

            jobs = eventually(
                lambda: nadia.call("GET", f"/jobs?machine={MACHINE}"),
                lambda answer: answer[0] == 200 and any(job["outcome"] for job in answer[1]["items"]),
                60,
                "the job ended",
            )[1]["items"]
            assert [(job["file"], job["outcome"]) for job in jobs] == [("job_20s.gcode", "finished")]
            assert 19 < jobs[0]["print_time_s"] < 23

            stack.parts["bridge"].stop()
            outbox = read_outbox(tmp_path / "outbox-tanger-pi-1.sqlite")
            with psycopg.connect(plain(postgres.url), autocommit=True) as database:
                stored = eventually(
                    lambda: database.execute(
                        "SELECT committed_seq FROM bridge_outbox WHERE outbox = %s", [outbox.name]
                    ).fetchone(),
                    lambda row: row is not None and row[0] >= outbox.committed,
                    30,
                    "what the bridge forgot is in the database",
                )[0]
                # Every number is in one place at least: in the database, or still with the bridge.
                assert outbox.kept >= set(range(stored + 1, outbox.last + 1))
                assert stored > 10
                assert database.execute("SELECT count(*) FROM message_gap").fetchone() == (0,)
                assert database.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)
                sessions = database.execute(
                    "SELECT extract(epoch FROM ended_at - started_at) FROM usage_session"
                ).fetchall()
                assert len(sessions) == 1
                assert 19 < sessions[0][0] < 24
        finally:
            stack.stop()
            broker.kill()


def status(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/machines/{MACHINE}/status")
    return found


def wait_for_news(api: Api, what: str) -> None:
    """A word that came after now: what came before still stands there and says that the machine runs."""
    now = datetime.now(UTC)
    eventually(
        lambda: status(api),
        lambda seen: seen["fresh"] and datetime.fromisoformat(seen["seen_at"]) > now,
        60,
        what,
    )


@dataclass(frozen=True)
class OutboxFile:
    """A bridge's outbox at rest: its id, the last number given, how far confirmed, and what it keeps."""

    name: str
    last: int
    committed: int
    kept: set[int]


def read_outbox(file: Path) -> OutboxFile:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as outbox:
        name, last, committed = outbox.execute("SELECT outbox, last_seq, committed FROM identity").fetchone()
        kept = {seq for (seq,) in outbox.execute("SELECT seq FROM message")}
    return OutboxFile(name, last, committed, kept)
