"""Bridges' accounts and the broker's files: who is refused, what a real Mosquitto makes of them."""

import getpass
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from fablab.embedded.process import birth_options
from fablab.telemetry.broker_tls import BROKER_DAYS, papers
from firmware_bridge import publisher
from firmware_bridge import settings as bridge_settings
from tests.fixtures_cast import Cast
from tests.support.bridges import wait_for
from tests.support.command_line import Fablab, refused
from tests.support.database import plain
from tests.support.missing import missing
from tests.support.mosquitto import PROGRAM
from tests.support.ports import free_port, wait_listening


def test_bridges_that_cannot_be_are_refused(fablab: Fablab, cast: Cast) -> None:
    refused(fablab("bridge", "add", "oujda", "pi-1"), "no such lab oujda")
    refused(fablab("bridge", "add", "tanger", "pi/#"), "not a name")
    refused(fablab("bridge", "rotate", "tanger", "pi-1"), "no such bridge pi-1")
    refused(fablab("bridge", "revoke", "tanger", "pi-1", "bridge-tanger-pi-1"), "no such bridge pi-1")
    assert fablab("bridge", "add", "tanger", "pi-1").exit_code == 0
    refused(fablab("bridge", "add", "tanger", "pi-1"), "rotate")
    refused(fablab("bridge", "revoke", "tanger", "pi-1", "bridge-rabat-pi-1"), "no such valid broker user")
    refused(fablab("bridge", "revoke", "tanger", "pi-1"), "say which: bridge-tanger-pi-1; or --all")
    assert fablab("bridge", "revoke", "tanger", "pi-1", "--all").exit_code == 0
    assert "bridge-tanger-pi-1" not in fablab("bridge", "list").stdout


def test_a_new_bridge_gets_settings_that_it_can_read(fablab: Fablab, cast: Cast, tmp_path: Path) -> None:
    done = fablab(
        "bridge", "add", "tanger", "pi-1", FABLAB_MQTT_URL="mqtts://server:secret@mqtt.example.org:8883"
    )
    assert done.exit_code == 0, done.stderr
    assert "secret" not in done.stdout.replace("API-KEY", "")
    file = tmp_path / "bridge.toml"
    file.write_text(done.stdout)
    settings = bridge_settings.load(file)
    assert (settings.lab, settings.name) == ("tanger", "pi-1")
    assert (settings.broker.user, settings.broker.port, settings.broker.tls) == (
        "bridge-tanger-pi-1",
        8883,
        True,
    )
    assert [machine.slug for machine in settings.machine] == ["tanger-prusa-1", "tanger-prusa-2"]
    assert f"# Password    {settings.broker.password}" in done.stdout


def test_a_bridge_of_a_running_system_gets_its_broker(fablab: Fablab, cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "run.json").write_text('{"mqtt_url": "mqtt://server:secret@127.0.0.1:18830"}')
    done = fablab("bridge", "add", "rabat", "pi-7")
    assert done.exit_code == 0, done.stderr
    assert "@127.0.0.1:18830" in tomllib.loads(done.stdout)["broker"]["url"]
    assert "secret" not in done.stdout


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


@pytest.fixture
def broker(fablab: Fablab, cast: Cast, tmp_path: Path) -> Iterator[RealBroker]:
    if PROGRAM is None:
        missing("Mosquitto is not installed (Debian package: mosquitto)")
    real = RealBroker(fablab, tmp_path / "mosquitto", free_port(), {"server": "a p@ss/word"})
    for lab in ("tanger", "rabat"):
        real.account("add", lab, "pi-1")
    real.write()
    real.start()
    yield real
    assert real.process is not None
    real.process.kill()
    real.process.wait(10)


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


def test_the_files_hold_secrets_and_are_private(broker: RealBroker) -> None:
    files = [path for path in broker.out.rglob("*") if path.is_file() and path.name != "mosquitto.db"]
    assert {path.name for path in files} == {
        *("mosquitto.conf", "passwords", "rights", "ca.pem", "ca.key", "broker.pem", "broker.key")
    }
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600, path.name
        assert not any(password in path.read_text() for password in broker.passwords.values())
    text = (broker.out / "mosquitto.conf").read_text()
    for line in ("allow_anonymous false", "persistence true", "autosave_interval 30"):
        assert f"\n{line}\n" in text
    assert "max_inflight_messages 1000\nmax_queued_messages 100000\n" in text


@pytest.mark.parametrize(("user", "password"), [("", ""), ("server", "wrong"), ("bridge-tanger-pi-1", "x")])
def test_the_real_broker_refuses_strangers(broker: RealBroker, user: str, password: str) -> None:
    stranger = broker.client(user, password)
    assert stranger.refused
    stranger.subscribe("#")
    server = broker.client("server")
    server.publish("fablab/1/tanger/tanger-prusa-1/command")
    stranger._turn(lambda: False, 0.3)
    assert stranger.got == []


