"""Reads about a member's standing and about what would mention the member."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, and_, cast, exists, select
from sqlalchemy.orm import Session, aliased

from fablab.bookings.models import Booking
from fablab.bookings.rules import CANCELLABLE_STATES
from fablab.certifications.models import Enrolment, Training
from fablab.data_rights.rules import Standing
from fablab.machines.models import Machine
from fablab.members.models import Audit, Member, Role
from fablab.members.queries import by_email
from fablab.organisations.models import Membership, Organisation
from fablab.signin.models import MailLink
from fablab.telemetry.models import MachineStatus
from fablab.usage.models import Job

# A machine nobody has heard of for this long does not hold up an erasure.
SILENT = timedelta(days=1)


@dataclass(frozen=True)
class Person:
    """A member as an export or an erasure needs them."""

    id: int
    email: str
    name: str
    language: str
    erased_at: datetime | None


def person(session: Session, member_id: int, *, lock: bool = False) -> Person | None:
    """The member; ``lock`` makes two acts on the same one wait for each other."""
    query = select(Member.id, Member.email, Member.name, Member.language, Member.erased_at).where(
        Member.id == member_id
    )
    row = session.execute(query.with_for_update(key_share=True) if lock else query).one_or_none()
    return None if row is None else Person(*row)


def addresses(session: Session, who: Person) -> tuple[str, ...]:
    """The member's address, and others the member has confirmed here and nobody else has now; lower case.

    One that was only asked for may be anybody's.
    """
    taken = exists().where(
        by_email(MailLink.email),
        Member.id != who.id,
        Member.erased_at.is_(None),
    )
    confirmed = session.scalars(
        select(MailLink.email).where(
            MailLink.member_id == who.id,
            MailLink.purpose == "address",
            MailLink.used_at.is_not(None),
            ~taken,
        )
    )
    return tuple(sorted({each.lower() for each in (who.email, *confirmed)}))


def exports_since(session: Session, member_id: int, since: datetime) -> list[datetime]:
    """When the member took an export."""
    return list(
        session.scalars(
            select(Audit.at).where(
                Audit.actor_id == member_id, Audit.action == "data.export", Audit.at > since
            )
        )
    )


def standing(session: Session, member_id: int, now: datetime) -> Standing:
    """What ties the member to others now; five statements."""
    running = session.scalars(
        select(Machine.name)
        .join(Booking, Booking.machine_id == Machine.id)
        .where(Booking.member_id == member_id, Booking.state == "started", Booking.ends_at > now)
    )
    working = session.scalars(
        select(Machine.name)
        .join(MachineStatus, MachineStatus.machine_id == Machine.id)
        .join(Job, cast(Job.id, String) == MachineStatus.job["id"].astext)
        .where(
            Job.member_id == member_id,
            Job.ended_at.is_(None),
            MachineStatus.state.in_(("running", "paused")),
            MachineStatus.seen_at > now - SILENT,
        )
    )
    other = aliased(Membership)
    others = exists().where(other.organisation_id == Organisation.id, other.member_id != member_id)
    owned_by_others = exists().where(
        and_(other.organisation_id == Organisation.id, other.member_id != member_id, other.owner)
    )
    sole = session.scalars(
        select(Organisation.name)
        .join(Membership, Membership.organisation_id == Organisation.id)
        .where(Membership.member_id == member_id, Membership.owner, Organisation.closed_at.is_(None))
        .where(others, ~owned_by_others)
        .order_by(Organisation.name)
    )
    leads = session.scalars(
        select(Training.title)
        .where(Training.trainer_id == member_id, Training.ends_at > now)
        .where(Training.cancelled_at.is_(None), Training.closed_at.is_(None))
        .order_by(Training.starts_at)
    )
    admins = set(
        session.scalars(
            select(Member.id)
            .join(Role, Role.member_id == Member.id)
            .where(Role.role == "admin", Member.active)
            .limit(2)
        )
    )
    return Standing(
        running=tuple(running),
        working=tuple(working),
        sole_owner_of=tuple(sole),
        leads=tuple(leads),
        last_admin=admins == {member_id},
    )


def is_an_admin(session: Session, member_id: int) -> bool:
    """Whether the member has that role."""
    found = select(Role.id).where(Role.member_id == member_id, Role.role == "admin")
    return session.scalar(found) is not None


def bookings_to_come(session: Session, member_id: int, now: datetime) -> list[int]:
    """Bookings whose time the member still holds, in the order in which they are locked."""
    return list(
        session.scalars(
            select(Booking.id)
            .where(Booking.member_id == member_id, Booking.ends_at > now)
            .where(Booking.state.in_(CANCELLABLE_STATES))
            .order_by(Booking.id)
        )
    )


def trainings_to_come(session: Session, member_id: int, now: datetime) -> list[int]:
    """Trainings the member has a place in, or waits for one."""
    return list(
        session.scalars(
            select(Training.id)
            .join(Enrolment, Enrolment.training_id == Training.id)
            .where(Enrolment.member_id == member_id, Enrolment.state.in_(("enrolled", "waiting")))
            .where(Training.starts_at > now, Training.cancelled_at.is_(None), Training.closed_at.is_(None))
            .order_by(Training.id)
        )
    )


def terms(who: Person, emails: Iterable[str]) -> list[str]:
    """By what a text may be known to mention the member: addresses and the full name, also as JSON has them.

    A name of one word is other people's, too.
    """
    found = {*emails}
    if len(who.name.split()) > 1:
        found.add(who.name)
    return sorted(found | {json.dumps(each)[1:-1] for each in found})
