"""`fablab run` starts everything, keeps it alive, keeps its secrets, and stops as a whole."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fablab.embedded.process import command_of, is_alive, wait_until
from tests.bench.memory import measure
from tests.support.database import new_database
from tests.support.mosquitto import Mosquitto
from tests.support.system import PROJECT, RunningSystem

PARTS = {"supervisor", "postgres", "broker", "ingest", "scheduler", "web", "bridge"}


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    directory = Path(tempfile.mkdtemp(prefix="fablab-test-"))
    system = RunningSystem(directory / "data")
    system.start()
    yield system
    system.end(signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)


def test_a_second_start_on_the_same_data_is_refused(system: RunningSystem) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "fablab", "run"],
        cwd=PROJECT,
        env=system.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr.strip().startswith("fablab run: fablab already runs on")
    assert len(second.stderr.strip().splitlines()) == 1
    assert _answers(system)


def test_no_secret_is_on_a_command_line_or_in_a_readable_file(system: RunningSystem) -> None:
    secrets = json.loads((system.data_dir / "secrets.json").read_text()).values()
    for pid in system.pids.values():
        line = command_of(pid)
        assert line
        assert not any(secret in line for secret in secrets)
    for file in system.data_dir.rglob("*"):
        if file.is_file() and file.suffix in {".json", ".toml"}:
            assert file.stat().st_mode & 0o077 == 0, f"{file} is readable by others"


def test_the_run_file_tells_where_the_parts_are(system: RunningSystem) -> None:
    run = system.run
    assert (system.data_dir / "run.json").stat().st_mode & 0o777 == 0o600
    assert run["base_url"] == f"http://127.0.0.1:{system.port}"
    assert run["database_url"].startswith("postgresql+psycopg://")
    assert run["mqtt_url"].startswith("mqtt://server:")
    assert run["octoprint"] == []
    assert set(run["pids"]) == PARTS
    assert all(is_alive(pid) for pid in run["pids"].values())


def test_it_tells_the_address_and_the_logins(system: RunningSystem) -> None:
    said = system.output.read_text()
    assert f"http://127.0.0.1:{system.port}" in said
    assert "amina@example.org" in said
    assert "Traceback" not in said


def test_the_bridges_are_let_in(system: RunningSystem) -> None:
    log = system.data_dir / "logs" / "bridge.log"
    assert wait_until(lambda: log.read_text().count("broker: connected") >= 5, 60), log.read_text()
    assert "refused" not in (system.data_dir / "logs" / "broker.log").read_text()


def test_it_fits_into_400_mib(system: RunningSystem) -> None:
    _answers(system)
    # Pages several processes share are counted once: that is what the machine really gives.
    assert sum(row.pss_mib for row in measure(system.data_dir / "run.json")) < 400


@pytest.mark.parametrize("part", sorted(PARTS - {"supervisor"}))
def test_a_killed_part_comes_back(system: RunningSystem, part: str) -> None:
    before = system.pids
    os.kill(before[part], signal.SIGKILL)
    assert wait_until(lambda: system.pids[part] != before[part], 30)
    assert wait_until(lambda: all(is_alive(pid) for pid in system.pids.values()), 30)
    assert system.pids["supervisor"] == before["supervisor"]
    assert wait_until(lambda: _answers(system), 60)


def test_ctrl_c_stops_everything_and_the_next_start_is_quick(system: RunningSystem) -> None:
    assert system.end(signal.SIGINT) < 10
    assert system.process is not None
    assert system.process.returncode == 0
    assert not (system.data_dir / "run.json").exists()
    # 10 s on a machine with nothing else to do; a busy one is measured by what it needs to import us.
    assert system.start() < max(10, 5 * _seconds_to_import())
    assert _answers(system)


def test_after_kill_9_of_all_the_next_start_finds_everything(system: RunningSystem) -> None:
    for pid in system.pids.values():
        os.kill(pid, signal.SIGKILL)
    assert system.process is not None
    system.process.wait(10)
    system.start()
    assert _answers(system)
    assert system.run["base_url"].endswith(f":{system.port}"), "the port was not free again"


def test_with_an_own_database_and_broker_none_is_started(
    postgres_url: str, mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    broker = mosquitto({"server": "own"})
    with new_database(postgres_url) as database_url:
        system = RunningSystem(
            tmp_path / "data", {"DATABASE_URL": database_url, "FABLAB_MQTT_URL": broker.url()}
        )
        try:
            system.start()
            assert set(system.pids) == PARTS - {"postgres", "broker"}
            assert system.run["database_url"] == database_url
            assert system.run["mqtt_url"] == broker.url()
            assert not (system.data_dir / "postgres").exists()
            assert _answers(system)
        finally:
            system.end(signal.SIGTERM)


def test_a_database_that_does_not_answer_is_one_clear_line(tmp_path: Path) -> None:
    system = RunningSystem(tmp_path / "data", {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})
    done = subprocess.run(
        [sys.executable, "-m", "fablab", "run"],
        cwd=PROJECT,
        env=system.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "the database does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def _seconds_to_import() -> float:
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", "import fablab.app"], check=True, cwd=PROJECT)
    return time.monotonic() - begun


def _answers(system: RunningSystem) -> bool:
    try:
        with urllib.request.urlopen(system.run["base_url"] + "/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
