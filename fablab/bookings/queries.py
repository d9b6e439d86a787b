"""Reads about bookings. Each is one statement unless it says otherwise and returns plain records."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, any_, false, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from fablab.bookings.models import Booking, BookingChange, Participant
from fablab.bookings.rules import COUNTED_STATES, LIVE_STATES
from fablab.bookings.rules_people import Part, part_in
from fablab.machines.models import Lab, Machine
from fablab.members.models import Member
from fablab.members.rules import Actor
from fablab.organisations.models import Membership, Organisation, Project

_maker = aliased(Member, name="created_by")
_from_machine, _to_machine = aliased(Machine, name="from_machine"), aliased(Machine, name="to_machine")
_from_holder, _to_holder = aliased(Member, name="from_holder"), aliased(Member, name="to_holder")


@dataclass(frozen=True)
class BookingView:
    """A booking with the names a person needs to read it.

    ``takes_part`` and ``owns`` (the organisation it is made for) tell of the actor it was read for.
    """

    id: int
    machine_id: int
    machine_slug: str
    machine_name: str
    lab_id: int
    lab_slug: str
    zone: str
    member_id: int
    member_name: str
    created_by_id: int
    created_by_name: str
    starts_at: datetime
    ends_at: datetime
    state: str
    purpose: str
    created_at: datetime
    organisation_id: int | None = None
    organisation_slug: str | None = None
    organisation_name: str | None = None
    project_id: int | None = None
    project_name: str | None = None
    head_count: int = 1
    # Grows with every change.
    version: int = 1
    bundle_id: int | None = None
    series_id: int | None = None
    series_at: datetime | None = None
    decide_by: datetime | None = None
    checked_in_at: datetime | None = None
    checked_out_at: datetime | None = None
    takes_part: bool = False
    owns: bool = False

    def part(self, actor: Actor) -> Part | None:
        """What the actor it was read for has to do with it; None: it does not exist for them."""
        return part_in(actor, self.member_id, self.lab_id, takes_part=self.takes_part, owns=self.owns)


@dataclass(frozen=True)
class ParticipantView:
    """Somebody who comes along: what the leader wrote, and the account behind it if there is one."""

    booking_id: int
    written: str
    member_id: int | None
    member_name: str | None


@dataclass(frozen=True)
class ChangeView:
    """One change of a booking. ``member_id`` is known when a member made it.

    Times and machines (slugs) are there where they changed, or began; ``broke`` are the codes of the rules
    that staff went over; ``from_holder`` and ``to_holder`` are names, where it changed hands.
    """

    id: int
    booking_id: int
    at: datetime
    made_by: str
    member_id: int | None
    member_name: str | None
    from_state: str | None
    to_state: str
    reason: str
    from_starts_at: datetime | None = None
    from_ends_at: datetime | None = None
    from_machine: str | None = None
    to_starts_at: datetime | None = None
    to_ends_at: datetime | None = None
    to_machine: str | None = None
    from_holder: str | None = None
    to_holder: str | None = None
    broke: tuple[str, ...] = ()


@dataclass(frozen=True)
class HoldingBooking:
    """A booking that a job on its machine may belong to."""

    id: int
    member_id: int
    starts_at: datetime
    ends_at: datetime
    state: str


def booking(session: Session, booking_id: int, *, actor: Actor | None = None) -> BookingView | None:
    """The booking, whoever's it is; `BookingView.part` says whether the actor may see it."""
    row = session.execute(_bookings(actor).where(Booking.id == booking_id)).one_or_none()
    return None if row is None else BookingView(*row)


def bookings_by_id(
    session: Session, booking_ids: Collection[int], *, actor: Actor | None = None
) -> list[BookingView]:
    """These bookings, whoever's they are, by id."""
    rows = session.execute(_bookings(actor).where(Booking.id.in_(tuple(booking_ids))).order_by(Booking.id))
    return [BookingView(*row) for row in rows]


def siblings(session: Session, booking_id: int, bundle_id: int | None) -> list[int]:
    """The other live bookings that were made as one with this one, ascending. No statement if it is alone."""
    if bundle_id is None:
        return []
    others = select(Booking.id).where(
        Booking.bundle_id == bundle_id, Booking.id != booking_id, Booking.state.in_(LIVE_STATES)
    )
    return list(session.scalars(others.order_by(Booking.id)))


