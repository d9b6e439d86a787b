"""Outages: a machine is out of service for a span, or until somebody says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, bindparam, or_, select, text, tuple_
from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.bookings.alternatives import Sought, alternatives_of_each
from fablab.bookings.claims import lock_units
from fablab.bookings.facts import Policy, Who
from fablab.bookings.freed import freed
from fablab.bookings.models_claims import Outage
from fablab.bookings.outage_claims import FOREVER, empty, fill
from fablab.bookings.rule_store import rulebook
from fablab.bookings.rules import LIVE_STATES
from fablab.bookings.rules_changes import outage_refusals
from fablab.bookings.rules_people import may_close_machines
from fablab.bookings.wording import refusal
from fablab.errors import Alternative, not_allowed, not_found, refused
from fablab.machines.models import Lab, Machine
from fablab.machines.queries import MachineView, machines
from fablab.machines.rules import Span
from fablab.members import audit
from fablab.members.models import Member
from fablab.members.rules import Actor, is_minor

CATEGORIES = ("fault", "maintenance", "upgrade", "supplies", "other")
# How far back one may be written down, and how far ahead one may be planned.
EARLIEST, LATEST = timedelta(days=366), timedelta(days=5 * 366)


@dataclass(frozen=True)
class OutageWish:
    """What is said of an outage; ``ends_at`` None: until somebody says otherwise."""

    starts_at: datetime
    ends_at: datetime | None
    category: str
    note: str = ""


@dataclass(frozen=True)
class OutageView:
    """An outage with the names a person needs to read it. Who wrote it down is for the lab's staff."""

    id: int
    machine_id: int
    machine_slug: str
    lab_id: int
    zone: str
    starts_at: datetime
    ends_at: datetime | None
    category: str
    note: str
    created_by_id: int | None
    created_by_name: str | None
    created_at: datetime


@dataclass(frozen=True)
class Touched:
    """A booking whose time the machine is out of service for, in part or whole, and what is free instead."""

    booking_id: int
    machine_slug: str
    zone: str
    member_id: int
    member_name: str
    starts_at: datetime
    ends_at: datetime
    state: str
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class Told:
    """An outage as it is now, and the bookings it touches."""

    outage: OutageView
    touched: tuple[Touched, ...]


# By the claims of bookings, so that those of machines that need this one are among them; and requests, which
# claim nothing yet. Those with buffers only in the outage are not touched.
_TOUCHED = text(
    """
    SELECT booking.id, booking.machine_id, booking.starts_at, booking.ends_at, booking.state, booking.zone,
           member.id AS member_id, member.name, member.category, member.birth_on, booking.organisation_id
    FROM booking JOIN member ON member.id = booking.member_id
    WHERE booking.id IN (
        SELECT occupancy.booking_id
        FROM unit JOIN occupancy ON occupancy.slot && occupancy_slot(unit.id, :since, :until)
        WHERE unit.machine_id = :machine AND occupancy.booking_id IS NOT NULL
        UNION
        SELECT id FROM booking WHERE machine_id = :machine AND state = 'requested'
    )
    AND booking.starts_at < :until AND booking.ends_at > greatest(:since, :now)
    AND booking.state = ANY(:states)
    ORDER BY booking.starts_at, booking.id
    """
).bindparams(*(bindparam(name, type_=Outage.starts_at.type) for name in ("since", "until", "now")))

# Time that was kept for somebody who waits cannot be had: they wait on. Who takes it just now has a booking.
_DROP_HOLDS = text(
    """
    WITH gone AS (
        DELETE FROM hold WHERE id IN (
            SELECT hold.id FROM hold JOIN waiting ON waiting.id = hold.waiting_id
            WHERE hold.id IN (
                SELECT occupancy.hold_id
                FROM unit JOIN occupancy ON occupancy.slot && occupancy_slot(unit.id, :since, :until)
                WHERE unit.machine_id = :machine AND occupancy.hold_id IS NOT NULL
            ) FOR UPDATE SKIP LOCKED
        ) RETURNING waiting_id
    )
    UPDATE waiting SET state = 'waiting' FROM gone WHERE waiting.id = gone.waiting_id
    """
).bindparams(*(bindparam(name, type_=Outage.starts_at.type) for name in ("since", "until")))


def begin_outage(
    session: Session, actor: Actor, machine: MachineView, wish: OutageWish, now: datetime, policy: Policy
) -> Told:
    """Take a machine out of service. It claims whatever nobody has booked in that time.

    Bookings in it stay; whose they are, and their alternatives, come back, and their holders are told. Time
    that one of them gives back belongs to the outage. Raises NOT_ALLOWED or REFUSED.
    """
    _check(actor, machine.lab_id)
    starts_at, ends_at = _whole(wish.starts_at), _whole(wish.ends_at)
    said = list(outage_refusals(starts_at, ends_at, now - EARLIEST, now + LATEST))
    if said:
        raise refused(*said)
    lock_units(session, [machine.id])
    outage = Outage(
        machine_id=machine.id,
        lab_id=machine.lab_id,
        starts_at=starts_at,
        ends_at=ends_at,
        category=wish.category,
        note=wish.note,
        created_by_id=actor.member_id,
        created_at=now,
    )
    session.add(outage)
    session.flush()
    _hold_no_more(session, outage)
    fill(session, [outage.id])
    return _told(session, actor, "begin", outage.id, now, policy, anew=True)


