"""The ingest process on a real broker: each message once, whatever is killed on the way."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from fablab.db import sqlalchemy_url
from fablab.embedded.postgres import EmbeddedPostgres
from tests.services.telemetry_case import LASER, PRINTER, RABATS, make_case
from tests.support.bridges import Outbox, StandIn, wait_for
from tests.support.database import PROJECT, migrate, plain
from tests.support.ingest import IngestProcess, ask
from tests.support.mosquitto import Mosquitto

USERS = {"server": "server-pw", "bridge-tanger-pi-1": "tanger-pw", "bridge-rabat-pi-1": "rabat-pw"}
READINGS = 2000


def fill(url: str) -> None:
    """The network of the telemetry case, committed."""
    engine = create_engine(sqlalchemy_url(url))
    with Session(engine) as session:
        make_case(session)
        session.commit()
    engine.dispose()


@pytest.fixture
def network_url(database_url: str) -> str:
    fill(database_url)
    return database_url


@pytest.fixture
def broker(mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    return mosquitto(USERS)


@pytest.fixture
def ingest(network_url: str, broker: Mosquitto, tmp_path: Path) -> Iterator[IngestProcess]:
    with IngestProcess(network_url, broker.url("server"), tmp_path / "ingest.log") as process:
        yield process


def readings(outbox: Outbox, count: int = READINGS) -> list:
    # Spread over the last minutes, as a bridge's outbox after a while without a line.
    return [outbox.hot((PRINTER, LASER)[n % 2], n / 10 - count / 10) for n in range(count)]


def counted_once(url: str, outbox: Outbox, count: int) -> None:
    """Every number is there once, and the mark says so."""
    with psycopg.connect(plain(url)) as connection:
        rows = connection.execute("SELECT seq, count(*) FROM reading GROUP BY seq ORDER BY seq").fetchall()
        mark = connection.execute(
            "SELECT committed_seq FROM bridge_outbox WHERE outbox = %s", [outbox.outbox]
        ).fetchone()
    assert rows == [(seq, 1) for seq in range(1, count + 1)]
    assert mark == (count,)
    assert ask(url, "SELECT count(*) FROM message_gap") == 0
    assert ask(url, "SELECT array_agg(topic || ': ' || reason) FROM dead_letter") is None


def tanger(broker: Mosquitto, outbox: Outbox, **more: object) -> StandIn:
    return StandIn(broker.url("bridge-tanger-pi-1"), outbox, **more)


def raw_client(broker: Mosquitto, user: str = "server") -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"raw-{uuid.uuid4().hex}", protocol=MQTTv311)
    client.username_pw_set(user, USERS[user])
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    return client


def retained(broker: Mosquitto, topic: str) -> bytes | None:
    """What the broker keeps on a topic."""
    found: list[bytes] = []
    client = raw_client(broker)
    client.on_message = lambda _client, _data, message: found.append(message.payload)
    client.subscribe(topic, 1)
    try:
        wait_for(lambda: bool(found))
    finally:
        client.disconnect()
        client.loop_stop()
    return found[-1]


def test_flask_is_not_loaded() -> None:
    code = "import sys, fablab.commands.ingest; sys.exit('flask' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("FABLAB_MQTT_URL", ""), ("FABLAB_MQTT_URL", "http://x"), ("DATABASE_URL", "mysql://x")],
)
def test_a_setting_that_cannot_be_used_stops_the_start_with_one_line(name: str, value: str) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": "postgresql://x/x",
        "FABLAB_MQTT_URL": "mqtt://x",
        name: value,
    }
    done = subprocess.run(
        [sys.executable, "-m", "fablab", "ingest"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_goes_from_the_bridge_to_the_hours(
    ingest: IngestProcess, broker: Mosquitto, network_url: str
) -> None:
    outbox, job = Outbox("tanger"), uuid.uuid4()
    with tanger(broker, outbox) as bridge:
        bridge.add(
            outbox.status(PRINTER, "idle", -120),
            outbox.job(PRINTER, "job_started", job, -100, started=-100),
            outbox.status(PRINTER, "running", -100),
            outbox.job(
                PRINTER, "job_ended", job, -40, started=-100, ended=-40, outcome="finished", print_time_s=60
            ),
            outbox.status(PRINTER, "idle", -40),
        )
        bridge.wait_committed(5)
    assert ask(network_url, "SELECT outcome FROM job") == "finished"
    assert ask(network_url, "SELECT busy_s FROM usage_session") == 60
    assert ask(network_url, "SELECT round(sum(used_unbooked_s)) FROM machine_hour") == 60
    assert b'"online":true' in (retained(broker, "fablab/1/server/presence") or b"")
    assert b'"seq":5' in (retained(broker, "fablab/1/tanger/pi-1/committed") or b"")
    assert ingest.stop() == 0
    assert b'"online":false' in (retained(broker, "fablab/1/server/presence") or b"")


def test_repeats_count_once(ingest: IngestProcess, broker: Mosquitto, network_url: str) -> None:
    outbox = Outbox("tanger")
    client = raw_client(broker, "bridge-tanger-pi-1")
    with tanger(broker, outbox) as bridge:
        messages = readings(outbox, 300)
        bridge.add(*messages)
        bridge.wait_committed(1)
        for topic, payload in bridge.messages:
            client.publish(topic, payload, qos=1)
        bridge.wait_committed(300)
        for topic, payload in bridge.messages:
            client.publish(topic, payload, qos=1).wait_for_publish(5)
        bridge.add(outbox.hot(PRINTER, 0))
        bridge.wait_committed(301)
    client.disconnect()
    client.loop_stop()
    counted_once(network_url, outbox, 301)


def test_ingest_killed_again_and_again_loses_and_doubles_nothing(
    ingest: IngestProcess, broker: Mosquitto, network_url: str
) -> None:
    outbox = Outbox("tanger")
    with tanger(broker, outbox) as bridge:
        bridge.add(*readings(outbox))
        for part in (1, 2, 3):
            bridge.wait_committed(part * READINGS // 5)
            ingest.kill()
            ingest.start()
        bridge.wait_committed(READINGS, 60)
    counted_once(network_url, outbox, READINGS)


def test_a_broker_that_forgets_everything_loses_nothing(
    ingest: IngestProcess, broker: Mosquitto, network_url: str
) -> None:
    outbox = Outbox("tanger")
    with tanger(broker, outbox) as bridge:
        bridge.add(*readings(outbox))
        for part in (1, 2):
            bridge.wait_committed(part * READINGS // 5)
            broker.kill()
            broker.forget()
            broker.start()
        bridge.wait_committed(READINGS, 60)
        assert retained(broker, "fablab/1/tanger/pi-1/committed") is not None
    counted_once(network_url, outbox, READINGS)
    assert ingest.said("broker_lost") <= 2
    assert ingest.said("broker_back") == ingest.said("broker_lost")


def test_a_message_that_never_comes_is_waited_for_then_recorded(
    network_url: str, broker: Mosquitto, tmp_path: Path
) -> None:
    outbox = Outbox("tanger")
    with (
        IngestProcess(
            network_url,
            broker.url("server"),
            tmp_path / "ingest.log",
            FABLAB_TELEMETRY__GAP_ACCEPT_S="3",
        ),
        tanger(broker, outbox, patience_s=1, lost=frozenset({10, 11})) as bridge,
    ):
        bridge.add(*readings(outbox, 30))
        wait_for(lambda: bridge.committed == 9)
        assert ask(network_url, "SELECT count(*) FROM reading") == 9
        bridge.wait_committed(30)
    assert ask(network_url, "SELECT count(*) FROM reading") == 28
    assert ask(network_url, "SELECT first_seq || '-' || last_seq FROM message_gap") == "10-11"


def test_a_standby_takes_over_when_the_leader_dies(
    ingest: IngestProcess, broker: Mosquitto, network_url: str, tmp_path: Path
) -> None:
    outbox = Outbox("tanger")
    standby = IngestProcess(network_url, broker.url("server"), tmp_path / "standby.log")
    standby.start()
    try:
        wait_for(lambda: standby.said("standing_by") == 1, 30)
        with tanger(broker, outbox) as bridge:
            bridge.add(*readings(outbox))
            bridge.wait_committed(READINGS // 5)
            assert standby.said("leading") == 0
            ingest.kill()
            bridge.wait_committed(READINGS, 60)
        assert standby.said("leading") == 1
        counted_once(network_url, outbox, READINGS)
    finally:
        standby.kill()


def test_garbage_from_everywhere_is_put_aside_and_ingest_goes_on(
    ingest: IngestProcess, broker: Mosquitto, network_url: str
) -> None:
    outbox = Outbox("tanger")
    client = raw_client(broker)
    garbage = [
        (f"fablab/1/tanger/{PRINTER}/status", b"{broken"),
        (f"fablab/1/tanger/{PRINTER}/status", b'{"id":"me","at":"now"}'),
        (f"fablab/1/tanger/{PRINTER}/reading", b"x" * 300_000),
        (f"fablab/1/tanger/{PRINTER}/event", b"\x00\xff"),
        ("fablab/1/TANGER/x/status", b"{}"),
        ("fablab/1/x", b"{}"),
        (f"fablab/1/tanger/{PRINTER}/bogus", b"{}"),
        ("fablab/1/tanger/a/b/c/status", b"{}"),
        ("fablab/1/server/x/reading", b"{}"),
        ("fablab/1/tanger/nobody/presence", b'{"online":true,"boot":"' + str(uuid.uuid4()).encode() + b'"}'),
    ]
    with tanger(broker, outbox) as bridge:
        bridge.add(*readings(outbox, 50))
        bridge.wait_committed(50)
        for topic, payload in garbage:
            client.publish(topic, payload, qos=1).wait_for_publish(5)
        bridge.add(outbox.hot(PRINTER, 0))
        bridge.wait_committed(51)
    client.disconnect()
    client.loop_stop()
    wait_for(lambda: ask(network_url, "SELECT count(*) FROM dead_letter") == len(garbage))
    assert ask(network_url, "SELECT max(size) FROM dead_letter") == 300_000
    assert ask(network_url, "SELECT max(length(payload)) FROM dead_letter") == 65_536
    assert ask(network_url, "SELECT count(*) FROM reading") == 51


def test_a_message_the_database_refuses_is_put_aside_alone(
    ingest: IngestProcess, broker: Mosquitto, network_url: str
) -> None:
    outbox = Outbox("tanger")
    with psycopg.connect(plain(network_url), autocommit=True) as connection:
        connection.execute("ALTER TABLE reading ADD CONSTRAINT odd CHECK (power_w <> 666)")
    try:
        with tanger(broker, outbox) as bridge:
            bridge.add(*readings(outbox, 70), outbox.reading(PRINTER, -1, power_w=666.0))
            bridge.add(*(outbox.hot(LASER, n / 100) for n in range(29)))
            bridge.wait_committed(100)
    finally:
        with psycopg.connect(plain(network_url), autocommit=True) as connection:
            connection.execute("ALTER TABLE reading DROP CONSTRAINT odd")
    assert ask(network_url, "SELECT count(*) FROM reading") == 99
    assert "refused by the database" in ask(network_url, "SELECT reason FROM dead_letter")


def test_another_labs_bridge_cannot_speak_for_tanger(
    network_url: str, mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    """Also on a broker without rights, where the topic alone would let it through."""
    broker = mosquitto(USERS, acl="pattern readwrite #\n")
    rabat, forger = Outbox("rabat"), Outbox("rabat")
    with (
        IngestProcess(network_url, broker.url("server"), tmp_path / "ingest.log"),
        StandIn(broker.url("bridge-rabat-pi-1"), rabat) as bridge,
    ):
        bridge.add(rabat.status(RABATS, "idle", 0), rabat.status(PRINTER, "error", 0))
        bridge.wait_committed(2)
        forger.outbox, forger.seq, forger.lab = rabat.outbox, 2, "tanger"
        topic, message = forger.status(PRINTER, "error", 0)
        bridge.add((topic, message))
        wait_for(lambda: ask(network_url, "SELECT count(*) FROM dead_letter") >= 2)
    assert ask(network_url, "SELECT count(*) FROM machine_status") == 1
    assert ask(network_url, "SELECT committed_seq FROM bridge_outbox") == 2


def test_a_database_that_goes_away_under_load_loses_nothing_and_memory_stays_small(
    broker: Mosquitto, tmp_path: Path
) -> None:
    outbox = Outbox("tanger")
    with EmbeddedPostgres(tmp_path / "pg", fast=True) as server:
        migrate(server.url)
        fill(server.url)
        with (
            IngestProcess(
                server.url,
                broker.url("server"),
                tmp_path / "ingest.log",
                FABLAB_MQTT__QUEUE_MESSAGES="100",
                FABLAB_MQTT__BATCH_MESSAGES="60",
            ) as ingest,
            tanger(broker, outbox) as bridge,
        ):
            bridge.add(*readings(outbox, 3000))
            bridge.wait_committed(300)
            at_work_mb = ingest.memory_mb()
            server.stop()
            wait_for(lambda: ingest.said("database_lost") == 1)
            held = bridge.committed
            server.start()
            wait_for(lambda: ingest.said("database_back") == 1, 30)
            bridge.wait_committed(max(held + 100, 1500), 60)
            with psycopg.connect(plain(server.url), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                    "AND backend_type = 'client backend'"
                )
            bridge.wait_committed(3000, 60)
            assert ingest.memory_mb() < at_work_mb + 8, "it holds what it may hold, not all that came"
        counted_once(server.url, outbox, 3000)
