"""Bridges for tests of the server: one that only makes messages, and one that talks to a real broker."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.orm import Session

from fablab.mqtt.inbox import Letter
from fablab.mqtt.router import read
from fablab.telemetry.incoming import Incoming
from fablab.telemetry.models import Bridge
from firmware_bridge.wire import codec
from firmware_bridge.wire.messages import (
    Committed,
    Event,
    EventKind,
    JobEvent,
    JobStatus,
    MachineState,
    Message,
    MessageId,
    Outcome,
    Presence,
    Reading,
    Status,
    Temperature,
)
from firmware_bridge.wire.topics import Kind, Topic


def add_bridge(session: Session, lab_id: int, lab: str, at: datetime, name: str = "pi-1") -> Bridge:
    bridge = Bridge(lab_id=lab_id, name=name, created_at=at)
    session.add(bridge)
    session.flush()
    return bridge


class Outbox:
    """Numbers messages as a bridge's outbox does. Times are seconds after ``start``."""

    def __init__(self, lab: str, bridge: str = "pi-1", start: datetime | None = None) -> None:
        self.lab = lab
        self.bridge = bridge
        self.start = start or datetime.now(UTC)
        self.outbox = uuid.uuid4()
        self.boot = uuid.uuid4()
        self.seq = 0

    def at(self, seconds: float) -> datetime:
        return self.start + timedelta(seconds=seconds)

    def presence(self, online: bool = True, **more: Any) -> tuple[str, Message]:
        more = {"boot": self.boot, "outbox": self.outbox, "version": "1", **more}
        return self._topic(Kind.PRESENCE, self.bridge), Presence(online=online, **more)

    def status(
        self, machine: str, state: str, seconds: float, since: float | None = None, **more: Any
    ) -> tuple[str, Message]:
        at = self.at(seconds)
        more = {"job": None, "historical": False, **more}
        changed = at if since is None else self.at(since)
        return self._topic(Kind.STATUS, machine), Status(
            id=self._id(), at=at, state=MachineState(state), since=changed, **more
        )

    def reading(self, machine: str, seconds: float, **more: Any) -> tuple[str, Message]:
        more = {"historical": False, **more}
        return self._topic(Kind.READING, machine), Reading(id=self._id(), at=self.at(seconds), **more)

    def hot(self, machine: str, seconds: float, celsius: float = 210.0) -> tuple[str, Message]:
        heat = {"tool0": Temperature(actual_c=celsius, target_c=215.0), "bed": Temperature(actual_c=60.0)}
        return self.reading(machine, seconds, progress=0.5, temperatures=heat)

    def power(self, machine: str, on: bool, seconds: float) -> tuple[str, Message]:
        event = EventKind.POWER_ON if on else EventKind.POWER_OFF
        return self._topic(Kind.EVENT, machine), Event(
            id=self._id(), at=self.at(seconds), historical=False, event=event
        )

    def job(
        self,
        machine: str,
        event: str,
        job: uuid.UUID,
        seconds: float,
        started: float,
        ended: float | None = None,
        outcome: str | None = None,
        historical: bool = False,
        **more: Any,
    ) -> tuple[str, Message]:
        more = {"file": "vase.gcode", **more}
        return self._topic(Kind.EVENT, machine), Event(
            id=self._id(),
            at=self.at(seconds),
            historical=historical,
            event=EventKind(event),
            job=JobEvent(
                id=job,
                started_at=self.at(started),
                ended_at=None if ended is None else self.at(ended),
                outcome=None if outcome is None else Outcome(outcome),
                **more,
            ),
        )

    def _id(self) -> MessageId:
        self.seq += 1
        return MessageId(outbox=self.outbox, seq=self.seq)

    def _topic(self, kind: Kind, subject: str) -> str:
        return str(Topic(kind, self.lab, subject))


def job_status(job: uuid.UUID, **more: Any) -> JobStatus:
    known = {"file": "vase.gcode", "progress": 0.1, "print_time_s": 6.0, "remaining_s": 54.0}
    return JobStatus(id=job, **{**known, "estimated_s": 60.0, **more})


