"""What becomes of organisations and projects when a member's data is erased."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from fablab.members.models import Member
from fablab.members.rules import Actor
from fablab.organisations.models import Invitation, Membership, Organisation, Project
from fablab.organisations.service import end, record


def forget_member(session: Session, actor: Actor | None, member_id: int, now: datetime) -> None:
    """Take a member out of every organisation, and forget what names them.

    1. Where they were the only owner, whoever belongs longest becomes one.
    2. Where nobody else belongs, the organisation is closed; one of the kind "individual" loses its name.
    3. Invitations to their address go, and the names of their own projects.

    Call it while the member's row still holds the address.
    """
    theirs = session.scalars(
        select(Organisation)
        .join(Membership, Membership.organisation_id == Organisation.id)
        .where(Membership.member_id == member_id)
        .order_by(Organisation.id)
        .with_for_update(of=Organisation, key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    session.execute(delete(Membership).where(Membership.member_id == member_id))
    for organisation in theirs:
        record(session, actor, "membership.leave", organisation.id, now, "erased", on_member=member_id)
        _pass_on(session, actor, organisation, now)
    address = select(func.lower(Member.email)).where(Member.id == member_id).scalar_subquery()
    session.execute(delete(Invitation).where(func.lower(Invitation.email) == address))
    session.execute(
        update(Project)
        .where(Project.member_id == member_id, Project.organisation_id.is_(None))
        .values(name="–", closed_at=func.coalesce(Project.closed_at, now))
    )


def _pass_on(session: Session, actor: Actor | None, organisation: Organisation, now: datetime) -> None:
    left = session.execute(
        select(Membership.member_id, Membership.owner)
        .where(Membership.organisation_id == organisation.id)
        .order_by(Membership.owner.desc(), Membership.since, Membership.member_id)
        .limit(1)
    ).one_or_none()
    if left is None:
        if organisation.closed_at is None:
            end(session, organisation, now)
            record(session, actor, "organisation.close", organisation.id, now, "nobody left")
        if organisation.kind == "individual":
            organisation.name = organisation.slug = f"organisation-{organisation.id}"
            session.flush()
    elif not left.owner:
        session.execute(
            update(Membership)
            .where(Membership.organisation_id == organisation.id, Membership.member_id == left.member_id)
            .values(owner=True)
        )
        record(session, actor, "membership.appoint", organisation.id, now, "passed on", left.member_id)
