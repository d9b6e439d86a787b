"""What the clock does for webhooks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from fablab.settings import Settings
from fablab.webhooks.queries import claim_due
from fablab.webhooks.sending import send_all

# Deliveries taken up in one run, of one receiver and altogether.
EACH, BATCH = 50, 400


def send_webhooks(session: Session, now: datetime, settings: Settings) -> int:
    """Send what is due; returns how many were taken.

    Marked in the transaction that sent them: should the process die between a receiver's yes and the commit,
    they go twice, with the same `id`.
    """
    due = claim_due(session, now, EACH, BATCH)
    return send_all(session, due, now, settings.webhooks) if due else 0
