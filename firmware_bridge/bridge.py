"""One bridge, wired: workers -> recorders -> outbox -> publisher."""

import logging
import time
from datetime import timedelta
from uuid import uuid4

from firmware_bridge.drivers.base import Driver
from firmware_bridge.drivers.octoprint import OctoPrintDriver
from firmware_bridge.drivers.simulated import SimulatedDriver
from firmware_bridge.outbox import Outbox
from firmware_bridge.publisher import Publisher
from firmware_bridge.recorder import Recorder
from firmware_bridge.settings import Machine, OctoPrintMachine, Settings
from firmware_bridge.wire.messages import Command
from firmware_bridge.worker import Worker

log = logging.getLogger(__name__)


def driver_for(machine: Machine) -> Driver:
    """The driver that a machine's settings ask for."""
    if isinstance(machine, OctoPrintMachine):
        return OctoPrintDriver(machine.slug, machine.url, machine.api_key or "", push=machine.push)
    return SimulatedDriver(machine)


class Bridge:
    """Everything that one settings file describes."""

    def __init__(self, settings: Settings) -> None:
        """Opens the outbox; raises OutboxInUse or OSError. Nothing connects before `start`."""
        self.settings = settings
        self._outbox = Outbox(settings.outbox_path)
        self._publisher = Publisher(settings, self._outbox, uuid4(), self._command, self._announce)
        lost_after = timedelta(seconds=settings.lost_after_s)
        self._workers: dict[str, Worker] = {}
        for machine in settings.machine:
            recorder = Recorder(settings.lab, machine.slug, self._outbox, self._publisher.nudge, lost_after)
            self._workers[machine.slug] = Worker(driver_for(machine), recorder)

    def start(self) -> None:
        """Begin to watch and to send."""
        log.info("bridge %s/%s: %d machines", self.settings.lab, self.settings.name, len(self._workers))
        self._publisher.start()
        for worker in self._workers.values():
            worker.start()

    def stop(self) -> None:
        """Ask everything to end; does not wait."""
        self._publisher.stop()
        for worker in self._workers.values():
            worker.stop()

    def join(self, until: float) -> None:
        """Wait for the goodbye and close the outbox, at the latest at `until` (time.monotonic())."""
        self._publisher.join(max(0.0, until - time.monotonic()))
        for worker in self._workers.values():
            worker.join(max(0.0, until - time.monotonic()))
        self._outbox.close()

    def _command(self, slug: str, command: Command) -> None:
        # A lab may have several bridges, and all of them hear its commands.
        worker = self._workers.get(slug)
        if worker is not None:
            worker.order(command)

    def _announce(self) -> None:
        for worker in self._workers.values():
            worker.announce()
