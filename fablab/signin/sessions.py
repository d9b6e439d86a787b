"""Sessions of browsers: rows in the database, so that each can be seen and ended."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, update
from sqlalchemy.orm import Session

from fablab.errors import not_found
from fablab.members import audit
from fablab.members.rules import Actor
from fablab.signin.models import SignInSession
from fablab.signin.rules import Lengths, browser_name, digest

# How exactly it is remembered when a session was last seen; every request would be a write otherwise.
SEEN_GRAIN = timedelta(minutes=5)


def begin(
    session: Session,
    member_id: int,
    method: str,
    now: datetime,
    *,
    second_factor: bool,
    remember: bool,
    address: str | None,
    browser: str,
    lengths: Lengths,
) -> str:
    """Begin a session; returns the secret for the cookie, which is kept nowhere else.

    ``method`` is 'password', 'passkey' or 'oidc:<provider>'; ``browser`` the User-Agent header.
    """
    plain = secrets.token_urlsafe(32)
    altogether, idle = lengths.of(remember)
    session.add(
        SignInSession(
            member_id=member_id,
            digest=digest(plain),
            method=method,
            second_factor=second_factor,
            created_at=now,
            seen_at=now,
            expires_at=now + altogether,
            idle_s=int(idle.total_seconds()),
            address=(address or "")[:45],
            browser=browser_name(browser),
        )
    )
    session.flush()
    return plain


def seen(session: Session, session_id: int, address: str | None, now: datetime) -> None:
    """Remember when, and from where, a session was last seen."""
    session.execute(
        update(SignInSession)
        .where(SignInSession.id == session_id)
        .values(seen_at=now, address=(address or "")[:45])
    )


def end(session: Session, actor: Actor, session_id: int, now: datetime) -> None:
    """End one of the actor's own sessions. Somebody else's does not exist for them."""
    ended = session.scalar(
        delete(SignInSession)
        .where(SignInSession.id == session_id, SignInSession.member_id == actor.member_id)
        .returning(SignInSession.id)
    )
    if ended is None:
        raise not_found("session")
    audit.record(session, actor, "session.end", f"session {session_id}", now, on_member_id=actor.member_id)


def end_by_secret(session: Session, plain: str) -> None:
    """End the session of this cookie, if there is one: signing out, and signing in anew."""
    session.execute(delete(SignInSession).where(SignInSession.digest == digest(plain)))


def end_all(
    session: Session,
    member_id: int,
    now: datetime,
    *,
    but: int | None = None,
    actor: Actor | None = None,
) -> int:
    """End every session of a member, except the one with the id ``but``; returns how many ended.

    For a new password, a deactivated or erased account, and "sign out everywhere".
    """
    wanted = delete(SignInSession).where(SignInSession.member_id == member_id)
    if but is not None:
        wanted = wanted.where(SignInSession.id != but)
    ended = len(session.execute(wanted.returning(SignInSession.id)).all())
    if ended:
        audit.record(
            session, actor, "session.end", f"member {member_id}", now, f"{ended}", on_member_id=member_id
        )
    return ended


def forget_over(session: Session, now: datetime) -> int:
    """Delete sessions that are over; returns how many."""
    idle = SignInSession.seen_at + func.make_interval(0, 0, 0, 0, 0, 0, SignInSession.idle_s)
    gone = session.execute(
        delete(SignInSession)
        .where(or_(SignInSession.expires_at <= now, idle <= now))
        .returning(SignInSession.id)
    )
    return len(gone.all())
