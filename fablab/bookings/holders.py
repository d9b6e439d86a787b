"""Bookings get another holder: whether the rules let that member have one, and the change itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.bookings.changes import Turned, by, note, tell_viewers
from fablab.bookings.facts import BookingRequest, Guest, Policy
from fablab.bookings.gathering import gather_facts
from fablab.bookings.queries import BookingView, participants
from fablab.bookings.rules import decide
from fablab.bookings.wording import refusal
from fablab.errors import Refusal
from fablab.machines.queries import machine_by_slug
from fablab.machines.rules import Span
from fablab.members.models import Member
from fablab.members.queries import actor_from, with_roles
from fablab.members.rules import Actor, may_book
from fablab.organisations.models import Project

_CHANGE = text(
    """
    UPDATE booking SET member_id = given.member_id, version = booking.version + 1, reminded_at = NULL,
           series_id = NULL, series_at = NULL,
           project_id = CASE WHEN EXISTS (SELECT FROM project WHERE project.id = booking.project_id
                                          AND project.organisation_id IS NOT NULL)
                             THEN booking.project_id END
    FROM unnest(CAST(:bookings AS bigint[]), CAST(:members AS bigint[])) AS given(booking_id, member_id),
         booking AS before
    WHERE booking.id = given.booking_id AND before.id = booking.id
    RETURNING booking.id, booking.machine_id, booking.lab_id, booking.state,
              before.member_id AS from_member_id, booking.member_id AS to_member_id
    """
)
# Who leads it now, and came along, is counted once.
_LEAVE_LISTS = text(
    """
    WITH gone AS (
        DELETE FROM participant USING booking
        WHERE booking.id = participant.booking_id AND booking.id = ANY(:bookings)
          AND participant.member_id = booking.member_id
        RETURNING participant.booking_id
    )
    UPDATE booking SET head_count = greatest(1, head_count - 1) FROM gone WHERE booking.id = gone.booking_id
    """
)


def decide_for(
    session: Session,
    booking: BookingView,
    member_id: int,
    now: datetime,
    policy: Policy,
    *,
    ignore: Collection[int],
    asked: bool = True,
) -> list[Refusal]:
    """Every rule that says no to this booking being that member's, for its own span.

    The bookings in ``ignore`` count nowhere: they change hands with it. ``asked`` False: staff do it, who
    decide about requests anyway. Locks what is counted, as making a booking does.
    """
    rows = session.execute(with_roles().where(Member.id == member_id, Member.active)).mappings()
    actor = actor_from(rows)
    machine = machine_by_slug(session, booking.machine_slug)
    assert machine is not None, "a booking has a machine"
    if actor is None or not may_book(actor, booking.lab_id):
        return [refusal("handover_not_allowed", "")]
    listed = participants(session, [booking.id]).get(booking.id, []) if booking.head_count > 1 else []
    stays = [each for each in listed if each.member_id != member_id]
    project = session.get(Project, booking.project_id) if booking.project_id else None
    request = BookingRequest(
        machine.slug,
        booking.starts_at,
        booking.ends_at,
        booking.purpose,
        organisation=booking.organisation_slug,
        project=project.id if project is not None and project.organisation_id is not None else None,
        participants=tuple(
            Guest(email=each.written) if "@" in each.written else Guest(name=each.written) for each in stays
        ),
        head_count=max(1, booking.head_count - (len(listed) - len(stays))),
    )
    gathered = gather_facts(session, actor, machine, request, now, policy, lock=True, but=frozenset(ignore))
    facts = replace(gathered.facts, moved_from=Span(booking.starts_at, booking.ends_at))
    refusals = decide(request, facts, gathered.ruling)
    if asked and gathered.ruling.approvals > 0:
        refusals.append(refusal("handover_needs_staff", ""))
    return refusals


def change_holders(
    session: Session, actor: Actor, holders: Mapping[int, int], now: datetime, reason: str = ""
) -> None:
    """Give bookings (by id) to members; written into their history with both names.

    An occurrence of a series leaves it, a project of the former holder's own is left behind, and who was on
    the list and leads now is taken off it. The caller has locked the bookings. Four statements.
    """
    booking_ids = sorted(holders)
    values = {"bookings": booking_ids, "members": [holders[each] for each in booking_ids]}
    rows = session.execute(_CHANGE, values).all()
    session.execute(_LEAVE_LISTS, {"bookings": booking_ids})
    changes = [
        {
            "booking_id": row.id,
            "from_state": row.state,
            "to_state": row.state,
            "from_holder_id": row.from_member_id,
            "to_holder_id": row.to_member_id,
        }
        for row in rows
    ]
    note(session, changes, now, by(actor), reason)
    tell_viewers(session, [Turned(row.id, row.machine_id, row.lab_id) for row in rows])
