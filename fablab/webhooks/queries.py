"""Reads about webhooks. Each is one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import column, exists, func, select, table, tuple_
from sqlalchemy.orm import Session, aliased

from fablab.members.models import Member
from fablab.members.rules import Actor
from fablab.webhooks.models import Delivery, Webhook

# The table alone: places are above, and their models are not known here.
LAB = table("lab", column("id"), column("slug"))


@dataclass(frozen=True)
class WebhookView:
    """A webhook without its secret, and what became of the last attempt to reach it.

    ``lab`` None is the whole network; ``status`` None where nothing answered.
    """

    id: int
    lab_id: int | None
    lab: str | None
    url: str
    events: tuple[str, ...]
    created_at: datetime
    created_by_id: int | None
    created_by_name: str | None
    disabled_at: datetime | None
    waiting: int
    delivered_at: datetime | None
    status: int | None
    trouble: str


@dataclass(frozen=True)
class DeliveryView:
    """One event on its way, or arrived, or given up."""

    id: int
    event: str
    created_at: datetime
    due_at: datetime
    attempts: int
    delivered_at: datetime | None
    given_up_at: datetime | None
    status: int | None
    trouble: str

    @property
    def state(self) -> str:
        """waiting, delivered or given_up."""
        if self.delivered_at is not None:
            return "delivered"
        return "waiting" if self.given_up_at is None else "given_up"


@dataclass(frozen=True)
class Due:
    """What is needed to send one delivery."""

    id: int
    webhook_id: int
    url: str
    secret: str
    event: str
    payload: dict[str, Any]
    created_at: datetime
    attempts: int


def webhooks(session: Session, actor: Actor, *, webhook_id: int | None = None) -> list[WebhookView]:
    """Those the actor may manage, of the network first, then by lab."""
    of_it = Delivery.webhook_id == Webhook.id
    waiting = (
        select(func.count())
        .where(of_it, Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None))
        .correlate(Webhook)
        .scalar_subquery()
    )
    last = (
        select(Delivery.delivered_at, Delivery.status, Delivery.trouble)
        .where(of_it, Delivery.attempts > 0)
        .order_by(Delivery.created_at.desc(), Delivery.id.desc())
        .limit(1)
        .correlate(Webhook)
        .lateral("last")
    )
    query = (
        select(
            Webhook.id,
            Webhook.lab_id,
            LAB.c.slug,
            Webhook.url,
            Webhook.events,
            Webhook.created_at,
            Webhook.created_by_id,
            Member.name,
            Webhook.disabled_at,
            waiting,
            last.c.delivered_at,
            last.c.status,
            func.coalesce(last.c.trouble, ""),
        )
        .select_from(Webhook)
        .outerjoin(LAB, LAB.c.id == Webhook.lab_id)
        .outerjoin(Member, Member.id == Webhook.created_by_id)
        .outerjoin(last, last.c.status.is_not(None) | last.c.trouble.is_not(None))
        .order_by(LAB.c.slug.asc().nulls_first(), Webhook.id)
    )
    if not actor.admin:
        query = query.where(Webhook.lab_id.in_(sorted(actor.managed_labs)))
    if webhook_id is not None:
        query = query.where(Webhook.id == webhook_id)
    found = []
    for id_, lab_id, lab, url, events, *rest in session.execute(query):
        found.append(WebhookView(id_, lab_id, lab, url, tuple(events), *rest))
    return found


def deliveries(
    session: Session, webhook_id: int, *, before: tuple[datetime, int] | None = None, limit: int
) -> list[DeliveryView]:
    """What one webhook was told, the newest first; ``before`` is (created_at, id) of the last one read."""
    query = (
        select(
            Delivery.id,
            Delivery.event,
            Delivery.created_at,
            Delivery.due_at,
            Delivery.attempts,
            Delivery.delivered_at,
            Delivery.given_up_at,
            Delivery.status,
            Delivery.trouble,
        )
        .where(Delivery.webhook_id == webhook_id)
        .order_by(Delivery.created_at.desc(), Delivery.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(tuple_(Delivery.created_at, Delivery.id) < before)
    return [DeliveryView(*row) for row in session.execute(query)]


def claim_due(session: Session, now: datetime, each: int, limit: int) -> Sequence[Due]:
    """What is due, in the order it happened; locked until the transaction ends, never another sender's.

    ``each`` receiver gets so many at a time. One that was away is left alone until its first delivery is due
    again: what came after waits, too.
    """
    earlier, waiting = aliased(Delivery), aliased(Delivery)
    rests = exists().where(
        earlier.webhook_id == waiting.webhook_id,
        earlier.delivered_at.is_(None),
        earlier.given_up_at.is_(None),
        earlier.due_at > now,
        earlier.trouble.startswith(AWAY),
    )
    place = func.row_number().over(partition_by=waiting.webhook_id, order_by=waiting.id).label("place")
    due = (
        select(waiting.id, place)
        .join(Webhook, Webhook.id == waiting.webhook_id)
        .where(
            waiting.delivered_at.is_(None),
            waiting.given_up_at.is_(None),
            waiting.due_at <= now,
            Webhook.disabled_at.is_(None),
            ~rests,
        )
        .subquery("due")
    )
    rows = session.execute(
        select(
            Delivery.id,
            Delivery.webhook_id,
            Webhook.url,
            Webhook.secret,
            Delivery.event,
            Delivery.payload,
            Delivery.created_at,
            Delivery.attempts,
        )
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .join(due, due.c.id == Delivery.id)
        # Looked at again once the row is locked: whoever had it before may have sent it.
        .where(due.c.place <= each, Delivery.delivered_at.is_(None), Delivery.due_at <= now)
        .order_by(Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    return [Due(*row) for row in rows]


# How the trouble of a delivery begins whose receiver was away.
AWAY = "away: "
