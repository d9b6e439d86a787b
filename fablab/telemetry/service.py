"""Bridges' messages into the database: each one exactly once, in order, whatever comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.db import notify_all
from fablab.machines.models import Lab, Machine
from fablab.settings import Settings
from fablab.telemetry import bridges, store
from fablab.telemetry.bridges import Outbox
from fablab.telemetry.incoming import Incoming
from fablab.telemetry.models import MachineStatus, MessageGap
from fablab.telemetry.rules import Verdict, believable_span, judge
from fablab.telemetry.store import Change, Live
from fablab.usage.rules import Misplaced, Signal
from fablab.usage.service import Ended, Ledger
from fablab.usage.store import JobNews
from firmware_bridge.wire.messages import (
    Ack,
    Event,
    JobEvent,
    MachineState,
    Numbered,
    Presence,
    Reading,
    Status,
)
from firmware_bridge.wire.topics import BY_BRIDGE


@dataclass(slots=True)
class Applied:
    """What a batch did: for the bridges, the statistics and the log."""

    # Outboxes whose bridge should hear (again) how far they are: moved, repeated, held or announced.
    told: list[Outbox] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    duplicates: int = 0
    held: int = 0
    dead: int = 0
    gaps: int = 0


def apply_batch(session: Session, batch: Sequence[Incoming], settings: Settings) -> Applied:
    """Put a batch of messages into the database.

    1. Lock the marks of the outboxes it names; read its machines with their newest word and open sessions.
    2. Judge each message by its number; apply the next ones in order, in memory or, for events, at once.
    3. Write readings, newest words, changes of state, counted seconds, marks and dead letters: one
       statement each. Tell live viewers.

    The same batch again changes nothing. A message that cannot be applied becomes a dead letter and counts
    as committed when its number could be read and its outbox belongs to the topic's lab.
    """
    intake = _Intake(session, batch, settings)
    for incoming in batch:
        intake.take(incoming)
    return intake.write()


class _Intake:
    """One batch on its way."""

    def __init__(self, session: Session, batch: Sequence[Incoming], settings: Settings) -> None:
        self._session = session
        self._telemetry = settings.telemetry
        self._applied = Applied()
        self._outboxes = bridges.lock_outboxes(session, _outboxes_in(batch))
        self._machines, self._lives = _read_machines(session, batch)
        ids = [machine_id for machine_id, _, _ in self._machines.values()]
        now = max(incoming.received_at for incoming in batch)
        self._ledger = Ledger(session, ids, settings.usage.early_start_s, settings.bookings.late_start_s, now)
        self._oldest, self._newest = believable_span(
            now, self._telemetry.oldest_message_days, self._telemetry.newest_message_s
        )
        self._told: set[UUID] = set()
        self._readings: list[str] = []
        self._changes: list[Change] = []
        self._late_changes: set[tuple[int, datetime, str]] = set()
        self._dead: list[Incoming] = []
        self._gaps: list[dict[str, object]] = []
        self._silenced: dict[int, int] = {}

    def take(self, incoming: Incoming) -> None:
        """Judge one message and apply it if it is its turn."""
        if incoming.id is None:
            self._take_unnumbered(incoming)
            return
        outbox = self._outboxes.get(incoming.id.outbox)
        if outbox is None:
            # The bridge sends it again once its presence has arrived; only the first is kept to look at.
            self._applied.held += 1
            if bridges.is_first_of_unknown(incoming.id.outbox):
                self._dead.append(incoming.dead("its outbox was not announced by any bridge's presence"))
            return
        if outbox.lab != incoming.lab:
            # Must not count: another lab could otherwise make this outbox's own messages look like repeats.
            self._dead.append(incoming.dead("its outbox belongs to a bridge of another lab"))
            return
        before = outbox.mark
        verdict, outbox.mark = judge(
            before, incoming.id.seq, incoming.received_at, self._telemetry.gap_accept_s
        )
        self._told.add(outbox.id)
        if verdict is Verdict.DUPLICATE:
            self._applied.duplicates += 1
            return
        if verdict is Verdict.HOLD:
            self._applied.held += 1
            return
        if verdict is Verdict.ACCEPT_GAP:
            self._gaps.append(
                {
                    "outbox": outbox.id,
                    "first_seq": before.committed + 1,
                    "last_seq": incoming.id.seq - 1,
                    "recorded_at": incoming.received_at,
                }
            )
        reason = incoming.reason or self._apply(incoming, outbox)
        if reason is not None:
            self._dead.append(incoming.dead(reason))

    def write(self) -> Applied:
        """Write everything that was gathered; a constant number of statements."""
        session, applied = self._session, self._applied
        changed = [live for live in self._lives.values() if live.changed]
        store.copy_readings(session, self._readings)
        store.write_live(session, changed)
        store.write_changes(session, self._changes)
        self._ledger.flush()
        if self._gaps:
            session.execute(MessageGap.__table__.insert(), self._gaps)  # type: ignore[attr-defined]
        store.write_marks(
            session, [(box.id, box.mark) for box in self._outboxes.values() if box.mark != box.stored]
        )
        store.write_dead_letters(session, self._dead)
        touched = self._silenced | {live.machine_id: live.lab_id for live in changed}
        notify_all(
            session,
            [{"kind": "status", "machine": machine, "lab": lab} for machine, lab in touched.items()],
        )
        applied.told = [self._outboxes[outbox] for outbox in self._told]
        applied.ended = self._ledger.ended
        applied.dead = len(self._dead)
        applied.gaps = len(self._gaps)
        return applied

    def _take_unnumbered(self, incoming: Incoming) -> None:
        message = incoming.message
        if not isinstance(message, Presence):
            self._dead.append(incoming.dead(incoming.reason or "a message of this kind needs a number"))
            return
        bridge = bridges.find(self._session, incoming.lab, incoming.subject)
        if bridge is None:
            self._dead.append(incoming.dead("there is no such bridge in this lab"))
            return
        if message.outbox is not None:
            announced = self._outboxes.get(message.outbox)
            if announced is not None and announced.lab != incoming.lab:
                self._dead.append(incoming.dead("its outbox belongs to a bridge of another lab"))
                return
        if not bridges.came_or_went(self._session, bridge, message, incoming.received_at):
            return
        for outbox in self._outboxes.values():
            if outbox.bridge_id == bridge.id:
                outbox.forget_gap()
        if message.outbox is not None:
            self._outboxes[message.outbox] = bridges.announce(
                self._session,
                bridge,
                message.outbox,
                incoming.received_at,
                self._outboxes.get(message.outbox),
            )
            self._told.add(message.outbox)
        self._silenced |= bridges.machines_of(self._session, bridge.id)

    def _apply(self, incoming: Incoming, outbox: Outbox) -> str | None:
        """Apply one message in its turn; returns why it cannot be."""
        machine = self._machines.get(incoming.subject)
        if machine is None:
            return "there is no such machine"
        machine_id, lab_id, lab = machine
        if lab != incoming.lab:
            return "the machine belongs to another lab"
        message = incoming.message
        assert isinstance(message, Numbered)
        if not self._believable(message.at):
            return f"its time {message.at.isoformat()} cannot be true"
        if isinstance(message, Reading):
            self._readings.append(store.reading_line(machine_id, lab_id, message))
            self._reading(machine_id, message, incoming.received_at)
        elif isinstance(message, Status):
            self._status(machine_id, lab_id, outbox.bridge_id, message, incoming.received_at)
        elif isinstance(message, Event):
            return self._event(machine_id, lab_id, message)
        else:
            # Commands are not sent yet, so nobody waits for their answers.
            assert isinstance(message, Ack)
        return None

    def _reading(self, machine_id: int, message: Reading, received_at: datetime) -> None:
        live = self._lives.get(machine_id)
        if live is not None and message.at >= live.at:
            _saw(live, message, received_at)
            if message.temperatures is not None:
                live.temperatures = message.temperatures
            if message.power_w is not None:
                live.power_w = message.power_w
            if message.energy_wh is not None:
                live.energy_wh = message.energy_wh
            if message.progress is not None and live.job is not None:
                live.job = {**live.job, "progress": message.progress}
        self._ledger.seen(machine_id, message.at, message.energy_wh, message.energy_epoch)

    def _status(
        self, machine_id: int, lab_id: int, bridge_id: int, message: Status, received_at: datetime
    ) -> None:
        live = self._lives.get(machine_id)
        since = min(message.since, message.at)
        state = message.state.value
        if live is not None and message.at < live.at:
            # Late news: it belongs into the history, the newer word stays.
            key = (machine_id, since, state)
            if key not in self._late_changes and self._believable(since):
                self._late_changes.add(key)
                self._changes.append(Change(machine_id, lab_id, since, None, state, message.detail, True))
            return
        before = None if live is None else live.state
        if before != state:
            at = since if self._believable(since) else message.at
            self._changes.append(
                Change(machine_id, lab_id, at, before, state, message.detail, message.historical)
            )
            working = message.state is MachineState.RUNNING
            self._ledger.signal(machine_id, lab_id, Signal.WORKING if working else Signal.RESTING, at)
        if live is None:
            live = Live(machine_id, lab_id, bridge_id, state, since, message.at, message.at)
            self._lives[machine_id] = live
        _saw(live, message, received_at)
        live.lab_id, live.bridge_id = lab_id, bridge_id
        live.state, live.since, live.detail = state, since, message.detail
        live.job = _job(message, live.at)
        live.temperatures = message.temperatures
        live.power_w, live.clock_skew_s = message.power_w, message.clock_skew_s
        live.energy_wh = message.energy_wh
        self._ledger.seen(machine_id, message.at, message.energy_wh)

    def _event(self, machine_id: int, lab_id: int, message: Event) -> str | None:
        live = self._lives.get(machine_id)
        signal = Signal(message.event.value)
        meter_wh = None if live is None else live.energy_wh
        if message.job is None:
            working = live is not None and live.state == MachineState.RUNNING.value
            self._ledger.signal(machine_id, lab_id, signal, message.at, working=working, meter_wh=meter_wh)
            return None
        job = message.job
        for at in (job.started_at, job.ended_at):
            if at is not None and not self._believable(at):
                return f"its job's time {at.isoformat()} cannot be true"
        try:
            self._ledger.job_event(
                machine_id,
                lab_id,
                signal,
                message.at,
                _news(job),
                historical=message.historical,
                meter_wh=meter_wh,
            )
        except Misplaced as error:
            return str(error)
        return None

    def _believable(self, at: datetime) -> bool:
        return self._oldest <= at <= self._newest


def _saw(live: Live, message: Status | Reading, received_at: datetime) -> None:
    """Note the stamp of the newest word. One from the future counts as now, or it would outlive the truth."""
    live.at = min(message.at, received_at)
    live.seen_at = max(live.seen_at, live.at) if message.historical else received_at
    live.changed = True


def _job(message: Status, at: datetime) -> dict[str, Any] | None:
    """The open job as viewers get it: as the wire has it, and when it will be done if it goes on as now."""
    if message.job is None:
        return None
    job: dict[str, Any] = msgspec.to_builtins(message.job)
    eta_at = None
    if message.state is MachineState.RUNNING and message.job.remaining_s is not None:
        eta_at = (at + timedelta(seconds=message.job.remaining_s)).isoformat()
    return {**job, "eta_at": eta_at}


def _news(job: JobEvent) -> JobNews:
    return JobNews(
        id=job.id,
        file=job.file,
        started_at=job.started_at,
        ended_at=job.ended_at,
        outcome=None if job.outcome is None else job.outcome.value,
        reason=job.reason,
        print_time_s=job.print_time_s,
        elapsed_s=job.elapsed_s,
        estimated_s=job.estimated_s,
        filament_mm=job.filament_mm,
        owner=job.owner,
    )


def _outboxes_in(batch: Sequence[Incoming]) -> set[UUID]:
    found = {incoming.id.outbox for incoming in batch if incoming.id is not None}
    for incoming in batch:
        if isinstance(incoming.message, Presence) and incoming.message.outbox is not None:
            found.add(incoming.message.outbox)
    return found


def _read_machines(
    session: Session, batch: Sequence[Incoming]
) -> tuple[dict[str, tuple[int, int, str]], dict[int, Live]]:
    """The machines a batch names as slug -> (id, lab id, lab slug), and their newest words by id."""
    slugs = {incoming.subject for incoming in batch if incoming.kind not in BY_BRIDGE}
    rows = session.execute(
        select(Machine.id, Machine.slug, Machine.lab_id, Lab.slug.label("lab"), MachineStatus.__table__)
        .join(Lab, Lab.id == Machine.lab_id)
        .outerjoin(MachineStatus, MachineStatus.machine_id == Machine.id)
        .where(Machine.slug.in_(slugs))
    )
    machines: dict[str, tuple[int, int, str]] = {}
    lives: dict[int, Live] = {}
    for machine_id, slug, lab_id, lab, known, _, bridge_id, *word in rows:
        machines[slug] = (machine_id, lab_id, lab)
        if known is not None:
            lives[machine_id] = Live(machine_id, lab_id, bridge_id, *word)
    return machines, lives
