"""Members from a file: an account each, and a mail to choose a password."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from fablab.imports.reading import Line
from fablab.imports.rules import Column, a_day, a_text, one_of
from fablab.members.queries import member_by_email
from fablab.members.rules import Actor
from fablab.signin.accounts import open_account


class MembersImport:
    """What is known by its address already stays as it is."""

    key = "email"
    columns: Mapping[str, Column] = {
        each.name: each
        for each in (
            Column(
                "email",
                "The address, by which a member is known and written to.",
                a_text(254),
                needed=True,
                also=("e-mail", "mail", "courriel", "adresse", "address"),
            ),
            Column("name", "First name and name.", a_text(120), needed=True, also=("nom", "nom complet")),
            Column(
                "language",
                "Of our mails: fr, ar or en. Empty: fr.",
                one_of("fr", "ar", "en"),
                empty="fr",
                also=("langue",),
            ),
            Column(
                "birth_on",
                "Date of birth, needed under 18 only: 2009-07-31 or 31/07/2009.",
                a_day,
                also=("birth date", "date of birth", "date de naissance", "naissance"),
            ),
        )
    }
    fields: Mapping[str, str] = {}

    def __init__(self, actor: Actor, now: datetime, base_url: str) -> None:
        self._actor, self._now, self._base_url = actor, now, base_url

    def key_of(self, values: Mapping[str, Any]) -> Hashable:
        return values["email"].casefold()

    def prepare(self, session: Session, lines: Iterable[Line]) -> None:
        """Nothing is held before: addresses are unique, and no verb waits while it holds one."""

    def take(self, session: Session, values: Mapping[str, Any]) -> bool:
        if member_by_email(session, values["email"]) is not None:
            return False
        open_account(
            session,
            self._actor,
            values["email"],
            values["name"],
            values["language"],
            values["birth_on"],
            self._now,
            base_url=self._base_url,
        )
        return True

    def finish(self, session: Session) -> None:
        """Nothing is left to do."""
