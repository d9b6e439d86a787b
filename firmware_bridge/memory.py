"""What the bridge remembers of one machine, kept in the outbox file so that a restart forgets nothing."""

from datetime import datetime
from uuid import UUID

import msgspec

from firmware_bridge.wire.messages import MachineState, Outcome, Temperature


class OpenJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job that has begun and not ended."""

    id: UUID
    started_at: datetime
    file: str | None
    path: str | None = None
    origin: str | None = None
    owner: str | None = None
    progress: float | None = None
    position: int | None = None
    print_time_s: float | None = None
    remaining_s: float | None = None
    estimated_s: float | None = None
    filament_mm: float | None = None
    begun_at: datetime
    """Where the machine's own print time says the run began; moves later by each pause."""
    seen_at: datetime
    """When somebody last saw it running or paused."""
    confirmed: bool = False
    """The machine itself announced the start; a later announcement is another job."""
    paused: bool = False
    gap: bool = False
    """Nobody watched since `seen_at`: the end may have been missed."""
    doubt_since: datetime | None = None
    """The machine looks as if the job were over, but has not said how it ended."""
    fault: str | None = None
    """An error reported during the job: the reason, should it end now."""


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything state.py knows between two observations."""

    state: MachineState | None = None
    since: datetime | None = None
    detail: str | None = None
    job: OpenJob | None = None
    temperatures: dict[str, Temperature] = msgspec.field(default_factory=dict)
    power_w: float | None = None
    energy_wh: float | None = None
    energy_epoch: str | None = None
    powered: bool | None = None
    clock_skew_s: float | None = None
    ended_id: UUID | None = None
    ended_at: datetime | None = None
    ended_as: Outcome | None = None
    ended_news_owed: bool = False
    """A cancel is announced twice; the second announcement is still to come and belongs to the ended job."""
    status_at: datetime | None = None
    reading_at: datetime | None = None
    unanswered_looks: int = 0
    news_mono: float = 0.0
    """time.monotonic() of the last push event about a job or state; older looks know less than it."""
    ended_mono: float = 0.0


def after_restart(memory: Memory) -> Memory:
    """The memory as a new process takes it over: nobody watched in between, and its clock starts anew."""
    job = memory.job
    if job is not None:
        job = msgspec.structs.replace(job, gap=True, doubt_since=None)
    return msgspec.structs.replace(memory, job=job, news_mono=0.0, ended_mono=0.0, unanswered_looks=0)
