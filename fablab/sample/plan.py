"""Who booked which machine when: the rhythm of a lab's week, drawn the same for the same seed and day."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from fablab.sample.network import LASER, PRINTER, ZONE, SampleLab, SampleMachine
from fablab.sample.people import CAST, MAKERS, SampleMember

DAYS_BACK = 60
DAYS_AHEAD = 10
SOON = timedelta(minutes=30)
# Machines that stand for real OctoPrint servers stay free for whoever tries the product today or tomorrow.
REAL_MACHINES = ("tanger-prusa-1", "tanger-prusa-2")

_WEEKDAY = (0.9, 1.0, 1.05, 1.0, 0.75, 1.1, 0.2)
_START_HOUR = {
    9: 0.6, 10: 1.0, 11: 0.9, 12: 0.4, 13: 0.3, 14: 0.9,
    15: 1.0, 16: 1.1, 17: 1.5, 18: 1.6, 19: 1.1, 20: 0.5,
}  # fmt: skip
_LAB = {"tanger": 1.15, "rabat": 1.0, "casablanca": 1.25, "agadir": 0.75, "al-hoceima": 0.6}
_CANCELLED, _MISSED, _VISITOR = 0.09, 0.07, 0.06
_PURPOSES = {
    LASER: (
        "Boîte en contreplaqué", "Enseigne en acrylique", "Maquette d'architecture", "Gravure de trophées",
        "Jeu pédagogique en bois", "Façade de boîtier",
    ),
    "": (
        "Boîtier de capteur", "Pièces pour robot", "Prothèse de main", "Maquette de quartier",
        "Engrenages pour TP mécanique", "Support de téléphone", "Moule pour atelier", "Pièce de rechange",
        "Concours de robotique", "Prototype de drone",
    ),
}  # fmt: skip

_TROUBLES = {
    PRINTER: (
        ("fault", "Buse bouchée"), ("fault", "Le plateau ne chauffe plus"),
        ("maintenance", "Graissage des axes"), ("supplies", "Plus de filament PLA"),
    ),
    LASER: (
        ("fault", "La ventilation fait un bruit anormal"), ("maintenance", "Nettoyage des miroirs"),
        ("supplies", "Filtre de l'extracteur commandé"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Booked:
    """A booking of the sample; ``cancelled_at`` is set when it was given back."""

    machine: str
    email: str
    starts_at: datetime
    ends_at: datetime
    state: str
    purpose: str
    created_at: datetime
    cancelled_at: datetime | None = None


@dataclass(frozen=True)
class Outage:
    """A machine out of service; ``reported_by`` is the member of staff who said so."""

    machine: str
    starts_at: datetime
    ends_at: datetime
    category: str
    note: str
    reported_by: str


def plan(
    machine: SampleMachine, lab: SampleLab, seed: str, now: datetime
) -> tuple[list[Booked], list[Outage]]:
    """Bookings from 60 days ago to 10 days ahead, and past outages, in order of time.

    Nothing lies in the half hour around ``now``. Bookings that were not cancelled leave room for the
    machine's clean-up and never overlap one another or an outage.
    """
    today = now.astimezone(ZoneInfo(ZONE)).date()
    taken: list[tuple[datetime, datetime]] = []
    outages = _outages(machine, seed, today, now)
    taken.extend((outage.starts_at, outage.ends_at) for outage in outages)
    booked: list[Booked] = []
    if machine.slug == "tanger-prusa-3":
        booked.append(_amina_tomorrow(machine, today, now))
        taken.append((booked[0].starts_at, booked[0].ends_at))
    for offset in range(-DAYS_BACK, DAYS_AHEAD + 1):
        day = today + timedelta(days=offset)
        dice = random.Random(f"{seed}/{machine.slug}/{day}")  # noqa: S311 - must be repeatable
        for _ in range(_number(dice, _demand(machine, lab, day, offset))):
            booking = _draw(dice, machine, lab, day, now)
            if booking is None:
                continue
            claim = (booking.starts_at, booking.ends_at + timedelta(seconds=machine.cleanup_s))
            if booking.state == "cancelled":
                booked.append(booking)
            elif all(claim[1] <= starts or ends <= claim[0] for starts, ends in taken):
                taken.append(claim)
                booked.append(booking)
    return sorted(booked, key=lambda each: each.starts_at), outages


def open_hours(lab: SampleLab, day: date) -> list[tuple[datetime, datetime]]:
    """When somebody is in the lab on a local day, as instants."""
    zone = ZoneInfo(ZONE)
    return [
        (
            datetime.combine(day, opens, zone).astimezone(UTC),
            datetime.combine(day, closes, zone).astimezone(UTC),
        )
        for first, last, opens, closes in lab.hours
        if first <= day.weekday() <= last
    ]


def _demand(machine: SampleMachine, lab: SampleLab, day: date, offset: int) -> float:
    number = int(machine.slug.rpartition("-")[2])
    base = 4.5 if machine.kind == LASER else 4.0
    trend = 1.0 + 0.25 * offset / DAYS_BACK
    fewer_ahead = 0.45 if offset > 1 else 1.0
    return base * _LAB[lab.slug] * _WEEKDAY[day.weekday()] * (1.2 - 0.12 * number) * trend * fewer_ahead


def _number(dice: random.Random, mean: float) -> int:
    """A Poisson number by Knuth's multiplication."""
    limit, product, number = math.exp(-mean), dice.random(), 0
    while product > limit:
        product *= dice.random()
        number += 1
    return number


