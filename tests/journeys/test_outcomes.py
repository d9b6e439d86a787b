"""How each end of a print on a real OctoPrint arrives in our history, once and with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fablab.embedded.octoprint import OctoPrintServer
from tests.journeys.conftest import wait_for_state
from tests.journeys.stack import Api, eventually

MACHINE = "tanger-prusa-2"


def jobs_since(api: Api, since: datetime, machine: str = MACHINE) -> list[dict[str, Any]]:
    query = f"/jobs?machine={machine}&from={since:%Y-%m-%dT%H:%M:%S.%fZ}"
    items: list[dict[str, Any]] = api.get(query)["items"]
    return items


def wait_for_end(api: Api, since: datetime, within_s: float, machine: str = MACHINE) -> dict[str, Any]:
    """The one job that started since then, ended."""
    jobs = eventually(
        lambda: jobs_since(api, since, machine),
        lambda found: len(found) > 0 and all(job["outcome"] for job in found),
        within_s,
        "an ended job",
    )
    assert len(jobs) == 1, jobs
    job: dict[str, Any] = jobs[0]
    return job


@pytest.fixture
def printer(printers: list[OctoPrintServer]) -> OctoPrintServer:
    return printers[1]


@pytest.fixture
def nadia(sign_in: Callable[[str], Api]) -> Api:
    return sign_in("nadia")


@pytest.fixture
def since() -> datetime:
    """Exactly now: a test before may have ended its print within this very second."""
    return datetime.now(UTC)


def test_cancelled_in_octoprint_is_cancelled_once(
    printer: OctoPrintServer, nadia: Api, since: datetime
) -> None:
    printer.print_file("job_20s.gcode")
    wait_for_state(nadia, MACHINE, "running", 10)
    printer.post("/api/job", {"command": "cancel"})
    job = wait_for_end(nadia, since, 15)
    assert job["outcome"] == "cancelled"
    wait_for_state(nadia, MACHINE, "idle", 15)
    assert len(jobs_since(nadia, since)) == 1


def test_a_firmware_error_is_failed_with_its_reason(
    printer: OctoPrintServer, nadia: Api, since: datetime
) -> None:
    printer.print_file("job_error_10s.gcode")
    job = wait_for_end(nadia, since, 40)
    assert job["outcome"] == "failed"
    assert "Thermal Runaway" in job["reason"]
    printer.post("/api/connection", {"command": "connect"})
    wait_for_state(nadia, MACHINE, "idle", 15)


def test_a_lost_cable_is_failed(printer: OctoPrintServer, nadia: Api, since: datetime) -> None:
    printer.print_file("job_drop_10s.gcode")
    job = wait_for_end(nadia, since, 40)
    assert job["outcome"] == "failed"
    assert job["reason"]
    printer.post("/api/connection", {"command": "connect"})
    wait_for_state(nadia, MACHINE, "idle", 15)


def test_a_killed_octoprint_is_unreachable_at_once_and_its_print_interrupted(
    printer: OctoPrintServer, nadia: Api, since: datetime
) -> None:
    printer.print_file("job_2min.gcode")
    wait_for_state(nadia, MACHINE, "running", 10)
    printer.kill()
    killed_at = time.monotonic()
    wait_for_state(nadia, MACHINE, "unreachable", 1.5)
    shown_after_s = time.monotonic() - killed_at
    printer.start()
    printer.wait_operational(60)
    wait_for_state(nadia, MACHINE, "idle", 15)
    job = wait_for_end(nadia, since, 15)
    assert job["outcome"] == "interrupted"
    assert shown_after_s < 1.5, "1 s of the promise and what asking over HTTP adds"


def test_a_pause_is_shown_and_not_counted_as_print_time(
    printer: OctoPrintServer, nadia: Api, since: datetime
) -> None:
    printer.print_file("job_pause_10s.gcode")
    wait_for_state(nadia, MACHINE, "paused", 30)
    paused_at = time.monotonic()
    eventually(time.monotonic, lambda now: now - paused_at > 3, 5, "three seconds of pause")
    printer.post("/api/job", {"command": "pause", "action": "resume"})
    job = wait_for_end(nadia, since, 40)
    assert job["outcome"] == "finished"
    assert job["elapsed_s"] - job["print_time_s"] > 2.5
