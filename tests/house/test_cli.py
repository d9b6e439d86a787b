"""The commands people type: what they refuse, what they print, what they leave behind."""

import getpass
import re
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
import pytest
from click.testing import CliRunner, Result
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import NullPool, create_engine

from fablab.cli import main
from fablab.db import sessions_on, sqlalchemy_url, transaction
from firmware_bridge import settings as bridge_settings
from tests.fixtures_cast import Cast
from tests.support.database import plain
from tests.support.missing import missing
from tests.support.mosquitto import PROGRAM
from tests.support.ports import free_port, wait_listening

COMMANDS = (
    *("run", "web", "ingest", "scheduler", "db", "sample", "member", "token", "bridge", "broker"),
    *("rollup", "backup", "restore", "doctor"),
)
Fablab = Callable[..., Result]


@pytest.fixture
def fablab(database_url: str, tmp_path: Path) -> Fablab:
    """Run a command on the test's database, in this process; `given` is its input."""

    def run(*command: str, given: str = "", **environ: str) -> Result:
        environment = {
            "DATABASE_URL": database_url,
            "FABLAB_MQTT_URL": "",
            "FABLAB_SECRET_KEY": "0" * 40,
            "FABLAB_DATA_DIR": str(tmp_path / "data"),
            **environ,
        }
        return CliRunner().invoke(main, command, input=given, env=environment, catch_exceptions=False)

    return run


def refused(done: Result, says: str) -> None:
    assert done.exit_code != 0, done.stdout
    assert says in done.stderr


def test_the_help_lists_every_command_with_a_sentence(fablab: Fablab) -> None:
    shown = fablab("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} +[A-Z]", shown, re.MULTILINE), command
    assert set(main.commands) == set(COMMANDS)


# ---- people


def test_members_that_cannot_be_are_refused(fablab: Fablab, cast: Cast) -> None:
    refused(fablab("member", "add", "nobody", "--name", "N"), "not an e-mail address")
    refused(fablab("member", "add", "a@example.org", "--name", "N", "--role", "king"), "king")
    refused(fablab("member", "add", "a@example.org", "--name", "N", "--role", "manager"), "needs a lab")
    refused(
        fablab("member", "add", "a@example.org", "--name", "N", "--role", "admin", "--lab", "tanger"),
        "takes no lab",
    )
    refused(
        fablab("member", "add", "a@example.org", "--name", "N", "--role", "manager", "--lab", "oujda"),
        "no such lab oujda",
    )
    add = ("member", "add", "a@example.org", "--name", "N", "--password-stdin")
    refused(fablab(*add, given="\n"), "no password")
    refused(fablab(*add, given="short\n"), "10 to 200")
    refused(fablab(*add, given="fablab-demo\n"), "published")
    refused(fablab("token", "add", "a@example.org"), "no such member")


def test_a_member_with_a_password_and_a_token_gets_in(fablab: Fablab, cast: Cast, database_url: str) -> None:
    done = fablab(
        *("member", "add", "Leila@example.org", "--name", "Leila Amrani"),
        *("--role", "manager", "--lab", "rabat", "--password-stdin"),
        given="a long sentence\nand more\n",
    )
    assert done.exit_code == 0, done.stderr
    assert "manager of rabat" in done.stdout
    assert "a long sentence" not in done.stdout + done.stderr
    again = fablab("member", "add", "leila@example.org", "--name", "Leila Amrani")
    assert again.exit_code == 0, "the same address gets another role"

    made = fablab("token", "add", "leila@example.org", "--days", "2", "--scope", "read")
    assert made.exit_code == 0, made.stderr
    (token,) = made.stdout.split()
    assert token.startswith("fab_")
    with psycopg.connect(plain(database_url)) as connection:
        roles = connection.execute(
            "SELECT role FROM role JOIN member m ON m.id = member_id WHERE m.name = 'Leila Amrani' ORDER BY 1"
        ).fetchall()
        kept = connection.execute(
            "SELECT scope, expires_at - created_at = interval '2 days', digest::text FROM token"
        ).fetchall()
    assert roles == [("maker",), ("manager",)]
    assert kept[0][:2] == ("read", True)
    assert token not in kept[0][2]


# ---- bridges and the broker


def test_bridges_that_cannot_be_are_refused(fablab: Fablab, cast: Cast) -> None:
    refused(fablab("bridge", "add", "oujda", "pi-1"), "no such lab oujda")
    refused(fablab("bridge", "add", "tanger", "pi/#"), "not a name")
    refused(fablab("bridge", "add", "tanger", "pi-1", "--renew"), "no bridge pi-1")
    assert fablab("bridge", "add", "tanger", "pi-1").exit_code == 0
    refused(fablab("bridge", "add", "tanger", "pi-1"), "--renew")


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
    again = fablab("bridge", "add", "tanger", "pi-1", "--renew")
    assert again.exit_code == 0, again.stderr
    assert str(settings.broker.password) not in again.stdout


