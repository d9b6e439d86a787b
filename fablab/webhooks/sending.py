"""Sending what is due: receivers beside one another, each one's events one after another."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from fablab import __version__
from fablab.clock import utc_now
from fablab.logs import logger
from fablab.mail.service import Recipient, queue
from fablab.members.models import Member
from fablab.outbound import OutboundError, ask
from fablab.settings import Webhooks as Settings
from fablab.webhooks.models import Delivery, Webhook
from fablab.webhooks.queries import AWAY, Due
from fablab.webhooks.rules import body_of, is_away, signature, wait

_log = logger("webhooks")
_TROUBLE_MAX = 300


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt; ``trouble`` is empty when it was taken."""

    due: Due
    status: int | None
    trouble: str

    @property
    def away(self) -> bool:
        return bool(self.trouble) and is_away(self.status)


def send_all(session: Session, due: Sequence[Due], now: datetime, settings: Settings) -> int:
    """Send them and mark what became of each; returns how many were taken.

    No receiver waits for another. One that is away is asked no more in this run. Nothing is begun after
    `webhooks.run_s`, and nothing lasts longer than `webhooks.timeout_s`: the clock's other tasks wait for it.
    """
    enough_at = time.monotonic() + settings.run_s
    queues = [
        list(group) for _, group in groupby(sorted(due, key=_by_receiver), lambda each: each.webhook_id)
    ]

    def send_queue(queue: list[Due]) -> list[Outcome]:
        return list(_send_queue(queue, enough_at, settings))

    with ThreadPoolExecutor(min(settings.threads, len(queues)), "webhooks") as threads:
        outcomes = [outcome for part in threads.map(send_queue, queues) for outcome in part]
    for outcome in outcomes:
        _mark(session, outcome, now)
    return sum(not outcome.trouble for outcome in outcomes)


def _by_receiver(due: Due) -> tuple[int, int]:
    return due.webhook_id, due.id


def _send_queue(queue: list[Due], enough_at: float, settings: Settings) -> Iterator[Outcome]:
    for due in queue:
        if time.monotonic() >= enough_at:
            return
        outcome = _send(due, settings)
        yield outcome
        if outcome.away:
            return


def _send(due: Due, settings: Settings) -> Outcome:
    body = body_of(due.id, due.event, due.created_at, due.payload)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"fablab/{__version__}",
        "Fablab-Event": due.event,
        "Fablab-Delivery": str(due.id),
        # The receiver looks at its own clock, so this is no time of a task.
        "Fablab-Signature": signature(due.secret, body, utc_now()),
    }
    try:
        answer = ask(
            "POST",
            due.url,
            headers=headers,
            body=body,
            timeout_s=settings.timeout_s,
            private=settings.private,
        )
    except OutboundError as error:
        return Outcome(due, None, str(error))
    if 200 <= answer.status < 300:
        return Outcome(due, answer.status, "")
    if 300 <= answer.status < 400:
        return Outcome(due, answer.status, "It sends us elsewhere, where we do not go. Give that address.")
    return Outcome(due, answer.status, f"It answers {answer.status}.")


def _mark(session: Session, outcome: Outcome, now: datetime) -> None:
    due, attempts = outcome.due, outcome.due.attempts + 1
    marks: dict[str, object] = {"attempts": attempts, "status": outcome.status, "trouble": ""}
    if not outcome.trouble:
        marks["delivered_at"] = now
    else:
        marks["trouble"] = ((AWAY if outcome.away else "") + outcome.trouble)[:_TROUBLE_MAX]
        pause = wait(attempts)
        if pause is None:
            marks["given_up_at"] = now
        else:
            marks["due_at"] = now + pause
        _log.warning("webhook_failed", webhook=due.webhook_id, delivery=due.id, trouble=outcome.trouble)
    session.execute(update(Delivery).where(Delivery.id == due.id).values(marks))
    if "given_up_at" in marks:
        _disable(session, due.webhook_id, due.created_at, outcome.trouble, now)


def _disable(session: Session, webhook_id: int, since: datetime, trouble: str, now: datetime) -> None:
    """Turn a webhook off that has taken nothing since then, and say so to whoever made it."""
    taken = exists().where(Delivery.webhook_id == webhook_id, Delivery.delivered_at >= since)
    made = session.execute(
        update(Webhook)
        .where(Webhook.id == webhook_id, Webhook.disabled_at.is_(None), ~taken)
        .values(disabled_at=now)
        .returning(Webhook.id, Webhook.created_by_id)
    ).one_or_none()
    if made is None:
        return
    session.execute(
        update(Delivery)
        .where(
            Delivery.webhook_id == webhook_id, Delivery.delivered_at.is_(None), Delivery.given_up_at.is_(None)
        )
        .values(given_up_at=now)
    )
    _log.warning("webhook_off", webhook=webhook_id)
    maker = session.execute(
        select(Member.email, Member.name, Member.language, Member.id).where(
            Member.id == made.created_by_id, Member.active, Member.erased_at.is_(None)
        )
    ).one_or_none()
    if maker is not None:
        filling = {"webhook": str(made.id), "trouble": trouble, "link": "/staff/webhooks"}
        queue(session, "webhook_off", Recipient(*maker), filling, now)
