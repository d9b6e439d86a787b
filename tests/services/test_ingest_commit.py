"""What ingest does with a batch that our own code or another count stands in the way of."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection, Engine, create_engine, select, text
from sqlalchemy.orm import Session

from fablab.db import sqlalchemy_url
from fablab.mqtt import ingest as door
from fablab.mqtt.ingest import Ingest
from fablab.settings import Settings, load_settings
from fablab.telemetry.incoming import Incoming
from fablab.telemetry.models import DeadLetter
from fablab.telemetry.service import Applied, apply_batch
from fablab.usage.models import UsageSession
from fablab.utilisation import service
from fablab.utilisation.models import MachineHour
from tests.services.telemetry_case import LASER, PRINTER, START, make_case
from tests.support.bridges import Outbox, incoming


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(sqlalchemy_url(database_url))
    with Session(engine) as session, session.begin():
        make_case(session)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def ingest(database_url: str) -> Ingest:
    return Ingest(load_settings({"DATABASE_URL": database_url, "FABLAB_MQTT_URL": "mqtt://127.0.0.1:1"}))


def batch(*messages: tuple) -> list[Incoming]:
    return [incoming(topic, message, START) for topic, message in messages]


def job(outbox: Outbox, started: float, ended: float) -> list[tuple]:
    made = uuid.uuid4()
    return [
        outbox.job(PRINTER, "job_started", made, started, started=started),
        outbox.job(PRINTER, "job_ended", made, ended, started=started, ended=ended, outcome="finished"),
    ]


def test_an_error_of_ours_is_not_blamed_on_the_database(
    ingest: Ingest, connection: Connection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stumbles(session: Session, batch: Sequence[Incoming], settings: Settings) -> Applied:
        if any(each.subject == LASER and each.reason is None for each in batch):
            raise KeyError("laser")
        return apply_batch(session, batch, settings)

    monkeypatch.setattr(door, "apply_batch", stumbles)
    outbox = Outbox("tanger", start=START)
    ingest._commit(
        connection,
        batch(outbox.presence(), outbox.status(PRINTER, "idle", 0), outbox.status(LASER, "idle", 0)),
    )
    with Session(connection) as session:
        assert session.scalars(select(DeadLetter.reason)).all() == ["our own error: KeyError: 'laser'"]


def test_messages_do_not_wait_for_the_clocks_count_and_their_hours_follow(
    ingest: Ingest, engine: Engine, connection: Connection
) -> None:
    outbox = Outbox("tanger", start=START)
    with engine.connect() as clock:
        clock.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": service._LOCK})
        began = time.monotonic()
        ingest._commit(connection, batch(outbox.presence(), *job(outbox, -60, 0)))
        assert time.monotonic() - began < 3
        clock.rollback()
    with Session(connection) as session:
        assert session.scalars(select(UsageSession.busy_s)).all() == [60]
        assert session.scalars(select(MachineHour.used_s)).all() == []
    ingest._commit(connection, batch(outbox.hot(PRINTER, 1)))
    with Session(connection) as session:
        assert sum(session.scalars(select(MachineHour.used_s))) == 60
