"""What the sample's machines did: jobs and sessions, in their bookings, beyond them and without any."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fablab.sample.network import LASER, ZONE, SampleLab, SampleMachine
from fablab.sample.plan import DAYS_BACK, Booked, Outage, open_hours

_FILES = (
    "boitier_capteur", "support_telephone", "engrenage_m1", "main_phalange", "chassis_robot", "helice_5in",
    "charniere", "maquette_medina", "crochet", "buse_arrosage", "poignee", "adaptateur_tube",
)  # fmt: skip
_FAILURES = (
    "Thermal runaway on tool 0",
    "Filament ran out",
    "Heated bed not reached its temperature",
    "Communication error: too many resends",
)
_OUTCOMES = {"finished": 0.85, "failed": 0.06, "cancelled": 0.07, "interrupted": 0.02}
_PRINTER_W, _LASER_BUSY_W, _LASER_IDLE_W = 120.0, 480.0, 45.0
_GAP = timedelta(minutes=5)


@dataclass(frozen=True)
class Print:
    """A job of a printer."""

    id: uuid.UUID
    file: str
    outcome: str
    reason: str | None
    estimated_s: float
    filament_mm: float


@dataclass(frozen=True)
class Worked:
    """A usage session, with the index of its booking if it had one, and the job if the machine tells jobs."""

    machine: str
    booking: int | None
    started_at: datetime
    ended_at: datetime
    busy_s: float
    energy_wh: float
    job: Print | None

    @property
    def idle_s(self) -> float:
        return (self.ended_at - self.started_at).total_seconds() - self.busy_s


def work(
    machine: SampleMachine,
    lab: SampleLab,
    booked: Sequence[Booked],
    outages: Sequence[Outage],
    seed: str,
    now: datetime,
) -> list[Worked]:
    """Sessions of one machine in order of time; no two overlap, and all ended five minutes ago or earlier."""
    dice = random.Random(f"{seed}/{machine.slug}/work")  # noqa: S311 - must be repeatable
    latest = now - _GAP
    taken = [(each.starts_at, each.ends_at) for each in booked if each.state != "cancelled"]
    taken = sorted(taken + [(each.starts_at, each.ends_at) for each in outages])
    done: list[Worked] = []
    for index, booking in enumerate(booked):
        if booking.state != "completed":
            continue
        after = [starts for starts, _ in taken if starts >= booking.ends_at]
        room = min(after[0] - _GAP if after else latest, latest)
        before = done[-1].ended_at + _GAP if done else booking.starts_at - 2 * _GAP
        early = max(before, booking.starts_at + timedelta(minutes=dice.triangular(-6, 25, 3)))
        done.extend(_in_booking(dice, machine, index, booking, early, room))
    used = [(each.started_at, each.ended_at) for each in done]
    done.extend(_unbooked(dice, machine, lab, sorted(taken + used), latest))
    return sorted(done, key=lambda each: each.started_at)


def _in_booking(
    dice: random.Random, machine: SampleMachine, index: int, booking: Booked, start: datetime, room: datetime
) -> list[Worked]:
    """One session of a laser, or a print or several; now and then the last one runs over."""
    overrun = dice.random() < 0.12
    stretch = timedelta(minutes=dice.uniform(5, 45)) if overrun else -timedelta(minutes=dice.uniform(0, 20))
    end = min(max(booking.ends_at + stretch, start + 3 * _GAP), room)
    if end - start < 2 * _GAP:
        return []
    if machine.kind == LASER:
        return [_laser(dice, machine, index, start, end)]
    prints: list[Worked] = []
    while end - start >= 2 * _GAP and len(prints) < 4:
        left = (end - start).total_seconds()
        last = overrun or left < 3600 or dice.random() < 0.55
        planned = left if last else left * dice.uniform(0.3, 0.6)
        prints.append(_print(dice, machine, index, start, planned))
        start = prints[-1].ended_at + timedelta(minutes=dice.uniform(4, 15))
        if last and prints[-1].job is not None and prints[-1].job.outcome == "finished":
            break
    return prints


def _unbooked(
    dice: random.Random,
    machine: SampleMachine,
    lab: SampleLab,
    taken: Sequence[tuple[datetime, datetime]],
    latest: datetime,
) -> list[Worked]:
    """On some days somebody just used the machine while it stood free."""
    found = []
    today = latest.astimezone(ZoneInfo(ZONE)).date()
    for back in range(DAYS_BACK, 0, -1):
        for opens, closes in open_hours(lab, today - timedelta(days=back)):
            if dice.random() > 0.16:
                continue
            length = timedelta(minutes=dice.uniform(20, 100))
            start = opens + (closes - opens - length) * dice.random()
            wanted = (start - _GAP, start + length + _GAP)
            if start + length > latest or any(a < wanted[1] and wanted[0] < b for a, b in taken):
                continue
            if machine.kind == LASER:
                found.append(_laser(dice, machine, None, start, start + length))
            else:
                found.append(_print(dice, machine, None, start, length.total_seconds()))
    return found


def _laser(
    dice: random.Random, machine: SampleMachine, index: int | None, start: datetime, end: datetime
) -> Worked:
    total_s = (end - start).total_seconds()
    busy_s = round(total_s * dice.uniform(0.35, 0.75), 1)
    energy_wh = (busy_s * _LASER_BUSY_W + (total_s - busy_s) * _LASER_IDLE_W) / 3600
    return Worked(machine.slug, index, start, end, busy_s, round(energy_wh, 1), None)


def _print(
    dice: random.Random, machine: SampleMachine, index: int | None, start: datetime, planned_s: float
) -> Worked:
    outcome = dice.choices(list(_OUTCOMES), list(_OUTCOMES.values()))[0]
    seconds = round(planned_s if outcome == "finished" else planned_s * dice.uniform(0.05, 0.8), 1)
    job = Print(
        id=uuid.UUID(int=dice.getrandbits(128), version=4),
        file=f"{dice.choice(_FILES)}_v{dice.randrange(1, 6)}.gcode",
        outcome=outcome,
        reason=dice.choice(_FAILURES) if outcome == "failed" else None,
        estimated_s=round(planned_s * dice.uniform(0.85, 1.05), 1),
        filament_mm=round(seconds * dice.uniform(1.2, 2.4), 1),
    )
    busy_s = round(seconds * dice.uniform(0.96, 1.0), 1)
    energy_wh = round(busy_s * _PRINTER_W * dice.uniform(0.8, 1.2) / 3600, 1)
    return Worked(machine.slug, index, start, start + timedelta(seconds=seconds), busy_s, energy_wh, job)
