"""Reads of the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.mail.models import Mail

# How the trouble of a mail begins that waits for the server and not for itself.
AWAY = "no server: "


def server_rests(session: Session, now: datetime) -> bool:
    """Whether the server was away a short while ago and is not asked again yet."""
    waiting = select(Mail.id).where(
        Mail.sent_at.is_(None), Mail.given_up_at.is_(None), Mail.due_at > now, Mail.trouble.startswith(AWAY)
    )
    return session.scalar(waiting.limit(1)) is not None


def claim_due(session: Session, now: datetime, limit: int) -> Sequence[Mail]:
    """Mails that are due, longest first, locked until the transaction ends; never those of another sender."""
    return session.scalars(
        select(Mail)
        .where(Mail.sent_at.is_(None), Mail.given_up_at.is_(None), Mail.due_at <= now)
        .order_by(Mail.due_at, Mail.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
