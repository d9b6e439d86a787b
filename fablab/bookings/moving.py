"""Giving bookings another time or machine: until the new time is theirs, the old one stays theirs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.bookings.changes import By, Turned, by, note, tell_viewers
from fablab.bookings.checks import (
    check_override,
    check_seen,
    lost,
    machine_ids,
    refused_offering,
    seen_booking,
    stale,
    tell_audit,
    waits_for_nobody,
)
from fablab.bookings.claims import Owner, give_back, take_units
from fablab.bookings.facts import Policy
from fablab.bookings.freed import freed
from fablab.bookings.gathering import Gathered, gather_all, look_again_at_all
from fablab.bookings.moves import (
    Move,
    Step,
    differences,
    of_one_bundle,
    refused_moves,
    state_after,
    steps_of,
    store_moves,
)
from fablab.bookings.noshow import release
from fablab.bookings.queries import BookingView, bookings_by_id, siblings
from fablab.bookings.rules_people import may_move
from fablab.bookings.verdicts import Verdict, verdicts
from fablab.bookings.wording import refusal
from fablab.errors import Code, DomainError, Refusal, not_allowed
from fablab.machines.queries import MachineView, machine_by_slug, machines
from fablab.machines.rules import Span
from fablab.members.rules import Actor, may_book, may_book_for_others

# So often a move is tried again where each time somebody else was faster.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Change:
    """What is asked of a booking; None: as it is. ``machine`` is a slug."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    machine: str | None = None
    purpose: str | None = None


def move_booking(
    session: Session,
    actor: Actor,
    booking_id: int,
    change: Change,
    now: datetime,
    policy: Policy,
    *,
    override: bool = False,
    seen: Collection[int] | None = None,
    reason: str = "",
) -> BookingView:
    """Give a booking another time, machine or purpose; what was booked with it moves by as much.

    Every rule decides anew; it does not stand in its own way. Where it is refused all stays as it was.
    ``seen`` are versions of it that the actor knows; None: any.

    Raises NOT_FOUND, NOT_ALLOWED, STALE, or REFUSED and CLASH as `create_booking` does.
    """
    for attempt in range(_ATTEMPTS):
        view = seen_booking(session, actor, booking_id)
        check_seen(view, seen)
        moves = _moves(session, actor, view, change)
        try:
            moved = move_all(session, actor, moves, now, policy, override=override, reason=reason)
        except DomainError as error:
            # Somebody moved it while this waited. By now it is locked: where it shall go is reckoned anew.
            if error.code is not Code.STALE or attempt == _ATTEMPTS - 1:
                raise
        else:
            break
    return next(each for each in moved if each.id == booking_id)


def _moves(session: Session, actor: Actor, view: BookingView, change: Change) -> list[Move]:
    """Where it goes, and what was booked with it."""
    machine = _machine(session, actor, view, change.machine)
    starts_at = (change.starts_at or view.starts_at).replace(microsecond=0)
    ends_at = (change.ends_at or view.ends_at).replace(microsecond=0)
    moves = [Move(view.id, machine, starts_at, ends_at, change.purpose, view.version)]
    shift = starts_at - view.starts_at
    if shift:
        others = bookings_by_id(session, siblings(session, view.id, view.bundle_id), actor=actor)
        theirs = {each.id: each for each in machines(session, ids={one.machine_id for one in others})}
        moves += [
            Move(
                each.id,
                theirs[each.machine_id],
                each.starts_at + shift,
                each.ends_at + shift,
                version=each.version,
            )
            for each in others
            if each.machine_id in theirs
        ]
    return moves


def extend_booking(
    session: Session,
    actor: Actor,
    booking_id: int,
    ends_at: datetime,
    now: datetime,
    policy: Policy,
    *,
    override: bool = False,
    seen: Collection[int] | None = None,
) -> BookingView:
    """Let a booking end later, also one that has begun. Raises as `move_booking` does."""
    view = seen_booking(session, actor, booking_id)
    if ends_at <= view.ends_at:
        said = refusal("not_movable", "ends_at", case="not_longer")
        raise DomainError(Code.REFUSED, said.message, [said])
    change = Change(ends_at=ends_at)
    return move_booking(session, actor, booking_id, change, now, policy, override=override, seen=seen)


