"""Sending claimed mails one after another, and what becomes of each."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import case, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from fablab.logs import logger
from fablab.mail.models import Mail
from fablab.mail.post import LaterError, NeverError, Post, ServerAwayError
from fablab.mail.queries import AWAY
from fablab.mail.rules import Patience, absolute, rest, wait
from fablab.mail.texts import LINK, template
from fablab.mail.unsubscribing import unsubscribing
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

    A mail that is put off waits longer each time, one that is refused is given up. When the server is away,
    everything that is due waits a little. What one mail breaks is that mail's trouble: the marks of those
    that went stay, or they would go again.
    """
    enough_at = time.monotonic() + settings.mail.run_s
    sent = 0
    try:
        with way_out() as post:
            for mail in mails:
                sent += _send(session, mail, post, now, settings)
                if time.monotonic() >= enough_at:
                    break
    except ServerAwayError as error:
        _let_all_wait(session, mails[0].created_at, str(error), now)
    except DBAPIError:
        raise
    except Exception as error:  # noqa: BLE001  (such as an address of the server that no library can read)
        _let_all_wait(session, mails[0].created_at, _place(error), now)
    return sent


def give_up_late(session: Session, now: datetime, give_up_after: timedelta) -> int:
    """Give up mails that were tried for long enough, or whose link is dead by now; the number of them.

    Their fillings go with them, whether or not there is a way out. One statement for each time of patience.
    """
    waiting = (Mail.sent_at.is_(None), Mail.given_up_at.is_(None))
    too_old: dict[timedelta, list[str]] = {}
    for name in session.scalars(select(Mail.template).where(*waiting).distinct()):
        too_old.setdefault(Patience(give_up_after, _useful(name)).lasts, []).append(name)
    late = 0
    for lasts, names in too_old.items():
        found = select(Mail.id).where(*waiting, Mail.template.in_(names), Mail.created_at <= now - lasts)
        had_trouble = func.left("too late; " + Mail.trouble, _TROUBLE_MAX)
        ended = session.scalars(
            update(Mail)
            .where(Mail.id.in_(found.with_for_update(skip_locked=True)))
            .values(
                given_up_at=now,
                filling={},
                calendar=None,
                trouble=case((Mail.trouble == "", "too late"), else_=had_trouble),
            )
            .returning(Mail.id)
        )
        late += len(ended.all())
    if late:
        _log.warning("mails_given_up", mails=late, trouble="too late")
    return late


def _send(session: Session, mail: Mail, post: Post, now: datetime, settings: Settings) -> bool:
    """One mail, marked in a savepoint; whether it went. Raises ServerAwayError when no other would go."""
    went, away = False, None
    try:
        with session.begin_nested():
            try:
                _post(mail, post, settings)
            except (NeverError, LookupError) as error:
                _give_up(mail, str(error), now)
            except LaterError as error:
                _put_off(mail, str(error), now)
            except ServerAwayError as error:
                # Should this very mail have broken the connection, the others go first next time.
                _put_off(mail, str(error), now)
                away = error
            except Exception as error:  # noqa: BLE001  (a mistake of ours: the others must not wait for it)
                _put_off(mail, _place(error), now)
            else:
                _gone(mail, now)
                went = True
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        went = False
        with session.begin_nested():
            _put_off(mail, _place(error), now)
    if away is not None:
        raise away
    return went


def _post(mail: Mail, post: Post, settings: Settings) -> None:
    # Here: the clock's process, which may only stand by, needs megabytes for it.
    from fablab.mail.letter import compose

    filling = mail.filling
    if LINK in filling:
        filling = {**filling, LINK: absolute(filling[LINK], settings.web.base_url)}
    post.send(
        compose(
            mail.template,
            mail.language,
            filling,
            sender=settings.mail.sender,
            to=mail.address,
            message_id=f"<mail-{mail.id}-{mail.created_at:%Y%m%d%H%M%S%f}@{_host(settings)}>",
            written_at=mail.created_at,
            calendar=mail.calendar,
            unsubscribe=_unsubscribe(mail, settings),
        )
    )


def _unsubscribe(mail: Mail, settings: Settings) -> str | None:
    """Where one POST ends mails of this kind for its reader; None where there is nothing to end."""
    notice, secret = template(mail.template).notice, settings.web.secret_key
    if not (notice and secret and mail.member_id):
        return None
    return absolute(f"/notices/off/{unsubscribing(secret, mail.member_id, notice)}", settings.web.base_url)


def _gone(mail: Mail, now: datetime) -> None:
    mail.attempts += 1
    mail.sent_at = now
    mail.filling = {}
    mail.calendar = None
    mail.trouble = ""


def _useful(name: str) -> timedelta | None:
    try:
        useful_h = template(name).useful_h
    except LookupError:
        return None
    return None if useful_h is None else timedelta(hours=useful_h)


def _give_up(mail: Mail, why: str, now: datetime) -> None:
    mail.attempts += 1
    mail.given_up_at = now
    mail.filling = {}
    mail.calendar = None
    mail.trouble = _trouble(mail, why)
    _log.warning("mail_given_up", mail=mail.id, template=mail.template, trouble=mail.trouble)


def _put_off(mail: Mail, why: str, now: datetime) -> None:
    mail.attempts += 1
    mail.due_at = now + wait(mail.attempts)
    mail.trouble = _trouble(mail, why)
    _log.warning("mail_put_off", mail=mail.id, template=mail.template, trouble=mail.trouble)


def _let_all_wait(session: Session, oldest_at: datetime, why: str, now: datetime) -> None:
    """Nothing goes before the server has had a rest, not even mails that are queued meanwhile."""
    why = _line(why)
    until = now + rest(now - oldest_at)
    due = select(Mail.id).where(Mail.sent_at.is_(None), Mail.given_up_at.is_(None), Mail.due_at <= now)
    session.execute(
        update(Mail)
        .where(Mail.id.in_(due.with_for_update(skip_locked=True)))
        .values(due_at=until, trouble=f"{AWAY}{why}"[:_TROUBLE_MAX]),
        execution_options={"synchronize_session": "fetch"},
    )
    _log.warning("mail_server_away", trouble=why, until=until.isoformat())


def _trouble(mail: Mail, why: str) -> str:
    """What a server said, without the address, which has no business in a log."""
    said = re.sub(re.escape(mail.address), "(address)", why, flags=re.IGNORECASE) if mail.address else why
    return _line(said)[:_TROUBLE_MAX]


def _line(said: str) -> str:
    """One line that a table can keep, whatever bytes a server sent."""
    return "".join(each if each.isprintable() else " " for each in said)


def _place(error: Exception) -> str:
    """Which error, and where it came up: its own words may carry what people typed."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _host(settings: Settings) -> str:
    return urlsplit(settings.web.base_url).hostname or "localhost"
