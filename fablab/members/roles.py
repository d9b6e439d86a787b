"""Giving roles and taking them away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.members import audit
from fablab.members.models import ROLES, ROLES_OF_ONE_LAB, Member, Role
from fablab.members.rules import Actor, may_grant_role, may_look_up_members, may_remove_role


def role_refusals(role: str, lab_id: int | None) -> list[Refusal]:
    """What is wrong with a role as such: unknown, or with a lab where none belongs, or without one."""
    if role not in ROLES:
        return [Refusal("invalid", "role", f"The role is one of {', '.join(ROLES)}.")]
    if (role in ROLES_OF_ONE_LAB) != (lab_id is not None):
        needs = "needs a lab" if role in ROLES_OF_ONE_LAB else "is for the whole network and takes no lab"
        return [Refusal("invalid", "lab", f"The role {role} {needs}.")]
    return []


def grant_role(
    session: Session, actor: Actor | None, member_id: int, role: str, lab_id: int | None, now: datetime
) -> bool:
    """Give a role; False when the member has it already. ``actor`` is None for the command line."""
    _check_seen(session, actor, member_id)
    if refusals := role_refusals(role, lab_id):
        raise refused(*refusals)
    if actor is not None and not may_grant_role(actor, member_id, role, lab_id):
        raise not_allowed("This role is not yours to give.")
    granted = session.scalar(
        insert(Role)
        .values(member_id=member_id, role=role, lab_id=lab_id)
        .on_conflict_do_nothing()
        .returning(Role.id)
    )
    if granted is None:
        return False
    audit.record(
        session,
        actor,
        "role.grant",
        f"member {member_id}",
        now,
        f"role {role}",
        on_member_id=member_id,
        lab_id=lab_id,
    )
    return True


def remove_role(
    session: Session, actor: Actor | None, member_id: int, role: str, lab_id: int | None, now: datetime
) -> None:
    """Take a role away. The last admin's stays: nobody could give one again."""
    _check_seen(session, actor, member_id)
    if role not in ROLES:
        raise not_found("role")
    if refusals := role_refusals(role, lab_id):
        raise refused(*refusals)
    if actor is not None and not may_remove_role(actor, role, lab_id):
        raise not_allowed("This role is not yours to take away.")
    if role == "admin":
        keep_an_admin(session, member_id)
    removed = session.scalar(
        delete(Role)
        .where(Role.member_id == member_id, Role.role == role, Role.lab_id.is_not_distinct_from(lab_id))
        .returning(Role.id)
    )
    if removed is None:
        raise not_found("role")
    audit.record(
        session,
        actor,
        "role.remove",
        f"member {member_id}",
        now,
        f"role {role}",
        on_member_id=member_id,
        lab_id=lab_id,
    )


def keep_an_admin(session: Session, member_id: int) -> None:
    """Refuse when this member is the only active admin. For whatever would end that: a role, an account.

    Holds the admins' rows until the transaction ends, so that two of them cannot remove each other at once.
    """
    admins = session.scalars(
        select(Role.member_id)
        .join(Member, Member.id == Role.member_id)
        .where(Role.role == "admin", Member.active)
        .order_by(Role.id)
        .with_for_update()
    ).all()
    if admins and set(admins) == {member_id}:
        text = "This is the last administrator. Name another one first."
        raise refused(Refusal("last_admin", "role", text))


def _check_seen(session: Session, actor: Actor | None, member_id: int) -> None:
    """For whoever may not look up members there is none."""
    seen = actor is None or may_look_up_members(actor)
    wanted = select(Member.id).where(Member.id == member_id, Member.erased_at.is_(None))
    if not seen or session.scalar(wanted) is None:
        raise not_found("member")
