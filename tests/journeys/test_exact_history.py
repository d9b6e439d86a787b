"""Twenty prints in a row give twenty jobs, each with its own outcome and times."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from fablab.embedded.octoprint import OctoPrintServer
from tests.journeys.stack import Api, eventually
from tests.journeys.test_outcomes import jobs_since

MACHINE = "tanger-prusa-1"


def test_ten_finished_and_ten_cancelled_prints_half_of_them_of_one_file(
    printers: list[OctoPrintServer], sign_in: Callable[[str], Api]
) -> None:
    printer, nadia = printers[0], sign_in("nadia")
    since = datetime.now(UTC)
    expected: list[tuple[str, str, float]] = []
    for number in range(20):
        # Every other print is of one and the same file, finished and cancelled in turn; the rest change.
        file = ("job_3s.gcode", "job_20s.gcode", "job_3s.gcode", "job_fast_2500.gcode")[number % 4]
        cancelled = number % 4 in {1, 2}
        printer.print_file(file)
        started = time.monotonic()
        if cancelled:
            eventually(printer.state, lambda state: state == "Printing", 15, "Printing")
            eventually(time.monotonic, lambda now, start=started: now - start > 1.5, 3, "some printing")
            printer.post("/api/job", {"command": "cancel"})
        # The next print starts as soon as OctoPrint takes it: a poll has no chance to see the gap.
        eventually(printer.state, lambda state: state == "Operational", 30, "Operational")
        expected.append((file, "cancelled" if cancelled else "finished", time.monotonic() - started))

    jobs = eventually(
        lambda: jobs_since(nadia, since, MACHINE),
        lambda found: len(found) >= 20 and all(job["outcome"] for job in found),
        30,
        "twenty ended jobs",
    )
    jobs.sort(key=lambda job: job["started_at"])
    assert [(job["file"], job["outcome"]) for job in jobs] == [(file, end) for file, end, _ in expected]
    for job, (_, _, seconds) in zip(jobs, expected, strict=True):
        assert abs(job["elapsed_s"] - seconds) < 1.0
        assert abs(job["print_time_s"] - seconds) < 1.0
