"""Messages a second through the real ingest, as a ratio to a bare paho loop that only counts them.

Both drain the same queue: the messages wait in a real Mosquitto, in a persistent session made for the client,
then the client connects. So the publisher is no part of the figure. Run: python -m tests.bench.ingest
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psycopg
from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from fablab.db import sqlalchemy_url
from fablab.embedded.postgres import EmbeddedPostgres
from firmware_bridge.wire import codec
from firmware_bridge.wire.messages import Message
from firmware_bridge.wire.topics import server_filters
from tests.services.telemetry_case import LASER, PRINTER, make_case
from tests.support.bridges import Outbox, job_status, wait_for
from tests.support.database import PROJECT, migrate, plain
from tests.support.ingest import IngestProcess
from tests.support.mosquitto import Mosquitto

MESSAGES = 10_000
ROUNDS = 3
USERS = {"server": "server-pw", "bridge-tanger-pi-1": "tanger-pw"}


def row() -> dict[str, object]:
    """The figure: median of the rounds, and where the time of one profiled round goes."""
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        directory = Path(name)
        broker = Mosquitto(directory / "broker", USERS)
        broker.start()
        try:
            with EmbeddedPostgres(directory / "pg") as server:
                return _measure(directory, broker, server.url)
        finally:
            broker.kill()


def _measure(directory: Path, broker: Mosquitto, url: str) -> dict[str, object]:
    migrate(url)
    engine = create_engine(sqlalchemy_url(url))
    with Session(engine) as session:
        make_case(session)
        session.commit()
    engine.dispose()
    outbox = Outbox("tanger")
    bare, real = [], []
    _subscribe(broker, "bare")
    with IngestProcess(url, broker.url("server"), directory / "ingest.log") as ingest:
        _publish(broker, [outbox.presence()])
        wait_for(lambda: _committed(url) == 0)
        for _ in range(ROUNDS):
            ingest.stop()
            _publish(broker, _messages(outbox))
            bare.append(_drain_bare(broker))
            before = _committed(url)
            ingest.start()
            real.append(_drain_real(url, before))
        ingest.stop()
        _publish(broker, _messages(outbox))
        shares = _profile(url, broker)
    bare_s, real_s = sorted(bare)[ROUNDS // 2], sorted(real)[ROUNDS // 2]
    return {
        "what": f"ingest, messages/s ({MESSAGES} waiting, 9 readings to 1 status)",
        "figure": round(real_s),
        "reference": round(bare_s),
        "ratio": round(real_s / bare_s, 2),
        "where": shares,
    }


def _messages(outbox: Outbox) -> list[tuple[str, Message]]:
    made: list[tuple[str, Message]] = []
    job = uuid.uuid4()
    for number in range(MESSAGES):
        machine, seconds = (PRINTER, LASER)[number % 2], outbox.seq / 1000
        if number % 10 < 9:
            made.append(outbox.hot(machine, seconds, 200 + number % 100 / 10))
        else:
            made.append(outbox.status(machine, "running", seconds, since=0, job=job_status(job)))
    return made


def _client(broker: Mosquitto, name: str, user: str = "server", clean: bool = True) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv311, clean_session=clean)
    client.username_pw_set(user, USERS[user])
    return client


def _subscribe(broker: Mosquitto, name: str) -> None:
    """Make a persistent session that collects what the server subscribes to."""
    client = _client(broker, name, clean=False)
    done: list[bool] = []
    client.on_subscribe = lambda *_: done.append(True)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe([(topic, 1) for topic in server_filters()])
    wait_for(lambda: bool(done))
    client.disconnect()
    client.loop_stop()


def _publish(broker: Mosquitto, messages: list[tuple[str, Message]]) -> None:
    client = _client(broker, "publisher", "bridge-tanger-pi-1")
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    last = None
    for topic, message in messages:
        last = client.publish(topic, codec.encode(message), qos=1, retain=topic.endswith("presence"))
    assert last is not None
    last.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()


def _drain_bare(broker: Mosquitto) -> float:
    """Messages a second of a process that only counts; measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.ingest", "bare", str(broker.port), str(MESSAGES)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return float(done.stdout)


