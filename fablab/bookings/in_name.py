"""Reads about bookings made in an organisation's name, for those who answer for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.bookings.rules import LIVE_STATES
from fablab.machines.models import Lab, Machine
from fablab.members.models import Member
from fablab.organisations.models import Membership, Project


@dataclass(frozen=True)
class OrganisationBooking:
    """A booking made in an organisation's name. ``belongs``: whose it is still belongs to it.

    ``project`` is named only where it is the organisation's: a member's own projects are private.
    """

    id: int
    machine_slug: str
    machine_name: str
    lab_slug: str
    lab_name: str
    zone: str
    member_id: int
    member_name: str
    belongs: bool
    starts_at: datetime
    ends_at: datetime
    state: str
    head_count: int
    project: str | None


def organisation_bookings(
    session: Session,
    organisation_id: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    newest_first: bool = True,
    limit: int = 50,
) -> list[OrganisationBooking]:
    """Bookings in the organisation's name that overlap [since, until), in any state; latest start first.

    What its owners see of them; `fablab.bookings.queries.bookings` gives what one actor may see of each.
    ``before`` is the (starts_at, id) of the last one read. One statement.
    """
    query: Select[*tuple[Any, ...]] = (
        select(
            Booking.id,
            Machine.slug,
            Machine.name,
            Lab.slug,
            Lab.name_en,
            Booking.zone,
            Booking.member_id,
            Member.name,
            Membership.member_id.is_not(None),
            Booking.starts_at,
            Booking.ends_at,
            Booking.state,
            Booking.head_count,
            Project.name,
        )
        .join(Machine, Machine.id == Booking.machine_id)
        .join(Lab, Lab.id == Booking.lab_id)
        .join(Member, Member.id == Booking.member_id)
        .outerjoin(
            Membership,
            (Membership.organisation_id == organisation_id) & (Membership.member_id == Booking.member_id),
        )
        .outerjoin(Project, (Project.id == Booking.project_id) & (Project.organisation_id == organisation_id))
        .where(Booking.organisation_id == organisation_id)
        .limit(limit)
    )
    if since is not None:
        query = query.where(Booking.ends_at > since)
    if until is not None:
        query = query.where(Booking.starts_at < until)
    if before is not None:
        query = query.where(tuple_(Booking.starts_at, Booking.id) < before)
    order = (Booking.starts_at.desc(), Booking.id.desc()) if newest_first else (Booking.starts_at, Booking.id)
    return [OrganisationBooking(*row) for row in session.execute(query.order_by(*order))]


def coming_of_member(session: Session, organisation_id: int, member_id: int, now: datetime) -> int:
    """How many bookings of a member in the organisation's name are still to come or under way."""
    found = session.scalar(
        select(func.count()).where(
            Booking.organisation_id == organisation_id,
            Booking.member_id == member_id,
            Booking.state.in_(LIVE_STATES),
            Booking.ends_at > now,
        )
    )
    return found or 0
