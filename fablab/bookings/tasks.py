"""What the clock starts for bookings."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from email.utils import parseaddr
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from fablab.bookings import (
    deciding,
    digest,
    handover,
    ics,
    noshow,
    offering,
    rederive,
    service,
    telling,
    waiting,
)
from fablab.bookings.facts import Policy
from fablab.bookings.telling_words import Sender
from fablab.settings import Settings


def close_past_bookings(session: Session, now: datetime, settings: Settings) -> int:
    """Close what is over; returns how many bookings."""
    return service.close_past_bookings(session, now)


def expire_requests(session: Session, now: datetime, settings: Settings) -> int:
    """Close requests that nobody decided on in time; returns how many."""
    return deciding.expire_requests(session, now)


def tell(session: Session, now: datetime, settings: Settings) -> int:
    """Write the mails and webhook deliveries of what was done; returns of how many bookings."""
    base_url = settings.web.base_url.rstrip("/")
    organizer = ics.Person(*parseaddr(settings.mail.sender))
    sender = Sender(organizer, base_url, urlsplit(base_url).hostname or "localhost")
    return telling.tell_due(session, now, sender)


def send_digests(session: Session, now: datetime, settings: Settings) -> int:
    """Write the morning's mails to labs' managers; returns how many."""
    return digest.send_digests(session, now)


def release_holds(session: Session, now: datetime, settings: Settings) -> int:
    """Let go what was kept for somebody long enough, and offer it to the next; returns how many holds."""
    return waiting.release_holds(session, now, _policy(settings))


def offer_free_time(session: Session, now: datetime, settings: Settings) -> int:
    """Offer whoever waits what is free, however it came to be; returns how many got something."""
    return offering.sweep(session, now, _policy(settings))


def expire_offers(session: Session, now: datetime, settings: Settings) -> int:
    """Close offers between members that nobody has answered; returns how many."""
    return handover.expire(session, now)


def release_no_shows(session: Session, now: datetime, settings: Settings) -> int:
    """Give up bookings that nobody came to; returns how many."""
    return len(noshow.release(session, now, _policy(settings)))


def remind(session: Session, now: datetime, settings: Settings) -> int:
    """Remind of bookings that begin soon; returns how many."""
    return noshow.remind(session, now, _policy(settings))


def keep_wall_times(session: Session, now: datetime, settings: Settings) -> int:
    """Move coming bookings to where their wall time is by the zone data in use; returns how many."""
    return len(rederive.rederive(session, now, _policy(settings)).moved)


def _policy(settings: Settings) -> Policy:
    return Policy(**dataclasses.asdict(settings.bookings))
