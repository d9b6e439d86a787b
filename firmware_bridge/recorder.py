"""Takes in what is observed of one machine: state machine, then disk, then a nudge to the publisher."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from firmware_bridge import state
from firmware_bridge.drivers.base import Expecting
from firmware_bridge.memory import Memory, OpenJob, after_restart
from firmware_bridge.outbox import Outbox
from firmware_bridge.reports import Report
from firmware_bridge.snapshot import Observation, Snapshot
from firmware_bridge.wire.messages import MachineState, Reading

log = logging.getLogger(__name__)

THIN_BACKLOG, FULL_BACKLOG = 20_000, 200_000
"""Messages waiting: above the first, readings are kept once a minute; above the second, none."""

THIN_EVERY = timedelta(seconds=60)


class Recorder:
    """One machine's memory and its way into the outbox; poller and push thread both report here."""

    def __init__(
        self, lab: str, slug: str, outbox: Outbox, nudge: Callable[[], None], lost_after: timedelta
    ) -> None:
        self.slug = slug
        self._key = f"{lab}/{slug}"
        self._outbox, self._nudge, self._lost_after = outbox, nudge, lost_after
        self._lock = threading.Lock()
        self._memory = after_restart(outbox.recall(slug))
        self._thinned_at: datetime | None = None
        self._said: MachineState | None = None
        self._too_soon = False

    @property
    def job(self) -> OpenJob | None:
        """The open job, if any."""
        return self._memory.job

    @property
    def in_doubt(self) -> bool:
        """Whether another look soon would settle how a job ended."""
        job = self._memory.job
        return job is not None and job.doubt_since is not None

    @property
    def unsettled(self) -> bool:
        """Whether the last look came too soon after the last news to decide anything."""
        return self._too_soon

    @property
    def expecting(self) -> Expecting | None:
        """The open job in the form a driver looks for."""
        job = self._memory.job
        if job is None:
            return None
        return Expecting(job.file, job.path, job.origin, job.position, job.print_time_s)

    def take(self, observation: Observation) -> None:
        """Learn from one observation and store what follows from it."""
        with self._lock:
            now = datetime.now(UTC)
            if isinstance(observation, Snapshot):
                self._too_soon = state.too_soon(self._memory, observation)
            memory, reports = state.observe(self._key, self._memory, observation, now, self._lost_after)
            self._store(memory, reports, now)

    def announce(self) -> None:
        """Report the present status once more."""
        with self._lock:
            now = datetime.now(UTC)
            memory, reports = state.announce(self._memory, now)
            self._store(memory, reports, now)

    def answer(self, report: Report) -> None:
        """Store a report that changes nothing in memory (the answer to a command)."""
        with self._lock:
            self._store(self._memory, [report], datetime.now(UTC))

    def _store(self, memory: Memory, reports: list[Report], now: datetime) -> None:
        # Disk first: should it fail, the next look finds the same news and tells it again.
        self._outbox.append(self.slug, memory, [r for r in reports if not self._too_many(r, now)])
        self._memory = memory
        self._log_change()
        if reports:
            self._nudge()

    def _too_many(self, report: Report, now: datetime) -> bool:
        if not isinstance(report, Reading) or self._outbox.backlog < THIN_BACKLOG:
            return False
        if self._outbox.backlog >= FULL_BACKLOG:
            return True
        if self._thinned_at is not None and now - self._thinned_at < THIN_EVERY:
            return True
        self._thinned_at = now
        return False

    def _log_change(self) -> None:
        state = self._memory.state
        if state is self._said:
            return
        bad = (MachineState.UNREACHABLE, MachineState.ERROR)
        if state in bad:
            log.warning("%s is %s: %s", self.slug, state, self._memory.detail or "no reason known")
        elif self._said in bad:
            log.info("%s is back: %s", self.slug, state)
        self._said = state