def bookings(
    session: Session,
    *,
    actor: Actor | None = None,
    ids: Iterable[int] | None = None,
    machine_id: int | None = None,
    lab_id: int | None = None,
    member_id: int | None = None,
    organisation_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    states: Collection[str] | None = None,
    bundle_id: int | None = None,
    series_id: int | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int | None = None,
) -> list[BookingView]:
    """Bookings by start, then id.

    With ``actor`` only those whose details the actor may see: own ones, those they take part in, and all of
    labs the actor manages (operators and admins: everywhere); of one ``organisation_id`` those too that
    others made in its name, where the actor owns it. ``since`` and ``until`` select what overlaps
    [since, until). ``after`` is the (starts_at, id) of the last one already read.
    """
    query = _bookings(actor).order_by(Booking.starts_at, Booking.id)
    if actor is not None and not (actor.admin or actor.operator):
        seen = [Booking.member_id == actor.member_id, _attended(actor.member_id)]
        if actor.managed_labs:
            seen.append(Booking.lab_id.in_(sorted(actor.managed_labs)))
        if organisation_id is not None:
            seen.append(_owned(actor))
        query = query.where(or_(*seen))
    if organisation_id is not None:
        query = query.where(Booking.organisation_id == organisation_id)
    if ids is not None:
        query = query.where(Booking.id.in_(tuple(ids)))
    if machine_id is not None:
        query = query.where(Booking.machine_id == machine_id)
    if lab_id is not None:
        query = query.where(Booking.lab_id == lab_id)
    if member_id is not None:
        query = query.where(Booking.member_id == member_id)
    if since is not None:
        query = query.where(Booking.ends_at > since)
    if until is not None:
        query = query.where(Booking.starts_at < until)
    if states is not None:
        query = query.where(Booking.state.in_(tuple(states)))
    if bundle_id is not None:
        query = query.where(Booking.bundle_id == bundle_id)
    if series_id is not None:
        query = query.where(Booking.series_id == series_id)
    if after is not None:
        query = query.where(tuple_(Booking.starts_at, Booking.id) > after)
    if limit is not None:
        query = query.limit(limit)
    return [BookingView(*row) for row in session.execute(query)]


