"""Pupils, organisations, quotas and projects for tests about whom and what bookings are for."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.machines.models import Lab, Opening
from fablab.members.models import GuardianConsent, Member, Role
from fablab.members.rules import Actor
from fablab.organisations.models import Membership, Organisation, Project, Quota
from fablab.signin.hashing import hash_password
from tests.fixtures_cast import PASSWORD, Cast
from tests.support.actors import actor_of

# Under 18 for as long as these tests will run: whoever turns 18 makes them fail in 2038, not before.
PUPIL_BORN_ON = date(2020, 5, 17)


def add_pupil(
    session: Session, name: str = "pupil", *, consent: bool = True, born_on: date = PUPIL_BORN_ON
) -> Actor:
    """A maker under 18, with a guardian's consent unless said otherwise."""
    now = utc_now()
    member = Member(
        email=f"{name}@example.org",
        name=name.capitalize(),
        password_hash=hash_password(PASSWORD),
        birth_on=born_on,
        email_verified_at=now,
        created_at=now,
    )
    member.roles = [Role(role="maker")]
    session.add(member)
    session.flush()
    if consent:
        add_consent(session, member.id)
    actor = actor_of(session, member.id)
    assert actor is not None
    return actor


def add_consent(session: Session, member_id: int) -> GuardianConsent:
    given = GuardianConsent(
        member_id=member_id,
        guardian_name="Guardian",
        words="Yes.",
        given_on=date(2026, 1, 2),
        recorded_at=utc_now(),
    )
    session.add(given)
    session.flush()
    return given


def add_organisation(session: Session, cast: Cast, slug: str, owner: str, *members: str) -> int:
    """An organisation with its owner and members by first name."""
    row = Organisation(
        slug=slug, name=slug.title(), kind="school_club", tariff_category="school", created_at=utc_now()
    )
    session.add(row)
    session.flush()
    for name in (owner, *members):
        join(session, row.id, cast.members[name], owner=name == owner)
    return row.id


def join(session: Session, organisation_id: int, member_id: int, *, owner: bool = False) -> None:
    session.add(
        Membership(organisation_id=organisation_id, member_id=member_id, owner=owner, since=utc_now())
    )
    session.flush()


def add_quota(
    session: Session, organisation_id: int, hours: float, period: str = "week", kind_id: int | None = None
) -> None:
    session.add(
        Quota(organisation_id=organisation_id, kind_id=kind_id, period=period, limit_s=int(hours * 3600))
    )
    session.flush()


def add_project(
    session: Session, member_id: int, name: str = "Lamp", organisation_id: int | None = None
) -> Project:
    row = Project(
        member_id=member_id,
        organisation_id=organisation_id,
        name=name,
        filiere="design",
        created_at=utc_now(),
    )
    session.add(row)
    session.flush()
    return row


def without_staff(session: Session, cast: Cast, lab: str = "tanger") -> None:
    """From now on nobody of the staff is in the lab, open or not."""
    session.query(Opening).filter_by(lab_id=cast.labs[lab]).update({"supervised": False})
    session.query(Lab).filter_by(id=cast.labs[lab]).update({"hours_version": uuid4()})
