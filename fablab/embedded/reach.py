"""Which database a command means: the configured one, that of a running `fablab run`, or the one at rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fablab.embedded.process import is_alive
from fablab.settings import Settings, SettingsError


@contextmanager
def database_address(settings: Settings) -> Iterator[str]:
    """The address of the database, usable inside the block.

    1. DATABASE_URL, when set.
    2. The database of the `fablab run` that is running on this data folder.
    3. The embedded database of the data folder, started for the time of the block.

    Raises SettingsError when there is none of them: a command never makes a new database.
    """
    if settings.database.url:
        yield settings.database.url
        return
    folder = Path(settings.data.dir)
    if running := _running(folder / "run.json"):
        yield running
        return
    from fablab.embedded.postgres import EmbeddedPostgres

    server = EmbeddedPostgres(folder)
    if not server.cluster.exists():
        raise SettingsError(
            f"there is no database in {folder.resolve()}: set DATABASE_URL, or FABLAB_DATA_DIR to the data "
            "folder of your `fablab run`"
        )
    with server:
        yield server.url


def _running(run_file: Path) -> str | None:
    """The database address in run.json, when the processes it names still run."""
    try:
        run = json.loads(run_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    alive = any(is_alive(pid) for pid in run["pids"].values())
    address: str = run["database_url"]
    return address if alive else None
