"""Verbs about members: accounts, passwords, tokens."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fablab.errors import Code, DomainError, Refusal, not_found
from fablab.members import audit
from fablab.members.models import ROLES, ROLES_OF_ONE_LAB, Member, Role, Token
from fablab.members.passwords import hash_password, matches, outdated
from fablab.members.queries import MemberView, TokenView, member_by_email, token_digest
from fablab.members.rules import Actor

TOKEN_PREFIX = "fab_"  # noqa: S105  (not a secret: it lets scanners recognise a leaked token)
PASSWORD_MIN = 10
PASSWORD_MAX = 200
# The sample's people have it, and everybody can read it in the README: nobody else gets it.
PUBLISHED_PASSWORDS = frozenset({"fablab-demo"})


def add_member(
    session: Session,
    email: str,
    name: str,
    role: str,
    now: datetime,
    *,
    lab_id: int | None = None,
    password: str | None = None,
    actor: Actor | None = None,
) -> int:
    """Add a member with one role, or that role to the member who has the address already; returns the id.

    ``lab_id`` is needed for trainers and managers and refused for the others.
    """
    refusals = list(_role_refusals(role, lab_id))
    email = email.strip()
    if "@" not in email or len(email) > 254:
        refusals.append(Refusal("invalid", "email", f"{email[:60]!r} is not an e-mail address."))
    if not name.strip() or len(name) > 120:
        refusals.append(Refusal("invalid", "name", "A name of 1 to 120 characters is needed."))
    if refusals:
        raise DomainError(Code.REFUSED, refusals[0].message, refusals)
    member = session.scalar(select(Member).where(func.lower(Member.email) == email.lower()))
    if member is None:
        member = Member(email=email, name=name.strip(), created_at=now)
        session.add(member)
    if not any((has.role, has.lab_id) == (role, lab_id) for has in member.roles):
        member.roles.append(Role(role=role, lab_id=lab_id))
    session.flush()
    audit.record(
        session,
        actor,
        "member.add",
        f"member {member.id}",
        now,
        f"role {role}",
        on_member_id=member.id,
        lab_id=lab_id,
    )
    if password is not None:
        set_password(session, member.id, password, now, actor=actor)
    return member.id


def set_password(
    session: Session, member_id: int, password: str, now: datetime, *, actor: Actor | None = None
) -> None:
    """Set a new password; sessions signed in with the old one end."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        text = f"A password needs {PASSWORD_MIN} to {PASSWORD_MAX} characters."
        raise DomainError(Code.REFUSED, text, [Refusal("invalid", "password", text)])
    if password in PUBLISHED_PASSWORDS:
        text = "That password is published; choose one of your own."
        raise DomainError(Code.REFUSED, text, [Refusal("invalid", "password", text)])
    found = session.execute(
        update(Member).where(Member.id == member_id).values(password_hash=hash_password(password))
    )
    if found.rowcount != 1:  # type: ignore[attr-defined]
        raise not_found("member")
    audit.record(session, actor, "member.password", f"member {member_id}", now, on_member_id=member_id)


def verify_password(session: Session, email: str, password: str) -> MemberView | None:
    """The active member with this address and password, or None.

    An unknown address takes as long to refuse as a wrong password, so that nobody learns who has an account.
    """
    member = member_by_email(session, email)
    right = matches(member.password_hash if member else None, password[: PASSWORD_MAX + 1])
    if member is None or not right or not member.active:
        return None
    if member.password_hash and outdated(member.password_hash):
        session.execute(
            update(Member).where(Member.id == member.id).values(password_hash=hash_password(password))
        )
    return member


def add_token(
    session: Session,
    member_id: int,
    name: str,
    scope: str,
    now: datetime,
    *,
    days: int | None = None,
    actor: Actor | None = None,
) -> tuple[TokenView, str]:
    """Make a token; returns it and its secret text, which is kept nowhere and cannot be shown again."""
    if scope not in ("read", "write"):
        text = f"The scope is read or write, not {scope[:20]!r}."
        raise DomainError(Code.REFUSED, text, [Refusal("invalid", "scope", text)])
    plain = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = Token(
        member_id=member_id,
        name=name,
        digest=token_digest(plain),
        scope=scope,
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    session.add(token)
    session.flush()
    audit.record(
        session, actor, "token.add", f"token {token.id}", now, f"scope {scope}", on_member_id=member_id
    )
    return TokenView(token.id, name, scope, now, token.expires_at, None), plain


def revoke_token(session: Session, actor: Actor, token_id: int, now: datetime) -> None:
    """End one of the actor's own tokens. Somebody else's does not exist for them."""
    ended = session.scalar(
        update(Token)
        .where(Token.id == token_id, Token.member_id == actor.member_id, Token.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(Token.id)
    )
    if ended is None:
        raise not_found("token")
    audit.record(session, actor, "token.revoke", f"token {token_id}", now, on_member_id=actor.member_id)


def note_token_use(session: Session, token_id: int, now: datetime) -> None:
    """Remember when a token was last seen."""
    session.execute(update(Token).where(Token.id == token_id).values(last_used_at=now))


def _role_refusals(role: str, lab_id: int | None) -> list[Refusal]:
    if role not in ROLES:
        return [Refusal("invalid", "role", f"The role is one of {', '.join(ROLES)}.")]
    if (role in ROLES_OF_ONE_LAB) != (lab_id is not None):
        needs = "needs a lab" if role in ROLES_OF_ONE_LAB else "is for the whole network and takes no lab"
        return [Refusal("invalid", "lab", f"The role {role} {needs}.")]
    return []
