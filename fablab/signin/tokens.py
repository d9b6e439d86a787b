"""Personal access tokens: making them, ending them, how many there may be and for how long."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_found, refused
from fablab.members import audit
from fablab.members.models import Member
from fablab.members.rules import Actor
from fablab.signin.models import Token
from fablab.signin.queries import TokenView, tokens_of
from fablab.signin.rules import digest
from fablab.signin.ways_in import tell

NAME_MAX = 80
PREFIX = "fab_"  # lets scanners recognise a leaked token


def make_token(
    session: Session,
    actor: Actor,
    name: str,
    scope: str,
    days: int | None,
    now: datetime,
    *,
    most: int,
    longest_days: int,
) -> tuple[TokenView, str]:
    """Make a token for the actor; returns it and its secret text, which is kept nowhere.

    ``most`` tokens at a time, each for ``longest_days`` at most, which is also what None gives. A mail
    tells the member of it.
    """
    refusals = []
    if not name.strip() or len(name.strip()) > NAME_MAX or not name.strip().isprintable():
        refusals.append(Refusal("invalid", "name", f"Give it a name of at most {NAME_MAX} characters."))
    if days is not None and not 1 <= days <= longest_days:
        text = f"A token works for 1 to {longest_days} days."
        refusals.append(Refusal("invalid", "days", text))
    if refusals:
        raise refused(*refusals)
    # Of two at once the second counts after the first.
    session.execute(select(Member.id).where(Member.id == actor.member_id).with_for_update())
    if len(tokens_of(session, actor.member_id, now)) >= most:
        text = f"You have {most} tokens, which is as many as one may have. End one you no longer use."
        raise refused(Refusal("too_many_tokens", "name", text))
    tell(session, actor.member_id, now)
    return add_token(
        session,
        actor.member_id,
        name.strip(),
        scope,
        now,
        days=longest_days if days is None else days,
        actor=actor,
    )


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
        raise refused(Refusal("invalid", "scope", f"The scope is read or write, not {scope[:20]!r}."))
    plain = PREFIX + secrets.token_urlsafe(32)
    token = Token(
        member_id=member_id,
        name=name,
        digest=digest(plain),
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
