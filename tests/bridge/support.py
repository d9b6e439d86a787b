"""Stand-ins for what surrounds a bridge."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from firmware_bridge.wire import topics
from firmware_bridge.wire.codec import decode, encode
from firmware_bridge.wire.messages import Command, Committed, Event, Presence, ServerPresence, Status
from tests.support.mosquitto import Mosquitto

LAB, BRIDGE = "tanger", "pi-1"
PASSWORD = "p@ss/word"
USERS = {"server": "server", f"bridge-{LAB}-{BRIDGE}": PASSWORD}


def until(condition: Callable[[], Any], timeout: float = 20.0, what: str = "") -> Any:
    """Wait for a condition to hold and give its value; fails the test after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.02)


class ServerDouble:
    """Takes numbered messages in strict order, confirms them, and keeps everything for the test to read."""

    def __init__(self, broker: Mosquitto, *, confirm: bool = True) -> None:
        self.confirm = confirm
        self.committed: dict[UUID, int] = {}
        self.taken: list[tuple[topics.Topic, Any]] = []
        self.deliveries: list[int] = []
        self.presences: list[Presence] = []
        self.unreadable: list[tuple[str, bytes]] = []
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, "server-double", clean_session=True)
        self.client.username_pw_set("server", "server")
        self.client.on_message = self._message
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.reconnect_delay_set(1, 1)
        self._port = broker.port

    def start(self) -> None:
        """Connect and subscribe; ends when the broker has taken note of it."""
        self.client.connect("127.0.0.1", self._port)
        self.client.loop_start()
        assert self._subscribed.wait(20), "the broker says nothing"

    def _connected(self, client: mqtt.Client, *_: Any) -> None:
        kinds = ("presence", "status", "event", "reading", "ack")
        client.subscribe([(f"{topics.PREFIX}/+/+/{kind}", 1) for kind in kinds])
        self.say_presence(True)

    def stop(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()

    def _message(self, client: mqtt.Client, _: Any, incoming: mqtt.MQTTMessage) -> None:
        try:
            topic = topics.parse(incoming.topic)
            message = decode(topic.kind, bytes(incoming.payload))
        except ValueError:
            self.unreadable.append((incoming.topic, bytes(incoming.payload)))
            return
        if isinstance(message, Presence):
            self.presences.append(message)
            return
        with self._lock:
            outbox, seq = message.id.outbox, message.id.seq  # type: ignore[union-attr]
            self.deliveries.append(seq)
            if seq != self.committed.get(outbox, 0) + 1:
                return
            self.committed[outbox] = seq
            self.taken.append((topic, message))
        if self.confirm:
            self.say_committed(outbox, seq)

    def say_committed(self, outbox: UUID, seq: int, bridge: str = BRIDGE) -> None:
        """Publish `committed` as the server would."""
        topic = topics.Topic(topics.Kind.COMMITTED, LAB, bridge)
        self.client.publish(str(topic), encode(Committed(outbox=outbox, seq=seq)), 1, True)

    def say_presence(self, online: bool) -> None:
        """Publish the server's presence."""
        self.client.publish(topics.SERVER_PRESENCE, encode(ServerPresence(online=online)), 1, True)

    def command(self, machine: str, command: Command) -> None:
        """Send a command to a machine."""
        topic = topics.Topic(topics.Kind.COMMAND, LAB, machine)
        self.client.publish(str(topic), encode(command), 1, False)

    def events(self, machine: str) -> list[Event]:
        """The events of a machine so far."""
        with self._lock:
            return [m for t, m in self.taken if t.subject == machine and isinstance(m, Event)]

    def ended(self, machine: str) -> list[Event]:
        """The ended jobs of a machine so far."""
        return [event for event in self.events(machine) if event.event == "job_ended"]

    def status(self, machine: str) -> Status | None:
        """The newest status of a machine."""
        with self._lock:
            found = [m for t, m in self.taken if t.subject == machine and isinstance(m, Status)]
        return found[-1] if found else None

    def state(self, machine: str) -> str | None:
        """The newest state of a machine."""
        status = self.status(machine)
        return None if status is None else status.state.value


def bridge_url(broker: Mosquitto) -> str:
    """What a bridge writes into its settings; the password needs escaping."""
    return f"mqtt://bridge-{LAB}-{BRIDGE}:{quote(PASSWORD, safe='')}@127.0.0.1:{broker.port}"


def write_settings(folder: Path, broker_url: str, machines: str, extra: str = "") -> Path:
    """A settings file for bridge tanger/pi-1."""
    path = folder / "bridge.toml"
    path.write_text(
        f'lab = "{LAB}"\nname = "{BRIDGE}"\n{extra}\n[broker]\nurl = "{broker_url}"\n{machines}\n'
    )
    return path


@contextlib.contextmanager
def running_bridge(settings: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The bridge as a process of its own; its log is beside the settings."""
    log = (settings.parent / "bridge.log").open("ab")
    command = [sys.executable, "-m", "firmware_bridge", "--config", str(settings)]
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.close()
