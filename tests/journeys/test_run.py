"""`fablab run`: everything in one process tree, found by its run.json, stopped without a trace, data kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fablab.embedded.process import birth_options
from tests.journeys.stack import PROJECT, eventually
from tests.support.ports import free_port


class Run:
    """One `fablab run` on a data folder."""

    def __init__(self, data: Path, port: int) -> None:
        self.data, self.port = data, port
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> dict[str, Any]:
        """Start and wait for run.json of this start; its content."""
        found = self.data / "run.json"
        found.unlink(missing_ok=True)
        environment = {**os.environ, "PORT": str(self.port), "DATA_DIR": str(self.data), "OCTOPRINT": "0"}
        for name in ("DATABASE_URL", "FABLAB_MQTT_URL"):
            environment.pop(name, None)
        with (self.data / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fablab", "run"],
                cwd=PROJECT,
                env=environment,
                stdout=log,
                stderr=log,
                **birth_options(),
            )
        eventually(found.exists, bool, 120, "run.json; see " + str(self.data / "run.log"))
        content: dict[str, Any] = json.loads(found.read_text())
        return content

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    run = Run(tmp_path_factory.mktemp("run"), free_port())
    yield run
    run.stop()


def test_it_starts_serves_and_keeps_run_json_private(run: Run) -> None:
    parts = run.start()
    assert set(parts) >= {"base_url", "mqtt_url", "database_url", "octoprint", "pids"}
    assert (run.data / "run.json").stat().st_mode & 0o777 == 0o600
    with urllib.request.urlopen(parts["base_url"] + "/", timeout=10) as page:
        assert page.status == 200
    with urllib.request.urlopen(parts["base_url"] + "/readyz", timeout=10) as ready:
        assert ready.status == 200


def test_the_sample_network_is_alive(run: Run) -> None:
    """Twenty-four machines report, so broker, bridge, ingest and database all do their part."""
    import psycopg

    parts = json.loads((run.data / "run.json").read_text())
    url = parts["database_url"].replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as database:
        eventually(
            lambda: database.execute(
                "SELECT count(*) FROM machine_status WHERE state <> 'unreachable'"
            ).fetchone(),
            lambda row: row == (24,),
            60,
            "24 machines reporting",
        )


def test_all_of_it_fits_into_400_megabytes(run: Run) -> None:
    """Resident memory, a page that processes share counted once (PSS)."""
    assert run.process is not None
    tree = psutil.Process(run.process.pid)
    members = [tree, *tree.children(recursive=True)]
    pss = {f"{process.name()}-{process.pid}": process.memory_full_info().pss >> 20 for process in members}
    assert sum(pss.values()) < 400, pss


def web_pid(run: Run) -> int:
    return int(json.loads((run.data / "run.json").read_text())["pids"]["web"])


def test_a_killed_part_comes_back(run: Run) -> None:
    before = web_pid(run)
    os.kill(before, signal.SIGKILL)

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/readyz", timeout=2) as ready:
                return ready.status == 200
        except OSError:
            return False

    # Workers of the killed one may still answer for a moment.
    eventually(lambda: web_pid(run), lambda pid: pid != before, 30, "another web")
    eventually(answers, bool, 60, "web back")


def test_stop_ends_every_child_and_a_second_start_keeps_the_data(run: Run) -> None:
    assert run.process is not None
    children = psutil.Process(run.process.pid).children(recursive=True)
    run.stop()
    eventually(
        lambda: [child.pid for child in children if child.is_running()], lambda left: not left, 15, "gone"
    )
    parts = run.start()
    with urllib.request.urlopen(parts["base_url"] + "/", timeout=10) as page:
        assert page.status == 200
    assert "already" in (run.data / "run.log").read_text() or parts["pids"]
