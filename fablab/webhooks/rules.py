"""Deciding about webhooks: which events there are, who may have one, how it is signed, when to try again."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from fablab.errors import Refusal
from fablab.members.rules import Actor

# Every code the domain's verbs can refuse with, and what it means.
REFUSAL_CODES = {
    "bad_address": "Nothing may be sent to that address.",
    "unknown_event": "There is no such event.",
    "too_many_webhooks": "The lab has as many webhooks as one may have.",
    "webhook_off": "The webhook is turned off.",
}
# What a receiver can ask to be told, each with a sentence for people.
EVENTS: Mapping[str, str] = {
    "booking.requested": "Somebody asks for a machine whose bookings are approved first.",
    "booking.confirmed": "A booking stands: made, or approved.",
    "booking.moved": "It has another time or another machine.",
    "booking.cancelled": "It was cancelled.",
    "booking.started": "Its machine is in use.",
    "booking.completed": "It is over, and its machine was used.",
    "booking.missed": "Nobody came.",
    "booking.rejected": "An approver said no, or nobody decided in time.",
    "outage.began": "A machine is out of service, or will be from a time that is said.",
    "outage.ended": "It works again.",
}
# Sent when staff try an address out.
TEST = "webhook.test"
MOST = 20
# Seconds before the second attempt, the third, and so on: ten attempts within a day.
WAITS_S = (30, 120, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 9 * 3600)
ATTEMPTS = len(WAITS_S) + 1
# A signature older than this is somebody's who listened.
FRESH = timedelta(minutes=5)
SECRET_PREFIX = "whsec_"  # noqa: S105  (lets scanners recognise a leaked one)


def may_manage_webhooks(actor: Actor, lab_id: int | None) -> bool:
    """Those of a lab: its managers; those of the network (None): admins, who may all of them."""
    return actor.admin or (lab_id is not None and lab_id in actor.managed_labs)


def may_have_webhooks(actor: Actor) -> bool:
    """Whether there are any they may manage."""
    return actor.admin or bool(actor.managed_labs)


def webhook_refusals(trouble: str, events: Iterable[str]) -> list[Refusal]:
    """What is wrong with a webhook somebody wants; ``trouble`` says it of its address, "" if it is good."""
    found = []
    if trouble:
        found.append(Refusal("bad_address", "url", trouble))
    wanted = list(events)
    if unknown := sorted(set(wanted) - EVENTS.keys()):
        text = f"There is no event {unknown[0][:40]}. There are {', '.join(EVENTS)}."
        found.append(Refusal("unknown_event", "events", text))
    elif not wanted:
        found.append(Refusal("unknown_event", "events", "Choose at least one event."))
    return found


def wait(attempts: int) -> timedelta | None:
    """How long a delivery waits after that many attempts; None: it is given up."""
    return timedelta(seconds=WAITS_S[attempts - 1]) if attempts < ATTEMPTS else None


def is_away(status: int | None) -> bool:
    """Whether a receiver that answers so (None: not at all) would take nothing else either."""
    return status is None or status >= 500 or status in (408, 429)


def body_of(delivery_id: int, event: str, created_at: datetime, payload: Mapping[str, Any]) -> bytes:
    """What is sent: the same bytes at every attempt."""
    told = {"id": delivery_id, "event": event, "created_at": created_at.isoformat(), **payload}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def signature(secret: str, body: bytes, at: datetime) -> str:
    """The header by which a receiver knows us: ``t=<epoch seconds>,v1=<hex>``.

    v1 is HMAC-SHA256, keyed with the secret, over the digits of t, a full stop, and the body as it came.
    """
    stamp = str(int(at.timestamp()))
    return f"t={stamp},v1={_mark(secret, stamp, body)}"


def is_genuine(secret: str, body: bytes, header: str, now: datetime) -> bool:
    """What a receiver does: reckon the signature again, compare it in constant time, and look at its age."""
    said = dict(part.partition("=")[::2] for part in header.split(","))
    stamp = said.get("t", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    fresh = abs(now.timestamp() - int(stamp)) <= FRESH.total_seconds()
    return fresh and hmac.compare_digest(said.get("v1", "").encode(), _mark(secret, stamp, body).encode())


def _mark(secret: str, stamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
