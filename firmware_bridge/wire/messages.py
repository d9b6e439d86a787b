"""The messages as typed structs; decoding one validates it.

Units are in the names: `_s` seconds, `_c` degrees Celsius, `_w` watts, `_wh` watt-hours; `progress` is 0
to 1; instants end in `at` (or are `since`), carry an offset and lie between 2000 and 2100. Unknown fields are
ignored. The bounds keep one broken device from filling the database with nonsense; they are wide for truth.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

# PostgreSQL text cannot hold NUL, so a message that carries one would break its whole batch.
_NO_NUL = r"\A[^\x00]*\Z"

Slug = Annotated[str, Meta(pattern=r"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")]
Label = Annotated[str, Meta(min_length=1, max_length=64, pattern=_NO_NUL)]
Person = Annotated[str, Meta(max_length=200, pattern=_NO_NUL)]
FileName = Annotated[str, Meta(max_length=500, pattern=_NO_NUL)]
Sentence = Annotated[str, Meta(max_length=1000, pattern=_NO_NUL)]
Instant = Annotated[datetime, Meta(tz=True)]
Sequence = Annotated[int, Meta(ge=1, le=2**62)]
CommittedSequence = Annotated[int, Meta(ge=0, le=2**62)]
Progress = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=400_000_000)]
SkewSeconds = Annotated[float, Meta(ge=-4_000_000_000, le=4_000_000_000)]
Millimetres = Annotated[float, Meta(ge=0, le=1e9)]
Celsius = Annotated[float, Meta(ge=-300, le=3000)]
Watts = Annotated[float, Meta(ge=-1e6, le=1e6)]
WattHours = Annotated[float, Meta(ge=0, le=1e12)]


class MachineState(StrEnum):
    """What a machine does. `unreachable`: nobody answers; `off`: its host answers, the machine does not."""

    UNREACHABLE = "unreachable"
    OFF = "off"
    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    ERROR = "error"


class EventKind(StrEnum):
    """What happened."""

    JOB_STARTED = "job_started"
    JOB_PAUSED = "job_paused"
    JOB_RESUMED = "job_resumed"
    JOB_ENDED = "job_ended"
    POWER_ON = "power_on"
    POWER_OFF = "power_off"


class Outcome(StrEnum):
    """How a job ended. `interrupted`: nobody saw the end."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Action(StrEnum):
    """What a command may ask for."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    POWER_ON = "power_on"
    POWER_OFF = "power_off"


def _refuse_odd_years(*instants: datetime | None) -> None:
    for instant in instants:
        if instant is not None and not 2000 <= instant.year < 2100:
            raise ValueError("instant outside the years 2000 to 2099")


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Common settings: immutable, named arguments only, unset optional fields stay off the wire."""


class MessageId(_Part, frozen=True, kw_only=True):
    """Stable over restarts and repeats: which outbox, and the how-manieth message of it."""

    outbox: UUID
    seq: Sequence


class Temperature(_Part, frozen=True, kw_only=True):
    """One heater or sensor."""

    actual_c: Celsius | None
    target_c: Celsius | None = None


Temperatures = Annotated[dict[Label, Temperature], Meta(max_length=32)]


class JobStatus(_Part, frozen=True, kw_only=True):
    """The open job inside a status; None where the machine does not say."""

    id: UUID
    file: FileName | None
    progress: Progress | None
    print_time_s: Seconds | None
    remaining_s: Seconds | None
    estimated_s: Seconds | None
    owner: Person | None = None


class JobEvent(_Part, frozen=True, kw_only=True):
    """The job an event speaks of. `print_time_s` is active time, `elapsed_s` wall time with pauses."""

    id: UUID
    file: FileName | None
    started_at: Instant
    ended_at: Instant | None = None
    outcome: Outcome | None = None
    reason: Sentence | None = None
    print_time_s: Seconds | None = None
    elapsed_s: Seconds | None = None
    filament_mm: Millimetres | None = None
    estimated_s: Seconds | None = None
    owner: Person | None = None

    def __post_init__(self) -> None:
        _refuse_odd_years(self.started_at, self.ended_at)
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise ValueError("job ends before it starts")


class Numbered(_Part, frozen=True, kw_only=True):
    """What status, event, reading and ack share. `historical`: late news, complete the history only."""

    id: MessageId
    at: Instant
    historical: bool

    def __post_init__(self) -> None:
        _refuse_odd_years(self.at)


class Status(Numbered, frozen=True, kw_only=True):
    """How a machine is now; sent on every change and as a heartbeat at least every 60 s."""

    state: MachineState
    since: Instant
    job: JobStatus | None
    detail: Sentence | None = None
    temperatures: Temperatures | None = None
    power_w: Watts | None = None
    energy_wh: WattHours | None = None
    clock_skew_s: SkewSeconds | None = None

    def __post_init__(self) -> None:
        _refuse_odd_years(self.at, self.since)


class Event(Numbered, frozen=True, kw_only=True):
    """Something happened at `at`. Job events carry their job; an end carries its time and outcome."""

    event: EventKind
    job: JobEvent | None = None

    def __post_init__(self) -> None:
        _refuse_odd_years(self.at)
        if self.event.startswith("job_") and self.job is None:
            raise ValueError("a job event needs its job")
        ended = self.job if self.event is EventKind.JOB_ENDED else None
        if ended is not None and (ended.ended_at is None or ended.outcome is None):
            raise ValueError("an ended job needs ended_at and outcome")


class Reading(Numbered, frozen=True, kw_only=True):
    """Measured values between two statuses. A new `energy_epoch` says that the energy counter restarted."""

    progress: Progress | None = None
    temperatures: Temperatures | None = None
    power_w: Watts | None = None
    energy_wh: WattHours | None = None
    energy_epoch: Label | None = None


class Ack(Numbered, frozen=True, kw_only=True):
    """A bridge's answer to one command."""

    command: UUID
    ok: bool
    detail: Sentence | None = None


class Presence(_Part, frozen=True, kw_only=True):
    """A bridge came or went. It describes the connection and has no number; also the last will."""

    online: bool
    boot: UUID
    version: Annotated[str, Meta(max_length=64, pattern=_NO_NUL)] | None = None
    machines: Annotated[list[Slug], Meta(max_length=500)] | None = None
    outbox: UUID | None = None
    at: Instant | None = None

    def __post_init__(self) -> None:
        _refuse_odd_years(self.at)


class Committed(_Part, frozen=True, kw_only=True):
    """The server holds every message of this outbox up to and including `seq`."""

    outbox: UUID
    seq: CommittedSequence


class Command(_Part, frozen=True, kw_only=True):
    """An order to a machine. `action` stays text, so that an unknown one can be answered instead of lost."""

    id: UUID
    action: Label
    expires_at: Instant
    for_job: UUID | None = None

    def __post_init__(self) -> None:
        _refuse_odd_years(self.expires_at)


class ServerPresence(_Part, frozen=True, kw_only=True):
    """Whether the server listens; while it does not, bridges hold their data."""

    online: bool


Message = Presence | Committed | Status | Event | Reading | Command | Ack | ServerPresence
