"""Making oneself an account: nothing exists until the link sent to the address is opened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fablab.errors import Refusal, refused
from fablab.mail.service import Recipient, queue
from fablab.mail.texts import LANGUAGES
from fablab.members import audit
from fablab.members.addresses import email_trouble
from fablab.members.models import Member, Role
from fablab.members.profile import name_refusal
from fablab.members.rules import birth_date_refusal
from fablab.signin import links
from fablab.signin.models import MailLink
from fablab.signin.passwords import password_refusals
from fablab.signin.service import address_taken


def account_to_be(
    name: str,
    email: str,
    password: str,
    language: str,
    now: datetime,
    *,
    under_18: bool = False,
    birth_on: date | None = None,
) -> dict[str, Any]:
    """What `ask_for_link` keeps of somebody who wants an account; raises REFUSED with all that is wrong.

    The birth date is needed, and kept, only of those under 18. The caller adds the ``password_hash``.
    """
    troubles = {
        "name": name_refusal(name),
        "email": email_trouble(email),
        "language": None if language in LANGUAGES else "Choose French, Arabic or English.",
        "birth_on": birth_date_refusal(birth_on, now, under_18=True) if under_18 else None,
    }
    refusals = [Refusal("invalid", field, text) for field, text in troubles.items() if text]
    refusals += password_refusals(password, [name, email])
    if refusals:
        raise refused(*refusals)
    return {
        "name": name.strip(),
        "language": language,
        "birth_on": birth_on.isoformat() if under_18 and birth_on else None,
    }


def join(session: Session, link: str, now: datetime, *, address: str | None = None) -> int:
    """Take a link of purpose 'join', whose password has been shown, and make the account; returns its id.

    Raises REFUSED when the address got an account meanwhile.
    """
    taken = links.take(session, link, "join", now)
    member_id = _make(session, taken.email, taken.pending or {}, now)
    # Whatever others typed for this address is void.
    session.execute(delete(MailLink).where(MailLink.purpose == "join", MailLink.email == taken.email))
    subject = f"member {member_id}"
    audit.record(session, None, "member.join", subject, now, on_member_id=member_id, address=address)
    return member_id


def _make(session: Session, email: str, pending: Mapping[str, Any], now: datetime) -> int:
    birth_on = pending["birth_on"]
    member = Member(
        email=email,
        name=pending["name"],
        language=pending["language"],
        password_hash=pending["password_hash"],
        birth_on=date.fromisoformat(birth_on) if birth_on else None,
        created_at=now,
        email_verified_at=now,
        roles=[Role(role="maker")],
    )
    try:
        with session.begin_nested():
            session.add(member)
            session.flush()
    except IntegrityError as error:
        raise address_taken() from error
    queue(session, "welcome", Recipient(email, member.name, member.language, member.id), {}, now)
    return member.id
