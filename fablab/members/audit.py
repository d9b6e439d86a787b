"""The audit: who did what to whom, written down and read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import column, or_, select, table
from sqlalchemy.orm import Session, aliased

from fablab.errors import not_found
from fablab.members.acts import ACTS
from fablab.members.models import Audit, Member
from fablab.members.rules import Actor, may_read_audit


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
    address: str | None = None,
) -> None:
    """Write down an act in the current transaction. ``actor`` is None for the command line and the clock.

    ``action`` is one of ACTS; ValueError for another, which nobody could look for.
    ``address`` is where somebody acted from who had not signed in; an actor carries it.
    ``on_member_id`` is the person it was done to or for, ``lab_id`` the lab it happened in. Neither
    ``subject`` nor ``detail`` may hold a name or an e-mail address: what is written here cannot be changed.
    """
    if action not in ACTS:
        raise ValueError(f"say in fablab/members/acts.py what {action!r} is")
    session.add(
        Audit(
            at=now,
            actor_id=None if actor is None else actor.member_id,
            on_member_id=on_member_id,
            lab_id=lab_id,
            action=action,
            subject=subject[:120],
            detail=detail[:2000],
            address=address if actor is None else actor.address,
        )
    )


@dataclass(frozen=True)
class Act:
    """One line of the audit as an admin reads it. Names are those the members have today."""

    id: int
    at: datetime
    actor_id: int | None
    actor_name: str | None
    on_member_id: int | None
    on_member_name: str | None
    lab: str | None
    action: str
    subject: str
    detail: str
    address: str | None


def acts(
    session: Session,
    actor: Actor,
    *,
    actions: Collection[str] = (),
    actor_id: int | None = None,
    on_member_id: int | None = None,
    lab: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[Act]:
    """Lines of the audit, the newest first; ``before`` is the last id seen. One statement.

    ``actions`` are whole ones (``role.grant``) or their first word (``role``). Raises NOT_FOUND to whoever
    may not read it.
    """
    if not may_read_audit(actor):
        raise not_found("page")
    who, whom = aliased(Member), aliased(Member)
    statement = (
        select(
            Audit.id,
            Audit.at,
            Audit.actor_id,
            who.name,
            Audit.on_member_id,
            whom.name,
            _LAB.c.slug,
            Audit.action,
            Audit.subject,
            Audit.detail,
            Audit.address,
        )
        .outerjoin(who, who.id == Audit.actor_id)
        .outerjoin(whom, whom.id == Audit.on_member_id)
        .outerjoin(_LAB, _LAB.c.id == Audit.lab_id)
        .order_by(Audit.id.desc())
        .limit(limit)
    )
    if actions:
        statement = statement.where(
            or_(
                Audit.action.in_(actions),
                *(Audit.action.startswith(f"{each}.", autoescape=True) for each in actions),
            )
        )
    if actor_id is not None:
        statement = statement.where(Audit.actor_id == actor_id)
    if on_member_id is not None:
        statement = statement.where(Audit.on_member_id == on_member_id)
    if lab is not None:
        statement = statement.where(_LAB.c.slug == lab)
    if since is not None:
        statement = statement.where(Audit.at >= since)
    if until is not None:
        statement = statement.where(Audit.at < until)
    if before is not None:
        statement = statement.where(Audit.id < before)
    return [Act(*row) for row in session.execute(statement)]


# The table alone: machines are above members, and their models are not known here.
_LAB = table("lab", column("id"), column("slug"))
