"""What becomes of organisations when a member's data is erased. What names the member in them goes with the
rest of what does: fablab.data_rights.belonging."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from fablab.members.rules import Actor
from fablab.organisations.models import Membership, Organisation
from fablab.organisations.service import end, record, withdraw_sent


def hold_organisations(session: Session, member_id: int) -> Sequence[Organisation]:
    """Lock every organisation a member belongs to until the transaction ends, in one order by everybody."""
    return session.scalars(
        select(Organisation)
        .join(Membership, Membership.organisation_id == Organisation.id)
        .where(Membership.member_id == member_id)
        .order_by(Organisation.id)
        .with_for_update(of=Organisation, key_share=True)
        .execution_options(populate_existing=True)
    ).all()


def forget_member(session: Session, actor: Actor | None, member_id: int, now: datetime) -> None:
    """Take a member out of every organisation.

    Where they were the only owner, whoever belongs longest becomes one; where nobody else belongs, the
    organisation is closed. Invitations they sent and nobody answered are withdrawn.
    """
    theirs = hold_organisations(session, member_id)
    session.execute(delete(Membership).where(Membership.member_id == member_id))
    for organisation in theirs:
        withdraw_sent(session, organisation.id, member_id, now)
        record(session, actor, "membership.leave", organisation.id, now, "erased", on_member=member_id)
        _pass_on(session, actor, organisation, now)


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
    elif not left.owner:
        session.execute(
            update(Membership)
            .where(Membership.organisation_id == organisation.id, Membership.member_id == left.member_id)
            .values(owner=True)
        )
        record(session, actor, "membership.appoint", organisation.id, now, "passed on", left.member_id)
