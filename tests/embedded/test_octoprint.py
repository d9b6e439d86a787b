"""Real OctoPrint servers start without a wizard, print jobs of known length, and die on request."""

import time
import urllib.error
from pathlib import Path

import pytest

from fablab.embedded import octoprint_install
from fablab.embedded.octoprint import OctoPrintFailed, OctoPrintServer
from fablab.embedded.octoprint_install import OctoPrintUnavailable, ensure_installed, is_installed
from fablab.embedded.process import wait_until
from tests.support.octoprint import OctoPrintFarm


def test_another_key_is_refused(octoprint_farm: OctoPrintFarm) -> None:
    (server,) = octoprint_farm(1)
    stranger = OctoPrintServer(server.venv, server.basedir, server.port, "0" * 32, password="x")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        stranger.get("/api/version")


def test_it_starts_headless_and_operational(octoprint_farm: OctoPrintFarm) -> None:
    (server,) = octoprint_farm(1)
    assert server.get("/api/version")["server"].startswith("1.11")
    assert server.get("/api/connection")["current"]["port"] == "VIRTUAL"
    assert (server.basedir / "users.yaml").stat().st_mode & 0o777 == 0o600
    assert "job_20s.gcode" in {file["name"] for file in server.get("/api/files")["files"]}


def test_a_job_takes_the_time_its_name_says(octoprint_farm: OctoPrintFarm) -> None:
    (server,) = octoprint_farm(1)
    server.print_file("job_3s.gcode")
    begun = time.monotonic()
    assert wait_until(lambda: server.get("/api/job")["progress"]["completion"] == 100, 30)
    assert 2.5 < time.monotonic() - begun < 5


def test_an_error_in_the_job_is_an_error_in_octoprint(octoprint_farm: OctoPrintFarm) -> None:
    (server,) = octoprint_farm(1)
    server.print_file("job_error_10s.gcode")
    assert wait_until(lambda: "error" in server.get("/api/job"), 40)
    assert "Thermal Runaway" in server.get("/api/job")["error"]


def test_killed_and_started_again_it_has_the_same_address_and_key(octoprint_farm: OctoPrintFarm) -> None:
    (server,) = octoprint_farm(1)
    first = server.pid
    server.kill()
    assert server.state() is None
    server.start()
    server.wait_operational(60)
    assert server.pid != first
    assert server.get("/api/server")["safemode"] is None


def test_a_server_that_ends_at_once_says_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/bin/false")
    server = OctoPrintServer(tmp_path, tmp_path / "base", 1, "k" * 32, password="x", name="broken")
    server.start()
    with pytest.raises(OctoPrintFailed, match="broken ended at its start"):
        server.wait_operational(10)


def test_without_an_index_the_reason_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("no-such-package-anywhere==1.0 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(octoprint_install, "PINS", pins)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    said: list[str] = []
    with pytest.raises(OctoPrintUnavailable, match=r"could not be installed: .+") as caught:
        ensure_installed(tmp_path / "venv", tmp_path / "install.log", said.append)
    assert "\n" not in str(caught.value)
    assert said, "a step of a minute must announce itself"
    assert not is_installed(tmp_path / "venv")
