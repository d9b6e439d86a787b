"""A real Mosquitto on the files that `fablab broker config` writes, and clients of it."""

import getpass
import signal
import subprocess
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from fablab.embedded.process import birth_options
from tests.support.command_line import Fablab
from tests.support.mosquitto import PROGRAM
from tests.support.ports import wait_listening


@dataclass
class RealBroker:
    """A real Mosquitto with TLS on the files of `fablab broker config`, and the passwords by user."""

    fablab: Fablab
    out: Path
    port: int
    passwords: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def write(self) -> None:
        done = self.fablab(
            *("broker", "config", "--out", str(self.out), "--port", str(self.port)),
            *("--data", str(self.out), "--host", "127.0.0.1"),
            FABLAB_MQTT_URL="mqtts://server:a%20p%40ss%2Fword@127.0.0.1",
        )
        assert done.exit_code == 0, done.stderr
        # Started by root it would become user mosquitto, who may not enter this test's folder.
        config = self.out / "mosquitto.conf"
        config.write_text(f"user {getpass.getuser()}\n{config.read_text()}")

    def start(self) -> None:
        with (self.out.parent / "broker.log").open("wb") as log:
            command = [str(PROGRAM), "-c", str(self.out / "mosquitto.conf")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **birth_options())
        wait_listening(self.port)

    def reload(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def account(self, *command: str) -> tuple[str, str]:
        """A broker user and its password out of what `fablab bridge add` or `rotate` prints."""
        done = self.fablab("bridge", *command)
        assert done.exit_code == 0, done.stderr
        user, _, password = tomllib.loads(done.stdout)["broker"]["url"].partition("//")[2].partition(":")
        self.passwords[user] = password.partition("@")[0]
        return user, self.passwords[user]

    def client(
        self, user: str, password: str | None = None, client_id: str = "", kept: bool = False
    ) -> "Client":
        """A client that has connected, or was refused; ``kept``: its session is to outlive the connection."""
        password = password or self.passwords.get(user, "")
        return Client(self.port, self.out / "tls" / "ca.pem", user, password, client_id, kept)


class Client:
    """A client of the broker that remembers what it got."""

    def __init__(
        self, port: int, authority: Path, user: str, password: str, client_id: str, kept: bool
    ) -> None:
        self.got: list[str] = []
        self.refused = self.answered = self.lost = False
        self.subscriptions = 0
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=not kept, protocol=mqtt.MQTTv311
        )
        self.client.tls_set(ca_certs=str(authority))
        if user:
            self.client.username_pw_set(user, password)
        self.client.on_message = lambda *call: self.got.append(call[2].topic)
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self.client.on_subscribe = self._subscribed
        self.client.connect("127.0.0.1", port)
        self._turn(lambda: self.answered)
        assert self.answered, "the broker says nothing"

    def _connected(self, *call: object) -> None:
        self.answered, self.refused = True, bool(call[3].is_failure)  # type: ignore[attr-defined]

    def _disconnected(self, *_: object) -> None:
        self.lost = True

    def _subscribed(self, *_: object) -> None:
        self.subscriptions += 1

    def is_cut_off(self) -> bool:
        """Whether the broker ends the connection."""
        self._turn(lambda: self.lost)
        return self.lost

    def subscribe(self, topic: str) -> None:
        """Ask for a topic; ends when the broker has answered, be it with a refusal."""
        before = self.subscriptions
        self.client.subscribe(topic, 1)
        self._turn(lambda: self.subscriptions > before or self.lost)
        assert self.subscriptions > before or self.refused

    def leave(self) -> None:
        """Go without a good-bye, as a computer that loses its current."""
        self.client.socket().close()  # type: ignore[union-attr]

    def publish(self, topic: str) -> None:
        sent = self.client.publish(topic, b"{}", 1)
        self._turn(sent.is_published)

    def _turn(self, done: Callable[[], bool], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            self.client.loop(0.02)

    def receives(self, topic: str, last: str) -> bool:
        """Whether the topic came; ``last`` is one that must come, after it."""
        self._turn(lambda: last in self.got)
        assert last in self.got
        return topic in self.got
