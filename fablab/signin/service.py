"""Mails with links: asked for by strangers, sent by the clock, opened by their owners."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from fablab.errors import DomainError, Refusal, not_found, refused
from fablab.mail.service import Recipient, queue
from fablab.members import audit
from fablab.members.addresses import email_trouble
from fablab.members.models import Member
from fablab.members.queries import by_email
from fablab.members.rules import Actor
from fablab.members.search import sought
from fablab.signin import limits, links, passwords
from fablab.signin.models import LinkRequest
from fablab.signin.rules import account_key, same_email

# Requests answered in one go; the next go is some seconds later.
AT_A_TIME = 100


def ask_for_link(
    session: Session,
    purpose: str,
    email: str,
    now: datetime,
    *,
    member_id: int | None = None,
    pending: dict[str, Any] | None = None,
) -> None:
    """Ask for a mail with a link. Whoever asks learns nothing: `answer_requests` looks whose address it is.

    ``purpose`` as for `links.make`; ``member_id`` who wants a new address ('address') or the own one
    confirmed ('verify'); ``pending`` the account that joining would make. Raises REFUSED for what is no
    address.
    """
    check_email(email)
    session.add(
        LinkRequest(
            purpose=purpose, email=email.strip(), member_id=member_id, pending=pending, created_at=now
        )
    )
    session.flush()


def check_email(email: str) -> None:
    """Raise REFUSED, with the reason at the field ``email``, for what is no address."""
    if trouble := email_trouble(email):
        raise refused(Refusal("invalid", "email", trouble))


def answer_requests(session: Session, base_url: str, now: datetime) -> int:
    """Send the mails that were asked for; returns how many requests were answered. Two at once share them.

    1. whoever has the address gets the link, or, where it was asked for to join, the news that it is used;
    2. an address nobody has gets a link to join, and nothing otherwise.
    """
    due = session.scalars(
        select(LinkRequest.id).order_by(LinkRequest.id).limit(AT_A_TIME).with_for_update(skip_locked=True)
    ).all()
    rows = session.execute(
        delete(LinkRequest)
        .where(LinkRequest.id.in_(due))
        .returning(LinkRequest.purpose, LinkRequest.email, LinkRequest.member_id, LinkRequest.pending)
    ).all()
    for purpose, email, member_id, pending in rows:
        if purpose == "join":
            _answer_joining(session, email, pending or {}, base_url, now)
        elif purpose == "reset":
            _answer_forgetful(session, email, base_url, now)
        elif member_id is not None:
            _answer_member(session, purpose, email, member_id, base_url, now)
    return len(rows)


def reset_password(
    session: Session, link: str, password: str, now: datetime, *, address: str | None = None
) -> None:
    """Take a link of purpose 'reset' and set a new password: every session ends, guesses are forgotten.

    ``address`` is where it was opened, for the audit.
    """
    taken = links.take(session, link, "reset", now)
    member = _member(session, Member.id == taken.member_id)
    if member is None:
        raise not_found("account")
    passwords.set_password(session, None, member.id, password, now, address=address)
    if same_email(taken.email) == same_email(member.email) and member.email_verified_at is None:
        session.execute(update(Member).where(Member.id == member.id).values(email_verified_at=now))
    limits.succeeded(session, [account_key(member.email)])
    queue(session, "password_changed", _recipient(member), {}, now)


def change_password(
    session: Session, actor: Actor, password: str, now: datetime, *, keep_session: int | None
) -> None:
    """Set the actor's new password, after the old one was shown; other sessions end, and a mail tells."""
    member = _member(session, Member.id == actor.member_id)
    if member is None:
        raise not_found("account")
    passwords.set_password(session, actor, member.id, password, now, keep_session=keep_session)
    queue(session, "password_changed", _recipient(member), {}, now)


def confirm_address(session: Session, link: str, now: datetime, *, address: str | None = None) -> None:
    """Take a link of purpose 'verify' or 'address': the address is the member's, from now on.

    The old address is told of a new one, and no link sent there works any more. Raises REFUSED when somebody
    else got the address meanwhile.
    """
    taken = links.take(session, link, ("verify", "address"), now)
    member = _member(session, Member.id == taken.member_id)
    if member is None:
        raise not_found("account")
    if taken.purpose == "verify":
        if same_email(taken.email) == same_email(member.email):
            session.execute(update(Member).where(Member.id == member.id).values(email_verified_at=now))
        return
    if _member(session, by_email(taken.email)) not in (None, member):
        raise address_taken()
    # Before the address changes: what was asked for by the old one is found by it.
    links.void(session, member.id)
    session.execute(
        update(Member)
        .where(Member.id == member.id)
        .values(email=taken.email, email_verified_at=now, sought=sought(member.name, taken.email))
    )
    subject = f"member {member.id}"
    audit.record(session, None, "member.change_email", subject, now, on_member_id=member.id, address=address)
    queue(session, "address_changed", _recipient(member), {}, now)


def address_taken() -> DomainError:
    text = "This address has an account. Sign in with it, or choose another address."
    return refused(Refusal("address_taken", "email", text))


def _answer_joining(
    session: Session, email: str, pending: dict[str, Any], base_url: str, now: datetime
) -> None:
    member = _member(session, by_email(email))
    if member is not None:
        queue(session, "account_exists", _recipient(member), {"link": f"{base_url}/forgotten"}, now)
        return
    to = Recipient(email, str(pending["name"]), str(pending["language"]))
    link = links.make(session, None, "join", email, now, pending=pending)
    queue(session, "verify_address", to, {"link": f"{base_url}/confirm/{link}"}, now)


def _answer_forgetful(session: Session, email: str, base_url: str, now: datetime) -> None:
    member = _member(session, by_email(email))
    if member is None or not member.active:
        return
    link = links.make(session, member.id, "reset", member.email, now)
    queue(session, "reset_password", _recipient(member), {"link": f"{base_url}/reset/{link}"}, now)


def _answer_member(
    session: Session, purpose: str, email: str, member_id: int, base_url: str, now: datetime
) -> None:
    member = _member(session, Member.id == member_id)
    if member is None or not member.active:
        return
    other = _member(session, by_email(email), Member.id != member_id)
    if other is not None:
        queue(session, "account_exists", _recipient(other), {"link": f"{base_url}/forgotten"}, now)
        return
    link = f"{base_url}/confirm/{links.make(session, member.id, purpose, email, now)}"
    template = "address_change" if purpose == "address" else "verify_address"
    queue(session, template, Recipient(email, member.name, member.language, member.id), {"link": link}, now)


def _member(session: Session, *conditions: Any) -> Any:
    """The account, also an inactive one; not what is left of an erased one."""
    found = Member
    return session.execute(
        select(
            found.id, found.email, found.name, found.language, found.active, found.email_verified_at
        ).where(found.erased_at.is_(None), *conditions)
    ).one_or_none()


def _recipient(member: Any) -> Recipient:
    return Recipient(member.email, member.name, member.language, member.id)
