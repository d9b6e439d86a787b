"""A guardian's consent to a minor's account: the words, recording it, and taking it back."""

from __future__ import annotations

import tomllib
from datetime import date, datetime
from functools import cache
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.mail.texts import LANGUAGES
from fablab.members import audit
from fablab.members.addresses import email_trouble
from fablab.members.models import GuardianConsent, Member
from fablab.members.rules import (
    Actor,
    acting_lab,
    is_minor,
    may_record_consent,
    may_see_member_details,
    not_yet,
)
from fablab.settings import ROOT

WORDS_FILE = ROOT / "config" / "consent.toml"
WORDS_MAX = 2000


@cache
def current_words(path: Path = WORDS_FILE) -> dict[str, str]:
    """The words a guardian agrees to today, by language. Read once in the life of a process."""
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    words = {language: _plain(read[language]["words"]) for language in LANGUAGES}
    for language, text in words.items():
        if not 0 < len(text) <= WORDS_MAX:
            raise ValueError(f"{path}: [{language}] words: 1 to {WORDS_MAX} characters are needed")
    return words


def record_consent(
    session: Session,
    actor: Actor,
    member_id: int,
    guardian_name: str,
    guardian_email: str | None,
    words: str,
    given_on: date,
    now: datetime,
) -> int:
    """Keep that a guardian agreed to these words on that day; returns the consent's id.

    1. whoever may not record one is told so, or that there is nobody;
    2. only a minor needs one, and the words are the current ones in one of the languages;
    3. the row keeps them as they are.
    """
    birth_on = _birth_date(session, actor, member_id)
    refusals = []
    if birth_on is None:
        refusals.append(Refusal("birth_date_needed", "birth_on", "Put down the birth date first."))
    elif not is_minor(birth_on, now.date()):
        refusals.append(Refusal("of_age", "birth_on", "From 18 on no guardian's consent is needed."))
    if not_yet(given_on, now):
        refusals.append(Refusal("invalid", "given_on", "That day has not come yet."))
    elif birth_on is not None and given_on < birth_on:
        refusals.append(Refusal("invalid", "given_on", "That is before the birth date."))
    if not guardian_name.strip() or len(guardian_name) > 120:
        refusals.append(Refusal("invalid", "guardian_name", "The guardian's name is needed."))
    if guardian_email is not None and email_trouble(guardian_email):
        refusals.append(Refusal("invalid", "guardian_email", "That is not an e-mail address."))
    if _plain(words) not in current_words().values():
        text = "The words have changed meanwhile. Show the guardian the current ones."
        refusals.append(Refusal("words_changed", "words", text))
    if refusals:
        raise refused(*refusals)
    row = GuardianConsent(
        member_id=member_id,
        guardian_name=guardian_name.strip(),
        guardian_email=guardian_email,
        words=_plain(words),
        given_on=given_on,
        recorded_at=now,
        recorded_by_id=actor.member_id,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor,
        "consent.record",
        f"consent {row.id}",
        now,
        on_member_id=member_id,
        lab_id=acting_lab(actor),
    )
    return row.id


def withdraw_consent(session: Session, actor: Actor, member_id: int, consent_id: int, now: datetime) -> None:
    """The guardian takes it back: the row stays, and counts no more."""
    _birth_date(session, actor, member_id)
    withdrawn = session.scalar(
        update(GuardianConsent)
        .where(
            GuardianConsent.id == consent_id,
            GuardianConsent.member_id == member_id,
            GuardianConsent.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
        .returning(GuardianConsent.id)
    )
    if withdrawn is None:
        raise not_found("consent")
    audit.record(
        session,
        actor,
        "consent.withdraw",
        f"consent {consent_id}",
        now,
        on_member_id=member_id,
        lab_id=acting_lab(actor),
    )


def _birth_date(session: Session, actor: Actor, member_id: int) -> date | None:
    """The member's birth date, for whoever may record consents about her."""
    row = session.execute(
        select(Member.birth_on).where(Member.id == member_id, Member.erased_at.is_(None))
    ).one_or_none()
    if row is None or not may_see_member_details(actor):
        raise not_found("member")
    if not may_record_consent(actor, member_id):
        raise not_allowed("Consent to your own account is recorded by somebody else.")
    found: date | None = row.birth_on
    return found


def _plain(words: str) -> str:
    """The words without the breaks of lines that a form or a file puts in between."""
    return " ".join(words.split())
