"""The embedded broker's rights, without a broker."""

import json
from pathlib import Path

import pytest

from fablab.embedded.broker_rights import (
    Accounts,
    User,
    covers,
    read_credentials,
    write_credentials,
)
from fablab.telemetry.broker_accounts import bridge_user, hash_password, password_matches

BRIDGE = User("-", lab="tanger", name="pi-1")
SERVER = User("-")


@pytest.mark.parametrize(
    "topic",
    [
        "fablab/1/rabat/rabat-prusa-1/status",
        "fablab/1/tanger/tanger-prusa-1/command",
        "fablab/1/tanger/pi-1/committed",
        "fablab/1/tanger/pi-1/command/deeper",
        "fablab/1/tanger/pi-2/presence",
        "fablab/1/tanger/tanger-prusa-1/presence",
        "fablab/1/tanger/tanger-prusa-1/unheard-of",
        "fablab/1/tanger/tanger-prusa-1/status/deeper",
        "fablab/1/tanger/+/status",
        "fablab/1/server/presence",
        "fablab/1",
        "fablab/2/tanger/tanger-prusa-1/status",
        "other",
        "",
    ],
)
def test_a_bridge_may_not_publish(topic: str) -> None:
    assert not BRIDGE.may_publish(topic)


@pytest.mark.parametrize(
    "topic_filter",
    [
        "#",
        "+/+/+/+/+",
        "fablab/1/#",
        "fablab/1/+/+/command",
        "fablab/1/tanger/#",
        "fablab/1/tanger/+/+",
        "fablab/1/tanger/+/status",
        "fablab/1/tanger/tanger-prusa-1/command/#",
        "fablab/1/tanger/+/committed",
        "fablab/1/tanger/pi-2/committed",
        "fablab/1/rabat/+/command",
        "fablab/1/server/+",
        "$SYS/#",
        "",
    ],
)
def test_a_bridge_may_not_subscribe(topic_filter: str) -> None:
    assert not BRIDGE.may_subscribe(topic_filter)


@pytest.mark.parametrize(
    "topic",
    ["fablab/1/tanger/tanger-prusa-1/status", "fablab/1/tanger/pi-1/presence", "fablab/1/tanger/x/ack"],
)
def test_a_bridge_publishes_in_its_lab(topic: str) -> None:
    assert BRIDGE.may_publish(topic)


@pytest.mark.parametrize(
    "topic_filter",
    [
        "fablab/1/tanger/+/command",
        "fablab/1/tanger/tanger-prusa-1/command",
        "fablab/1/tanger/pi-1/committed",
        "fablab/1/server/presence",
    ],
)
def test_a_bridge_reads_its_orders(topic_filter: str) -> None:
    assert BRIDGE.may_subscribe(topic_filter)


@pytest.mark.parametrize("topic", ["fablab/2/x", "other/1/x", "$SYS/broker/uptime", "#"])
def test_the_server_stays_below_its_root(topic: str) -> None:
    assert not SERVER.may_publish(topic)
    assert not SERVER.may_subscribe(topic)


def test_the_server_reads_and_writes_everything_below_its_root() -> None:
    assert SERVER.may_publish("fablab/1/tanger/tanger-prusa-1/command")
    assert SERVER.may_subscribe("fablab/1/#")
    assert SERVER.may_subscribe("fablab/1/+/+/status")


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("a/#", "a", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/+", "a/+", True),
        ("a/+", "a/#", False),
        ("a/b", "a/+", False),
        ("a/#", "a/+/#", True),
    ],
)
def test_covers(wide: str, narrow: str, expected: bool) -> None:
    assert covers(wide, narrow) is expected


@pytest.mark.parametrize(
    ("lab", "name"), [("+", "pi"), ("tanger", "#"), ("a/b", "pi"), ("", "pi"), ("A", "pi"), ("server", "pi")]
)
def test_names_that_would_widen_a_right_are_refused(lab: str, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        bridge_user(lab, name)


def test_passwords_are_salted_and_checked() -> None:
    stored = hash_password("secret")
    assert not password_matches("Secret", stored)
    assert not password_matches("", stored)
    assert password_matches("secret", stored)
    assert hash_password("secret") != stored


def test_the_file_is_private_and_holds_no_password(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    write_credentials(
        path,
        hash_password("server-secret"),
        [("bridge-tanger-pi-1", User(hash_password("bridge-secret"), "tanger", "pi-1"))],
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret" not in path.read_text()
    assert set(read_credentials(path)) == {"server", "bridge-tanger-pi-1"}


def test_an_account_that_does_not_match_its_lab_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    write_credentials(
        path, hash_password("x"), [("bridge-tanger-pi-1", User(hash_password("y"), "tanger", "pi-1"))]
    )
    content = json.loads(path.read_text())
    content["users"]["bridge-tanger-pi-1"]["lab"] = "rabat"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="does not match"):
        read_credentials(path)


def test_unknown_names_and_wrong_passwords_are_not_admitted(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    write_credentials(path, hash_password("right"), [])
    accounts = Accounts(path)
    assert accounts.admit(None, None) is None
    assert accounts.admit("nobody", "right") is None
    assert accounts.admit("server", None) is None
    assert accounts.admit("server", "wrong") is None
    assert accounts.admit("server", "right") is not None


def test_a_spoilt_file_keeps_the_last_good_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "accounts.json"
    write_credentials(path, hash_password("right"), [])
    accounts = Accounts(path)
    path.write_text("{")
    clock = accounts._looked_at + 60
    monkeypatch.setattr("fablab.embedded.broker_rights.time.monotonic", lambda: clock)
    assert accounts.find("server") is not None
