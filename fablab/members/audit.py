"""One line of the audit: who did what to whom."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from fablab.members.models import Audit
from fablab.members.rules import Actor


def record(
    session: Session,
    actor: Actor | None,
    action: str,
    subject: str,
    now: datetime,
    detail: str = "",
    address: str | None = None,
) -> None:
    """Write down an act in the current transaction. ``actor`` is None for the command line and the clock."""
    session.add(
        Audit(
            at=now,
            actor_id=None if actor is None else actor.member_id,
            action=action,
            subject=subject[:120],
            detail=detail[:2000],
            address=address,
        )
    )
