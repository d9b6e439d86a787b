"""Verbs about webhooks. None commits: whoever opened the transaction does."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.members import audit
from fablab.members.rules import Actor
from fablab.outbound import url_trouble
from fablab.webhooks.models import Delivery, Webhook
from fablab.webhooks.queries import LAB, WebhookView, webhooks
from fablab.webhooks.rules import MOST, SECRET_PREFIX, TEST, may_manage_webhooks, webhook_refusals

# One statement for many events: those who want each of them, of its lab or of the whole network.
_ANNOUNCE = text(
    """
    INSERT INTO webhook_delivery (webhook_id, event, payload, created_at, due_at, attempts, trouble)
    SELECT webhook.id, told.event, told.payload, :now, :now, 0, ''
    FROM jsonb_to_recordset(:told) AS told(event text, lab bigint, payload jsonb, place int)
    JOIN webhook ON webhook.disabled_at IS NULL AND told.event = ANY(webhook.events)
                AND (webhook.lab_id IS NULL OR webhook.lab_id = told.lab)
    ORDER BY told.place, webhook.id
    """
).bindparams(bindparam("told", type_=JSONB), bindparam("now", type_=DateTime(timezone=True)))


def announce(session: Session, event: str, lab_id: int, payload: Mapping[str, Any], now: datetime) -> None:
    """Tell whoever wants to know, once the caller commits. One statement."""
    announce_all(session, [(event, lab_id, payload)], now)


def announce_all(session: Session, told: Sequence[tuple[str, int, Mapping[str, Any]]], now: datetime) -> None:
    """The same for several events, in the order in which they happened. One statement."""
    if told:
        rows = [
            {"event": event, "lab": lab_id, "payload": payload, "place": place}
            for place, (event, lab_id, payload) in enumerate(told)
        ]
        session.execute(_ANNOUNCE, {"told": rows, "now": now})


def add_webhook(
    session: Session,
    actor: Actor,
    lab: str | None,
    url: str,
    events: Sequence[str],
    now: datetime,
    *,
    private: bool = False,
) -> tuple[WebhookView, str]:
    """Make one for a lab (slug), or for the network (None); returns it and its secret, shown only now.

    Raises NOT_FOUND (lab), NOT_ALLOWED, REFUSED `bad_address`, `unknown_event`
    or `too_many_webhooks`.
    """
    lab_id = None
    if lab is not None:
        lab_id = session.scalar(select(LAB.c.id).where(LAB.c.slug == lab))
        if lab_id is None:
            raise not_found("lab")
    if not may_manage_webhooks(actor, lab_id):
        raise not_allowed("Webhooks are made by a lab's managers, those of the network by admins.")
    url, wanted = url.strip(), list(dict.fromkeys(events))
    if refusals := webhook_refusals(url_trouble(url, private=private), wanted):
        raise refused(*refusals)
    # Of two at once the second counts after the first.
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('webhooks'))"))
    has = session.scalar(
        select(func.count()).select_from(Webhook).where(Webhook.lab_id.is_not_distinct_from(lab_id))
    )
    if (has or 0) >= MOST:
        raise refused(Refusal("too_many_webhooks", "url", f"There are {MOST} already. Take one away first."))
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    made = Webhook(
        lab_id=lab_id, created_by_id=actor.member_id, url=url, events=wanted, secret=secret, created_at=now
    )
    session.add(made)
    session.flush()
    audit.record(session, actor, "webhook.add", f"webhook {made.id}", now, ", ".join(wanted), lab_id=lab_id)
    return the_webhook(session, actor, made.id), secret


def the_webhook(session: Session, actor: Actor, webhook_id: int) -> WebhookView:
    """One the actor may manage. Raises NOT_FOUND for any other."""
    found = webhooks(session, actor, webhook_id=webhook_id)
    if not found:
        raise not_found("webhook")
    return found[0]


def remove_webhook(session: Session, actor: Actor, webhook_id: int, now: datetime) -> None:
    """Take it away with all it was told. Raises NOT_FOUND."""
    found = the_webhook(session, actor, webhook_id)
    session.execute(delete(Webhook).where(Webhook.id == webhook_id))
    audit.record(session, actor, "webhook.remove", f"webhook {webhook_id}", now, lab_id=found.lab_id)


def enable_webhook(session: Session, actor: Actor, webhook_id: int, now: datetime) -> WebhookView:
    """Turn one on again that was given up; what it missed is not sent. Raises NOT_FOUND."""
    found = the_webhook(session, actor, webhook_id)
    if found.disabled_at is not None:
        session.execute(update(Webhook).where(Webhook.id == webhook_id).values(disabled_at=None))
        audit.record(
            session, actor, "webhook.change", f"webhook {webhook_id}", now, "turned on", lab_id=found.lab_id
        )
    return the_webhook(session, actor, webhook_id)


def try_webhook(session: Session, actor: Actor, webhook_id: int, now: datetime) -> int:
    """Send it an event that means nothing; returns the delivery's id. Raises NOT_FOUND, REFUSED."""
    found = the_webhook(session, actor, webhook_id)
    if found.disabled_at is not None:
        raise refused(Refusal("webhook_off", "webhook", "It is turned off. Turn it on first."))
    return session.execute(
        insert(Delivery)
        .values(
            webhook_id=webhook_id,
            event=TEST,
            payload={"lab": found.lab},
            created_at=now,
            due_at=now,
            attempts=0,
            trouble="",
        )
        .returning(Delivery.id)
    ).scalar_one()
