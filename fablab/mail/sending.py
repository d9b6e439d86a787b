"""Sending claimed mails one after another, and what becomes of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.logs import logger
from fablab.mail.letter import Unsendable, compose
from fablab.mail.models import Mail
from fablab.mail.post import LaterError, NeverError, Post, ServerAwayError
from fablab.mail.queries import AWAY
from fablab.mail.rules import Patience, rest, wait
from fablab.mail.texts import template
from fablab.settings import Settings

_log = logger("mail")
_TROUBLE_MAX = 300


def send_all(
    session: Session,
    mails: Sequence[Mail],
    way_out: Callable[[], AbstractContextManager[Post]],
    now: datetime,
    settings: Settings,
) -> int:
    """Send them over one connection until the time of a run is over; the number that went.

    1. Give up what is too late.
    2. Send: a mail that is put off waits longer each time, one that is refused is given up.
    3. When the server is away, everything that is due waits a little.
    """
    enough_at = time.monotonic() + settings.mail.run_s
    patience = timedelta(hours=settings.mail.give_up_after_h)
    timely = [mail for mail in mails if not _too_late(mail, patience, now)]
    sent = 0
    if not timely:
        return sent
    try:
        with way_out() as post:
            for mail in timely:
                sent += _send(mail, post, now, settings)
                if time.monotonic() >= enough_at:
                    break
    except ServerAwayError as error:
        _let_all_wait(session, timely[0].created_at, error, now)
    return sent


def _send(mail: Mail, post: Post, now: datetime, settings: Settings) -> bool:
    """One mail; whether it went. Raises ServerAwayError when no other would go either."""
    try:
        post.send(
            compose(
                mail.template,
                mail.language,
                mail.filling,
                sender=settings.mail.sender,
                to=mail.address,
                message_id=f"<mail-{mail.id}-{mail.created_at:%Y%m%d%H%M%S%f}@{_host(settings)}>",
                written_at=mail.created_at,
            )
        )
    except (NeverError, Unsendable, LookupError) as error:
        _give_up(mail, str(error), now)
        return False
    except LaterError as error:
        _put_off(mail, error, now)
        return False
    except ServerAwayError as error:
        # Should this very mail have broken the connection, the others go first next time.
        _put_off(mail, error, now)
        raise
    mail.attempts += 1
    mail.sent_at = now
    mail.filling = {}
    mail.trouble = ""
    return True


def _too_late(mail: Mail, give_up_after: timedelta, now: datetime) -> bool:
    """Give up a mail that was tried for long enough, or whose link is dead by now."""
    try:
        useful_h = template(mail.template).useful_h
    except LookupError:
        useful_h = None
    useful = None if useful_h is None else timedelta(hours=useful_h)
    if not Patience(give_up_after, useful).over(mail.created_at, now):
        return False
    _give_up(mail, f"too late; {mail.trouble}" if mail.trouble else "too late", now)
    return True


def _give_up(mail: Mail, why: str, now: datetime) -> None:
    mail.attempts += 1
    mail.given_up_at = now
    mail.filling = {}
    mail.trouble = why[:_TROUBLE_MAX]
    _log.warning("mail_given_up", mail=mail.id, template=mail.template, trouble=mail.trouble)


def _put_off(mail: Mail, why: Exception, now: datetime) -> None:
    mail.attempts += 1
    mail.due_at = now + wait(mail.attempts)
    mail.trouble = str(why)[:_TROUBLE_MAX]
    _log.warning("mail_put_off", mail=mail.id, template=mail.template, trouble=mail.trouble)


def _let_all_wait(session: Session, oldest_at: datetime, error: ServerAwayError, now: datetime) -> None:
    """Nothing goes before the server has had a rest, not even mails that are queued meanwhile."""
    session.flush()
    until = now + rest(now - oldest_at)
    due = select(Mail.id).where(Mail.sent_at.is_(None), Mail.given_up_at.is_(None), Mail.due_at <= now)
    session.execute(
        update(Mail)
        .where(Mail.id.in_(due.with_for_update(skip_locked=True)))
        .values(due_at=until, trouble=f"{AWAY}{error}"[:_TROUBLE_MAX]),
        execution_options={"synchronize_session": "fetch"},
    )
    _log.warning("mail_server_away", trouble=str(error), until=until.isoformat())


def _host(settings: Settings) -> str:
    return urlsplit(settings.web.base_url).hostname or "localhost"