def bookings_of(
    session: Session,
    member_id: int,
    *,
    attended: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> list[BookingView]:
    """One member's bookings that overlap [since, until), by start; all states.

    With ``attended`` those too that somebody else leads and the member takes part in.
    """
    theirs = Booking.member_id == member_id
    if attended:
        theirs = or_(theirs, _attended(member_id))
    query = _bookings().where(theirs)
    if since is not None:
        query = query.where(Booking.ends_at > since)
    if until is not None:
        query = query.where(Booking.starts_at < until)
    query = query.order_by(Booking.starts_at.desc() if newest_first else Booking.starts_at, Booking.id)
    return [BookingView(*row) for row in session.execute(query.limit(limit))]


def participants(session: Session, booking_ids: Collection[int]) -> dict[int, list[ParticipantView]]:
    """Who comes along, by booking, in the order in which they were listed."""
    rows = session.execute(
        select(Participant.booking_id, Participant.name, Participant.member_id, Member.name)
        .outerjoin(Member, Member.id == Participant.member_id)
        .where(Participant.booking_id.in_(tuple(booking_ids)))
        .order_by(Participant.id)
    )
    found: dict[int, list[ParticipantView]] = {}
    for row in rows:
        found.setdefault(row.booking_id, []).append(ParticipantView(*row))
    return found


def history(session: Session, booking_id: int) -> list[ChangeView]:
    """Every change of the booking, oldest first."""
    return _changes(session, BookingChange.booking_id == booking_id)


def changes_since(session: Session, since: datetime, limit: int) -> list[ChangeView]:
    """The newest changes of any booking from ``since`` on, oldest first; at most ``limit``."""
    return _changes(session, BookingChange.at >= since, limit)


def holding_candidates(
    session: Session, machine_id: int, at: datetime, until: datetime
) -> list[HoldingBooking]:
    """Bookings of the machine that overlap [at, until), by start: those a job of that time may belong to.

    Completed and missed ones are among them, because news of a job may come long after it.
    """
    rows = session.execute(
        select(Booking.id, Booking.member_id, Booking.starts_at, Booking.ends_at, Booking.state)
        .where(
            Booking.machine_id == machine_id,
            Booking.starts_at < until,
            Booking.ends_at > at,
            Booking.state.in_(COUNTED_STATES),
        )
        .order_by(Booking.starts_at)
    )
    return [HoldingBooking(*row) for row in rows]


def _bookings(actor: Actor | None = None) -> Select[*tuple[Any, ...]]:
    takes_part: ColumnElement[bool] = false()
    owns: ColumnElement[bool] = false()
    if actor is not None:
        takes_part = (
            select(Participant.id)
            .where(Participant.booking_id == Booking.id, Participant.member_id == actor.member_id)
            .correlate(Booking)
            .exists()
        )
        owns = func.coalesce(_owned(actor), false())
    return (
        select(
            Booking.id,
            Booking.machine_id,
            Machine.slug,
            Machine.name,
            Booking.lab_id,
            Lab.slug,
            Booking.zone,
            Booking.member_id,
            Member.name,
            Booking.created_by_id,
            _maker.name,
            Booking.starts_at,
            Booking.ends_at,
            Booking.state,
            Booking.purpose,
            Booking.created_at,
            Booking.organisation_id,
            Organisation.slug,
            Organisation.name,
            Booking.project_id,
            Project.name,
            Booking.head_count,
            Booking.version,
            Booking.bundle_id,
            Booking.series_id,
            Booking.series_at,
            Booking.decide_by,
            Booking.checked_in_at,
            Booking.checked_out_at,
            takes_part,
            owns,
        )
        .select_from(Booking)
        .join(Machine, Machine.id == Booking.machine_id)
        .join(Lab, Lab.id == Booking.lab_id)
        .join(Member, Member.id == Booking.member_id)
        .join(_maker, _maker.id == Booking.created_by_id)
        .outerjoin(Organisation, Organisation.id == Booking.organisation_id)
        .outerjoin(Project, Project.id == Booking.project_id)
    )


# As arrays, which are read once and then looked up in an index beside the other ways to be concerned.
def _attended(member_id: int) -> ColumnElement[bool]:
    """Bookings the member takes part in."""
    listed = select(Participant.booking_id).where(Participant.member_id == member_id)
    return Booking.id == any_(func.array(listed.scalar_subquery()))


def _owned(actor: Actor) -> ColumnElement[bool]:
    """Bookings in the name of an organisation the actor owns."""
    owned = select(Membership.organisation_id).where(
        Membership.member_id == actor.member_id, Membership.owner
    )
    return Booking.organisation_id == any_(func.array(owned.scalar_subquery()))


def _changes(session: Session, condition: Any, newest: int | None = None) -> list[ChangeView]:
    query = (
        select(
            BookingChange.id,
            BookingChange.booking_id,
            BookingChange.at,
            BookingChange.made_by,
            BookingChange.member_id,
            Member.name,
            BookingChange.from_state,
            BookingChange.to_state,
            BookingChange.reason,
            BookingChange.from_starts_at,
            BookingChange.from_ends_at,
            _from_machine.slug,
            BookingChange.to_starts_at,
            BookingChange.to_ends_at,
            _to_machine.slug,
            _from_holder.name,
            _to_holder.name,
            BookingChange.broke,
        )
        .outerjoin(Member, Member.id == BookingChange.member_id)
        .outerjoin(_from_machine, _from_machine.id == BookingChange.from_machine_id)
        .outerjoin(_to_machine, _to_machine.id == BookingChange.to_machine_id)
        .outerjoin(_from_holder, _from_holder.id == BookingChange.from_holder_id)
        .outerjoin(_to_holder, _to_holder.id == BookingChange.to_holder_id)
        .where(condition)
        .order_by(BookingChange.id.desc())
        .limit(newest)
    )
    rows = [[*row] for row in reversed(session.execute(query).all())]
    for row in rows:
        row[-1] = tuple(row[-1])
    return [ChangeView(*row) for row in rows]
