"""What the clock starts: mails that were asked for, and forgetting what is over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from fablab.settings import Settings
from fablab.signin import limits, links, sessions
from fablab.signin.service import answer_requests


def send_links(session: Session, now: datetime, settings: Settings) -> int:
    """Answer those who forgot a password, want to join or have a new address; returns how many."""
    return answer_requests(session, settings.web.base_url, now)


def forget_what_is_over(session: Session, now: datetime, settings: Settings) -> int:
    """Delete sessions, links and guesses that count no more; returns how many rows."""
    return (
        sessions.forget_over(session, now) + links.forget_old(session, now) + limits.forget_old(session, now)
    )
