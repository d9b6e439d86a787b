"""Adding members."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.errors import Refusal, refused
from fablab.members import audit
from fablab.members.addresses import TAKEN, email_trouble
from fablab.members.models import Member, Role
from fablab.members.profile import name_refusal
from fablab.members.queries import by_email
from fablab.members.roles import role_refusals


def add_member(
    session: Session,
    email: str,
    name: str,
    role: str,
    now: datetime,
    *,
    lab_id: int | None = None,
    joins: bool = False,
    address: str | None = None,
) -> int:
    """Add somebody who has no account yet, with one role; returns the id.

    ``lab_id`` is needed for trainers and managers and refused for the others. ``joins``: they made it
    themselves, coming from ``address``; otherwise it was the command line. Raises REFUSED with all that is
    wrong.
    """
    refusals = role_refusals(role, lab_id)
    email = email.strip()
    if email_trouble(email):
        refusals.append(Refusal("invalid", "email", f"{email[:60]!r} is not an e-mail address."))
    elif session.scalar(select(Member.id).where(by_email(email))) is not None:
        refusals.append(TAKEN)
    if trouble := name_refusal(name):
        refusals.append(Refusal("invalid", "name", trouble))
    if refusals:
        raise refused(*refusals)
    member = Member(email=email, name=name.strip(), created_at=now, roles=[Role(role=role, lab_id=lab_id)])
    session.add(member)
    session.flush()
    audit.record(
        session,
        None,
        "member.join" if joins else "member.add",
        f"member {member.id}",
        now,
        f"role {role}",
        on_member_id=member.id,
        lab_id=lab_id,
        address=address,
    )
    return member.id
