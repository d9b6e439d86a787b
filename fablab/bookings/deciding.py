"""Requests: agreed to by as many of the lab's managers as its rules ask for, rejected, or over in the end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.bookings.changes import CLOCK, Turned, by, note, tell_viewers, turn
from fablab.bookings.checks import (
    check_seen,
    lost,
    machine_ids,
    refused_offering,
    request_of,
    seen_booking,
)
from fablab.bookings.claims import Owner, take
from fablab.bookings.facts import Policy
from fablab.bookings.gathering import gather_facts, lock_bookings, padded
from fablab.bookings.models import Approval, Booking
from fablab.bookings.noshow import release
from fablab.bookings.queries import BookingView
from fablab.bookings.rule_store import rulings_of_bookings
from fablab.bookings.rulebook import Ruling
from fablab.bookings.rules import machine_booked
from fablab.bookings.rules_changes import approval_refusals, decision_refusals
from fablab.bookings.rules_people import may_decide
from fablab.bookings.wording import refusal
from fablab.errors import not_allowed, refused
from fablab.machines.queries import machine_by_slug
from fablab.machines.rules import Span
from fablab.members import audit
from fablab.members.rules import Actor

LATE = "nobody decided in time"

# Machines that share something they need, one needing the other included, get into one another's way as
# bookings of one machine do.
_COLLISIONS = text(
    """
    WITH RECURSIVE uses (machine_id, used_id) AS (
        SELECT id, id FROM machine
        WHERE id IN (SELECT machine_id FROM booking WHERE id = ANY(CAST(:bookings AS bigint[])))
           OR id IN (SELECT machine_id FROM machine_need) OR id IN (SELECT needs_id FROM machine_need)
        UNION
        SELECT uses.machine_id, need.needs_id
        FROM uses JOIN machine_need AS need ON need.machine_id = uses.used_id
    )
    SELECT DISTINCT asked.id, other.id
    FROM booking AS asked
    JOIN uses AS one ON one.machine_id = asked.machine_id
    JOIN uses AS two ON two.used_id = one.used_id
    JOIN booking AS other ON other.machine_id = two.machine_id AND other.id <> asked.id
    WHERE asked.id = ANY(CAST(:bookings AS bigint[]))
      AND other.state IN ('requested', 'confirmed', 'started')
      AND tstzrange(other.starts_at, other.ends_at) && tstzrange(asked.starts_at, asked.ends_at)
    ORDER BY asked.id, other.id
    """
)


def approve(
    session: Session,
    actor: Actor,
    booking_id: int,
    now: datetime,
    policy: Policy,
    *,
    seen: Collection[int] | None = None,
) -> BookingView:
    """Agree to a request. With as many different managers as its rules ask for it is confirmed.

    Only then does it claim its time. Raises NOT_FOUND, NOT_ALLOWED, STALE, REFUSED (`not_requested`,
    `request_over`, `own_request`, `agreed_already`) or CLASH where its time is taken by now.
    """
    view = _to_decide(session, actor, booking_id, now, seen)
    agreed = set(session.scalars(select(Approval.member_id).where(Approval.booking_id == booking_id)))
    said = list(approval_refusals(actor.member_id, (view.member_id, view.created_by_id), agreed))
    if said:
        raise refused(*said)
    session.execute(insert(Approval).values(booking_id=booking_id, member_id=actor.member_id, at=now))
    ruling = rulings_of_bookings(session, [booking_id], policy)[booking_id]
    _audit(session, actor, "approve", view, now)
    if len(agreed) + 1 < ruling.approvals:
        return _agreed_by_one(session, actor, view, len(agreed) + 1, ruling, now)
    _claim(session, actor, view, ruling, now, policy)
    turn(session, "requested", "confirmed", now, by(actor), which=Booking.id == booking_id)
    letters.tell(session, [booking_id], "confirmed", now, actor=actor)
    return replace(view, state="confirmed", version=view.version + 1)


def reject(
    session: Session,
    actor: Actor,
    booking_id: int,
    now: datetime,
    reason: str,
    *,
    seen: Collection[int] | None = None,
) -> BookingView:
    """Say no to a request, and why. Raises NOT_FOUND, NOT_ALLOWED, STALE or REFUSED as `approve` does."""
    view = _to_decide(session, actor, booking_id, now, seen)
    turn(session, "requested", "rejected", now, by(actor), reason, which=Booking.id == booking_id)
    _audit(session, actor, "reject", view, now)
    letters.tell(session, [booking_id], "rejected", now, actor=actor, reason=reason)
    return replace(view, state="rejected", version=view.version + 1)


def expire_requests(session: Session, now: datetime) -> int:
    """Requests that nobody decided on in time are over. Returns how many; a second run finds none."""
    late = or_(Booking.decide_by <= now, (Booking.decide_by.is_(None)) & (Booking.starts_at <= now))
    over = turn(session, "requested", "rejected", now, CLOCK, LATE, which=late)
    if over:
        letters.tell(session, [each.id for each in over], "request_expired", now, reason=LATE)
    return len(over)


def collisions(session: Session, booking_ids: Collection[int]) -> dict[int, list[int]]:
    """Which requests and bookings lie at the same time as each of these, on what they need. One statement.

    They need not exclude one another where a machine has several units.
    """
    found: dict[int, list[int]] = {each: [] for each in booking_ids}
    if booking_ids:
        for asked, other in session.execute(_COLLISIONS, {"bookings": sorted(booking_ids)}):
            found[asked].append(other)
    return found


@dataclass(frozen=True)
class Asked:
    """Where a request stands: how many have agreed and must agree, and what is at the same time."""

    given: int
    needed: int
    collides_with: tuple[int, ...]


def asked(session: Session, booking_ids: Collection[int], policy: Policy) -> dict[int, Asked]:
    """Where each of these requests stands. Three statements at most, none without a request."""
    if not booking_ids:
        return {}
    given = _agreed(session, booking_ids)
    needed = rulings_of_bookings(session, booking_ids, policy)
    beside = collisions(session, booking_ids)
    return {
        each: Asked(given[each], max(1, needed[each].approvals), tuple(beside[each])) for each in booking_ids
    }


def _agreed(session: Session, booking_ids: Collection[int]) -> dict[int, int]:
    """How many have agreed to each of these. One statement."""
    rows = session.execute(
        select(Approval.booking_id, func.count())
        .where(Approval.booking_id.in_(tuple(booking_ids)))
        .group_by(Approval.booking_id)
    )
    return {**dict.fromkeys(booking_ids, 0), **{row[0]: row[1] for row in rows}}


def _to_decide(
    session: Session, actor: Actor, booking_id: int, now: datetime, seen: Collection[int] | None
) -> BookingView:
    """The request, locked, once it is clear that the actor may decide on it now."""
    seen_booking(session, actor, booking_id)
    # Of two who decide at once the second sees what the first did.
    lock_bookings(session, [booking_id])
    view = seen_booking(session, actor, booking_id)
    if not may_decide(actor, view.lab_id):
        raise not_allowed("Only the lab's managers decide on requests.")
    check_seen(view, seen)
    said = list(decision_refusals(view.state, view.decide_by, view.starts_at, now))
    if said:
        raise refused(*said)
    return view


def _agreed_by_one(
    session: Session, actor: Actor, view: BookingView, agreed: int, ruling: Ruling, now: datetime
) -> BookingView:
    """One of several has agreed: that is a change, too, though it stays a request."""
    which = Booking.id == view.id
    session.execute(update(Booking).where(which).values(version=Booking.version + 1))
    change = {"booking_id": view.id, "from_state": "requested", "to_state": "requested"}
    note(session, [change], now, by(actor), f"agreed, {agreed} of {ruling.approvals}")
    tell_viewers(session, [Turned(view.id, view.machine_id, view.lab_id)])
    return replace(view, version=view.version + 1)


def _claim(
    session: Session, actor: Actor, view: BookingView, ruling: Ruling, now: datetime, policy: Policy
) -> None:
    """Take its time; raises REFUSED for a machine out of use, CLASH where somebody has it."""
    machine = machine_by_slug(session, view.machine_slug)
    assert machine is not None, "a booking keeps its machine"
    span = padded(Span(view.starts_at, view.ends_at), ruling)
    if not (machine.active and machine.bookable):
        raise refused(refusal("machine_inactive", "machine", machine=machine.slug))
    owner = Owner(booking_id=view.id)
    if take(session, machine, span, owner, now):
        return
    if (
        view.starts_at <= now
        and release(session, now, policy, machine_ids(machine))
        and take(session, machine, span, owner, now)
    ):
        return
    request = request_of(view, actor, machine)
    gathered = gather_facts(
        session, actor, machine, request, now, policy, lock=False, leader_id=view.member_id, but=[view.id]
    )
    said = machine_booked(request, gathered.facts, gathered.ruling) or lost(request)
    raise refused_offering(session, gathered, request, policy, [said])


def _audit(session: Session, actor: Actor, act: str, view: BookingView, now: datetime) -> None:
    audit.record(
        session,
        actor,
        f"booking.{act}",
        f"booking {view.id}",
        now,
        on_member_id=view.member_id,
        lab_id=view.lab_id,
    )