def incoming(topic: str, message: Message | bytes, received_at: datetime) -> Incoming:
    """The message as it comes out of the router."""
    payload = message if isinstance(message, bytes) else codec.encode(message)
    found = read(Letter(topic, payload, len(payload), received_at.timestamp(), 1, 1, None))
    assert found is not None, "the server's own"
    return found


class StandIn:
    """A bridge on a real broker that keeps every message until the server has committed it.

    It sends a window of messages after the committed one, and sends again from there on each connection
    and when nothing has moved for ``patience_s``. Numbers in ``lost`` it never sends.
    """

    def __init__(
        self,
        url: str,
        outbox: Outbox,
        patience_s: float = 2.0,
        window: int = 400,
        lost: frozenset[int] = frozenset(),
    ) -> None:
        from fablab.mqtt.client import address

        self._address = address(url)
        self.outbox = outbox
        self.messages: list[tuple[str, bytes]] = []
        self.committed = 0
        self.sent = 0
        self._patience_s = patience_s
        self._window = window
        self._lost = lost
        self._moved_at = time.monotonic()
        self._again = threading.Event()
        self._announced = threading.Event()
        self._stop = threading.Event()
        self._client = self._new_client()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def add(self, *messages: tuple[str, Message]) -> None:
        """Put messages into the outbox, in the order of their numbers."""
        self.messages.extend((topic, codec.encode(message)) for topic, message in messages)

    def __enter__(self) -> StandIn:
        self._client.connect_async(self._address.host, self._address.port, 10)
        self._client.loop_start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self._client.disconnect()
        self._client.loop_stop()

    def wait_committed(self, seq: int, timeout: float = 30) -> None:
        wait_for(lambda: self.committed >= seq, timeout, lambda: f"committed {self.committed} of {seq}")

    def _new_client(self) -> Client:
        name = f"bridge-{self.outbox.lab}-{self.outbox.bridge}"
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv311)
        client.username_pw_set(self._address.user, self._address.password)
        topic, will = self.outbox.presence(online=False)
        client.will_set(topic, codec.encode(will), qos=1, retain=True)
        client.max_inflight_messages_set(1000)
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_disconnect = lambda *_: self._announced.clear()
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: Client, *_: Any) -> None:
        topic = Topic(Kind.COMMITTED, self.outbox.lab, self.outbox.bridge)
        client.subscribe(str(topic), qos=1)
        name, message = self.outbox.presence()
        client.publish(name, codec.encode(message), qos=1, retain=True)
        self._announced.set()
        self._again.set()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        word = codec.decode(Kind.COMMITTED, message.payload)
        assert isinstance(word, Committed)
        if word.outbox != self.outbox.outbox:
            return
        if word.seq < self.committed:
            self._again.set()
        elif word.seq > self.committed:
            self._moved_at = time.monotonic()
        self.committed = word.seq

    def _run(self) -> None:
        following = 1
        while not self._stop.wait(0.01):
            stuck = time.monotonic() - self._moved_at > self._patience_s and self.committed < self.sent
            if stuck or self._again.is_set():
                self._again.clear()
                self._moved_at = time.monotonic()
                following = self.committed + 1
            following = max(following, self.committed + 1)
            while following <= min(len(self.messages), self.committed + self._window):
                # Connected is not enough: a message before its outbox's presence would be a dead letter.
                if not self._announced.is_set():
                    break
                topic, payload = self.messages[following - 1]
                if following not in self._lost:
                    self._client.publish(topic, payload, qos=1)
                self.sent = max(self.sent, following)
                following += 1


def wait_for(
    met: Callable[[], bool], timeout: float = 30, why: Callable[[], str] = lambda: "it did not happen"
) -> None:
    """Wait until a condition holds; fails with ``why()`` when it does not in time."""
    until = time.monotonic() + timeout
    while not met():
        assert time.monotonic() < until, f"{why()} after {timeout} s"
        time.sleep(0.02)
