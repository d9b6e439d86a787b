"""Reads about members; every function returns plain records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session

from fablab.members.models import GuardianConsent, Member, Role, Token
from fablab.members.rules import Actor


@dataclass(frozen=True)
class MemberView:
    """A member as others in the house need them; without a password there is no hash."""

    id: int
    email: str
    name: str
    active: bool
    password_hash: str | None


@dataclass(frozen=True)
class TokenView:
    """A personal access token without its secret."""

    id: int
    name: str
    scope: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class Bearer:
    """Who holds a valid token, and when it was last seen in use."""

    actor: Actor
    token_id: int
    last_used_at: datetime | None


def token_digest(plain: str) -> bytes:
    """What is stored of a token: its SHA-256. Tokens carry 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(plain.encode("utf-8", "surrogateescape")).digest()


def member_by_email(session: Session, email: str) -> MemberView | None:
    """The member with this address, in whatever case it is written; also inactive ones."""
    return _member(session, func.lower(Member.email) == email.strip().lower())


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


def find_token(session: Session, plain: str, now: datetime) -> Bearer | None:
    """Who holds this token, if it is neither revoked nor expired. One statement."""
    rows = session.execute(_BY_TOKEN, {"digest": token_digest(plain), "now": now}).mappings().all()
    actor = actor_from(rows, read_only=bool(rows) and rows[0]["scope"] == "read")
    return None if actor is None else Bearer(actor, rows[0]["token_id"], rows[0]["last_used_at"])


def tokens_of(session: Session, member_id: int, now: datetime) -> list[TokenView]:
    """The member's tokens that still work, newest first."""
    rows = session.execute(
        select(Token.id, Token.name, Token.scope, Token.created_at, Token.expires_at, Token.last_used_at)
        .where(
            and_(
                Token.member_id == member_id,
                Token.revoked_at.is_(None),
                or_(Token.expires_at.is_(None), Token.expires_at > now),
            )
        )
        .order_by(Token.id.desc())
    )
    return [TokenView(*row) for row in rows]


def _member(session: Session, condition: ColumnElement[bool]) -> MemberView | None:
    row = session.execute(
        select(Member.id, Member.email, Member.name, Member.active, Member.password_hash).where(condition)
    ).one_or_none()
    return None if row is None else MemberView(*row)


def with_roles(*more: Any) -> Select[*tuple[Any, ...]]:
    """Members, a row for each of their roles (or one with none); `actor_from` makes an Actor of them."""
    return (
        select(Member.id, Member.name, Member.birth_on, Role.role, Role.lab_id, *more)
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
        managed_labs=frozenset(lab for role, lab in roles if role == "manager"),
        trained_labs=frozenset(lab for role, lab in roles if role == "trainer"),
        maker="maker" in everywhere,
        operator="operator" in everywhere,
        admin="admin" in everywhere,
        read_only=read_only,
    )


# Built once: every request of a program begins with it.
_BY_TOKEN = (
    with_roles(Token.id.label("token_id"), Token.scope, Token.last_used_at)
    .join(Token, Token.member_id == Member.id)
    .where(
        Token.digest == bindparam("digest"),
        Token.revoked_at.is_(None),
        or_(Token.expires_at.is_(None), Token.expires_at > bindparam("now")),
        Member.active,
    )
)
