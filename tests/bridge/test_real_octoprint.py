"""The bridge against real OctoPrint servers and a real broker: every way a print can end, and exact times."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fablab.embedded.octoprint import OctoPrintServer
from firmware_bridge.wire.messages import Event, JobEvent, Outcome
from tests.bridge.support import ServerDouble, bridge_url, running_bridge, until, write_settings
from tests.support.mosquitto import Mosquitto
from tests.support.octoprint import OctoPrintFarm

ONE, TWO = "tanger-prusa-1", "tanger-prusa-2"
pytestmark = pytest.mark.timeout(420)


@pytest.fixture
def printer(octoprint_farm: OctoPrintFarm) -> Iterator[OctoPrintServer]:
    [printer] = octoprint_farm(1)
    yield printer
    if printer.pid is not None:
        os.kill(printer.pid, signal.SIGCONT)


@pytest.fixture(params=["push", "polls"])
def push(request: pytest.FixtureRequest) -> bool:
    """Every ending must be right with the push socket and by polls alone."""
    return bool(request.param == "push")


@pytest.fixture
def watched(
    printer: OctoPrintServer, push: bool, broker: Mosquitto, server: ServerDouble, tmp_path: Path
) -> Iterator[OctoPrintServer]:
    """The printer, with a bridge that has seen it idle."""
    settings = write_settings(tmp_path, bridge_url(broker), machine(ONE, printer, push))
    with running_bridge(settings):
        until(lambda: server.state(ONE) == "idle", 40, "seen idle")
        # The push socket follows the first look by moments; its own log line is the witness.
        if push:
            until(lambda: "push connection is up" in (tmp_path / "bridge.log").read_text(), 20, "push is up")
        yield printer


def machine(slug: str, printer: OctoPrintServer, push: bool) -> str:
    return (
        f'[[machine]]\nslug = "{slug}"\ndriver = "octoprint"\nurl = "{printer.url}"\n'
        f'api_key = "{printer.api_key}"\npush = {str(push).lower()}\n'
    )


def the_end(server: ServerDouble, timeout: float = 30.0) -> JobEvent:
    """The one ended job; fails when there are two."""
    ended: list[Event] = until(lambda: server.ended(ONE), timeout, "a job ends")
    assert len(ended) == 1
    job = ended[0].job
    assert job is not None
    return job


def kinds(server: ServerDouble) -> list[str]:
    return [event.event.value for event in server.events(ONE)]


def cancel(printer: OctoPrintServer) -> None:
    printer.post("/api/job", {"command": "cancel"})


def test_a_finished_print(watched: OctoPrintServer, server: ServerDouble, push: bool) -> None:
    watched.print_file("job_3s.gcode")
    began = time.monotonic()
    until(lambda: server.state(ONE) == "running", 2.5, "running")
    assert time.monotonic() - began < (1.0 if push else 2.5)
    job = the_end(server)
    assert job.outcome is Outcome.FINISHED
    assert job.file == "job_3s.gcode"
    assert job.owner
    recorded = watched.get("/api/files/local/job_3s.gcode")["prints"]["last"]
    assert abs((job.print_time_s or 0) - recorded["printTime"]) < 0.2
    assert abs((job.elapsed_s or 0) - recorded["printTime"]) < 1.0
    assert kinds(server) == ["job_started", "job_ended"]
    until(lambda: server.state(ONE) == "idle", 15)


def test_a_cancelled_print_counts_once(watched: OctoPrintServer, server: ServerDouble) -> None:
    watched.print_file("job_20s.gcode")
    until(lambda: server.state(ONE) == "running", 10)
    cancel(watched)
    assert the_end(server).outcome is Outcome.CANCELLED
    until(lambda: server.state(ONE) == "idle", 15)
    assert kinds(server) == ["job_started", "job_ended"]


def test_a_firmware_error_is_failed_with_its_reason(watched: OctoPrintServer, server: ServerDouble) -> None:
    watched.print_file("job_error_10s.gcode")
    job = the_end(server)
    assert job.outcome is Outcome.FAILED
    assert "Thermal Runaway" in (job.reason or "")
    until(lambda: server.state(ONE) == "error", 15)
    status = server.status(ONE)
    assert status is not None
    assert "Thermal Runaway" in (status.detail or "")
    watched.post("/api/connection", {"command": "connect"})
    until(lambda: server.state(ONE) == "idle", 15)


def test_a_dropped_connection_is_failed(watched: OctoPrintServer, server: ServerDouble) -> None:
    watched.print_file("job_drop_10s.gcode")
    job = the_end(server)
    assert job.outcome is Outcome.FAILED
    assert job.reason
    until(lambda: server.state(ONE) in ("off", "error"), 15)


def test_a_killed_octoprint_is_unreachable_at_once_and_its_print_interrupted(
    watched: OctoPrintServer, server: ServerDouble, push: bool
) -> None:
    watched.print_file("job_2min.gcode")
    until(lambda: server.state(ONE) == "running", 10)
    watched.kill()
    killed = time.time()
    until(lambda: server.state(ONE) == "unreachable", 1.0 if push else 3.0, "unreachable")
    watched.start()
    watched.wait_operational(60)
    back = time.monotonic()
    until(lambda: server.state(ONE) == "idle", 3, "back")
    assert time.monotonic() - back < 3
    job = the_end(server, 15)
    assert job.outcome is Outcome.INTERRUPTED
    assert job.ended_at is not None
    assert abs(job.ended_at.timestamp() - killed) < 3


def test_a_hung_host_is_unreachable_and_its_print_goes_on(
    watched: OctoPrintServer, server: ServerDouble
) -> None:
    watched.print_file("job_20s.gcode")
    until(lambda: server.state(ONE) == "running", 10)
    assert watched.pid is not None
    os.kill(watched.pid, signal.SIGSTOP)
    until(lambda: server.state(ONE) == "unreachable", 12, "unreachable")
    os.kill(watched.pid, signal.SIGCONT)
    until(lambda: server.state(ONE) == "running", 15, "running again")
    job = the_end(server, 40)
    assert job.outcome is Outcome.FINISHED
    assert kinds(server) == ["job_started", "job_ended"]


def test_a_pause_is_told_and_not_counted_as_print_time(
    watched: OctoPrintServer, server: ServerDouble
) -> None:
    watched.print_file("job_pause_10s.gcode")
    until(lambda: server.state(ONE) == "paused", 30, "paused by the printer")
    time.sleep(3)  # the pause itself
    watched.post("/api/job", {"command": "pause", "action": "resume"})
    until(lambda: server.state(ONE) == "running", 10)
    job = the_end(server)
    assert job.outcome is Outcome.FINISHED
    assert (job.elapsed_s or 0) - (job.print_time_s or 0) > 2.5
    assert kinds(server) == ["job_started", "job_paused", "job_resumed", "job_ended"]


def test_a_paused_print_started_again_is_two_jobs(watched: OctoPrintServer, server: ServerDouble) -> None:
    watched.print_file("job_20s.gcode")
    until(lambda: server.state(ONE) == "running", 10)
    time.sleep(2.5)  # some way into the file
    watched.post("/api/job", {"command": "pause", "action": "pause"})
    until(lambda: server.state(ONE) == "paused", 15)
    watched.post("/api/job", {"command": "restart"})
    until(lambda: kinds(server).count("job_started") == 2, 15, "a second job")
    [first] = server.ended(ONE)
    assert first.job is not None
    assert first.job.outcome in (Outcome.CANCELLED, Outcome.INTERRUPTED)
    cancel(watched)
    until(lambda: len(server.ended(ONE)) == 2, 15)
    assert len({event.job.id for event in server.ended(ONE) if event.job}) == 2


@pytest.mark.parametrize("push", [True], indirect=False)
def test_twenty_prints_in_a_row_are_twenty_exact_jobs(
    watched: OctoPrintServer, server: ServerDouble, push: bool
) -> None:
    expected: list[tuple[str, str, float]] = []
    for number in range(20):
        file = "job_3s.gcode" if number % 2 == 0 else ("job_20s.gcode", "job_2min.gcode")[number // 2 % 2]
        outcome = "cancelled" if number % 4 in (1, 2) else "finished"
        if outcome == "finished":
            file = "job_3s.gcode"
        watched.print_file(file)
        began = time.monotonic()
        if outcome == "cancelled":
            until(lambda: watched.state() == "Printing", 15)
            time.sleep(1.2)  # some printing before the cancel
            cancel(watched)
        # The next print begins as soon as OctoPrint takes it: a poll has no chance to see the gap.
        until(lambda: watched.state() == "Operational", 30)
        expected.append((file, outcome, time.monotonic() - began))
    ended = until(lambda: (found := server.ended(ONE)) and len(found) >= 20 and found, 30)
    jobs = [event.job for event in ended]
    assert [(job.file, job.outcome.value) for job in jobs] == [(file, out) for file, out, _ in expected]
    for job, (_, _, seconds) in zip(jobs, expected, strict=True):
        assert abs(job.elapsed_s - seconds) < 1.0
        assert abs(job.print_time_s - seconds) < 1.0
    assert kinds(server) == ["job_started", "job_ended"] * 20
    assert len({job.id for job in jobs}) == 20


@pytest.mark.parametrize("push", [False], indirect=False)
def test_the_same_file_again_and_again_without_push(
    watched: OctoPrintServer, server: ServerDouble, push: bool
) -> None:
    for _ in range(4):
        watched.print_file("job_3s.gcode")
        until(lambda: watched.state() == "Printing", 15)
        until(lambda: watched.state() == "Operational", 30)
    ended = until(lambda: (found := server.ended(ONE)) and len(found) >= 4 and found, 20)
    assert [event.job.outcome.value for event in ended] == ["finished"] * 4
    for event in ended:
        assert abs(event.job.elapsed_s - event.job.print_time_s) < 1.0
    assert kinds(server) == ["job_started", "job_ended"] * 4


def test_a_restarted_bridge_keeps_the_running_job_and_learns_of_an_ended_one(
    printer: OctoPrintServer, broker: Mosquitto, server: ServerDouble, tmp_path: Path
) -> None:
    settings = write_settings(tmp_path, bridge_url(broker), machine(ONE, printer, True))
    with running_bridge(settings) as bridge:
        until(lambda: server.state(ONE) == "idle", 40)
        printer.print_file("job_20s.gcode")
        until(lambda: kinds(server) == ["job_started"], 10)
        bridge.kill()
        bridge.wait()
    heard = len(server.taken)
    with running_bridge(settings) as bridge:
        until(lambda: len([p for p in server.presences if p.online]) == 2, 15)
        until(lambda: len(server.taken) > heard, 15, "a word of the second bridge")
        assert server.state(ONE) == "running"
        bridge.kill()
        bridge.wait()
    until(lambda: printer.state() == "Operational", 30)
    with running_bridge(settings):
        job = the_end(server)
        assert job.outcome is Outcome.FINISHED
        assert abs((job.elapsed_s or 0) - 20.4) < 1.5
    assert kinds(server) == ["job_started", "job_ended"]


def test_a_hung_neighbour_delays_nobody(
    octoprint_farm: Callable[[int], list[OctoPrintServer]],
    broker: Mosquitto,
    server: ServerDouble,
    tmp_path: Path,
) -> None:
    healthy, hung = octoprint_farm(2)
    machines = machine(ONE, healthy, True) + machine(TWO, hung, True)
    assert hung.pid is not None
    os.kill(hung.pid, signal.SIGSTOP)
    try:
        with running_bridge(write_settings(tmp_path, bridge_url(broker), machines)):
            until(lambda: server.state(ONE) == "idle", 15, "the healthy one")
            until(lambda: server.state(TWO) == "unreachable", 15)
            healthy.print_file("job_3s.gcode")
            until(lambda: server.state(ONE) == "running", 2)
            assert the_end(server).outcome is Outcome.FINISHED
    finally:
        os.kill(hung.pid, signal.SIGCONT)
