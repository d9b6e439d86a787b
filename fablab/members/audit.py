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
    *,
    on_member_id: int | None = None,
    lab_id: int | None = None,
) -> None:
    """Write down an act in the current transaction. ``actor`` is None for the command line and the clock.

    ``on_member_id`` is the person it was done to or for, ``lab_id`` the lab it happened in. Neither
    ``subject`` nor ``detail`` may hold a name or an e-mail address: what is written here cannot be changed.
    """
    session.add(
        Audit(
            at=now,
            actor_id=None if actor is None else actor.member_id,
            on_member_id=on_member_id,
            lab_id=lab_id,
            action=action,
            subject=subject[:120],
            detail=detail[:2000],
            address=None if actor is None else actor.address,
        )
    )
