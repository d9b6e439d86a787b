"""What a machine's word means for its usage session, and whose booking it was: pure arithmetic.

A session is counted up to ``counted_at``; at any moment busy_s + idle_s is the span from its start to there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID


class Signal(StrEnum):
    """What can happen to a machine's session. WORKING and RESTING come from its state."""

    JOB_STARTED = "job_started"
    JOB_PAUSED = "job_paused"
    JOB_RESUMED = "job_resumed"
    JOB_ENDED = "job_ended"
    POWER_ON = "power_on"
    POWER_OFF = "power_off"
    WORKING = "working"
    RESTING = "resting"


class Misplaced(ValueError):
    """A job that belongs to another machine; the message says so."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A session's course: seconds at work and at rest up to ``counted_at``, and its energy counter."""

    started_at: datetime
    counted_at: datetime
    busy: bool
    busy_s: float = 0.0
    idle_s: float = 0.0
    job_id: UUID | None = None
    energy_wh: float | None = None
    meter_wh: float | None = None
    meter_epoch: str | None = None
    ended_at: datetime | None = None
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What a signal makes of a session: the one that ended by it, if any, and the one that is open now."""

    ended: Usage | None
    current: Usage | None


def opened(at: datetime, *, busy: bool, job_id: UUID | None = None, meter_wh: float | None = None) -> Usage:
    """A session that starts now."""
    return Usage(started_at=at, counted_at=at, busy=busy, job_id=job_id, meter_wh=meter_wh)


def counted(usage: Usage, until: datetime) -> Usage:
    """The same session counted further; a time before the last count changes nothing."""
    seconds = (until - usage.counted_at).total_seconds()
    if seconds <= 0:
        return usage
    if usage.busy:
        return replace(usage, counted_at=until, busy_s=usage.busy_s + seconds)
    return replace(usage, counted_at=until, idle_s=usage.idle_s + seconds)


def turned(usage: Usage, at: datetime, *, busy: bool) -> Usage:
    """The session from ``at`` on at work, or at rest."""
    return usage if usage.busy == busy else replace(counted(usage, at), busy=busy)


def closed(usage: Usage, at: datetime, reason: str) -> Usage:
    """The ended session. An end before the last count takes the seconds back, of the present kind first."""
    at = max(at, usage.started_at)
    usage = counted(usage, at)
    surplus = (usage.counted_at - at).total_seconds()
    if surplus > 0:
        from_busy = min(usage.busy_s, surplus) if usage.busy else max(0.0, surplus - usage.idle_s)
        usage = replace(
            usage,
            busy_s=max(0.0, usage.busy_s - from_busy),
            idle_s=max(0.0, usage.idle_s - (surplus - from_busy)),
        )
    return replace(usage, counted_at=at, ended_at=at, stop_reason=reason)


def metered(usage: Usage, meter_wh: float, epoch: str | None = None) -> Usage:
    """Energy is summed from the counter's steps upwards only: a counter that restarts starts a new count."""
    restarted = epoch is not None and usage.meter_epoch is not None and epoch != usage.meter_epoch
    first = usage.meter_wh is None or restarted
    step = 0.0 if first or usage.meter_wh is None else max(0.0, meter_wh - usage.meter_wh)
    return replace(
        usage,
        energy_wh=(usage.energy_wh or 0.0) + step,
        meter_wh=meter_wh,
        meter_epoch=epoch or usage.meter_epoch,
    )


def past(started_at: datetime, ended_at: datetime, job_id: UUID, busy_s: float | None, reason: str) -> Usage:
    """A session nobody saw open: made when only the end of its job was heard of."""
    span = (ended_at - started_at).total_seconds()
    busy = span if busy_s is None else min(busy_s, span)
    return Usage(
        started_at=started_at,
        counted_at=ended_at,
        busy=False,
        busy_s=busy,
        idle_s=span - busy,
        job_id=job_id,
        ended_at=ended_at,
        stop_reason=reason,
    )


def follow(
    current: Usage | None,
    signal: Signal,
    at: datetime,
    *,
    job_id: UUID | None = None,
    working: bool = False,
    meter_wh: float | None = None,
) -> Step:
    """What ``signal`` at ``at`` makes of the open session (None: none is open).

    A job or power opens one; the job's end or power's end closes it, but never power's end while a job is
    open. A job that starts before the open one did is history and disturbs nothing. ``working`` says whether
    the machine runs at the moment; ``meter_wh`` is its energy counter now.
    """
    if signal is Signal.JOB_STARTED:
        return _job_started(current, at, job_id, meter_wh)
    if current is None:
        if signal is Signal.POWER_ON:
            return Step(None, opened(at, busy=working, meter_wh=meter_wh))
        return Step(None, None)
    if signal is Signal.JOB_ENDED:
        ours = current.job_id in (None, job_id)
        return (
            Step(closed(replace(current, job_id=job_id), at, signal.value), None)
            if ours
            else Step(None, current)
        )
    if signal is Signal.POWER_OFF:
        if current.job_id is None:
            return Step(closed(current, at, signal.value), None)
        return Step(None, turned(current, at, busy=False))
    if signal in (Signal.JOB_PAUSED, Signal.JOB_RESUMED) and current.job_id != job_id:
        return Step(None, current)
    if signal is Signal.POWER_ON:
        return Step(None, current)
    return Step(None, turned(current, at, busy=signal in (Signal.WORKING, Signal.JOB_RESUMED)))


def _job_started(current: Usage | None, at: datetime, job_id: UUID | None, meter_wh: float | None) -> Step:
    if current is None:
        return Step(None, opened(at, busy=True, job_id=job_id, meter_wh=meter_wh))
    if current.job_id == job_id:
        return Step(None, current)
    if current.job_id is None:
        return Step(None, replace(turned(current, at, busy=True), job_id=job_id))
    if at < current.started_at:
        return Step(None, current)
    return Step(closed(current, at, "job_replaced"), opened(at, busy=True, job_id=job_id, meter_wh=meter_wh))


class Candidate(Protocol):
    """What attribution needs to know of a booking."""

    @property
    def id(self) -> int: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...


C = TypeVar("C", bound=Candidate)


def choose_booking(started_at: datetime, candidates: Iterable[C], early_start_s: int) -> C | None:
    """The booking whose span holds the start; else the next to begin within ``early_start_s``; else none.

    On a machine with several places more than one may hold it: the one that began last.
    """
    near = sorted(candidates, key=lambda booking: (booking.starts_at, booking.id))
    holding = [booking for booking in near if booking.starts_at <= started_at < booking.ends_at]
    if holding:
        return holding[-1]
    limit = started_at + timedelta(seconds=early_start_s)
    return next((booking for booking in near if started_at < booking.starts_at <= limit), None)
