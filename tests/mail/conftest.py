"""A mail server, and the clock's task that sends to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.mail.models import Mail
from fablab.mail.service import Recipient, queue
from fablab.mail.tasks import send_due
from fablab.settings import Settings
from tests.support.mail_server import MailServer, mail_server

LINK = "https://fablab.example.org/reset/abcdef"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


class Outbox:
    """Writes mails, lets the clock send them at a given time, and looks at what became of them."""

    def __init__(self, sessions: sessionmaker[Session], settings: Settings, **mail: Any) -> None:
        self.sessions = sessions
        self.settings = dataclasses.replace(settings, mail=dataclasses.replace(settings.mail, **mail))

    def write(self, address: str = "amina@example.org", template: str = "reset_password", **more: Any) -> int:
        """Queue one mail; its id."""
        filling = more.pop("filling", {"link": LINK})
        now = more.pop("now", utc_now())
        with transaction(self.sessions) as session:
            queue(
                session,
                template,
                Recipient(address, more.get("name", "Amina"), more.get("language", "fr")),
                filling,
                now,
            )
            return max(session.scalars(select(Mail.id)).all())

    def send(self, now: datetime | None = None) -> int:
        """One run of the clock's task."""
        with transaction(self.sessions) as session:
            return send_due(session, now or utc_now(), self.settings)

    def mail(self, mail_id: int) -> Mail:
        with self.sessions() as session:
            found = session.get(Mail, mail_id)
        assert found is not None
        return found


@pytest.fixture
def outbox(sessions: sessionmaker[Session], settings: Settings, server: MailServer) -> Callable[..., Outbox]:
    """`outbox()` sends to `server`; settings of [mail] may be given: `outbox(url=...)`."""
    return lambda **mail: Outbox(sessions, settings, **{"url": server.url, **mail})
