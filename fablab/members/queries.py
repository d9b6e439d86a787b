"""Reads about members; every function returns plain records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from fablab.members.models import GuardianConsent, Member, Role
from fablab.members.rules import Actor


@dataclass(frozen=True)
class MemberView:
    """A member as others in the house need them."""

    id: int
    email: str
    name: str
    active: bool


def by_email(email: str | InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """The condition for a member with this address, or that of a column, in whatever case it is written."""
    return func.lower(Member.email) == func.lower(email.strip() if isinstance(email, str) else email)


def member_by_email(session: Session, email: str) -> MemberView | None:
    """The member with this address, in whatever case it is written; also inactive ones."""
    return _member(session, by_email(email))


def member_by_id(session: Session, member_id: int) -> MemberView | None:
    """The member with this id; also inactive ones."""
    return _member(session, Member.id == member_id)


def has_consent(session: Session, member_id: int) -> bool:
    """Whether a guardian's consent is on record that was not withdrawn. Only minors need one."""
    return (
        session.scalar(
            select(
                exists().where(GuardianConsent.member_id == member_id, GuardianConsent.withdrawn_at.is_(None))
            )
        )
        is True
    )


def _member(session: Session, condition: ColumnElement[bool]) -> MemberView | None:
    row = session.execute(
        select(Member.id, Member.email, Member.name, Member.active).where(condition)
    ).one_or_none()
    return None if row is None else MemberView(*row)


def with_roles(*more: Any) -> Select[*tuple[Any, ...]]:
    """Members, a row for each of their roles (or one with none); `actor_from` makes an Actor of them."""
    return (
        select(Member.id, Member.name, Member.birth_on, Member.category, Role.role, Role.lab_id, *more)
        .select_from(Member)
        .outerjoin(Role, Role.member_id == Member.id)
    )


def actor_from(rows: Iterable[RowMapping], read_only: bool = False) -> Actor | None:
    """The member these rows of `with_roles` are about, or None when there are none."""
    rows = list(rows)
    if not rows:
        return None
    roles = {(row["role"], row["lab_id"]) for row in rows}
    everywhere = {role for role, lab in roles if lab is None}
    return Actor(
        member_id=rows[0]["id"],
        name=rows[0]["name"],
        birth_on=rows[0]["birth_on"],
        category=rows[0]["category"],
        managed_labs=frozenset(lab for role, lab in roles if role == "manager"),
        trained_labs=frozenset(lab for role, lab in roles if role == "trainer"),
        maker="maker" in everywhere,
        operator="operator" in everywhere,
        admin="admin" in everywhere,
        read_only=read_only,
    )
