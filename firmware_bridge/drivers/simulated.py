"""Printers and laser cutters that exist on no table.

Their life is a pure function of slug, seed and clock: time is cut into slots, and each slot's random
generator says how long the machine rests, how long it works and how that ends. So a restarted bridge finds
the same job still running, as it would with a real machine. Orders shift or end the present slot's job, in
memory only.
"""

import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from firmware_bridge.drivers.base import Done, Expecting, Listener, Tell, Wake
from firmware_bridge.settings import SimulatedMachine
from firmware_bridge.snapshot import ACTIVE, JobSeen, PrintRecord, Snapshot
from firmware_bridge.wire.messages import Action, MachineState, Temperature

LOOK_EVERY_S = 1.0
FAILED_SHARE, CANCELLED_SHARE = 0.05, 0.07
ERROR_SHOWN_S = 30.0
ROOM_C, NOZZLE_C, BED_C = 22.0, 210.0, 60.0
LASER_IDLE_W, LASER_BUSY_W = 45.0, 420.0
BURST_S = 40.0
"""A laser alternates between cutting and being idle about so fast."""

_FILES = (
    "bracket",
    "gear_20t",
    "vase",
    "phone_stand",
    "drone_arm",
    "lamp_shade",
    "prosthetic_finger",
    "enclosure",
)


@dataclass(frozen=True, slots=True)
class _Slot:
    """One rest and one job; instants are epoch seconds."""

    number: int
    job_from: float
    job_s: float
    ends: MachineState
    """IDLE: well; ERROR: failed; OFF: cancelled."""
    file: str

    @property
    def job_until(self) -> float:
        return self.job_from + self.job_s


