"""Settings: declared in config/default.toml, typed here, overridden by a file and the environment.

Order, later wins: config/default.toml, the file named by FABLAB_CONFIG, then the environment.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEFAULTS = ROOT / "config" / "default.toml"
SHORT_NAMES = {
    "DATABASE_URL": ("database", "url"),
    "FABLAB_MQTT_URL": ("mqtt", "url"),
    "FABLAB_SECRET_KEY": ("web", "secret_key"),
    "FABLAB_BASE_URL": ("web", "base_url"),
    "FABLAB_DATA_DIR": ("data", "dir"),
}


class SettingsError(ValueError):
    """A setting that cannot be used; the message is one line for the person who starts the service."""


def _at_least_one(section: Any, *names: str) -> None:
    """Refuse zero where nothing would work with it; less than zero no setting takes."""
    for name in names:
        if getattr(section, name) < 1:
            raise SettingsError(f"{type(section).__name__.lower()}.{name}: must be at least 1")


@dataclass(frozen=True)
class Data:
    dir: str


@dataclass(frozen=True)
class Database:
    url: str
    pool_size: int
    max_overflow: int

    def __post_init__(self) -> None:
        # For SQLAlchemy a pool of zero is one without limit.
        _at_least_one(self, "pool_size")


@dataclass(frozen=True)
class Web:
    base_url: str
    secret_key: str
    max_body_bytes: int
    stream_heartbeat_s: int

    def __post_init__(self) -> None:
        _at_least_one(self, "max_body_bytes", "stream_heartbeat_s")

    def check_secret(self) -> None:
        """Whoever serves needs one: sessions signed with a short or empty secret can be forged."""
        if len(self.secret_key) < 32:
            raise SettingsError("FABLAB_SECRET_KEY: must be at least 32 random characters")


@dataclass(frozen=True)
class Mqtt:
    url: str
    client_id: str
    batch_messages: int
    batch_wait_ms: int
    queue_messages: int

    def __post_init__(self) -> None:
        _at_least_one(self, "batch_messages", "queue_messages")


@dataclass(frozen=True)
class Bookings:
    min_s: int
    max_s: int
    horizon_days: int
    late_start_s: int
    alternatives: int

    def __post_init__(self) -> None:
        _at_least_one(self, "min_s", "horizon_days")
        if self.min_s > self.max_s:
            raise SettingsError(f"bookings.min_s: must not be more than bookings.max_s ({self.max_s})")


@dataclass(frozen=True)
class Telemetry:
    heartbeat_s: int
    missed_heartbeats: int
    gap_accept_s: int
    oldest_message_days: int
    newest_message_s: int
    partitions_ahead: int

    def __post_init__(self) -> None:
        _at_least_one(self, "heartbeat_s", "missed_heartbeats", "oldest_message_days")

    @property
    def silent_after_s(self) -> int:
        """Seconds without a word after which a machine counts as silent."""
        return self.heartbeat_s * self.missed_heartbeats


@dataclass(frozen=True)
class Usage:
    early_start_s: int


@dataclass(frozen=True)
class Settings:
    data: Data
    database: Database
    web: Web
    mqtt: Mqtt
    bookings: Bookings
    telemetry: Telemetry
    usage: Usage


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read, merge and check every setting. Raises SettingsError naming the first bad one."""
    environ = os.environ if environ is None else environ
    values = _read_toml(DEFAULTS)
    if own := environ.get("FABLAB_CONFIG"):
        for section, entries in _read_toml(Path(own)).items():
            if not isinstance(entries, dict):
                raise SettingsError(f"{own}: {section}: must be a section, [{section}]")
            for key, value in entries.items():
                _put(values, section, key, value, f"{own}: [{section}] {key}")
    for name, text in environ.items():
        if name in SHORT_NAMES:
            section, key = SHORT_NAMES[name]
        elif name.startswith("FABLAB_") and "__" in name:
            section, _, key = name.removeprefix("FABLAB_").lower().partition("__")
        else:
            continue
        _put(values, section, key, text, name)
    sections = {
        field.name: _SECTIONS[field.name](**values[field.name]) for field in dataclasses.fields(Settings)
    }
    return Settings(**sections)


_SECTIONS: dict[str, Any] = {
    "data": Data,
    "database": Database,
    "web": Web,
    "mqtt": Mqtt,
    "bookings": Bookings,
    "telemetry": Telemetry,
    "usage": Usage,
}


def _read_toml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is not valid TOML: {error}") from error


def _put(values: dict[str, dict[str, Any]], section: str, key: str, value: Any, origin: str) -> None:
    """Put one override in its place, in the type its default has."""
    if key not in values.get(section, {}):
        raise SettingsError(
            f"{origin}: there is no setting {section}.{key}; config/default.toml lists them all"
        )
    wanted = type(values[section][key])
    if wanted is int and isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise SettingsError(f"{origin}: must be a whole number, not {value!r}") from None
    if type(value) is not wanted:
        raise SettingsError(f"{origin}: must be {wanted.__name__}, not {value!r}")
    if wanted is int and value < 0:
        raise SettingsError(f"{origin}: must not be negative")
    values[section][key] = value
