"""What a driver saw or heard, free of any vendor's words.

A Snapshot is one complete look (a poll). Heard and Progressed come from a push connection between two looks.
Instants are aware UTC; `asked_mono` and `heard_mono` are time.monotonic() seconds, to put looks and news
in order.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from firmware_bridge.wire.messages import MachineState, Temperature

ACTIVE = frozenset({MachineState.RUNNING, MachineState.PAUSED})
"""States in which a job may be open."""


@dataclass(frozen=True, slots=True)
class PrintRecord:
    """The machine's own note of the last finished run of a file, times corrected to our clock."""

    ended_at: datetime
    print_time_s: float | None
    success: bool


@dataclass(frozen=True, slots=True)
class JobSeen:
    """The job a machine shows; after an end most machines go on showing the last one."""

    file: str | None
    path: str | None = None
    origin: str | None = None
    owner: str | None = None
    progress: float | None = None
    position: int | None = None
    """How far into the file, in bytes: never falls within one run, so a fall means another run."""
    print_time_s: float | None = None
    remaining_s: float | None = None
    estimated_s: float | None = None
    filament_mm: float | None = None
    ending: bool = False
    """The machine is just finishing or cancelling: no new job may be read from this."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at a machine."""

    asked_mono: float
    asked_at: datetime
    state: MachineState
    detail: str | None = None
    job: JobSeen | None = None
    record: PrintRecord | None = None
    temperatures: dict[str, Temperature] = field(default_factory=dict)
    power_w: float | None = None
    energy_wh: float | None = None
    energy_epoch: str | None = None
    switched: bool = False
    """The machine's power is its use (a laser on a plug): power_on and power_off are worth an event."""
    push_alive: bool = False
    """A push connection is up and spoke within the last seconds."""
    slow: bool = False
    """Unreachable only because no answer came in time."""


class News(StrEnum):
    """What a push event says."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    RESUMED = "resumed"
    FAULT = "fault"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Heard:
    """One push event. `state` is set for STATE, `reason` for FAILED and FAULT, times where told."""

    news: News
    heard_mono: float
    at: datetime
    file: str | None = None
    path: str | None = None
    origin: str | None = None
    owner: str | None = None
    print_time_s: float | None = None
    reason: str | None = None
    state: MachineState | None = None


@dataclass(frozen=True, slots=True)
class Progressed:
    """Progress and temperatures by push; never decides about a job's beginning or end."""

    heard_mono: float
    at: datetime
    job: JobSeen | None
    temperatures: dict[str, Temperature]
    clock_skew_s: float | None = None


Observation = Snapshot | Heard | Progressed
