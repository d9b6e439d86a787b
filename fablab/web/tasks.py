"""What the clock starts for the HTTP edge. Imports no Flask: the scheduler does without."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from fablab.settings import Settings
from fablab.web.models import Idempotency

KEPT = timedelta(days=1)


def delete_old_answers(session: Session, now: datetime, settings: Settings) -> int:
    """Forget answers to POSTs that nobody will repeat any more; returns how many."""
    gone = session.execute(
        delete(Idempotency).where(Idempotency.created_at < now - KEPT).returning(Idempotency.key)
    )
    return len(gone.all())
