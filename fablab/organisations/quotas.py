"""Quotas: how much machine time an organisation may book in a week or a month."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.machines.models import Kind
from fablab.members.rules import Actor
from fablab.organisations.models import Quota
from fablab.organisations.queries import QuotaView, quotas
from fablab.organisations.rules import PERIODS, may_set_terms
from fablab.organisations.service import locked, record

LONGEST_S = 10_000 * 3600


def set_quota(
    session: Session, actor: Actor, slug: str, kind: str | None, period: str, limit_s: int, now: datetime
) -> QuotaView:
    """Set the quota of a kind of machine (slug; None is all kinds together) for a period, or change it."""
    organisation, _ = locked(session, actor, slug)
    if not may_set_terms(actor):
        raise not_allowed("Quotas are set by the network's administrators.")
    refusals = []
    kind_id = session.scalar(select(Kind.id).where(Kind.slug == kind)) if kind is not None else None
    if kind is not None and kind_id is None:
        refusals.append(Refusal("invalid", "kind", "There is no such kind of machine."))
    if period not in PERIODS:
        refusals.append(Refusal("invalid", "period", f"The period is one of {', '.join(PERIODS)}."))
    if not 0 <= limit_s <= LONGEST_S:
        refusals.append(Refusal("invalid", "limit", "The limit lies between 0 and 10,000 hours."))
    if refusals:
        raise refused(*refusals)
    quota_id = session.scalar(
        insert(Quota)
        .values(organisation_id=organisation.id, kind_id=kind_id, period=period, limit_s=limit_s)
        .on_conflict_do_update(
            index_elements=["organisation_id", "period", text("coalesce(kind_id, 0)")],
            set_={"limit_s": limit_s},
        )
        .returning(Quota.id)
    )
    what = f"{kind or 'all kinds'}, {limit_s} s a {period}"
    record(session, actor, "quota.set", organisation.id, now, what)
    return next(each for each in quotas(session, organisation.id) if each.id == quota_id)


def drop_quota(session: Session, actor: Actor, slug: str, quota_id: int, now: datetime) -> None:
    """Take a quota away: that time is no longer limited."""
    organisation, _ = locked(session, actor, slug)
    if not may_set_terms(actor):
        raise not_allowed("Quotas are set by the network's administrators.")
    gone = session.scalar(
        delete(Quota)
        .where(Quota.id == quota_id, Quota.organisation_id == organisation.id)
        .returning(Quota.id)
    )
    if gone is None:
        raise not_found("quota")
    record(session, actor, "quota.remove", organisation.id, now, f"quota {quota_id}")
