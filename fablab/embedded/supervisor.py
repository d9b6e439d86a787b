"""Start children in order, bring back what dies, end all of them together. Standard library only."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from fablab.embedded.process import birth_options, wait_until

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
STEADY_AFTER_S = 30.0
STOP_WITHIN_S = 9.0


class StartFailed(RuntimeError):
    """A child ended, or was not ready in time, while everything was being started."""


class Stopped(Exception):
    """SIGINT or SIGTERM came while something was being waited for."""


@dataclass
class Service:
    """One child: how to start it, how to know that it works, and how to end it.

    `spawn` starts the process without waiting. Services of one `tier` are stopped at once, higher
    tiers before lower ones, so give a service a higher tier than what it needs.
    """

    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    tier: int
    ready: Callable[[], bool] = lambda: True
    ready_within_s: float = 30
    stop_signal: signal.Signals = signal.SIGTERM
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    failures: int = 0
    retry_at: float | None = None
    fault: str = ""

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ending(self) -> str:
        """How it ended, for a person."""
        code = self.process.returncode if self.process is not None else None
        if code is None:
            return self.fault or "not started"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def hint(self) -> str:
        return f"; see {self.log}" if self.log else ""


@dataclass
class Supervisor:
    """Owns the children. Use from the main thread; `signals()` must surround everything else.

    `say` gets one line when a child dies, and one when it keeps dying; the rest is in its log.
    `changed` is called whenever a process id changed.
    """

    say: Callable[[str], None]
    changed: Callable[[], None] = lambda: None
    services: list[Service] = field(default_factory=list)
    _wake_reader: int = -1

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into `Stopped` at the next wait, and stop every child at the end."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        self._wake_reader = reader
        former = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
        }
        former_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield
        except Stopped:
            pass
        finally:
            self.stop()
            signal.set_wakeup_fd(former_fd)
            for number, handler in former.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)

    def start(self, service: Service, *, wait: bool = True) -> None:
        """Start a child and, with `wait`, wait until it is ready. Raises StartFailed or Stopped."""
        self.services.append(service)
        self._spawn(service)
        if wait:
            self.await_ready(service)

    def await_ready(self, service: Service) -> None:
        """Raises StartFailed when the child ends or is not ready in time."""
        self.wait_until(lambda: not service.alive() or service.ready(), service.ready_within_s)
        if not service.alive():
            raise StartFailed(f"{service.name} ended at its start ({service.ending()}){service.hint()}")
        if not service.ready():
            raise StartFailed(
                f"{service.name} is not ready after {service.ready_within_s:.0f} s{service.hint()}"
            )

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Poll `condition`; False after `timeout` seconds. Raises Stopped on SIGINT and SIGTERM."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self._pause(0.05)
        return True

    def complete(self, argv: list[str], environment: dict[str, str], cwd: Path) -> int:
        """Run a short-lived command to its end, its output beside ours; returns its exit code.

        Raises Stopped on SIGINT and SIGTERM, and ends the command.
        """
        process = subprocess.Popen(argv, env=environment, cwd=cwd, **birth_options())
        try:
            while not self.wait_until(lambda: process.poll() is not None, 60):
                pass
            return process.returncode
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait(5)

    def run(self) -> None:
        """Bring back what dies, until SIGINT or SIGTERM raises Stopped."""
        while True:
            now = time.monotonic()
            due = [1.0]
            for service in self.services:
                if service.alive():
                    continue
                if service.retry_at is None:
                    self._note_death(service, now)
                if service.retry_at is not None and service.retry_at <= now:
                    self._spawn(service)
                elif service.retry_at is not None:
                    due.append(service.retry_at - now)
            self._pause(max(0.0, min(due)))

    def stop(self) -> None:
        """End every child, tier by tier, within STOP_WITHIN_S; who does not listen is killed."""
        deadline = time.monotonic() + STOP_WITHIN_S
        tiers = sorted({service.tier for service in self.services}, reverse=True)
        for index, tier in enumerate(tiers):
            group = [service for service in reversed(self.services) if service.tier == tier]
            for service in group:
                if service.alive() and service.process is not None:
                    service.process.send_signal(service.stop_signal)
            # What is left is shared fairly, so that the database at the end still gets its part.
            share = (deadline - time.monotonic()) / (len(tiers) - index)
            wait_until(lambda group=group: not any(s.alive() for s in group), max(0.2, share))  # type: ignore[misc]
            for service in group:
                self._sweep(service)
        self.services.clear()

    def _spawn(self, service: Service) -> None:
        service.retry_at = None
        service.fault = ""
        try:
            service.process = service.spawn()
        except (OSError, RuntimeError) as error:
            service.process, service.fault = None, str(error)
        service.started_at = time.monotonic()
        self.changed()

    def _note_death(self, service: Service, now: float) -> None:
        """Decide when to try again: at once after a steady life, then with growing pauses."""
        self._sweep(service)
        if now - service.started_at >= STEADY_AFTER_S:
            service.failures = 0
        service.failures += 1
        if service.failures == 1:
            service.retry_at = now
            self.say(f"{service.name} ended ({service.ending()}); starting it again")
            return
        service.retry_at = now + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (service.failures - 2))
        if service.failures == 4:
            self.say(f"{service.name} keeps ending ({service.ending()}); trying more rarely{service.hint()}")

    def _sweep(self, service: Service) -> None:
        """Kill what is left of a child's process group, and take its exit status."""
        if service.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(service.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.process.wait(2)

    def _pause(self, seconds: float) -> None:
        """Sleep, but wake for a signal: a child that ended, or a request to stop."""
        select.select([self._wake_reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            if {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}.intersection(os.read(self._wake_reader, 512)):
                raise Stopped

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """The number travels through the wake-up pipe; here nothing is left to do."""


def command(
    argv: list[str], log: Path, environment: dict[str, str], cwd: Path
) -> Callable[[], subprocess.Popen[bytes]]:
    """A `spawn` for a plain command whose output goes to `log`."""

    def spawn() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                argv, stdout=output, stderr=output, env=environment, cwd=cwd, **birth_options()
            )

    return spawn
