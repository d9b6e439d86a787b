"""Links sent by mail: each works once, for an hour, and only its SHA-256 is kept."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from fablab.errors import Refusal, refused
from fablab.members.models import Member
from fablab.signin.models import LinkRequest, MailLink
from fablab.signin.rules import digest

WORKS_FOR = timedelta(hours=1)
KEPT_FOR = timedelta(days=1)
# Purposes of links that lead to the page which confirms an address.
CONFIRMING = ("join", "verify", "address")


@dataclass(frozen=True)
class Taken:
    """What a link was for. ``member_id`` is None for 'join', whose account is described by ``pending``."""

    purpose: str
    member_id: int | None
    email: str
    pending: dict[str, Any] | None


def make(
    session: Session,
    member_id: int | None,
    purpose: str,
    email: str,
    now: datetime,
    *,
    pending: dict[str, Any] | None = None,
) -> str:
    """Make a link's secret; a member's earlier links of the same purpose work no more.

    ``purpose`` is 'verify', 'reset', 'address' (``email`` is the new one) or 'join' (no member yet: who
    gives an address must not be able to spoil somebody else's link to it).
    """
    if member_id is not None:
        session.execute(
            delete(MailLink).where(
                MailLink.purpose == purpose, MailLink.used_at.is_(None), MailLink.member_id == member_id
            )
        )
    plain = secrets.token_urlsafe(32)
    session.add(
        MailLink(
            member_id=member_id,
            purpose=purpose,
            digest=digest(plain),
            email=email,
            pending=pending,
            created_at=now,
            expires_at=now + WORKS_FOR,
        )
    )
    session.flush()
    return plain


def take(session: Session, plain: str, purposes: str | Sequence[str], now: datetime) -> Taken:
    """Use a link up. Raises REFUSED when there is none such, it was used before, or it is too old.

    Of two at once one gets it. When the caller's transaction fails, the link still works.
    """
    wanted = [purposes] if isinstance(purposes, str) else list(purposes)
    row = session.execute(
        update(MailLink)
        .where(*_works(plain, wanted, now))
        .values(used_at=now)
        .returning(*_TAKEN)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return _found(row)


def look(session: Session, plain: str, purposes: Sequence[str], now: datetime) -> Taken:
    """What a link is for, without using it up: scanners of mails open links, too. Raises as `take` does."""
    return _found(session.execute(select(*_TAKEN).where(*_works(plain, purposes, now))).one_or_none())


def _works(plain: str, purposes: Sequence[str], now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        MailLink.digest == digest(plain),
        MailLink.purpose.in_(purposes),
        MailLink.used_at.is_(None),
        MailLink.expires_at > now,
    )


def _found(row: Any) -> Taken:
    if row is None:
        text = "This link was used before, or is older than an hour. Please ask for a new one."
        raise refused(Refusal("link_over", "link", text))
    return Taken(*row)


_TAKEN = (MailLink.purpose, MailLink.member_id, MailLink.email, MailLink.pending)


def void(session: Session, member_id: int) -> None:
    """End every unused link of a member, and what is asked for and not sent yet.

    For a new password, a new address and a shut account: whoever asked before, or reads the old mailbox, has
    nothing left. Requests go first: one that is being answered is waited for, and its link goes, too.
    """
    address = select(func.lower(Member.email)).where(Member.id == member_id).scalar_subquery()
    session.execute(
        delete(LinkRequest)
        .where(
            or_(
                LinkRequest.member_id == member_id,
                (LinkRequest.purpose == "reset") & (func.lower(LinkRequest.email) == address),
            )
        )
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(MailLink)
        .where(MailLink.member_id == member_id, MailLink.used_at.is_(None))
        .execution_options(synchronize_session=False)
    )


def forget_old(session: Session, now: datetime) -> int:
    """Delete links that have been over for a day; returns how many."""
    gone = session.execute(
        delete(MailLink).where(MailLink.expires_at < now - KEPT_FOR).returning(MailLink.id)
    )
    return len(gone.all())
