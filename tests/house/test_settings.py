"""Every setting is declared, explained and typed once; a bad one stops the start with one line."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fablab.settings import DEFAULTS, ROOT, SHORT_NAMES, Oidc, Settings, SettingsError, load_settings


def declared() -> list[tuple[str, str, str]]:
    """(section, key, sentence) in the order of config/default.toml; keys in a row share the comment above."""
    found, section, comment, fresh = [], "", "", False
    for line in DEFAULTS.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section, comment = header[1], ""
        elif line.startswith("#"):
            comment = f"{comment} {line[1:].strip()}" if fresh else line[1:].strip()
            fresh = True
        elif key := re.match(r"(\w+) = ", line):
            found.append((section, key[1], comment))
            fresh = False
        elif not line.strip():
            comment, fresh = "", False
    return found


@pytest.mark.parametrize(("section", "key", "sentence"), declared())
def test_a_setting_has_a_sentence_and_a_type(section: str, key: str, sentence: str) -> None:
    assert len(sentence) > 15, f"[{section}] {key} in config/default.toml needs a comment above it"
    value = getattr(getattr(load_settings({}), section), key)
    assert isinstance(value, str | int | float)


def test_the_file_and_the_types_name_the_same_settings() -> None:
    typed = {
        (section.name, field.name)
        for section in dataclasses.fields(Settings)
        if section.name != "oidc"
        for field in dataclasses.fields(getattr(load_settings({}), section.name))
    }
    assert {(section, key) for section, key, _ in declared()} == typed


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"FABLAB_BOOKINGS__MAX_S": "long"}, "FABLAB_BOOKINGS__MAX_S: must be a whole number, not 'long'"),
        ({"FABLAB_BOOKINGS__MAX_S": "-1"}, "FABLAB_BOOKINGS__MAX_S: must not be negative"),
        ({"FABLAB_BOOKINGS__MAXIMUM": "1"}, "there is no setting bookings.maximum"),
        ({"FABLAB_MQTT__QUEUE_MESSAGES": "0"}, "mqtt.queue_messages: must be at least 1"),
        ({"FABLAB_MQTT__BATCH_MESSAGES": "0"}, "mqtt.batch_messages: must be at least 1"),
        ({"FABLAB_TELEMETRY__HEARTBEAT_S": "0"}, "telemetry.heartbeat_s: must be at least 1"),
        ({"FABLAB_TELEMETRY__MISSED_HEARTBEATS": "0"}, "telemetry.missed_heartbeats: must be at least 1"),
        ({"FABLAB_WEB__STREAM_HEARTBEAT_S": "0"}, "web.stream_heartbeat_s: must be at least 1"),
        ({"FABLAB_MAIL_URL": "mail.example.org"}, "FABLAB_MAIL_URL: must be smtp://"),
        ({"FABLAB_MAIL__SENDER": "Fablab"}, "mail.sender: must be an address"),
        ({"FABLAB_MAIL__BATCH": "0"}, "mail.batch: must be at least 1"),
        ({"FABLAB_DATABASE__POOL_SIZE": "0"}, "database.pool_size: must be at least 1"),
        ({"FABLAB_BOOKINGS__MIN_S": "0"}, "bookings.min_s: must be at least 1"),
        (
            {"FABLAB_RETENTION__AUDIT_DAYS": "365"},
            "retention.audit_days: must be at least 366, or 0 for ever",
        ),
        ({"FABLAB_BOOKINGS__MIN_S": "90000"}, "bookings.min_s: must not be more than bookings.max_s (86400)"),
        ({"FABLAB_CONFIG": "/nowhere/fablab.toml"}, "/nowhere/fablab.toml: cannot be read"),
    ],
)
def test_a_bad_setting_is_named(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(environ)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_every_setting_of_a_provider_is_in_the_example() -> None:
    example = DEFAULTS.read_text(encoding="utf-8").partition("# [oidc.university]")[2]
    shown = set(re.findall(r"^# (\w+) = ", example, re.MULTILINE))
    assert shown == {each.name for each in dataclasses.fields(Oidc)} - {"name"}


PROVIDER = {
    "FABLAB_OIDC__UNIVERSITY__ISSUER": "https://id.example.org",
    "FABLAB_OIDC__UNIVERSITY__CLIENT_ID": "us",
}


def test_providers_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    assert load_settings({}).oidc == ()
    own, secret = tmp_path / "own.toml", tmp_path / "secret"
    own.write_text(
        '[oidc.university]\nissuer = "https://id.example.org"\nclient_id = "us"\n'
        '[oidc.school]\ntitle = "School"\nissuer = "http://127.0.0.1:9"\nclient_id = "we"\n'
        f'client_secret_file = "{secret}"\n'
    )
    secret.write_text("from a file\n")
    university, school = load_settings(
        {"FABLAB_CONFIG": str(own), "FABLAB_OIDC__UNIVERSITY__CLIENT_SECRET": "from outside"}
    ).oidc
    assert (university.name, university.secret) == ("university", "from outside")
    assert (school.title, school.secret, school.scopes) == ("School", "from a file", "openid email profile")
    assert "from outside" not in repr(university)
    secret.unlink()
    with pytest.raises(SettingsError, match=r"oidc.school.client_secret_file: .*secret: cannot be read"):
        _ = school.secret


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"FABLAB_OIDC__UNIVERSITY__ISSUER": ""}, "oidc.university.issuer: must be set"),
        ({"FABLAB_OIDC__UNIVERSITY__CLIENT_ID": ""}, "oidc.university.client_id: must be set"),
        (
            {"FABLAB_OIDC__UNIVERSITY__ISSUER": "http://id.example.org"},
            "oidc.university.issuer: must be an https:// address",
        ),
        (
            {"FABLAB_OIDC__UNIVERSITY__ISSUER": "https://["},
            "oidc.university.issuer: must be an https:// address",
        ),
        ({"FABLAB_OIDC__UNIVERSITY__SCOPES": "email"}, "oidc.university.scopes: must name openid"),
        (
            {
                "FABLAB_OIDC__UNIVERSITY__CLIENT_SECRET": "a",
                "FABLAB_OIDC__UNIVERSITY__CLIENT_SECRET_FILE": "b",
            },
            "oidc.university.client_secret_file: give it or client_secret, not both",
        ),
        ({"FABLAB_OIDC__UNIVERSITY__COLOUR": "red"}, "there is no setting oidc.university.colour"),
        ({"FABLAB_OIDC__UNIVERSITY": "red"}, "FABLAB_OIDC__UNIVERSITY: must be a section, [oidc.university]"),
        ({"FABLAB_OIDC__MY-SCHOOL__ISSUER": "x"}, "oidc.my-school: a provider's name is at most 40"),
        ({"FABLAB_SIGNIN__STAFF_SECOND_FACTOR": "always"}, "must be optional or required, not 'always'"),
    ],
)
def test_a_bad_provider_is_named(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({**PROVIDER, **environ})
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_provider_that_is_no_section_is_named(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[oidc]\nuniversity = 3\n")
    with pytest.raises(SettingsError, match=r"\[oidc\] university: must be a section"):
        load_settings({"FABLAB_CONFIG": str(own)})
    own.write_text("[oidc.university]\nissuer = 3\n")
    with pytest.raises(SettingsError, match=r"issuer: must be str, not int"):
        load_settings({"FABLAB_CONFIG": str(own)})


def test_later_places_win(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[bookings]\nmax_s = 7200\nmin_s = 300\n")
    settings = load_settings({"FABLAB_CONFIG": str(own), "FABLAB_BOOKINGS__MIN_S": "60"})
    assert (settings.bookings.max_s, settings.bookings.min_s) == (7200, 60)
    own.write_text('[bookings]\nmax_s = "long"\n')
    with pytest.raises(SettingsError, match=r"own.toml: \[bookings\] max_s: must be a whole number"):
        load_settings({"FABLAB_CONFIG": str(own)})
    own.write_text("bookings = 3\n")
    with pytest.raises(SettingsError, match=r"own.toml: bookings: must be a section, \[bookings\]"):
        load_settings({"FABLAB_CONFIG": str(own)})
    own.write_text("[bookings\n")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load_settings({"FABLAB_CONFIG": str(own)})


@pytest.mark.parametrize(("name", "place"), SHORT_NAMES.items())
def test_a_short_name_reaches_its_setting(name: str, place: tuple[str, str]) -> None:
    value = getattr(getattr(load_settings({name: "smtp://text"}), place[0]), place[1])
    assert value == "smtp://text"


@pytest.mark.parametrize("command", [["web"], ["scheduler"], ["db", "upgrade"], ["sample", "load"]])
def test_a_command_stops_at_a_bad_setting_with_one_line(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fablab", *command],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "FABLAB_BOOKINGS__MAX_S": "long"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: FABLAB_BOOKINGS__MAX_S: must be a whole number, not 'long'"


def test_the_web_does_not_start_with_a_secret_one_can_guess() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fablab", "web"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "FABLAB_SECRET_KEY": "short", "FABLAB_BIND": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: FABLAB_SECRET_KEY: must be at least 32 random characters"


def test_a_database_that_is_not_there_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fablab", "token", "add", "amina@example.org"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the database does not answer")
    assert len(done.stderr.strip().splitlines()) == 1
