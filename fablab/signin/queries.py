"""Reads about signing in; every function returns plain records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from fablab.members.models import Member
from fablab.members.queries import actor_from, by_email, with_roles
from fablab.members.rules import Actor
from fablab.signin.models import SignInSession, Token
from fablab.signin.rules import digest


@dataclass(frozen=True)
class Present:
    """Who a cookie belongs to."""

    actor: Actor
    session_id: int
    began_at: datetime
    seen_at: datetime
    method: str
    second_factor: bool


@dataclass(frozen=True)
class SessionView:
    """One browser somebody is signed in with; ``method`` as `fablab.signin.sessions.begin` has it."""

    id: int
    browser: str
    address: str
    method: str
    second_factor: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


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


@dataclass(frozen=True)
class Credentials:
    """What a password is checked against."""

    member_id: int
    password_hash: str | None
    active: bool


@dataclass(frozen=True)
class ProfileView:
    """What a member sees of the own account."""

    name: str
    email: str
    language: str
    birth_on: date | None
    verified: bool
    has_password: bool


def profile(session: Session, member_id: int) -> ProfileView | None:
    """The member's own account."""
    found = Member
    row = session.execute(
        select(
            found.name,
            found.email,
            found.language,
            found.birth_on,
            found.email_verified_at.is_not(None),
            found.password_hash.is_not(None),
        ).where(found.id == member_id)
    ).one_or_none()
    return None if row is None else ProfileView(*row)


def present(session: Session, plain: str, now: datetime) -> Present | None:
    """The active member whose cookie this is, if the session is not over. One statement."""
    found = SignInSession
    rows = (
        session.execute(
            with_roles(
                found.id.label("session_id"),
                found.created_at.label("began_at"),
                found.seen_at,
                found.method,
                found.second_factor,
            )
            .join(found, found.member_id == Member.id)
            .where(found.digest == digest(plain), _lasts(now), Member.active)
        )
        .mappings()
        .all()
    )
    actor = actor_from(rows)
    if actor is None:
        return None
    row = rows[0]
    return Present(
        actor, row["session_id"], row["began_at"], row["seen_at"], row["method"], row["second_factor"]
    )


def sessions_of(session: Session, member_id: int, now: datetime) -> list[SessionView]:
    """Where the member is signed in, the one seen last first."""
    found = SignInSession
    rows = session.execute(
        select(
            found.id,
            found.browser,
            found.address,
            found.method,
            found.second_factor,
            found.created_at,
            found.seen_at,
            found.expires_at,
        )
        .where(found.member_id == member_id, _lasts(now))
        .order_by(found.seen_at.desc(), found.id.desc())
    )
    return [SessionView(*row) for row in rows]


def find_token(session: Session, plain: str, now: datetime) -> Bearer | None:
    """Who holds this token, if it is neither revoked nor expired. One statement."""
    rows = session.execute(_BY_TOKEN, {"digest": digest(plain), "now": now}).mappings().all()
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


def credentials(session: Session, whose: str | int) -> Credentials | None:
    """What an account's password is checked against, by its address or its id; also of inactive ones."""
    account = by_email(whose) if isinstance(whose, str) else Member.id == whose
    row = session.execute(select(Member.id, Member.password_hash, Member.active).where(account)).one_or_none()
    return None if row is None else Credentials(*row)


def _lasts(now: datetime) -> ColumnElement[bool]:
    found = SignInSession
    idle = found.seen_at + func.make_interval(0, 0, 0, 0, 0, 0, found.idle_s)
    return and_(found.expires_at > now, idle > now)


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
