"""What a person asked of `fablab run`, read from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fablab.sample.network import MACHINES, PRINTER

ROOT = Path(__file__).resolve().parents[2]
REAL_PRINTERS_LAB = "tanger"


class BadRequest(ValueError):
    """An environment variable that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Plan:
    """`database_url` and `mqtt_url` are empty where the embedded ones are wanted."""

    data_dir: Path
    port: int
    printers: int
    database_url: str
    mqtt_url: str
    base_url: str
    secret_key: str
    octoprint_venv: Path

    @property
    def printer_slugs(self) -> list[str]:
        """The machines that get a real OctoPrint."""
        slugs = [m.slug for m in MACHINES if m.lab == REAL_PRINTERS_LAB and m.kind == PRINTER]
        return slugs[: self.printers]


def read_plan(environ: Mapping[str, str]) -> Plan:
    """Raises BadRequest naming the first variable that makes no sense."""
    most = sum(m.lab == REAL_PRINTERS_LAB and m.kind == PRINTER for m in MACHINES)
    return Plan(
        data_dir=Path(environ.get("FABLAB_DATA_DIR") or environ.get("DATA_DIR") or "data").resolve(),
        port=_number(environ, "PORT", 8000, 1, 65535),
        printers=_number(environ, "OCTOPRINT", 0, 0, most),
        database_url=environ.get("DATABASE_URL", ""),
        mqtt_url=environ.get("FABLAB_MQTT_URL", ""),
        base_url=environ.get("FABLAB_BASE_URL", "").rstrip("/"),
        secret_key=environ.get("FABLAB_SECRET_KEY", ""),
        octoprint_venv=Path(environ.get("FABLAB_OCTOPRINT_VENV") or ROOT / ".venv-octoprint"),
    )


def _number(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environ.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise BadRequest(f"{name}: must be a whole number from {least} to {most}, not {text!r}")
    return int(text)
