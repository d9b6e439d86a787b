"""When a machine's thread looks again."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from firmware_bridge.drivers.base import Done, Expecting, Listener, Tell, Wake
from firmware_bridge.outbox import Outbox
from firmware_bridge.recorder import Recorder
from firmware_bridge.snapshot import Heard, JobSeen, News, Snapshot
from firmware_bridge.wire.messages import Action, MachineState
from firmware_bridge.worker import Worker
from tests.bridge.support import until


class Printing:
    """A machine at work, which nobody needs to ask again for a minute."""

    def look(self, expecting: Expecting | None) -> Snapshot:
        job = JobSeen(file="vase.gcode", path="vase.gcode", print_time_s=0.0)
        return Snapshot(time.monotonic(), datetime.now(UTC), MachineState.RUNNING, job=job, push_alive=True)

    def act(self, action: Action) -> Done:
        return Done(False, "not here")

    def pause_s(self, snapshot: Snapshot) -> float:
        return 60.0

    def listener(self, tell: Tell, wake: Wake) -> Listener | None:
        return None

    def close(self) -> None:
        """Nothing to let go of."""


def test_a_start_whose_event_was_missed_is_found_at_once(tmp_path: Path) -> None:
    """Its event came before push was up, and the next look in the same moment as other news."""
    recorder = Recorder(
        "tanger", "tanger-prusa-1", Outbox(tmp_path / "o"), lambda: None, timedelta(minutes=30)
    )
    worker = Worker(Printing(), recorder)
    recorder.take(Heard(News.STATE, time.monotonic(), datetime.now(UTC), state=MachineState.RUNNING))
    worker.start()
    until(lambda: recorder.job, 20, "the job, long before the next round")
    worker.stop()
    worker.join(5)