def _draw(
    dice: random.Random, machine: SampleMachine, lab: SampleLab, day: date, now: datetime
) -> Booked | None:
    """One request for a slot; None where the lab is closed or it would touch the present."""
    hour = dice.choices(list(_START_HOUR), list(_START_HOUR.values()))[0]
    start = time(hour, dice.choice((0, 0, 0, 30, 30, 15, 45)))
    if machine.kind == LASER:
        minutes = dice.choice((30, 30, 45, 60, 60, 60, 90, 120))
    else:
        minutes = max(30, min(600, round(dice.lognormvariate(math.log(165), 0.6) / 30) * 30))
    member, state_chance, lead_h = _member(dice, lab), dice.random(), dice.expovariate(1 / 40)
    purpose = dice.choice(_PURPOSES.get(machine.kind, _PURPOSES[""]))
    starts_at = datetime.combine(day, start, ZoneInfo(ZONE)).astimezone(UTC)
    ends_at = starts_at + timedelta(minutes=minutes)
    staffed = any(
        opens <= starts_at and (ends_at if machine.kind == LASER else starts_at) <= closes
        for opens, closes in open_hours(lab, day)
    )
    if not staffed and (machine.kind == LASER or day.weekday() != 6):
        return None
    past = ends_at <= now - SOON
    if not past and starts_at < now + (timedelta(days=2) if machine.slug in REAL_MACHINES else SOON):
        return None
    created_at = min(starts_at, now) - timedelta(hours=min(240.0, 0.3 + lead_h))
    cancelled_at = None
    if not past:
        state = "confirmed"
    elif state_chance < _CANCELLED:
        state, cancelled_at = "cancelled", created_at + (starts_at - created_at) * dice.uniform(0.2, 0.95)
    else:
        state = "missed" if state_chance < _CANCELLED + _MISSED else "completed"
    return Booked(machine.slug, member.email, starts_at, ends_at, state, purpose, created_at, cancelled_at)


def _member(dice: random.Random, lab: SampleLab) -> SampleMember:
    visitors = dice.random() < _VISITOR
    group = [each for each in MAKERS if (each.home == lab.slug) != visitors]
    if lab.slug == "tanger" and not visitors:
        group.append(CAST[0])
    return dice.choices(group, [1 / (rank + 1) ** 0.6 for rank in range(len(group))])[0]


def _amina_tomorrow(machine: SampleMachine, today: date, now: datetime) -> Booked:
    starts_at = datetime.combine(today + timedelta(days=1), time(17), ZoneInfo(ZONE)).astimezone(UTC)
    ends_at = starts_at + timedelta(hours=2)
    created_at = now - timedelta(days=1)
    return Booked(
        machine.slug, CAST[0].email, starts_at, ends_at, "confirmed", "Prothèse de main", created_at
    )


def _outages(machine: SampleMachine, seed: str, today: date, now: datetime) -> list[Outage]:
    """Every third machine broke once in the two months and stood still for some hours or days."""
    dice = random.Random(f"{seed}/{machine.slug}/outage")  # noqa: S311 - must be repeatable
    if dice.random() > 0.34:
        return []
    day = today - timedelta(days=dice.randrange(5, DAYS_BACK - 2))
    starts_at = datetime.combine(day, time(dice.randrange(9, 17)), ZoneInfo(ZONE)).astimezone(UTC)
    ends_at = starts_at + timedelta(hours=dice.choice((3, 6, 24, 48)))
    category, note = dice.choice(_TROUBLES[machine.kind])
    reported_by = "karim@example.org" if machine.lab == "rabat" else "salma@example.org"
    return [Outage(machine.slug, starts_at, ends_at, category, note, reported_by)]
