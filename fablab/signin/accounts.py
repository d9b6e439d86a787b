"""What staff do with accounts: make one for somebody, shut it, open it again."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.mail.service import Recipient, queue
from fablab.mail.texts import LANGUAGES
from fablab.members import audit
from fablab.members.addresses import TAKEN, email_trouble
from fablab.members.models import Member, Role
from fablab.members.profile import name_refusal
from fablab.members.queries import member_by_email
from fablab.members.roles import keep_an_admin
from fablab.members.rules import (
    Actor,
    acting_lab,
    birth_date_refusal,
    may_add_members,
    may_deactivate,
    may_look_up_members,
)
from fablab.signin import links, sessions
from fablab.signin.models import Token


def open_account(
    session: Session,
    actor: Actor,
    email: str,
    name: str,
    language: str,
    birth_on: date | None,
    now: datetime,
    *,
    under_18: bool = False,
    base_url: str,
) -> int:
    """Make a maker's account for somebody, who gets a mail to choose a password; returns the member's id.

    Raises NOT_FOUND or NOT_ALLOWED for whoever may not, REFUSED with all that is wrong.
    """
    if not may_look_up_members(actor):
        raise not_found("page")
    if not may_add_members(actor):
        raise not_allowed("Managers and administrators add members.")
    email, name = email.strip(), name.strip()
    refusals = [
        Refusal("invalid", field, text)
        for field, text in (
            ("email", email_trouble(email)),
            ("name", name_refusal(name)),
            ("language", None if language in LANGUAGES else f"One of {', '.join(LANGUAGES)}."),
            ("birth_on", birth_date_refusal(birth_on, now, under_18=under_18)),
        )
        if text
    ]
    if not refusals and member_by_email(session, email) is not None:
        refusals = [TAKEN]
    if refusals:
        raise refused(*refusals)
    member = Member(
        email=email,
        name=name,
        language=language,
        birth_on=birth_on,
        created_at=now,
        roles=[Role(role="maker", lab_id=None)],
    )
    try:
        with session.begin_nested():
            session.add(member)
            session.flush()
    except IntegrityError as error:
        # Somebody was faster between our look and our writing.
        raise refused(TAKEN) from error
    audit.record(
        session,
        actor,
        "member.add",
        f"member {member.id}",
        now,
        "role maker",
        on_member_id=member.id,
        lab_id=acting_lab(actor),
    )
    plain = links.make(session, member.id, "reset", email, now)
    queue(
        session,
        "account_opened",
        Recipient(email, name, language, member.id),
        {"link": f"{base_url}/reset/{plain}"},
        now,
    )
    return member.id


def deactivate(session: Session, actor: Actor | None, member_id: int, now: datetime) -> None:
    """Shut an account: every session, token and mailed link ends at once. ``actor`` is None for the command
    line."""
    _check(session, actor, member_id)
    keep_an_admin(session, member_id)
    shut = session.scalar(
        update(Member).where(Member.id == member_id, Member.active).values(active=False).returning(Member.id)
    )
    if shut is None:
        raise refused(Refusal("not_active", "active", "This account is shut already."))
    sessions.end_all(session, member_id, now, actor=actor)
    links.void(session, member_id)
    session.execute(
        update(Token).where(Token.member_id == member_id, Token.revoked_at.is_(None)).values(revoked_at=now)
    )
    audit.record(session, actor, "member.deactivate", f"member {member_id}", now, on_member_id=member_id)


def reactivate(session: Session, actor: Actor | None, member_id: int, now: datetime) -> None:
    """Open a shut account again. Its tokens stay revoked."""
    _check(session, actor, member_id)
    opened = session.scalar(
        update(Member)
        .where(Member.id == member_id, Member.active.is_(False))
        .values(active=True)
        .returning(Member.id)
    )
    if opened is None:
        raise refused(Refusal("active", "active", "This account is open."))
    audit.record(session, actor, "member.reactivate", f"member {member_id}", now, on_member_id=member_id)


def _check(session: Session, actor: Actor | None, member_id: int) -> None:
    there = select(Member.id).where(Member.id == member_id, Member.erased_at.is_(None))
    if (actor is not None and not may_look_up_members(actor)) or session.scalar(there) is None:
        raise not_found("member")
    if actor is not None and not may_deactivate(actor, member_id):
        raise not_allowed("Administrators shut and open accounts, but not their own.")