def _drain_real(url: str, before: int) -> float:
    """Messages a second from the first commit that moves the mark to the last."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        first: tuple[float, int] | None = None
        until = time.monotonic() + 120
        while time.monotonic() < until:
            row = connection.execute("SELECT committed_seq FROM bridge_outbox").fetchone()
            assert row is not None
            now = time.monotonic()
            if first is None and row[0] > before:
                first = now, row[0]
            if first is not None and row[0] >= before + MESSAGES:
                return float((row[0] - first[1]) / (now - first[0]))
            time.sleep(0.01)
    raise AssertionError(f"ingest did not finish: {row} after {before}")


def _committed(url: str) -> int | None:
    with psycopg.connect(plain(url)) as connection:
        row = connection.execute("SELECT committed_seq FROM bridge_outbox").fetchone()
        return None if row is None else int(row[0])


def _profile(url: str, broker: Mosquitto) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.ingest", "profile", str(MESSAGES)],
        cwd=PROJECT,
        env={
            "DATABASE_URL": url,
            "FABLAB_MQTT_URL": broker.url("server"),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    shares: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return shares


# ---- in a process of their own ----


def bare_loop(port: int, count: int) -> None:
    """Prints the messages a second of a paho loop that counts, from the first message to the last."""
    times = [0, 0.0, 0.0]

    def on_message(client: Client, _data: object, _message: MQTTMessage) -> None:
        times[0] += 1
        if times[0] == 1:
            times[1] = time.perf_counter()
        if times[0] == count:
            times[2] = time.perf_counter()
            client.disconnect()

    client = Client(CallbackAPIVersion.VERSION2, client_id="bare", protocol=MQTTv311, clean_session=False)
    client.username_pw_set("server", USERS["server"])
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_forever()
    print((count - 1) / (times[2] - times[1]))


def profiled(count: int) -> None:
    """Drain ``count`` messages in this process with timers around the steps; prints us a message."""
    import threading

    from fablab.mqtt import client, ingest
    from fablab.settings import load_settings
    from fablab.telemetry import service, store

    spent: dict[str, float] = {}
    stop = threading.Event()
    seen = [0]

    def timed(owner: object, name: str, label: str) -> None:
        inner = getattr(owner, name)

        def outer(*args: object, **more: object) -> object:
            begin = time.thread_time(), time.perf_counter()
            try:
                return inner(*args, **more)
            finally:
                spent[label + " cpu"] = spent.get(label + " cpu", 0) + time.thread_time() - begin[0]
                spent[label] = spent.get(label, 0) + time.perf_counter() - begin[1]

        setattr(owner, name, outer)

    def told(inner: object) -> object:
        def outer(session: object, batch: list[object], settings: object) -> object:
            applied = inner(session, batch, settings)  # type: ignore[operator]
            # What was committed but not yet acknowledged in the round before comes again.
            seen[0] += len(batch) - applied.duplicates
            if seen[0] >= count:
                stop.set()
            return applied

        return outer

    timed(client.Line, "_turn", "network")
    timed(ingest, "read", "decode")
    timed(store, "copy_readings", "copy")
    timed(store, "write_live", "live")
    timed(store, "write_marks", "marks")
    timed(service, "_read_machines", "machines")
    timed(service._Intake, "take", "judge")
    timed(ingest.Ingest, "_commit", "transaction")
    ingest.apply_batch = told(ingest.apply_batch)  # type: ignore[assignment]
    begin = time.perf_counter()
    ingest.Ingest(load_settings()).run(stop)
    spent["all"] = time.perf_counter() - begin
    print(json.dumps({name: round(seconds / count * 1e6, 1) for name, seconds in sorted(spent.items())}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        bare_loop(int(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["profile"]:
        profiled(int(sys.argv[2]))
    else:
        print(json.dumps(row(), indent=1))
