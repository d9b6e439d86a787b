"""The broker's files: what a real Mosquitto makes of them, and whom it lets do what."""

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from fablab.telemetry.broker_tls import BROKER_DAYS, papers
from tests.support.configured_broker import RealBroker

SERVER, TANGER, RABAT = "server", "bridge-tanger-pi-1", "bridge-rabat-pi-1"


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
