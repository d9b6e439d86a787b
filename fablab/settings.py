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

from fablab.setting_sections import (
    Bookings,
    Certifications,
    Data,
    Database,
    Hours,
    Imports,
    Mail,
    Mqtt,
    Network,
    Oidc,
    Retention,
    SettingsError,
    Signin,
    Telemetry,
    Usage,
    Web,
    Webhooks,
    trusted_address,
)

__all__ = [
    "DEFAULTS",
    "ROOT",
    "SHORT_NAMES",
    "Bookings",
    "Certifications",
    "Data",
    "Database",
    "Hours",
    "Imports",
    "Mail",
    "Mqtt",
    "Network",
    "Oidc",
    "Retention",
    "Settings",
    "SettingsError",
    "Signin",
    "Telemetry",
    "Usage",
    "Web",
    "Webhooks",
    "load_settings",
    "trusted_address",
]

ROOT = Path(__file__).resolve().parent.parent
DEFAULTS = ROOT / "config" / "default.toml"
SHORT_NAMES = {
    "DATABASE_URL": ("database", "url"),
    "FABLAB_MQTT_URL": ("mqtt", "url"),
    "FABLAB_SECRET_KEY": ("web", "secret_key"),
    "FABLAB_BASE_URL": ("web", "base_url"),
    "FABLAB_DATA_DIR": ("data", "dir"),
    "FABLAB_MAIL_URL": ("mail", "url"),
}


@dataclass(frozen=True)
class Settings:
    data: Data
    database: Database
    web: Web
    signin: Signin
    mqtt: Mqtt
    mail: Mail
    bookings: Bookings
    hours: Hours
    webhooks: Webhooks
    telemetry: Telemetry
    certifications: Certifications
    usage: Usage
    network: Network
    imports: Imports
    retention: Retention
    oidc: tuple[Oidc, ...] = ()


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
    providers = tuple(Oidc(name, **entries) for name, entries in values.pop(_PROVIDERS, {}).items())
    sections = {name: section(**values[name]) for name, section in _SECTIONS.items()}
    return Settings(**sections, oidc=providers)


# The one section that holds sections: [oidc.NAME] for each provider people may sign in with.
_PROVIDERS = "oidc"
_SECTIONS: dict[str, Any] = {
    "data": Data,
    "database": Database,
    "web": Web,
    "signin": Signin,
    "mqtt": Mqtt,
    "mail": Mail,
    "bookings": Bookings,
    "hours": Hours,
    "webhooks": Webhooks,
    "telemetry": Telemetry,
    "certifications": Certifications,
    "usage": Usage,
    "network": Network,
    "imports": Imports,
    "retention": Retention,
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
    if section == _PROVIDERS:
        _put_provider(values, key, value, origin)
        return
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
    if wanted is bool and isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower(), value)
    if type(value) is not wanted:
        raise SettingsError(f"{origin}: must be {wanted.__name__}, not {value!r}")
    if wanted is int and value < 0:
        raise SettingsError(f"{origin}: must not be negative")
    values[section][key] = value


def _put_provider(values: dict[str, dict[str, Any]], key: str, value: Any, origin: str) -> None:
    """Put a provider's section, or one setting of it (``key`` is NAME__SETTING), in its place."""
    name, _, single = key.partition("__")
    entries = {single: value} if single else value
    if not isinstance(entries, dict):
        raise SettingsError(f"{origin}: must be a section, [{_PROVIDERS}.{name}]")
    known = {each.name for each in dataclasses.fields(Oidc)} - {"name"}
    for setting, given in entries.items():
        if setting not in known:
            wanted = f"{_PROVIDERS}.{name}.{setting}"
            raise SettingsError(f"{origin}: there is no setting {wanted}; config/default.toml lists them all")
        if not isinstance(given, str):
            raise SettingsError(f"{origin}: {setting}: must be str, not {type(given).__name__}")
    values.setdefault(_PROVIDERS, {}).setdefault(name, {}).update(entries)
