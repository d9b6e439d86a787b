"""Messages about one machine, made from what is remembered of it; the outbox numbers them."""

from datetime import datetime
from uuid import UUID

from firmware_bridge.memory import Memory, OpenJob
from firmware_bridge.wire.messages import (
    Ack,
    Event,
    EventKind,
    JobEvent,
    JobStatus,
    MachineState,
    MessageId,
    Outcome,
    Reading,
    Status,
)

Report = Status | Event | Reading | Ack

UNNUMBERED = MessageId(outbox=UUID(int=0), seq=1)
"""Placeholder until the outbox gives the message its number."""


def status(memory: Memory, now: datetime) -> Status:
    """How the machine is now. Measured values are left out while nobody can measure."""
    job = memory.job
    shown = None
    if job is not None:
        shown = JobStatus(
            id=job.id,
            file=job.file,
            progress=job.progress,
            print_time_s=job.print_time_s,
            remaining_s=job.remaining_s,
            estimated_s=job.estimated_s,
            owner=job.owner,
        )
    state = memory.state or MachineState.UNREACHABLE
    dark = state is MachineState.UNREACHABLE
    return Status(
        id=UNNUMBERED,
        at=now,
        historical=False,
        state=state,
        since=memory.since or now,
        detail=memory.detail,
        job=shown,
        temperatures=None if dark else memory.temperatures or None,
        power_w=None if dark else memory.power_w,
        energy_wh=None if dark else memory.energy_wh,
        clock_skew_s=memory.clock_skew_s,
    )


def reading(memory: Memory, now: datetime) -> Reading | None:
    """The measured values, or None when there are none."""
    progress = memory.job.progress if memory.job is not None else None
    if progress is None and not memory.temperatures and memory.power_w is None and memory.energy_wh is None:
        return None
    return Reading(
        id=UNNUMBERED,
        at=now,
        historical=False,
        progress=progress,
        temperatures=memory.temperatures or None,
        power_w=memory.power_w,
        energy_wh=memory.energy_wh,
        energy_epoch=memory.energy_epoch,
    )


def job_event(
    job: OpenJob,
    at: datetime,
    outcome: Outcome | None = None,
    print_time_s: float | None = None,
    reason: str | None = None,
    *,
    kind: EventKind = EventKind.JOB_ENDED,
) -> Event:
    """Something happened to the job at `at`; with an outcome, it ended then."""
    ended = outcome is not None
    return Event(
        id=UNNUMBERED,
        at=at,
        historical=False,
        event=kind,
        job=JobEvent(
            id=job.id,
            file=job.file,
            started_at=job.started_at,
            ended_at=at if ended else None,
            outcome=outcome,
            reason=reason,
            print_time_s=print_time_s,
            elapsed_s=(at - job.started_at).total_seconds() if ended else None,
            filament_mm=job.filament_mm,
            estimated_s=job.estimated_s,
            owner=job.owner,
        ),
    )
