"""A move of a booking: from where to where, what is said against it, and how it is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, DateTime, bindparam, delete, text
from sqlalchemy.orm import Session

from fablab.bookings.checks import overridden, request_of
from fablab.bookings.facts import BookingRequest
from fablab.bookings.gathering import Gathered
from fablab.bookings.models import Approval
from fablab.bookings.queries import BookingView, bookings_by_id
from fablab.bookings.rules import too_late_to_cancel
from fablab.bookings.rules_changes import keeps, move_refusals
from fablab.bookings.rules_people import may_decide
from fablab.bookings.service import state_of
from fablab.bookings.verdicts import Verdict
from fablab.bookings.wording import refusal
from fablab.errors import Refusal, not_found
from fablab.machines.queries import MachineView
from fablab.machines.rules import Span
from fablab.members.rules import Actor, may_manage_lab

_LOCAL = DateTime(timezone=False)


_MOVE = text(
    """
    UPDATE booking
    SET machine_id = moved.machine_id, lab_id = moved.lab_id, starts_at = moved.starts_at,
        ends_at = moved.ends_at, zone = moved.zone, local_starts = moved.local_starts,
        local_ends = moved.local_ends, purpose = moved.purpose, state = moved.state,
        decide_by = moved.decide_by, version = booking.version + 1,
        reminded_at = CASE WHEN booking.starts_at = moved.starts_at THEN booking.reminded_at END
    FROM unnest(CAST(:ids AS bigint[]), CAST(:machines AS integer[]), CAST(:labs AS integer[]),
                CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]), CAST(:zones AS text[]),
                :local_starts, :local_ends, CAST(:purposes AS text[]),
                CAST(:states AS text[]), CAST(:decide_by AS timestamptz[]))
         AS moved(id, machine_id, lab_id, starts_at, ends_at, zone, local_starts, local_ends, purpose, state,
                  decide_by)
    WHERE booking.id = moved.id
    """
).bindparams(*(bindparam(name, type_=ARRAY(_LOCAL)) for name in ("local_starts", "local_ends")))


@dataclass(frozen=True)
class Move:
    """A booking's next time and machine, reckoned from how it was as this ``version`` (None: as any)."""

    booking_id: int
    machine: MachineView
    starts_at: datetime
    ends_at: datetime
    purpose: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class Step:
    """A move with the booking as it is, and as a request for what it shall be."""

    view: BookingView
    move: Move
    request: BookingRequest

    @property
    def was(self) -> Span:
        return Span(self.view.starts_at, self.view.ends_at)

    @property
    def wanted(self) -> Span:
        return Span(self.request.starts_at, self.request.ends_at)

    @property
    def same_machine(self) -> bool:
        return self.view.machine_id == self.move.machine.id

    @property
    def stays(self) -> bool:
        """It is nothing but a new purpose."""
        return self.same_machine and self.was == self.wanted


def steps_of(session: Session, actor: Actor, moves: Sequence[Move]) -> list[Step]:
    found = {
        each.id: each for each in bookings_by_id(session, [each.booking_id for each in moves], actor=actor)
    }
    steps = []
    for each in moves:
        view = found.get(each.booking_id)
        if view is None:
            raise not_found("booking")
        request = replace(
            request_of(view, actor, each.machine),
            starts_at=each.starts_at,
            ends_at=each.ends_at,
            purpose=view.purpose if each.purpose is None else each.purpose,
        )
        steps.append(Step(view, each, request))
    return steps


def of_one_bundle(steps: Sequence[Step]) -> bool:
    """Whether they were booked as one."""
    bundles = {each.view.bundle_id for each in steps}
    return len(bundles) == 1 and None not in bundles


def refused_moves(
    actor: Actor,
    steps: Sequence[Step],
    gathered: Sequence[Gathered],
    decided: Sequence[Verdict],
    now: datetime,
    override: bool,
) -> tuple[tuple[str, ...], tuple[Gathered, Step, list[Refusal]] | None]:
    """The codes staff go over, and the first move that is refused, with everything against it."""
    broke: set[str] = set()
    for step, one, verdict in zip(steps, gathered, decided, strict=True):
        state = list(
            move_refusals(step.view.state, step.was, step.wanted, now, same_machine=step.same_machine)
        )
        if state:
            return (), (one, step, state)
        if step.stays:
            continue
        said = [*verdict.refusals, *_of_the_change(actor, step, one, now)]
        over, standing = overridden(said, step.request, now, override)
        if standing:
            return (), (one, step, standing)
        broke.update(over)
    return tuple(sorted(broke)), None


def _of_the_change(actor: Actor, step: Step, gathered: Gathered, now: datetime) -> Iterator[Refusal]:
    """What is said against moving it that would not be said against booking it so."""
    view, ruling = step.view, gathered.ruling
    staff = may_manage_lab(actor, view.lab_id)
    gives_back = not (step.same_machine and keeps(step.was, step.wanted))
    if gives_back and not staff and view.state == "confirmed":
        too_late = too_late_to_cancel(view.starts_at, view.state, now, ruling)
        if too_late is not None:
            yield too_late
    agreed = step.same_machine and keeps(step.wanted, step.was)
    decides = may_decide(actor, step.move.machine.lab_id) and view.member_id != actor.member_id
    if ruling.approvals and view.state != "requested" and not agreed and not decides:
        yield refusal("approval_needed", "starts_at", machine=step.move.machine.slug)


def state_after(step: Step, gathered: Gathered, now: datetime) -> tuple[str, datetime | None]:
    """What it is once it is moved: a request may need nobody any more where it goes."""
    if step.view.state != "requested":
        return step.view.state, step.view.decide_by
    if step.stays:
        return "requested", step.view.decide_by
    return state_of(gathered.ruling, step.request, now)


def store_moves(
    session: Session, steps: Sequence[Step], states: Sequence[tuple[str, datetime | None]]
) -> None:
    columns: Mapping[str, list[Any]] = {
        "ids": [each.view.id for each in steps],
        "machines": [each.move.machine.id for each in steps],
        "labs": [each.move.machine.lab_id for each in steps],
        "starts": [each.wanted.starts_at for each in steps],
        "ends": [each.wanted.ends_at for each in steps],
        "zones": [each.move.machine.zone for each in steps],
        "local_starts": [_wall(each.wanted.starts_at, each.move.machine.zone) for each in steps],
        "local_ends": [_wall(each.wanted.ends_at, each.move.machine.zone) for each in steps],
        "purposes": [each.request.purpose for each in steps],
        "states": [state for state, _ in states],
        "decide_by": [decide_by for _, decide_by in states],
    }
    session.execute(_MOVE, columns)
    asked_anew = [each.view.id for each in steps if each.view.state == "requested" and not each.stays]
    if asked_anew:
        # Whoever agreed did so to another time.
        session.execute(delete(Approval).where(Approval.booking_id.in_(asked_anew)))


def differences(step: Step) -> dict[str, Any]:
    """What history says of a change: each thing that is other than before, on both sides."""
    pairs = {
        "starts_at": (step.was.starts_at, step.wanted.starts_at),
        "ends_at": (step.was.ends_at, step.wanted.ends_at),
        "machine_id": (step.view.machine_id, step.move.machine.id),
    }
    return {
        f"{side}_{name}": (old if side == "from" else new) if old != new else None
        for name, (old, new) in pairs.items()
        for side in ("from", "to")
    }


def _wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