def test_the_real_broker_speaks_tls_only(broker: RealBroker, tmp_path: Path) -> None:
    other = papers(tmp_path / "none", ["127.0.0.1"], datetime.now(UTC)).authority
    with socket.create_connection(("127.0.0.1", broker.port)) as line:
        context = ssl.create_default_context(cadata=other)
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(line, server_hostname="127.0.0.1")
    plain_text = mqtt.Client(CallbackAPIVersion.VERSION2)
    plain_text.username_pw_set("server", broker.passwords["server"])
    heard: list[object] = []
    plain_text.on_connect = lambda *call: heard.append(call)
    plain_text.connect("127.0.0.1", broker.port)
    until = time.monotonic() + 10
    while plain_text.loop(0.05) == mqtt.MQTT_ERR_SUCCESS and time.monotonic() < until:
        pass
    assert not plain_text.is_connected()
    assert heard == []


def test_a_password_changes_without_a_break(broker: RealBroker, fablab: Fablab, database_url: str) -> None:
    topic = "fablab/1/tanger/tanger-prusa-1/status"
    old = broker.client("bridge-tanger-pi-1")
    user, password = broker.account("rotate", "tanger", "pi-1")
    assert user == "bridge-tanger-pi-1.2"
    refused(fablab("bridge", "rotate", "tanger", "pi-1"), "revoke one first")
    assert broker.client(user, password).refused, "before the files are written anew"
    broker.write()
    broker.reload()
    wait_for(lambda: not broker.client(user, password).refused)
    server = broker.client("server")
    server.subscribe("fablab/1/#")
    broker.client(user, password).publish(topic)
    old.publish("fablab/1/tanger/tanger-prusa-1/event")
    assert server.receives(topic, "fablab/1/tanger/tanger-prusa-1/event"), "both are valid"

    assert fablab("bridge", "revoke", "tanger", "pi-1", "bridge-tanger-pi-1").exit_code == 0
    broker.write()
    broker.reload()
    assert old.is_cut_off(), "a revoked password ends the connection it opened"
    assert broker.client("bridge-tanger-pi-1").refused
    assert not broker.client(user, password).refused
    again, _ = broker.account("rotate", "tanger", "pi-1")
    assert again == "bridge-tanger-pi-1"
    with psycopg.connect(plain(database_url)) as connection:
        acts = connection.execute(
            "SELECT action, detail, lab_id IS NOT NULL FROM audit WHERE subject LIKE 'bridge %' ORDER BY id"
        ).fetchall()
    assert acts == [
        ("bridge.add", "user bridge-tanger-pi-1", True),
        ("bridge.add", "user bridge-rabat-pi-1", True),
        ("credential.add", "user bridge-tanger-pi-1.2", True),
        ("credential.revoke", "user bridge-tanger-pi-1", True),
        ("credential.add", "user bridge-tanger-pi-1", True),
    ]


