"""What one start leaves for the next: which sample machines exist, and for which tables that was true."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from fablab.embedded.plan import ROOT
from fablab.files import write_private_json


def write_network_file(data_dir: Path, database_url: str, machines: Sequence[str]) -> None:
    write_private_json(_path(data_dir), {"tables": _tables(database_url), "machines": list(machines)})


def present_machines(data_dir: Path) -> list[str]:
    """The sample's machines in the database, as the last `prepare` found them."""
    return list(json.loads(_path(data_dir).read_text())["machines"])


def was_prepared(data_dir: Path, database_url: str) -> bool:
    """Whether an earlier start left this database with the tables of the migrations we have now."""
    try:
        return bool(json.loads(_path(data_dir).read_text())["tables"] == _tables(database_url))
    except (OSError, ValueError, KeyError):
        return False


def _tables(database_url: str) -> str:
    """A digest of the database's address and of every migration."""
    digest = hashlib.sha256(database_url.encode())
    for migration in sorted((ROOT / "migrations" / "versions").glob("*.py")):
        digest.update(migration.read_bytes())
    return digest.hexdigest()


def _path(data_dir: Path) -> Path:
    return data_dir / "network.json"