def test_a_backup_comes_back_whole_or_not_at_all(
    fablab: Fablab, cast: Cast, database_url: str, tmp_path: Path
) -> None:
    """With the partitions of `reading`, which is what makes a restore over a full database hard."""
    from fablab.clock import utc_now
    from fablab.settings import load_settings
    from fablab.telemetry.partitions import make_partitions

    file = tmp_path / "all.dump"
    with transaction(sessions_on(create_engine(sqlalchemy_url(database_url), poolclass=NullPool))) as session:
        make_partitions(session, utc_now(), load_settings({}).telemetry)
    assert fablab("backup", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    with psycopg.connect(plain(database_url), autocommit=True) as database:
        people = database.execute("SELECT count(*) FROM member").fetchone()
        database.execute("UPDATE member SET name = 'somebody else'")
        refused(fablab("restore", str(file)), "--replace")
        broken = tmp_path / "broken.dump"
        broken.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        refused(fablab("restore", "--replace", str(broken)), "pg_restore")
        assert database.execute("SELECT DISTINCT name FROM member").fetchall() == [("somebody else",)]
        done = fablab("restore", "--replace", str(file))
        assert done.exit_code == 0, done.stderr
        assert database.execute("SELECT count(*) FROM member").fetchone() == people
        assert database.execute("SELECT count(*) FROM member WHERE name = 'somebody else'").fetchone() == (0,)


def test_no_command_makes_a_database_by_looking_for_one(fablab: Fablab, tmp_path: Path) -> None:
    done = fablab("token", "add", "amina@example.org", DATABASE_URL="")
    refused(done, "there is no database in")
    assert not (tmp_path / "data" / "postgres" / "data").exists()


def test_a_bridge_of_a_running_system_gets_its_broker(fablab: Fablab, cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "run.json").write_text('{"mqtt_url": "mqtt://server:secret@127.0.0.1:18830"}')
    done = fablab("bridge", "add", "rabat", "pi-7")
    assert done.exit_code == 0, done.stderr
    assert "@127.0.0.1:18830" in tomllib.loads(done.stdout)["broker"]["url"]
    assert "secret" not in done.stdout


@pytest.fixture
def real_broker(fablab: Fablab, cast: Cast, tmp_path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """A real Mosquitto on the files of `fablab broker config`, and the passwords by user."""
    if PROGRAM is None:
        missing("Mosquitto is not installed (Debian package: mosquitto)")
    port, passwords = free_port(), {"server": "a p@ss/word"}
    for lab in ("tanger", "rabat"):
        done = fablab("bridge", "add", lab, "pi-1")
        assert done.exit_code == 0, done.stderr
        url = tomllib.loads(done.stdout)["broker"]["url"]
        passwords[f"bridge-{lab}-pi-1"] = url.partition("@")[0].rpartition(":")[2]
    out = tmp_path / "mosquitto"
    done = fablab(
        *("broker", "config", "--out", str(out), "--port", str(port), "--data", str(out)),
        FABLAB_MQTT_URL="mqtt://server:a%20p%40ss%2Fword@127.0.0.1",
    )
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {"mosquitto.conf", "passwords", "rights"}
    for path in out.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, f"{path.name} holds secrets"
        assert not any(password in path.read_text() for password in passwords.values())
    config = out / "mosquitto.conf"
    assert "max_inflight_messages 1000\nmax_queued_messages 100000\n" in config.read_text()
    # Started by root it would become user mosquitto, who may not enter this test's folder.
    config.write_text(f"user {getpass.getuser()}\n{config.read_text()}")
    with (tmp_path / "broker.log").open("wb") as log:
        broker = subprocess.Popen([str(PROGRAM), "-c", str(config)], stdout=log, stderr=log)
    try:
        wait_listening(port)
        yield port, passwords
    finally:
        broker.kill()
        broker.wait(10)


class Client:
    """A client of the broker that remembers what it got."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.got: list[str] = []
        self.refused = False
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if user:
            self.client.username_pw_set(user, password)
        self.client.on_message = lambda *call: self.got.append(call[2].topic)
        self.client.on_connect = self._connected
        self.answered = False
        self.client.connect("127.0.0.1", port)
        self._turn(lambda: self.answered)

    def _connected(self, *call: object) -> None:
        self.answered, self.refused = True, bool(call[3].is_failure)  # type: ignore[attr-defined]

    def subscribe(self, topic: str) -> None:
        self.client.subscribe(topic, 1)
        self._turn(lambda: False, 0.2)

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


@pytest.mark.parametrize(("user", "password"), [("", ""), ("server", "wrong"), ("bridge-tanger-pi-1", "x")])
def test_the_real_broker_refuses_strangers(
    real_broker: tuple[int, dict[str, str]], user: str, password: str
) -> None:
    assert Client(real_broker[0], user, password).refused


def test_the_real_broker_gives_bridges_their_own_lab_only(real_broker: tuple[int, dict[str, str]]) -> None:
    port, passwords = real_broker
    server, tanger, rabat = (
        Client(port, user, passwords[user]) for user in ("server", "bridge-tanger-pi-1", "bridge-rabat-pi-1")
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


# ---- figures


def test_days_that_cannot_be_are_refused(fablab: Fablab) -> None:
    refused(fablab("rollup", "--from", "yesterday", "--to", "2026-01-01"), "yesterday")
    refused(fablab("rollup", "--from", "2026-01-02", "--to", "2026-01-01"), "before")


def test_counting_again_finds_what_was_wrong(fablab: Fablab, cast: Cast, database_url: str) -> None:
    days = ("rollup", "--from", "2026-03-29", "--to", "2026-03-30")
    done = fablab(*days)
    assert done.exit_code == 0, done.stderr
    assert f"{4 * 74} machine hours are new or were corrected" in done.stdout
    with psycopg.connect(plain(database_url)) as connection:
        connection.execute("UPDATE machine_hour SET used_s = 7 WHERE hour = '2026-03-30T12:00Z'")
    assert "4 machine hours are new or were corrected" in fablab(*days).stdout
    assert "0 machine hours are new or were corrected" in fablab(*days).stdout


def test_the_sample_is_not_loaded_over_a_network_of_one_s_own(fablab: Fablab, cast: Cast) -> None:
    refused(fablab("sample", "load"), "labs of its own")


def test_an_empty_database_says_what_to_do(fablab: Fablab, empty_database: str) -> None:
    refused(fablab("sample", "load", DATABASE_URL=empty_database), "fablab db upgrade")
