"""Standing in line for a machine, and taking or leaving what is kept for one. None of these commits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from fablab.bookings import holds, rule_facts, rule_store
from fablab.bookings.facts import BookingRequest, Policy, Who
from fablab.bookings.freed import freed
from fablab.bookings.gathering import gather_facts
from fablab.bookings.models_claims import Hold, Waiting
from fablab.bookings.queries import BookingView
from fablab.bookings.rules import decide
from fablab.bookings.rules_waiting import IN_LINE, Wanted, line_refusals, window_refusals
from fablab.bookings.service import create_booking
from fablab.bookings.slot_groups import OF_THE_TIME
from fablab.bookings.slot_reads import Wanted as Slugs
from fablab.bookings.slots import SlotWish, find_slots
from fablab.bookings.waiting_queries import (
    WaitingView,
    standing_lines,
    waiting_by_id,
    waiting_by_key,
)
from fablab.bookings.wording import refusal
from fablab.errors import Alternative, Code, DomainError, Refusal, not_allowed, not_found, refused
from fablab.machines.queries import MachineView, machine_by_slug, machines
from fablab.members.models import Member
from fablab.members.queries import actor_from, with_roles
from fablab.members.rules import Actor, may_book

# Reasons of time that no cancellation heals: a window in which nobody could book.
NEVER_HEALED = frozenset({"outside_hours", "off_grid", "beyond_horizon", "too_soon", "in_the_past"})


@dataclass(frozen=True)
class WaitingRequest:
    """What somebody asks to wait for: a machine or any of a kind, of one lab or any (slugs)."""

    machine: str | None
    kind: str | None
    lab: str | None
    duration_s: int
    after: datetime
    before: datetime


def join(session: Session, actor: Actor, asked: WaitingRequest, now: datetime, policy: Policy) -> WaitingView:
    """Stand in line.

    1. find the machines that would do, and those of them the member may book at all;
    2. refuse a window nobody could be served in, and a line the member stands in already;
    3. refuse whom the rules would let book none of the machines anyway, for every reason they give;
    4. refuse where a span that fits is free this moment: the answer offers it.

    Raises NOT_FOUND, NOT_ALLOWED, or REFUSED with all that speaks against it.
    """
    found = [each for each in _machines(session, asked) if each.active and each.bookable]
    if not found:
        field = "machine" if asked.machine else "kind"
        raise refused(refusal("nothing_to_wait_for", field))
    theirs = [each for each in found if may_book(actor, each.lab_id)]
    if not theirs:
        raise not_allowed("Makers book here. You may look, but not wait for a machine.")
    wanted = Wanted(
        theirs[0].id if asked.machine else None,
        theirs[0].kind_id if asked.kind else None,
        theirs[0].lab_id if asked.kind and asked.lab else None,
        asked.duration_s,
        asked.after.replace(microsecond=0),
        asked.before.replace(microsecond=0),
    )
    # Of two at once by one member the second counts the first.
    rule_facts.lock_members(session, [actor.member_id])
    refusals = [
        *window_refusals(wanted, now, _horizon(session, actor, theirs, policy)),
        *line_refusals(wanted, standing_lines(session, actor.member_id)),
    ]
    if refusals:
        raise refused(*refusals)
    _refuse_what_needs_no_line(session, actor, asked, theirs, wanted, now, policy)
    waiting_id = session.scalar(
        insert(Waiting)
        .values(
            member_id=actor.member_id,
            machine_id=wanted.machine_id,
            kind_id=wanted.kind_id,
            lab_id=wanted.lab_id,
            duration_s=wanted.duration_s,
            after=wanted.after,
            before=wanted.before,
            state="waiting",
            created_at=now,
        )
        .returning(Waiting.id)
    )
    assert waiting_id is not None, "an insert gives its number"
    return _stored(session, waiting_id)


def withdraw(session: Session, actor: Actor, waiting_id: int, now: datetime, policy: Policy) -> None:
    """Leave a line; what is kept for the member goes to the next one.

    Raises NOT_FOUND for somebody else's, REFUSED `not_waiting` when there is nothing to leave.
    """
    view = waiting_by_id(session, waiting_id)
    if view is None or view.member_id != actor.member_id:
        raise not_found("line")
    _leave(session, view, now, policy)


def decline_by_key(session: Session, key: str, now: datetime, policy: Policy) -> None:
    """The same by the secret of the mail: it speaks for the member it was sent to."""
    view = waiting_by_key(session, key)
    if view is None:
        raise refused(refusal("hold_over", ""))
    _leave(session, view, now, policy)


def withdraw_all(session: Session, member_id: int, now: datetime, policy: Policy | None) -> int:
    """Take a member out of every line, for who leaves the network; how many there were."""
    gone = session.scalars(
        select(Waiting.id)
        .where(Waiting.member_id == member_id, Waiting.state.in_(IN_LINE))
        .order_by(Waiting.id)
    ).all()
    for waiting_id in gone:
        view = waiting_by_id(session, waiting_id)
        if view is not None and view.state in IN_LINE:
            _leave(session, view, now, policy)
    return len(gone)


def accept(session: Session, actor: Actor, waiting_id: int, now: datetime, policy: Policy) -> BookingView:
    """Book what is kept for the actor.

    The rules decide anew; what is kept becomes the booking's without a moment in between. Of several at once
    one books. Raises NOT_FOUND for somebody else's line, REFUSED `hold_over` when nothing is kept for them,
    else as `create_booking`.
    """
    view = waiting_by_id(session, waiting_id)
    if view is None or view.member_id != actor.member_id:
        raise not_found("line")
    return _accept(session, actor, view, now, policy)


def accept_by_key(session: Session, key: str, now: datetime, policy: Policy) -> BookingView:
    """The same by the secret of the mail, which books for whom it was sent to, whoever sends it back."""
    view = waiting_by_key(session, key)
    if view is None:
        raise refused(refusal("hold_over", ""))
    rows = session.execute(with_roles().where(Member.id == view.member_id, Member.active)).mappings()
    actor = actor_from(rows)
    if actor is None:
        raise refused(refusal("hold_over", ""))
    return _accept(session, actor, view, now, policy)


def release_holds(session: Session, now: datetime, policy: Policy) -> int:
    """Let go every hold that is over, tell whose it was, and offer the time to who is next; how many."""
    _lock_units_of_due(session, now)
    gone = holds.let_go_due(session, now)
    if spans := holds.freed_by(gone, now):
        freed(session, spans, now, policy)
    return len(gone)


def _accept(session: Session, actor: Actor, view: WaitingView, now: datetime, policy: Policy) -> BookingView:
    # In the order everybody locks in: members first.
    rule_facts.lock_members(session, [actor.member_id])
    hold = session.scalars(
        select(Hold)
        .where(Hold.waiting_id == view.id, Hold.expires_at > now)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if hold is None or view.hold is None or hold.id != view.hold.id:
        raise refused(refusal("hold_over", ""))
    request = BookingRequest(view.hold.machine_slug, hold.starts_at, hold.ends_at)
    hold_id = hold.id
    session.expunge(hold)
    made = create_booking(session, actor, request, now, policy, hold_id=hold_id)
    # Where staff decide first, nothing is claimed yet: the line is over all the same.
    session.execute(
        update(Waiting)
        .where(Waiting.id == view.id)
        .values(state="accepted", booking_id=made.id)
        .execution_options(synchronize_session=False)
    )
    return made


def _leave(session: Session, view: WaitingView, now: datetime, policy: Policy | None) -> None:
    if view.hold is not None:
        _lock_units_of(session, view.hold.id)
    gone = holds.let_go(session, view.id, "withdrawn")
    if not gone:
        left = session.scalar(
            update(Waiting)
            .where(Waiting.id == view.id, Waiting.state.in_(IN_LINE))
            .values(state="withdrawn")
            .returning(Waiting.id)
            .execution_options(synchronize_session=False)
        )
        if left is None:
            raise refused(refusal("not_waiting", ""))
    if spans := holds.freed_by(gone, now):
        freed(session, spans, now, policy)


def _machines(session: Session, asked: WaitingRequest) -> list[MachineView]:
    if asked.machine is not None:
        found = machine_by_slug(session, asked.machine)
        if found is None:
            text_ = f"There is no machine {asked.machine}."
            raise DomainError(Code.NOT_FOUND, text_, [Refusal("unknown_machine", "machine", text_)])
        return [found]
    return machines(session, kind=asked.kind, lab=asked.lab)


def _horizon(session: Session, actor: Actor, theirs: list[MachineView], policy: Policy) -> int:
    """How many days ahead the member may book the one of these machines that is booked furthest ahead."""
    rulebook = rule_store.rulebook(session, theirs[0].rules_version)
    who = Who(actor.category)
    days = [rulebook.ruling(rule_store.place_of(each), who, policy).horizon_days for each in theirs]
    return 3650 if 0 in days else max(days)


def _refuse_what_needs_no_line(
    session: Session,
    actor: Actor,
    asked: WaitingRequest,
    theirs: list[MachineView],
    wanted: Wanted,
    now: datetime,
    policy: Policy,
) -> None:
    """Raise if the member could book none of these anyway, or one of them right now."""
    wish = SlotWish(
        wanted.duration_s,
        Slugs(
            kinds=(asked.kind,) if asked.kind else (),
            machines=(asked.machine,) if asked.machine else (),
            labs=(asked.lab,) if asked.kind and asked.lab else (),
        ),
        after=wanted.after,
        before=wanted.before,
        limit=1,
    )
    found = find_slots(session, actor, wish, now, policy)
    if found.slots:
        slot = found.slots[0]
        zone = ZoneInfo(slot.zone)
        span = (slot.starts_at.astimezone(zone), slot.ends_at.astimezone(zone))
        free = refusal("free_already", "after", machine=slot.names.slug, span=span)
        instead = Alternative(slot.names.slug, slot.names.lab_slug, *span)
        raise DomainError(Code.REFUSED, free.message, [free], [instead])
    hopeless = {code for code in found.left_out if code not in OF_THE_TIME or code in NEVER_HEALED}
    if sum(found.left_out[code] for code in hopeless) < found.machines:
        return
    raise refused(*_why_never(session, actor, theirs[0], wanted, hopeless, now, policy))


def _why_never(
    session: Session,
    actor: Actor,
    machine: MachineView,
    wanted: Wanted,
    codes: Collection[str],
    now: datetime,
    policy: Policy,
) -> list[Refusal]:
    """The sentences for what lets the member book none of the machines, said of one of them."""
    starts_at = max(wanted.after, now).replace(second=0, microsecond=0) + timedelta(minutes=1)
    request = BookingRequest(machine.slug, starts_at, starts_at + timedelta(seconds=wanted.duration_s))
    gathered = gather_facts(session, actor, machine, request, now, policy, lock=False)
    said = [each for each in decide(request, gathered.facts, gathered.ruling) if each.code in codes]
    fields = {"starts_at": "after", "ends_at": "duration"}
    said = [replace(each, field=fields.get(each.field, each.field)) for each in said]
    return said or [refusal("nothing_to_wait_for", "machine" if wanted.machine_id else "kind")]


def _stored(session: Session, waiting_id: int) -> WaitingView:
    view = waiting_by_id(session, waiting_id)
    assert view is not None, "it was just written"
    return view


def _lock_units_of(session: Session, hold_id: int) -> None:
    """As everybody who gives time back does, before the claims go."""
    session.execute(
        text(
            "SELECT unit.id FROM unit JOIN occupancy ON occupancy.unit_id = unit.id "
            "WHERE occupancy.hold_id = :hold ORDER BY unit.id FOR NO KEY UPDATE OF unit"
        ),
        {"hold": hold_id},
    )


def _lock_units_of_due(session: Session, now: datetime) -> None:
    session.execute(
        text(
            "SELECT unit.id FROM unit WHERE unit.id IN (SELECT occupancy.unit_id FROM occupancy "
            "JOIN hold ON hold.id = occupancy.hold_id WHERE hold.expires_at <= :now) "
            "ORDER BY unit.id FOR NO KEY UPDATE OF unit"
        ),
        {"now": now},
    )
