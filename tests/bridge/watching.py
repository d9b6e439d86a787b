"""A machine's life in seconds, told to the state machine, and what it reports."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from firmware_bridge.memory import Memory, after_restart
from firmware_bridge.snapshot import Heard, JobSeen, News, Observation, PrintRecord, Progressed, Snapshot
from firmware_bridge.state import observe
from firmware_bridge.wire.messages import Event, JobEvent, MachineState, Reading, Status

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
BOOTED = 1000.0


def at(seconds: float) -> datetime:
    """The instant so many seconds after the beginning."""
    return START + timedelta(seconds=seconds)


@dataclass
class Watch:
    """One machine under observation. `push` says whether looks find the push connection alive."""

    push: bool = False
    memory: Memory = field(default_factory=Memory)
    reports: list[Any] = field(default_factory=list)

    def take(self, seconds: float, observation: Observation) -> list[Any]:
        """Feed one observation and give the reports it caused."""
        self.memory, reports = observe("tanger/tanger-prusa-1", self.memory, observation, at(seconds))
        self.reports += reports
        return reports

    def look(self, seconds: float, state: str, *, job: JobSeen | None = None, **more: Any) -> list[Any]:
        """A poll at that second."""
        more.setdefault("push_alive", self.push)
        snapshot = Snapshot(BOOTED + seconds, at(seconds), MachineState(state), job=job, **more)
        return self.take(seconds, snapshot)

    def hear(self, seconds: float, news: str, **more: Any) -> list[Any]:
        """A push event at that second."""
        if news in ("started", "done", "failed", "cancelled", "paused", "resumed"):
            more.setdefault("file", "vase.gcode")
            more.setdefault("path", more["file"])
        if "state" in more:
            more["state"] = MachineState(more["state"])
        return self.take(seconds, Heard(News(news), BOOTED + seconds, at(seconds), **more))

    def progress(self, seconds: float, job: JobSeen | None) -> list[Any]:
        """A `current` message at that second."""
        return self.take(seconds, Progressed(BOOTED + seconds, at(seconds), job, {}))

    def restart(self) -> None:
        """The bridge dies and a new process takes its memory over."""
        self.memory = after_restart(self.memory)

    @property
    def events(self) -> list[Event]:
        return [report for report in self.reports if isinstance(report, Event)]

    @property
    def kinds(self) -> list[str]:
        return [event.event.value for event in self.events]

    @property
    def ended(self) -> list[JobEvent]:
        return [event.job for event in self.events if event.event == "job_ended" and event.job]

    @property
    def outcomes(self) -> list[str]:
        return [job.outcome.value for job in self.ended if job.outcome]

    @property
    def statuses(self) -> list[Status]:
        return [report for report in self.reports if isinstance(report, Status)]

    @property
    def readings(self) -> list[Reading]:
        return [report for report in self.reports if isinstance(report, Reading)]


def running(print_time: float, position: int | None = None, file: str = "vase.gcode", **more: Any) -> JobSeen:
    """What OctoPrint shows while printing; by default 100 bytes a second of a 100 s job."""
    place = round(print_time * 100) if position is None else position
    return JobSeen(
        file=file, path=file, progress=place / 10_000, position=place, print_time_s=print_time, **more
    )


def completed(print_time: float, file: str = "vase.gcode") -> JobSeen:
    """What OctoPrint shows after a finished print."""
    return JobSeen(file=file, path=file, progress=1.0, print_time_s=print_time)


def given_up(file: str = "vase.gcode") -> JobSeen:
    """What OctoPrint shows after a cancel: the file, and nothing else."""
    return JobSeen(file=file, path=file)


def record(seconds: float, success: bool, print_time: float | None = None) -> PrintRecord:
    """OctoPrint's own note about the last run of the file."""
    return PrintRecord(at(seconds), print_time, success)
