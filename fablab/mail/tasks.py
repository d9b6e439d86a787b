"""What the clock does with mails."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from fablab.mail.post import Folder, Post
from fablab.mail.queries import claim_due, server_rests
from fablab.mail.sending import give_up_late, send_all
from fablab.settings import Mail, Settings


def send_due(session: Session, now: datetime, settings: Settings) -> int:
    """Send what is due, a few mails a run, and say how many went.

    The clock's other tasks wait meanwhile: a run begins no mail after `mail.run_s`, and a server that did not
    answer is left alone for a while. What is too late is given up, also while nothing can go. A mail is
    marked in the transaction that sent it; should the process die between the server's yes and the commit,
    it goes twice, with one Message-ID.
    """
    limits = settings.mail
    give_up_late(session, now, timedelta(hours=limits.give_up_after_h))
    if not (limits.url or limits.folder) or server_rests(session, now):
        return 0
    mails = claim_due(session, now, limits.batch)
    return send_all(session, mails, lambda: _way_out(limits), now, settings) if mails else 0


def _way_out(settings: Mail) -> AbstractContextManager[Post]:
    """The mail server, or the folder where there is none."""
    if settings.url:
        # Here, as in `sending`: whoever only stands by never sends.
        from fablab.mail.smtp import connection, server_of

        return connection(server_of(settings.url), settings.timeout_s)
    return nullcontext(Folder(Path(settings.folder)))
