"""What is put down about a member: name, language, birth date, address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.mail.texts import LANGUAGES
from fablab.members import audit
from fablab.members.directory import roles_of
from fablab.members.models import Member
from fablab.members.rules import (
    Actor,
    acting_lab,
    birth_date_refusal,
    may_change_birth_date,
    may_change_member,
    may_look_up_members,
)
from fablab.members.search import sought

FIELDS = ("name", "language", "birth_on")


def change_profile(
    session: Session, actor: Actor, member_id: int, changes: Mapping[str, Any], now: datetime
) -> list[str]:
    """Change what of FIELDS is given and differs; returns which did.

    Raises NOT_FOUND for whoever may not look the member up, NOT_ALLOWED, or REFUSED with all that is wrong.
    """
    assert set(changes) <= set(FIELDS), "a field of a profile"
    member = _seen(session, actor, member_id)
    roles = roles_of(session, [member_id]).get(member_id, ())
    if not may_change_member(actor, member_id, roles):
        raise not_allowed("Only administrators change this account.")
    changed = {name: value for name, value in changes.items() if value != getattr(member, name)}
    known = member.birth_on
    if "birth_on" in changed and not may_change_birth_date(
        actor, member_id, known, changed["birth_on"], now.date()
    ):
        if actor.member_id == member_id:
            raise not_allowed("Ask your lab's staff to correct your birth date.")
        raise not_allowed(
            "Only administrators remove a birth date, or make somebody of age by one. You may correct it."
        )
    if refusals := _refusals(changed, now):
        raise refused(*refusals)
    if not changed:
        return []
    for name, value in changed.items():
        setattr(member, name, value.strip() if name == "name" else value)
    member.sought = sought(member.name, member.email)
    session.flush()
    audit.record(
        session,
        actor,
        "member.change",
        f"member {member_id}",
        now,
        _told(changed, known),
        on_member_id=member_id,
        lab_id=acting_lab(actor),
    )
    return sorted(changed)


def name_refusal(name: str) -> str | None:
    """What is wrong with a name, as a sentence."""
    if not name.strip() or len(name) > 120 or not name.isprintable():
        return "A name of 1 to 120 characters is needed."
    return None


def _seen(session: Session, actor: Actor, member_id: int) -> Member:
    member = session.scalar(select(Member).where(Member.id == member_id, Member.erased_at.is_(None)))
    if member is None or not (actor.member_id == member_id or may_look_up_members(actor)):
        raise not_found("member")
    return member


def _told(changed: Mapping[str, Any], known: date | None) -> str:
    """What changed, for the audit, without what it was or is."""
    found = sorted(changed)
    if "birth_on" in changed:
        what = "added" if known is None else "removed" if changed["birth_on"] is None else "corrected"
        found[found.index("birth_on")] = f"birth date {what}"
    return ", ".join(found)


def _refusals(changed: Mapping[str, Any], now: datetime) -> list[Refusal]:
    found = []
    if "name" in changed and (text := name_refusal(changed["name"])):
        found.append(Refusal("invalid", "name", text))
    if "language" in changed and changed["language"] not in LANGUAGES:
        found.append(Refusal("invalid", "language", f"The language is one of {', '.join(LANGUAGES)}."))
    birth_on: date | None = changed.get("birth_on")
    if text := birth_date_refusal(birth_on, now):
        found.append(Refusal("invalid", "birth_on", text))
    return found