class SimulatedDriver:
    """One simulated machine."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine
        self._slot_s = machine.job_s[1] + machine.idle_s[1]
        # A lab's machines do not all rest together.
        self._phase_s = random.Random(f"{machine.slug}/{machine.seed}").uniform(0, self._slot_s)  # noqa: S311
        self._slot: _Slot | None = None
        self._previous: _Slot | None = None
        self._paused_from: float | None = None
        self._paused_s = 0.0
        self._off = False
        self._energy_wh = 0.0
        self._energy_at: float | None = None
        self._energy_epoch = datetime.now(UTC).isoformat(timespec="seconds")

    def look(self, expecting: Expecting | None) -> Snapshot:
        """The machine at this moment."""
        asked_mono, now = time.monotonic(), time.time()
        self._move_on(now)
        if self._machine.kind == "laser-cutter":
            return self._laser(asked_mono, now)
        return self._printer(asked_mono, now)

    def act(self, action: Action) -> Done:
        """Pause, resume, cancel (printers); power on and off (lasers)."""
        now = time.time()
        self._move_on(now)
        slot = self._slot
        if self._machine.kind == "laser-cutter":
            if action not in (Action.POWER_ON, Action.POWER_OFF):
                return Done(False, f"{action} is not possible on a laser cutter")
            self._off = action is Action.POWER_OFF
            return Done(True)
        busy = slot is not None and slot.job_from <= now < slot.job_until
        if slot is None or not busy or action in (Action.POWER_ON, Action.POWER_OFF):
            return Done(False, "not possible in the printer's present state")
        if action is Action.PAUSE and self._paused_from is None:
            self._paused_from = now
        elif action is Action.RESUME:
            self._resume(now)
        elif action is Action.CANCEL:
            self._resume(now)
            self._slot = replace(slot, job_s=max(0.0, now - slot.job_from), ends=MachineState.OFF)
        return Done(True)

    def pause_s(self, snapshot: Snapshot) -> float:
        """A look costs nothing here."""
        return LOOK_EVERY_S

    def listener(self, tell: Tell, wake: Wake) -> Listener | None:
        """There is no push."""
        return None

    def close(self) -> None:
        """Nothing to let go of."""

    def _move_on(self, now: float) -> None:
        """Make the slot of this moment; a job that a pause made longer is finished first."""
        if self._paused_from is not None and self._slot is not None:
            self._slot = replace(self._slot, job_s=max(self._slot.job_s, now - self._slot.job_from + 1))
            return
        number = self._number(now)
        if self._slot is not None and (self._slot.number >= number or now < self._slot.job_until):
            return
        self._previous = self._slot or self._draw(number - 1)
        self._slot, self._paused_s = self._draw(number), 0.0
        if self._slot.job_from < self._previous.job_until:
            # A pause pushed the last job into this slot: its own job finds the machine taken and falls out.
            self._slot = replace(self._slot, job_from=self._begin(number + 1), job_s=0.0)

    def _number(self, now: float) -> int:
        return int((now - self._phase_s) // self._slot_s)

    def _begin(self, number: int) -> float:
        return number * self._slot_s + self._phase_s

    def _draw(self, number: int) -> _Slot:
        machine = self._machine
        chance = random.Random(f"{machine.slug}/{machine.seed}/{number}")  # noqa: S311 - must be repeatable
        job_s = chance.uniform(*machine.job_s)
        idle_s = min(chance.uniform(*machine.idle_s), self._slot_s - job_s)
        luck = chance.random()
        ends = MachineState.IDLE
        if luck < FAILED_SHARE:
            ends, job_s = MachineState.ERROR, job_s * chance.uniform(0.1, 0.9)
        elif luck < FAILED_SHARE + CANCELLED_SHARE:
            ends, job_s = MachineState.OFF, job_s * chance.uniform(0.1, 0.9)
        file = f"{chance.choice(_FILES)}_{chance.randrange(1, 5)}.gcode"
        return _Slot(number, self._begin(number) + idle_s, job_s, ends, file)

    def _resume(self, now: float) -> None:
        if self._paused_from is not None:
            self._paused_s += now - self._paused_from
            self._paused_from = None

    def _printer(self, asked_mono: float, now: float) -> Snapshot:
        slot = self._slot or self._draw(self._number(now))
        state, detail, record = MachineState.IDLE, None, None
        if slot.job_from <= now < slot.job_until:
            state = MachineState.RUNNING if self._paused_from is None else MachineState.PAUSED
            job: JobSeen | None = self._running(slot, now)
        else:
            ended = slot if now >= slot.job_until else self._previous
            job = self._over(ended) if ended is not None else None
            if ended is not None:
                when = datetime.fromtimestamp(ended.job_until, UTC)
                record = PrintRecord(when, ended.job_s - self._paused_s, ended.ends is MachineState.IDLE)
                if ended.ends is MachineState.ERROR and now - ended.job_until < ERROR_SHOWN_S:
                    state, detail = MachineState.ERROR, "Thermal runaway (simulated)"
        hot = state in ACTIVE
        wobble = (now % 7) / 10
        temperatures = {
            "tool0": Temperature(
                actual_c=(NOZZLE_C if hot else ROOM_C) + wobble, target_c=NOZZLE_C if hot else 0.0
            ),
            "bed": Temperature(
                actual_c=(BED_C if hot else ROOM_C) + wobble / 2, target_c=BED_C if hot else 0.0
            ),
        }
        moment = datetime.fromtimestamp(now, UTC)
        return Snapshot(asked_mono, moment, state, detail, job, record, temperatures)

    def _running(self, slot: _Slot, now: float) -> JobSeen:
        paused_s = self._paused_s + (now - self._paused_from if self._paused_from is not None else 0.0)
        worked_s = max(0.0, now - slot.job_from - paused_s)
        planned_s = max(slot.job_s - self._paused_s, worked_s, 1.0)
        return JobSeen(
            file=slot.file,
            path=f"{slot.number}/{slot.file}",
            origin="simulated",
            progress=min(1.0, worked_s / planned_s),
            print_time_s=worked_s,
            remaining_s=planned_s - worked_s,
            estimated_s=planned_s,
        )

    def _over(self, slot: _Slot) -> JobSeen:
        well = slot.ends is MachineState.IDLE
        return JobSeen(
            file=slot.file,
            path=f"{slot.number}/{slot.file}",
            origin="simulated",
            progress=1.0 if well else None,
            print_time_s=slot.job_s if well else None,
        )

    def _laser(self, asked_mono: float, now: float) -> Snapshot:
        slot = self._slot or self._draw(self._number(now))
        on = slot.job_from <= now < slot.job_until and not self._off
        state, power_w = MachineState.OFF, 0.0
        if on:
            cutting = int((now - slot.job_from) // BURST_S) % 3 != 0
            state = MachineState.RUNNING if cutting else MachineState.IDLE
            power_w = (LASER_BUSY_W if cutting else LASER_IDLE_W) + now % 5
        if self._energy_at is not None:
            self._energy_wh += power_w * max(0.0, now - self._energy_at) / 3600
        self._energy_at = now
        return Snapshot(
            asked_mono,
            datetime.fromtimestamp(now, UTC),
            state,
            power_w=round(power_w, 1),
            energy_wh=round(self._energy_wh, 3),
            energy_epoch=self._energy_epoch,
            switched=True,
        )
