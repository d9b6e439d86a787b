"""One thread per machine: looks, waits, carries out orders. A dead or hung host delays nobody else."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from firmware_bridge.drivers.base import Done, Driver
from firmware_bridge.recorder import Recorder
from firmware_bridge.reports import UNNUMBERED
from firmware_bridge.snapshot import Heard, Progressed
from firmware_bridge.wire.messages import Ack, Action, Command

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 1.5
"""When a job seems over but its end was not told: the next look settles it."""

SETTLED_S = 0.4
"""When a look came in the same moment as news: the start it may have shown must not wait a whole round."""

SHORTEST_PAUSE_S = 0.1
REMEMBERED_ORDERS = 200


class Worker:
    """The thread of one machine."""

    def __init__(self, driver: Driver, recorder: Recorder) -> None:
        self.slug = recorder.slug
        self._driver, self._recorder = driver, recorder
        self._orders: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._seen_orders: dict[str, None] = {}
        self._due = threading.Event()
        self._stop = threading.Event()
        self._listener = driver.listener(self._hear, self._due.set)
        self._thread = threading.Thread(target=self._run, name=f"watch-{self.slug}", daemon=True)
        self._guarding = _Guard(self.slug)

    def start(self) -> None:
        """Begin to watch."""
        if self._listener is not None:
            self._listener.start()
        self._thread.start()

    def stop(self) -> None:
        """End soon; does not wait."""
        self._stop.set()
        self._due.set()
        if self._listener is not None:
            self._listener.stop()

    def join(self, timeout: float) -> None:
        """Wait for both threads, together at most `timeout` seconds; a hung request is left behind."""
        until = time.monotonic() + timeout
        self._thread.join(timeout)
        if self._listener is not None:
            self._listener.join(max(0.0, until - time.monotonic()))

    def order(self, command: Command) -> None:
        """Carry the command out in the machine's own thread; a repeated delivery is ignored."""
        key = str(command.id)
        if key in self._seen_orders:
            return
        self._seen_orders[key] = None
        while len(self._seen_orders) > REMEMBERED_ORDERS:
            self._seen_orders.pop(next(iter(self._seen_orders)))
        self._orders.put(command)
        self._due.set()

    def announce(self) -> None:
        """Report the present status once more."""
        self._guarding.run(self._recorder.announce)

    def _hear(self, observation: Heard | Progressed) -> None:
        self._guarding.run(lambda: self._recorder.take(observation))
        if self._recorder.in_doubt:
            self._due.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._due.clear()
            self._carry_out_orders()
            pause_s = self._look_once()
            self._due.wait(max(pause_s, SHORTEST_PAUSE_S))
        self._driver.close()

    def _look_once(self) -> float:
        pause_s = 5.0

        def look() -> None:
            nonlocal pause_s
            snapshot = self._driver.look(self._recorder.expecting)
            if self._stop.is_set():
                return
            self._recorder.take(snapshot)
            pause_s = self._driver.pause_s(snapshot)
            if self._recorder.unsettled:
                pause_s = min(pause_s, SETTLED_S)
            elif self._recorder.in_doubt:
                pause_s = min(pause_s, LOOK_AGAIN_S)

        self._guarding.run(look)
        return pause_s

    def _carry_out_orders(self) -> None:
        while not self._stop.is_set():
            try:
                command = self._orders.get_nowait()
            except queue.Empty:
                return
            self._guarding.run(lambda command=command: self._carry_out(command))  # type: ignore[misc]

    def _carry_out(self, command: Command) -> None:
        done = self._judge(command)
        if done is None:
            done = self._driver.act(Action(command.action))
        now = datetime.now(UTC)
        self._recorder.answer(
            Ack(
                id=UNNUMBERED,
                at=now,
                historical=False,
                command=command.id,
                ok=done.ok,
                detail=done.detail,
            )
        )
        log.info("%s: %s %s", self.slug, command.action, "done" if done.ok else f"refused: {done.detail}")

    def _judge(self, command: Command) -> Done | None:
        """A refusal, or None when the order may be carried out now."""
        if command.action not in list(Action):
            return Done(False, "unknown action")
        if command.expires_at <= datetime.now(UTC):
            return Done(False, "the command came too late")
        job = self._recorder.job
        if command.for_job is not None and (job is None or job.id != command.for_job):
            return Done(False, "the job is over")
        return None


class _Guard:
    """Keeps a thread alive over a fault of ours or of the disk; says so once, and when it is over."""

    def __init__(self, slug: str) -> None:
        self._slug = slug
        self._failing = False

    def run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            if not self._failing:
                log.exception("%s: an observation could not be recorded", self._slug)
            self._failing = True
        else:
            if self._failing:
                log.info("%s: recording again", self._slug)
            self._failing = False
