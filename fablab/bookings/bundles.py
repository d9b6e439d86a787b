"""Several machines of a lab in one booking, together or one after the other: all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from fablab.bookings.checks import bookable, check_may_book, lost
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.gathering import Gathered, gather_all
from fablab.bookings.models import Booking
from fablab.bookings.preset_queries import Step, preset
from fablab.bookings.queries import BookingView, bookings
from fablab.bookings.service import state_of
from fablab.bookings.storing import take_all
from fablab.bookings.together import made, nothing_made, taking
from fablab.bookings.verdicts import Verdict, verdicts
from fablab.bookings.wording import refusal
from fablab.errors import Refusal, refused
from fablab.machines.queries import MachineView, machines
from fablab.members.rules import Actor


@dataclass(frozen=True)
class Together:
    """A booking of several machines: the first with its span and what is asked for, and the others beside it.

    With ``preset`` its steps stand for all of it, and of ``first`` machine and end mean nothing.
    """

    first: BookingRequest
    also: tuple[Step, ...] = ()
    preset: int | None = None


@dataclass(frozen=True)
class Judged:
    """A step as it would be booked: on which machine, when, in which state; None and why where it cannot be.

    ``field`` is what the fields of its refusals begin with: "" for the first one, then "also.0." and so on.
    """

    field: str
    request: BookingRequest
    gathered: Gathered | None
    verdict: Verdict | None
    state: str | None
    refusals: tuple[Refusal, ...]


def book_together(
    session: Session, actor: Actor, together: Together, now: datetime, policy: Policy
) -> list[BookingView]:
    """Book every step or none; in the order of the steps.

    1. lock every machine that may be meant, and all that is counted;
    2. give each step the machine it names, or the first of its kind that is free and allowed, as if the steps
       before it were booked;
    3. store all of them in one statement; what somebody else took in that moment is refused as the rest is.

    Each keeps its own machine's limits. Raises NOT_FOUND, NOT_ALLOWED, REFUSED or CLASH with every refusal
    under the step's field, and nothing stored.
    """
    steps = _steps(session, actor, together)
    judged = _judge(session, actor, steps, now, policy, lock=True)
    refusals = [each for step in judged for each in step.refusals]
    if refusals:
        raise nothing_made(refusals)
    takings = [
        taking(actor, step.gathered, step.request, step.verdict, now)
        for step in judged
        if step.gathered is not None and step.verdict is not None
    ]
    ids = take_all(session, takings, now)
    missed = [
        replace(lost(step.request), field=f"{step.field}starts_at")
        for step, booking_id in zip(judged, ids, strict=True)
        if booking_id is None
    ]
    if missed:
        raise nothing_made(missed)
    stored = [booking_id for booking_id in ids if booking_id is not None]
    session.execute(
        update(Booking)
        .where(Booking.id.in_(stored))
        .values(bundle_id=stored[0])
        .execution_options(synchronize_session=False)
    )
    made(session, actor, list(zip(stored, takings, strict=True)), now, f"{len(stored)} machines together")
    views = {each.id: each for each in bookings(session, ids=stored, actor=actor)}
    return [views[booking_id] for booking_id in stored]


def preview_together(
    session: Session, actor: Actor, together: Together, now: datetime, policy: Policy
) -> list[Judged]:
    """What `book_together` would do now, step by step; stores nothing."""
    return _judge(session, actor, _steps(session, actor, together), now, policy, lock=False)


@dataclass(frozen=True)
class _Wanted:
    """A step with the machines that would do, the first choice first; or why there is none."""

    field: str
    request: BookingRequest
    candidates: tuple[MachineView, ...]
    trouble: Refusal | None = None


def _steps(session: Session, actor: Actor, together: Together) -> list[_Wanted]:
    """Every step with its machines, all of one lab. Two statements."""
    first = together.first.in_whole_seconds()
    if together.preset is not None:
        found = preset(session, together.preset)
        if found is None:
            raise refused(refusal("unknown_preset", "preset"))
        check_may_book(actor, found.lab_id, first)
        there = machines(session, lab=found.lab_slug)
        steps = [(f"preset.{number}.", step) for number, step in enumerate(found.steps)]
        return [_wanted(field, step, first, there, found.lab_slug) for field, step in steps]
    machine = bookable(session, actor, first)
    there = machines(session, lab=machine.lab_slug)
    steps = [(f"also.{number}.", step) for number, step in enumerate(together.also)]
    others = [_wanted(field, step, first, there, machine.lab_slug) for field, step in steps]
    return [_Wanted("", first, (machine,)), *others]


def _wanted(field: str, step: Step, first: BookingRequest, there: Sequence[MachineView], lab: str) -> _Wanted:
    starts_at = first.starts_at + timedelta(seconds=step.offset_s)
    request = replace(
        first,
        machine=step.machine or step.kind or "",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(seconds=step.duration_s),
    )
    if step.machine is not None:
        candidates = tuple(each for each in there if each.slug == step.machine)
        trouble = refusal("not_in_lab", f"{field}machine", case="machine", name=step.machine, lab=lab)
    else:
        candidates = tuple(each for each in there if each.kind_slug == step.kind and each.bookable)
        trouble = refusal("not_in_lab", f"{field}kind", case="kind", name=step.kind or "", lab=lab)
    return _Wanted(field, request, candidates, None if candidates else trouble)


def _judge(
    session: Session,
    actor: Actor,
    steps: Sequence[_Wanted],
    now: datetime,
    policy: Policy,
    *,
    lock: bool,
) -> list[Judged]:
    """Give each step its machine. As many statements as one booking takes, however many machines."""
    asked = [
        (number, machine, replace(step.request, machine=machine.slug))
        for number, step in enumerate(steps)
        for machine in step.candidates
    ]
    if not asked:
        return [_hopeless(step) for step in steps]
    gathered = gather_all(
        session, actor, [(machine, request) for _, machine, request in asked], now, policy, lock=lock
    )
    options: dict[int, list[tuple[Gathered, BookingRequest]]] = {}
    for (number, _, request), each in zip(asked, gathered, strict=True):
        options.setdefault(number, []).append((each, request))
    judged: list[Judged] = []
    accepted: list[tuple[Gathered, BookingRequest]] = []
    for number, step in enumerate(steps):
        if number not in options:
            judged.append(_hopeless(step))
            continue
        found = _first_that_fits(step.field, options[number], accepted, now)
        judged.append(found)
        if found.gathered is not None and not found.refusals:
            accepted.append((found.gathered, found.request))
    return judged


def _first_that_fits(
    field: str,
    options: Sequence[tuple[Gathered, BookingRequest]],
    accepted: Sequence[tuple[Gathered, BookingRequest]],
    now: datetime,
) -> Judged:
    """The first machine that nothing speaks against; where all are refused, the one with fewest refusals."""
    said = [(option, verdicts([*accepted, option], as_one=True)[-1]) for option in options]
    (gathered, request), verdict = min(said, key=lambda each: len(each[1].refusals))
    refusals = tuple(replace(each, field=f"{field}{each.field}") for each in verdict.refusals)
    state = None if refusals else state_of(gathered.ruling, request, now)[0]
    return Judged(field, request, gathered, verdict, state, refusals)


def _hopeless(step: _Wanted) -> Judged:
    return Judged(step.field, step.request, None, None, None, (step.trouble,) if step.trouble else ())
