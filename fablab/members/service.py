"""Verbs about members: accounts, roles, tokens."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fablab.errors import Code, DomainError, Refusal, not_found
from fablab.members import audit
from fablab.members.models import Member, Role, Token
from fablab.members.queries import TokenView, token_digest
from fablab.members.roles import role_refusals
from fablab.members.rules import Actor

TOKEN_PREFIX = "fab_"  # noqa: S105  (not a secret: it lets scanners recognise a leaked token)


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
    if "@" not in email or len(email) > 254:
        refusals.append(Refusal("invalid", "email", f"{email[:60]!r} is not an e-mail address."))
    elif session.scalar(select(Member.id).where(func.lower(Member.email) == email.lower())) is not None:
        refusals.append(
            Refusal("address_taken", "email", "Somebody has an account with this address already.")
        )
    if not name.strip() or len(name) > 120:
        refusals.append(Refusal("invalid", "name", "A name of 1 to 120 characters is needed."))
    if refusals:
        raise DomainError(Code.REFUSED, refusals[0].message, refusals)
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
