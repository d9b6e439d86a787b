"""Mails are queued in the transaction of what they tell: neither happens without the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from fablab.mail import texts
from fablab.mail.models import Mail
from fablab.mail.rules import is_link, plain
from fablab.mail.texts import LANGUAGES, LINK


@dataclass(frozen=True)
class Recipient:
    """Who gets a mail, and in which language. ``member_id`` is None for people without an account."""

    address: str
    name: str
    language: str
    member_id: int | None = None


def queue(session: Session, template: str, to: Recipient, filling: Mapping[str, str], now: datetime) -> None:
    """Write the mail ``template`` (a file of templates/) into the outbox; it goes once the caller commits.

    ``filling`` has exactly the template's gaps, `link` an absolute address among them. Raises ValueError when
    it has not: that is a mistake in our program, not in what somebody typed.
    """
    wanted = texts.template(template).gaps
    if wanted != filling.keys():
        raise ValueError(f"the mail {template} has the gaps {sorted(wanted)}, not {sorted(filling)}")
    if LINK in filling and not is_link(filling[LINK]):
        raise ValueError(f"the mail {template} needs an absolute http(s) address as its link")
    kept = {gap: value if gap == LINK else plain(value) for gap, value in filling.items()}
    session.add(
        Mail(
            member_id=to.member_id,
            address=to.address,
            language=to.language if to.language in LANGUAGES else LANGUAGES[0],
            template=template,
            filling={"name": plain(to.name), **kept},
            created_at=now,
            due_at=now,
        )
    )