def change_outage(
    session: Session,
    actor: Actor,
    machine: MachineView,
    outage_id: int,
    changes: dict[str, Any],
    now: datetime,
    policy: Policy,
) -> Told:
    """Change what is said of an outage (starts_at, ends_at, category, note), or end it by its ``ends_at``.

    What it claims no more is free at once, and offered to whoever waits for it. Raises NOT_FOUND,
    NOT_ALLOWED or REFUSED.
    """
    row = session.get(Outage, outage_id)
    if row is None or row.machine_id != machine.id:
        raise not_found("outage")
    _check(actor, row.lab_id)
    lock_units(session, [row.machine_id])
    # Whoever changed it at the same moment held those locks.
    session.refresh(row, with_for_update=True)
    starts_at = _whole(changes.get("starts_at", row.starts_at))
    ends_at = _whole(changes.get("ends_at", row.ends_at))
    said = list(outage_refusals(starts_at, ends_at, min(row.starts_at, now - EARLIEST), now + LATEST))
    over = row.ends_at is not None and row.ends_at <= now
    if over and starts_at != row.starts_at:
        said.append(refusal("outage_over", "starts_at"))
    if said:
        raise refused(*said)
    same = (starts_at, ends_at) == (row.starts_at, row.ends_at)
    row.starts_at, row.ends_at = starts_at, ends_at
    row.category = changes.get("category", row.category)
    row.note = changes.get("note", row.note)
    session.flush()
    if not same:
        _hold_no_more(session, row)
        spans = empty(session, row.id)
        fill(session, [row.id])
        freed(session, spans, now, policy)
    ended = not same and row.ends_at is not None and row.ends_at <= now
    return _told(session, actor, "end" if ended else "change", row.id, now, policy, anew=not same)


def outage(session: Session, outage_id: int) -> OutageView | None:
    row = session.execute(_views().where(Outage.id == outage_id)).one_or_none()
    return None if row is None else OutageView(*row)


def outages(
    session: Session,
    machine_id: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int | None = None,
) -> list[OutageView]:
    """A machine's outages that overlap [since, until), by start, then id. One statement.

    ``after`` is the (starts_at, id) of the last one already read.
    """
    query = _views().where(Outage.machine_id == machine_id)
    if since is not None:
        query = query.where(or_(Outage.ends_at.is_(None), Outage.ends_at > since))
    if until is not None:
        query = query.where(Outage.starts_at < until)
    if after is not None:
        query = query.where(tuple_(Outage.starts_at, Outage.id) > after)
    rows = session.execute(query.order_by(Outage.starts_at, Outage.id).limit(limit))
    return [OutageView(*row) for row in rows]


def touched_by(session: Session, view: OutageView, now: datetime, policy: Policy) -> list[Touched]:
    """Live bookings that need the machine in the outage's time, with what is free instead of each.

    The number of statements does not grow with them.
    """
    rows = session.execute(
        _TOUCHED,
        {
            "machine": view.machine_id,
            "since": view.starts_at,
            "until": view.ends_at or FOREVER,
            "now": now,
            "states": list(LIVE_STATES),
        },
    ).all()
    there = {each.id: each for each in machines(session, ids={row.machine_id for row in rows}, inactive=True)}
    instead = _instead(session, rows, there, now, policy) if rows else []
    return [
        Touched(
            row.id,
            there[row.machine_id].slug,
            row.zone,
            row.member_id,
            row.name,
            row.starts_at,
            row.ends_at,
            row.state,
            tuple(free),
        )
        for row, free in zip(rows, instead, strict=True)
    ]


def _instead(
    session: Session, rows: Sequence[Any], there: dict[int, MachineView], now: datetime, policy: Policy
) -> list[list[Alternative]]:
    sought = [
        Sought(
            there[row.machine_id],
            Span(row.starts_at, row.ends_at),
            Who(row.category, row.organisation_id),
            supervised=is_minor(row.birth_on, _day(row.starts_at, row.zone)),
        )
        for row in rows
    ]
    rules = rulebook(session, sought[0].machine.rules_version)
    return alternatives_of_each(session, sought, rules, now, policy)


def _told(
    session: Session, actor: Actor, act: str, outage_id: int, now: datetime, policy: Policy, *, anew: bool
) -> Told:
    """The outage as it is now; whoever must know of the change is told."""
    view = outage(session, outage_id)
    assert view is not None, "it was just written"
    audit.record(session, actor, f"outage.{act}", f"outage {view.id}", now, view.category, lab_id=view.lab_id)
    event = {"begin": "began", "end": "ended", "change": "changed"}[act]
    letters.tell_outage(session, view.id, event, now)
    touched = touched_by(session, view, now, policy)
    if anew and touched and act != "end":
        letters.tell(
            session,
            [each.booking_id for each in touched],
            "touched_by_outage",
            now,
            actor=actor,
            reason=view.category,
            offers={each.booking_id: each.alternatives for each in touched},
        )
    return Told(view, tuple(touched))


def _hold_no_more(session: Session, row: Outage) -> None:
    values = {"machine": row.machine_id, "since": row.starts_at, "until": row.ends_at or FOREVER}
    session.execute(_DROP_HOLDS, values)


def _check(actor: Actor, lab_id: int) -> None:
    if not may_close_machines(actor, lab_id):
        raise not_allowed("Only the lab's managers take machines out of service.")


def _whole(at: Any) -> Any:
    """In whole seconds, as claims are stored."""
    return None if at is None else at.replace(microsecond=0)


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def _views() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Outage.id,
            Outage.machine_id,
            Machine.slug,
            Outage.lab_id,
            Lab.zone,
            Outage.starts_at,
            Outage.ends_at,
            Outage.category,
            Outage.note,
            Outage.created_by_id,
            Member.name,
            Outage.created_at,
        )
        .select_from(Outage)
        .join(Machine, Machine.id == Outage.machine_id)
        .join(Lab, Lab.id == Outage.lab_id)
        .outerjoin(Member, Member.id == Outage.created_by_id)
    )
