"""The one state machine: (memory, observation, now) -> (memory, messages). Pure.

Two witnesses feed it: push events say when and why a job begins and ends, looks (polls) check it and stand
in when there is no push. Whatever they say and in whatever order, each job is opened once, closed once, and
never comes back:

- a start opens a job and mints its id from machine and start time; a start while one is open ends that one;
- an end without an open job is the second announcement of an end that was counted, and is dropped;
- a look that began before the last push event knows less than the event and decides nothing;
- a look that finds a job over while push is alive waits `GRACE` for the event, which knows time and reason;
- out of reach, a job stays open until the machine is back and the evidence is weighed (or `lost_after`).
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from msgspec.structs import replace

from firmware_bridge.evidence import begun_at, same_run, verdict
from firmware_bridge.memory import Memory, OpenJob
from firmware_bridge.reports import UNNUMBERED, Report, job_event, reading, status
from firmware_bridge.snapshot import ACTIVE, Heard, JobSeen, News, Observation, Progressed, Snapshot
from firmware_bridge.wire.codec import instant
from firmware_bridge.wire.messages import Event, EventKind, MachineState, Outcome

JOB_IDS = UUID("6f1d1f0e-7b0c-5c63-9a35-0d7c2f5b7a11")
"""Namespace of job ids."""

GRACE = timedelta(seconds=1.5)
SETTLE_S = 0.3
"""A look asked this shortly after an event may still show the moment before it."""
ENDED_SETTLE_S = 1.0
PAIRED_NEWS = timedelta(seconds=5)
SAME_START = timedelta(seconds=5)
HEARTBEAT = timedelta(seconds=60)
READING_ACTIVE = timedelta(seconds=2)
READING_QUIET = timedelta(seconds=30)
LOST_AFTER = timedelta(minutes=30)


def observe(
    machine: str, memory: Memory, observation: Observation, now: datetime, lost_after: timedelta = LOST_AFTER
) -> tuple[Memory, list[Report]]:
    """What the observation changes, and what to report. `machine` is "lab/slug", the seed of job ids."""
    step = _Step(machine, memory, now, lost_after)
    if isinstance(observation, Snapshot):
        step.look(observation)
    elif isinstance(observation, Heard):
        step.hear(observation)
    else:
        step.progress(observation)
    return step.finish()


def too_soon(memory: Memory, seen: Snapshot) -> bool:
    """Whether a look came so shortly after the last news that it decides nothing, and another must follow."""
    if seen.asked_mono < memory.news_mono + SETTLE_S:
        return True
    ended_lately = seen.asked_mono < memory.ended_mono + ENDED_SETTLE_S
    return memory.job is None and seen.state in ACTIVE and ended_lately


def announce(memory: Memory, now: datetime) -> tuple[Memory, list[Report]]:
    """A fresh status of what is known, for a server that may have missed the last ones."""
    if memory.state is None:
        return memory, []
    memory = replace(memory, status_at=now)
    return memory, [status(memory, now)]


class _Step:
    """One observation being taken in; a throw-away accumulator around immutable memory."""

    def __init__(self, machine: str, memory: Memory, now: datetime, lost_after: timedelta) -> None:
        self.machine, self.before, self.memory = machine, memory, memory
        self.now, self.lost_after = now, lost_after
        self.reports: list[Report] = []

    def keep(self, **changes: Any) -> None:
        self.memory = replace(self.memory, **changes)

    def keep_job(self, **changes: Any) -> None:
        if self.memory.job is not None:
            self.keep(job=replace(self.memory.job, **changes))

    # --- looks

    def look(self, seen: Snapshot) -> None:
        if seen.asked_mono < self.memory.news_mono:
            return
        if seen.state is MachineState.UNREACHABLE:
            self.out_of_reach(seen)
            return
        if seen.asked_mono < self.memory.news_mono + SETTLE_S:
            return
        self.keep(
            unanswered_looks=0,
            temperatures=seen.temperatures,
            power_w=seen.power_w,
            energy_wh=seen.energy_wh,
            energy_epoch=seen.energy_epoch,
        )
        active = seen.job if seen.state in ACTIVE else None
        job = self.memory.job
        watched = job is not None and seen.push_alive and not job.gap
        if job is not None and (active is None or not same_run(job, active, seen.asked_at, watched=watched)):
            if watched and not self.waited_for_news(job):
                return
            found = verdict(job, seen)
            self.close(found.outcome, found.ended_at, found.print_time_s, found.reason)
        elif job is not None and active is not None:
            self.still_running(seen, active)
        if self.memory.job is None and active is not None:
            if active.ending or seen.asked_mono < self.memory.ended_mono + ENDED_SETTLE_S:
                return
            self.open(active, begun_at(active, seen.asked_at), paused=seen.state is MachineState.PAUSED)
        self.turn(seen.state, seen.detail)
        if seen.switched:
            self.power(on=seen.state in (MachineState.IDLE, MachineState.RUNNING, MachineState.PAUSED))

    def out_of_reach(self, seen: Snapshot) -> None:
        unanswered = self.memory.unanswered_looks + 1
        self.keep(unanswered_looks=unanswered)
        if seen.slow and seen.push_alive and unanswered < 3:
            return  # busy, not gone: the push connection still speaks
        self.keep_job(gap=True)
        job = self.memory.job
        if job is not None and self.now - job.seen_at > self.lost_after:
            self.close(Outcome.INTERRUPTED, job.seen_at, job.print_time_s, "not reachable since")
        self.turn(MachineState.UNREACHABLE, seen.detail)

    def waited_for_news(self, job: OpenJob) -> bool:
        if job.doubt_since is None:
            self.keep_job(doubt_since=self.now)
            return False
        return self.now - job.doubt_since >= GRACE

    def still_running(self, seen: Snapshot, active: JobSeen) -> None:
        self.keep_job(begun_at=begun_at(active, seen.asked_at), gap=False, doubt_since=None)
        self.take_progress(active, seen.asked_at)
        self.pause(seen.state is MachineState.PAUSED)

    # --- push

    def hear(self, heard: Heard) -> None:
        self.keep(news_mono=heard.heard_mono)
        job = self.memory.job
        if heard.news is News.STARTED:
            self.started(heard)
        elif heard.news is News.DONE and job is not None:
            self.close(Outcome.FINISHED, heard.at, heard.print_time_s or job.print_time_s)
            self.turn(MachineState.IDLE)
        elif heard.news is News.CANCELLED:
            self.cancelled(heard)
        elif heard.news is News.FAILED and job is not None:
            reason = job.fault or heard.reason or "the machine reported a failed print"
            self.close(Outcome.FAILED, heard.at, heard.print_time_s or job.print_time_s, reason)
            self.turn(MachineState.ERROR, reason)
        elif heard.news is News.PAUSED and job is not None:
            self.pause(True)
            self.turn(MachineState.PAUSED)
        elif heard.news is News.RESUMED and job is not None:
            self.pause(False)
            self.turn(MachineState.RUNNING)
        elif heard.news is News.FAULT:
            self.keep_job(fault=heard.reason)
            if job is None:
                self.turn(MachineState.ERROR, heard.reason)
        elif heard.news is News.STATE and heard.state is not None:
            self.state_changed(heard.state)

    def started(self, heard: Heard) -> None:
        job = self.memory.job
        if job is not None:
            known = not job.confirmed and (job.path or job.file) == (heard.path or heard.file)
            if known and abs(heard.at - job.begun_at) <= SAME_START:
                self.keep_job(confirmed=True, begun_at=heard.at, gap=False)
                return
            if job.paused and not job.gap:
                # OctoPrint's `restart` of a paused job announces the second run only. The first was given up.
                self.close(Outcome.CANCELLED, heard.at, job.print_time_s, "started again from the beginning")
            else:
                self.close(Outcome.INTERRUPTED, job.seen_at, job.print_time_s, "another job began")
        seen = JobSeen(file=heard.file, path=heard.path, origin=heard.origin, owner=heard.owner)
        self.open(seen, heard.at, confirmed=True)
        self.turn(MachineState.RUNNING)

    def cancelled(self, heard: Heard) -> None:
        memory = self.memory
        owed = memory.ended_news_owed and memory.ended_at is not None
        if owed and memory.ended_at is not None and heard.at - memory.ended_at <= PAIRED_NEWS:
            self.keep(ended_news_owed=False)
        elif memory.job is not None:
            self.close(Outcome.CANCELLED, heard.at, heard.print_time_s or memory.job.print_time_s)
            self.keep(ended_news_owed=True)
            self.turn(MachineState.IDLE)

    def state_changed(self, state: MachineState) -> None:
        job = self.memory.job
        if job is None:
            if state in ACTIVE or (state is MachineState.OFF and self.memory.state is MachineState.ERROR):
                return  # the next look knows the job, or the reason
            self.turn(state)
        elif state in ACTIVE:
            self.pause(state is MachineState.PAUSED)
            self.turn(state)
        elif job.doubt_since is None:
            self.keep_job(doubt_since=self.now)

    def progress(self, seen: Progressed) -> None:
        if seen.temperatures:
            self.keep(temperatures={**self.memory.temperatures, **seen.temperatures})
        skew, known = seen.clock_skew_s, self.memory.clock_skew_s
        if skew is not None and (known is None or abs(skew - known) > 1):
            self.keep(clock_skew_s=round(skew, 1))
        job = self.memory.job
        if job is None or seen.job is None or job.gap:
            return
        # Just after a start the machine may still tell the previous run's figures.
        fresh = seen.at - job.started_at > timedelta(seconds=1)
        possible = (seen.job.print_time_s or 0) <= (seen.at - job.begun_at).total_seconds() + 5
        if fresh and possible and (seen.job.path or seen.job.file) == (job.path or job.file):
            self.take_progress(seen.job, seen.at)
            if seen.job.print_time_s is not None:
                self.keep_job(begun_at=begun_at(seen.job, seen.at))

    # --- jobs

    def open(
        self, seen: JobSeen, started_at: datetime, *, paused: bool = False, confirmed: bool = False
    ) -> None:
        previous = self.memory.ended_at
        if previous is not None and timedelta(0) < previous - started_at < timedelta(seconds=10):
            started_at = previous  # whole-second print times: jobs of one machine never overlap
        job_id = uuid5(JOB_IDS, f"{self.machine}/{instant(started_at)}")
        if job_id == self.memory.ended_id:
            started_at += timedelta(milliseconds=1)
            job_id = uuid5(JOB_IDS, f"{self.machine}/{instant(started_at)}")
        job = OpenJob(
            id=job_id,
            started_at=started_at,
            file=seen.file,
            path=seen.path,
            origin=seen.origin,
            begun_at=started_at,
            seen_at=self.now,
            confirmed=confirmed,
        )
        self.keep(job=job)
        self.take_progress(seen, self.now)
        self.tell(EventKind.JOB_STARTED, started_at)
        self.pause(paused)

    def take_progress(self, seen: JobSeen, at: datetime) -> None:
        job = self.memory.job
        if job is None:
            return
        self.keep_job(
            owner=seen.owner or job.owner,
            progress=seen.progress,
            position=seen.position if seen.position is not None else job.position,
            print_time_s=seen.print_time_s if seen.print_time_s is not None else job.print_time_s,
            remaining_s=seen.remaining_s,
            estimated_s=seen.estimated_s or job.estimated_s,
            filament_mm=seen.filament_mm or job.filament_mm,
            seen_at=max(at, job.seen_at),
        )

    def pause(self, paused: bool) -> None:
        job = self.memory.job
        if job is not None and job.paused != paused:
            self.keep_job(paused=paused)
            self.tell(EventKind.JOB_PAUSED if paused else EventKind.JOB_RESUMED, self.now)

    def close(
        self, outcome: Outcome, ended_at: datetime, print_time_s: float | None, reason: str | None = None
    ) -> None:
        job = self.memory.job
        if job is None:
            return
        ended_at = max(ended_at, job.started_at)
        self.reports.append(job_event(job, ended_at, outcome, print_time_s, reason))
        self.keep(
            job=None,
            ended_id=job.id,
            ended_at=ended_at,
            ended_as=outcome,
            ended_mono=self.memory.news_mono,
            ended_news_owed=False,
        )

    def tell(self, kind: EventKind, at: datetime) -> None:
        job = self.memory.job
        if job is not None:
            self.reports.append(job_event(job, at, kind=kind))

    # --- state and reports

    def power(self, *, on: bool) -> None:
        if self.memory.powered is not on:
            first_and_off = self.memory.powered is None and not on
            self.keep(powered=on)
            if not first_and_off:
                kind = EventKind.POWER_ON if on else EventKind.POWER_OFF
                self.reports.append(Event(id=UNNUMBERED, at=self.now, historical=False, event=kind))

    def turn(self, state: MachineState, detail: str | None = None) -> None:
        if state is not self.memory.state:
            self.keep(since=self.now)
        self.keep(state=state, detail=detail)

    def finish(self) -> tuple[Memory, list[Report]]:
        """Add the status and the reading that are due."""
        memory, now = self.memory, self.now
        if memory.state is None:
            return memory, self.reports
        if _visible(memory) != _visible(self.before) or _due(memory.status_at, HEARTBEAT, now):
            self.keep(status_at=now)
            self.reports.append(status(self.memory, now))
        every = READING_ACTIVE if memory.state in ACTIVE else READING_QUIET
        if memory.state is not MachineState.UNREACHABLE and _due(memory.reading_at, every, now):
            self.keep(reading_at=now)
            figures = reading(self.memory, now)
            if figures is not None:
                self.reports.append(figures)
        return self.memory, self.reports


def _visible(memory: Memory) -> tuple[object, ...]:
    return memory.state, memory.detail, memory.job.id if memory.job else None


def _due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    # A clock that was set back must not silence a machine for hours.
    return last is None or not timedelta(0) <= now - last < every