def move_all(
    session: Session,
    actor: Actor,
    moves: Sequence[Move],
    now: datetime,
    policy: Policy,
    *,
    by_whom: By | None = None,
    override: bool = False,
    reason: str = "",
) -> list[BookingView]:
    """Move bookings of one member, all or none; they come back as they are then, by id.

    1. lock who is counted, the bookings and the units of where they are and shall be;
    2. let the rules decide on each, as if they were made one after the other and were nowhere now;
    3. give back what they claim and claim the new time in a savepoint: where somebody was faster, the old
       claims are theirs as before;
    4. write it down, tell it, and give on what came free.

    ``by_whom`` is what history names, the actor if left out.
    """
    ids = [each.booking_id for each in moves]
    steps = steps_of(session, actor, moves)
    if override:
        for each in steps:
            check_override(actor, each.view.lab_id)
            check_override(actor, each.move.machine.lab_id)
    gathered = gather_all(
        session,
        actor,
        [(each.move.machine, each.request) for each in steps],
        now,
        policy,
        lock=True,
        leader_id=steps[0].view.member_id,
        but=ids,
        moved_from=[each.was for each in steps],
    )
    before = {each.id: each.version for each in bookings_by_id(session, ids)}
    for each in steps:
        if {before.get(each.view.id), each.move.version or each.view.version} != {each.view.version}:
            raise stale()
    broke: tuple[str, ...] = ()
    for attempt in range(_ATTEMPTS):
        asked = [(one, each.request) for one, each in zip(gathered, steps, strict=True)]
        decided = verdicts(asked, as_one=of_one_bundle(steps))
        broke, refused = refused_moves(actor, steps, gathered, decided, now, override)
        if refused is not None:
            one, step, refusals = refused
            if attempt == 0 and waits_for_nobody(one, refusals):
                where = {each for step in steps for each in machine_ids(step.move.machine)}
                if release(session, now, policy, where):
                    gathered = look_again_at_all(session, gathered, [each.request for each in steps])
                    continue
            raise refused_offering(session, one, step.request, policy, refusals)
        states = [state_after(each, one, now) for each, one in zip(steps, gathered, strict=True)]
        spans = _claim_anew(session, steps, gathered, decided, states)
        if spans is not None:
            break
        gathered = look_again_at_all(session, gathered, [each.request for each in steps])
    else:
        said = lost(steps[0].request)
        raise DomainError(Code.CLASH, said.message, [said])
    store_moves(session, steps, states)
    _write_down(session, actor, steps, states, by_whom or by(actor), now, broke, reason)
    freed(session, spans, now, policy)
    return bookings_by_id(session, ids, actor=actor)


def _machine(session: Session, actor: Actor, view: BookingView, slug: str | None) -> MachineView:
    """Where it shall be, once it is clear that the actor may move it there."""
    part = view.part(actor)
    if not may_move(actor, part, view.lab_id):
        raise not_allowed("You may read this booking, but not change it.")
    machine = machine_by_slug(session, slug or view.machine_slug)
    if machine is None:
        said = refusal("unknown_machine", "machine", machine=slug or view.machine_slug)
        raise DomainError(Code.NOT_FOUND, said.message, [said])
    if machine.id != view.machine_id:
        theirs = view.member_id == actor.member_id
        if not (may_book if theirs else may_book_for_others)(actor, machine.lab_id):
            said_no = "You may not book there for whom this booking is."
            raise not_allowed(said_no, Refusal("not_allowed", "machine", said_no))
    return machine


def _claim_anew(
    session: Session,
    steps: Sequence[Step],
    gathered: Sequence[Gathered],
    decided: Sequence[Verdict],
    states: Sequence[tuple[str, datetime | None]],
) -> list[tuple[int, Span]] | None:
    """Give back the old claims and take the new ones; what came free, None where somebody was faster."""
    moving = [each.view.id for each in steps if not each.stays]
    wanted = [
        (verdict.units, one.span(step.request), Owner(booking_id=step.view.id))
        for step, one, verdict, (state, _) in zip(steps, gathered, decided, states, strict=True)
        if not step.stays and state != "requested"
    ]
    savepoint = session.begin_nested()
    spans = give_back(session, moving)
    if take_units(session, wanted):
        savepoint.commit()
        return spans
    savepoint.rollback()
    return None


def _write_down(
    session: Session,
    actor: Actor,
    steps: Sequence[Step],
    states: Sequence[tuple[str, datetime | None]],
    by_whom: By,
    now: datetime,
    broke: tuple[str, ...],
    reason: str,
) -> None:
    """History, readers, live viewers and the audit."""
    note(
        session,
        [
            {
                "booking_id": each.view.id,
                "from_state": each.view.state,
                "to_state": state,
                **differences(each),
                "broke": list(broke),
            }
            for each, (state, _) in zip(steps, states, strict=True)
        ],
        now,
        by_whom,
        reason,
    )
    news = {(each.view.id, each.view.machine_id, each.view.lab_id) for each in steps}
    news |= {(each.view.id, each.move.machine.id, each.move.machine.lab_id) for each in steps}
    tell_viewers(session, [Turned(*each) for each in sorted(news)])
    moved = [each.view.id for each in steps if not each.stays]
    if moved:
        teller = actor if by_whom.made_by == "member" else None
        letters.tell(session, moved, "moved", now, actor=teller, reason=reason)
    for each in steps:
        view = each.view
        tell_audit(session, actor, "move", view.id, view.member_id, view.lab_id, now, broke)
