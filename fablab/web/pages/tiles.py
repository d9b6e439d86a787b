"""What a machine's tile shows to one viewer: its state, who and what where permitted, and when it is free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from fablab.bookings.calendar import CalendarRow, calendar
from fablab.bookings.claims import claims
from fablab.bookings.free import fully_claimed
from fablab.bookings.rules_people import may_see_whose
from fablab.machines.queries import MachineView
from fablab.machines.rules import Span
from fablab.members.rules import Actor, may_book, may_see_lab_details
from fablab.settings import Settings
from fablab.telemetry import queries as telemetry
from fablab.telemetry.queries import StatusView
from fablab.web.pages.availability import Availability, availability
from fablab.web.pages.words import MACHINE_STATES, Word

LOOK_AHEAD = timedelta(days=7)
PLACES = {"tool0": "Nozzle", "tool1": "Nozzle 2", "bed": "Bed", "chamber": "Chamber"}


@dataclass(frozen=True)
class Temperature:
    """One sensor; ``text`` is measured and wished degrees Celsius."""

    place: str
    label: str
    text: str


@dataclass(frozen=True)
class JobLine:
    """The work under way. ``file`` is None for who may not know it; ``progress`` runs from 0 to 1."""

    id: str
    file: str | None
    progress: float | None
    ends_at: datetime | None


@dataclass(frozen=True)
class Tile:
    machine: MachineView
    state: str
    word: Word
    since: datetime | None
    seen_at: datetime | None
    detail: str | None
    job: JobLine | None
    temperatures: tuple[Temperature, ...]
    power: str | None
    availability: Availability
    holder: str | None
    may_book: bool
    silent_after_s: int

    @property
    def free_now(self) -> bool:
        """Nobody holds it, the lab's hours allow it, and the machine answers and is not at work."""
        return self.availability.kind == "free" and self.state in ("idle", "off")


def tiles(
    session: Session, actor: Actor, machines: Sequence[MachineView], now: datetime, settings: Settings
) -> list[Tile]:
    """The tiles of these machines in their order. Three statements, however many machines there are."""
    ids = [machine.id for machine in machines]
    units = [unit for machine in machines for unit in machine.unit_ids]
    by_machine = {view.machine_id: view for view in telemetry.statuses(session, ids, now, settings)}
    held: dict[int, list[CalendarRow]] = {}
    for row in calendar(session, ids, now, now + LOOK_AHEAD, now):
        held.setdefault(row.machine_id, []).append(row)
    taken: dict[int, list[tuple[datetime, datetime]]] = {unit: [] for unit in units}
    for claim in claims(session, units, now, now + LOOK_AHEAD, now):
        taken[claim.unit_id].append((claim.starts_at, claim.ends_at))
    silent_after_s = settings.telemetry.silent_after_s
    return [
        _tile(
            actor,
            machine,
            by_machine.get(machine.id),
            [row for row in held.get(machine.id, ()) if row.starts_at <= now < row.ends_at],
            fully_claimed([taken[unit] for unit in machine.unit_ids]),
            now,
            silent_after_s,
        )
        for machine in machines
    ]


def spans_open(machine: MachineView, since: datetime, until: datetime) -> list[Span] | None:
    """When the machine may be used; None when it may at any hour of that time."""
    found = machine.hours.open_spans(since, until)
    return None if found == [Span(since, until)] else found


def _tile(
    actor: Actor,
    machine: MachineView,
    status: StatusView | None,
    held: Sequence[CalendarRow],
    taken: Sequence[tuple[datetime, datetime]],
    now: datetime,
    silent_after_s: int,
) -> Tile:
    state = status.state if status is not None and status.fresh else "unreachable"
    details = may_see_lab_details(actor, machine.lab_id)
    working = status is not None and state in ("running", "paused")
    return Tile(
        machine=machine,
        state=state,
        word=MACHINE_STATES[state],
        since=status.since if status else None,
        seen_at=status.seen_at if status else None,
        detail=_detail(status),
        job=_job(status, may_see_whose(actor, status.booking_member_id, status.lab_id))
        if status and working
        else None,
        temperatures=_temperatures(status) if status and state != "unreachable" else (),
        power=_power(status) if status and state != "unreachable" else None,
        availability=_availability(actor, machine, held, taken, now),
        holder=_holder(actor, held, details),
        may_book=may_book(actor, machine.lab_id),
        silent_after_s=silent_after_s,
    )


def _detail(status: StatusView | None) -> str | None:
    """The machine's own reason. What is told of a silent one the page says in its own words, with its age."""
    return status.detail if status is not None and status.fresh else None


def _job(status: StatusView, details: bool) -> JobLine | None:
    job: dict[str, Any] | None = status.job
    if not job:
        return None
    eta = job.get("eta_at") if status.state == "running" else None
    ends_at = None if eta is None else datetime.fromisoformat(eta)
    return JobLine(str(job["id"]), job.get("file") if details else None, job.get("progress"), ends_at)


def _temperatures(status: StatusView) -> tuple[Temperature, ...]:
    found = []
    for place, value in sorted((status.temperatures or {}).items(), key=lambda item: item[0] == "bed"):
        actual, target = value.get("actual_c"), value.get("target_c")
        if actual is not None:
            wish = f" / {target:.0f}" if target else ""
            found.append(Temperature(place, PLACES.get(place, place), f"{actual:.0f}{wish} °C"))
    return tuple(found)


def _power(status: StatusView) -> str | None:
    return None if status.power_w is None else f"{status.power_w:.0f} W"


def _availability(
    actor: Actor,
    machine: MachineView,
    held: Iterable[CalendarRow],
    taken: Sequence[tuple[datetime, datetime]],
    now: datetime,
) -> Availability:
    """For the holder the end of what they hold; for everybody else when a unit can be had."""
    own = [row.ends_at for row in held if row.member_id == actor.member_id]
    if own:
        return Availability("booked", max(own))
    horizon = now + LOOK_AHEAD
    return availability([Span(*span) for span in taken], spans_open(machine, now, horizon), now, horizon)


def _holder(actor: Actor, held: Iterable[CalendarRow], details: bool) -> str | None:
    """Whose booking it is now: "you", a name for the lab's staff, None for others."""
    members = [row for row in held if row.booking_id is not None]
    if any(row.member_id == actor.member_id for row in members):
        return "you"
    return members[0].member_name if members and details else None