def test_a_bridge_carries_the_authority_in_its_settings(
    broker: RealBroker, fablab: Fablab, tmp_path: Path
) -> None:
    done = fablab(
        *("bridge", "add", "tanger", "pi-2"),
        FABLAB_MQTT_URL=f"mqtts://server@127.0.0.1:{broker.port}",
        FABLAB_MQTT__CA_FILE=str(broker.out / "tls" / "ca.pem"),
    )
    assert done.exit_code == 0, done.stderr
    broker.write()
    broker.reload()
    file = tmp_path / "bridge.toml"
    file.write_text(done.stdout)
    assert bridge_settings.load(file).broker.ca == (broker.out / "tls" / "ca.pem").read_text()
    checked = subprocess.run(
        [sys.executable, "-m", "firmware_bridge", "--config", str(file), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert re.search(r"broker.*ok", checked.stdout), checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("later", "hosts", "kept"),
    [
        (timedelta(days=1), ["mqtt.example.org"], True),
        (timedelta(days=1), ["mqtt.example.org", "10.0.0.7"], False),
        (timedelta(days=BROKER_DAYS - 30), ["mqtt.example.org"], False),
    ],
)
def test_papers_are_kept_while_they_serve(
    tmp_path: Path, later: timedelta, hosts: list[str], kept: bool
) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    first = papers(tmp_path, ["mqtt.example.org"], now)
    for name, text in (
        ("ca.pem", first.authority),
        ("ca.key", first.authority_key),
        ("broker.pem", first.certificate),
        ("broker.key", first.key),
    ):
        (tmp_path / name).write_text(text)
    second = papers(tmp_path, hosts, now + later)
    assert second.authority == first.authority, "or every bridge would have to learn a new one"
    assert (second.certificate == first.certificate) is kept
    other = papers(tmp_path / "other", hosts, now)
    for name, text in (("broker.pem", other.certificate), ("broker.pem", other.authority)):
        (tmp_path / name).write_text(text)
        assert papers(tmp_path, hosts, now).certificate != text, "of another authority, or for no host"
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(ValueError, match="PEM"):
        papers(tmp_path, hosts, now)


def test_the_real_broker_gives_bridges_their_own_lab_only(broker: RealBroker) -> None:
    server, tanger, rabat = (
        broker.client(user) for user in ("server", "bridge-tanger-pi-1", "bridge-rabat-pi-1")
    )
    assert not any(client.refused for client in (server, tanger, rabat))
    server.subscribe("fablab/1/#")
    for topic in (
        "fablab/1/rabat/rabat-prusa-1/status",
        "fablab/1/tanger/tanger-prusa-1/command",
        "fablab/1/tanger/pi-1/committed",
        "fablab/1/tanger/pi-2/presence",
        "fablab/1/server/presence",
        "elsewhere",
    ):
        tanger.publish(topic)
    allowed = [f"fablab/1/tanger/tanger-prusa-1/{kind}" for kind in ("status", "event", "reading", "ack")]
    allowed.append("fablab/1/tanger/pi-1/presence")
    for topic in allowed:
        tanger.publish(topic)
    assert server.receives("fablab/1/tanger/tanger-prusa-1/status", allowed[-1])
    assert server.got == allowed

    tanger.subscribe("#")
    for topic in (
        "fablab/1/tanger/tanger-prusa-1/command",
        "fablab/1/tanger/pi-1/committed",
        "fablab/1/server/presence",
    ):
        tanger.subscribe(topic)
    rabat.publish("fablab/1/rabat/rabat-prusa-1/status")
    server.publish("fablab/1/rabat/rabat-prusa-1/command")
    server.publish("fablab/1/tanger/tanger-prusa-1/command")
    server.publish("fablab/1/tanger/pi-1/committed")
    server.publish("fablab/1/server/presence")
    assert tanger.receives("fablab/1/tanger/tanger-prusa-1/command", "fablab/1/server/presence")
    assert {topic.split("/")[2] for topic in tanger.got} == {"tanger", "server"}


SERVER, TANGER, RABAT = "server", "bridge-tanger-pi-1", "bridge-rabat-pi-1"


@pytest.mark.parametrize("password", [None, "wrong"])
@pytest.mark.parametrize(
    ("user", "client_id", "writer", "topic"),
    [
        (SERVER, "fablab-ingest", RABAT, "fablab/1/rabat/rabat-prusa-1/{}"),
        (RABAT, "fablab-bridge-rabat-pi-1", SERVER, "fablab/1/rabat/{}/command"),
    ],
)
def test_nobody_takes_another_s_session(
    broker: RealBroker, user: str, client_id: str, writer: str, topic: str, password: str | None
) -> None:
    """Neither while it is connected nor the queue it has while it is away."""

    def intrude() -> None:
        for name in (client_id, user):
            for kept in (True, False):
                broker.client(TANGER, password, client_id=name, kept=kept)

    names = ("status", "event", "reading")
    at_work, other = broker.client(user, client_id=client_id, kept=True), broker.client(writer)
    for name in names:
        at_work.subscribe(topic.format(name))
    intrude()
    other.publish(topic.format("status"))
    assert at_work.receives(topic.format("status"), topic.format("status"))
    assert not at_work.lost
    at_work.leave()
    other.publish(topic.format("event"))
    intrude()
    back = broker.client(user, client_id=client_id, kept=True)
    other.publish(topic.format("reading"))
    assert back.receives(topic.format("event"), topic.format("reading")), "its queue was thrown away"


def test_a_check_beside_the_bridge_at_work_is_no_failure(
    broker: RealBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mosquitto knows one client a user, so the bridge takes its place back, perhaps before the answer."""
    authority = (broker.out / "tls" / "ca.pem").read_text()

    def check(password: str) -> tuple[bool, str]:
        file = tmp_path / "bridge.toml"
        file.write_text(
            'lab = "tanger"\nname = "pi-1"\n[[machine]]\nslug = "tanger-prusa-1"\ndriver = "simulated"\n'
            f'[broker]\nurl = "mqtts://{TANGER}:{password}@127.0.0.1:{broker.port}"\n'
            f'ca = """\n{authority}"""\n'
        )
        return publisher.probe(bridge_settings.load(file))

    assert check(broker.passwords[TANGER]) == (True, "connected")
    taken_back: list[Client] = []
    subscribe = mqtt.Client.subscribe

    def first_the_bridge(client: mqtt.Client, *given: Any, **more: Any) -> Any:
        if not taken_back:
            taken_back.append(broker.client(TANGER))
        return subscribe(client, *given, **more)

    monkeypatch.setattr(mqtt.Client, "subscribe", first_the_bridge)
    assert check(broker.passwords[TANGER]) == (True, "connected; the bridge at work took its place back")
    well, words = check("wrong")
    assert not well
    assert "refuses us" in words
