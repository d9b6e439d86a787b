"""Bridges' accounts: who is refused, what settings they get, and how a password changes."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest

from firmware_bridge import publisher
from firmware_bridge import settings as bridge_settings
from tests.fixtures_cast import Cast
from tests.support.bridges import wait_for
from tests.support.command_line import Fablab, refused
from tests.support.configured_broker import Client, RealBroker
from tests.support.database import plain


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


TANGER = "bridge-tanger-pi-1"


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
