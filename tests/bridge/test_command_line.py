"""The command: bad settings, --check, several bridges in one process, an outbox in use."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bridge.support import ServerDouble, bridge_url, running_bridge, until, write_settings
from tests.support.mosquitto import Mosquitto

PROJECT = Path(__file__).parents[2]
SIMULATED = '[[machine]]\nslug = "tanger-laser-1"\ndriver = "simulated"\nkind = "laser-cutter"\n'
DEAD = (
    '[[machine]]\nslug = "tanger-prusa-1"\ndriver = "octoprint"\nurl = "http://127.0.0.1:9"\napi_key = "K"\n'
)


def bridge(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "firmware_bridge", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=False,
        timeout=30,
    )


def test_every_bad_file_is_one_line_and_the_exit_code_is_2(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("lab = 7\n")
    two.write_text("][")
    result = bridge("--config", one, "--config", two)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 2
    assert "Traceback" not in result.stderr


def test_the_same_bridge_twice_is_refused(tmp_path: Path) -> None:
    path = write_settings(tmp_path, "mqtt://127.0.0.1:9", SIMULATED)
    result = bridge("--config", path, "--config", path)
    assert result.returncode == 2
    assert "twice" in result.stderr


def test_a_second_process_on_the_same_outbox_is_refused(
    broker: Mosquitto, server: ServerDouble, tmp_path: Path
) -> None:
    path = write_settings(tmp_path, bridge_url(broker), SIMULATED)
    with running_bridge(path):
        until(lambda: server.status("tanger-laser-1"), 10)
        result = bridge("--config", path)
    assert result.returncode == 2
    assert "another bridge" in result.stderr


def test_check_names_what_fails_and_exits_1(tmp_path: Path) -> None:
    path = write_settings(tmp_path, "mqtt://127.0.0.1:9", DEAD + SIMULATED)
    result = bridge("--config", path, "--check")
    assert result.returncode == 1
    lines = {line.split()[2]: line for line in result.stdout.splitlines()[1:]}
    assert lines["tanger-prusa-1"].startswith("FAIL")
    assert "refused" in lines["tanger-prusa-1"]
    assert lines["broker"].startswith("FAIL")
    assert lines["tanger-laser-1"].startswith("ok")
    assert "Traceback" not in result.stderr


def test_check_is_well_when_all_is_well(broker: Mosquitto, tmp_path: Path) -> None:
    result = bridge("--config", write_settings(tmp_path, bridge_url(broker), SIMULATED), "--check")
    assert result.returncode == 0, result.stdout
    assert "p@ss" not in result.stdout


@pytest.mark.parametrize("count", [3])
def test_several_bridges_in_one_process(
    count: int, broker: Mosquitto, server: ServerDouble, tmp_path: Path
) -> None:
    # The test's broker knows one user; several names under it are several bridges all the same.
    arguments: list[str | Path] = []
    for number in range(1, count + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        machines = SIMULATED.replace("laser-1", f"laser-{number}")
        path = write_settings(folder, bridge_url(broker), machines)
        path.write_text(path.read_text().replace('name = "pi-1"', f'name = "pi-{number}"'))
        arguments += ["--config", path]
    command = [sys.executable, "-m", "firmware_bridge", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.DEVNULL)
    try:
        until(lambda: all(server.status(f"tanger-laser-{n}") for n in range(1, count + 1)), 30)
        assert len(server.committed) == count
    finally:
        began = time.monotonic()
        process.terminate()
        assert process.wait(5) == 0
    assert time.monotonic() - began < 2
