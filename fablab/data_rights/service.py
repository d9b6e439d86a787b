"""Verbs about people's own data: handing it out and making it go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO

from sqlalchemy.orm import Session

from fablab.data_rights.erasure import forget
from fablab.data_rights.export import Whom, write_archive
from fablab.data_rights.queries import Person, addresses, exports_since, is_an_admin, person, standing
from fablab.data_rights.rules import export_wait, hindrances, may_erase, may_export
from fablab.errors import Code, DomainError, Refusal, not_found, refused
from fablab.mail.service import Recipient, queue
from fablab.members import audit
from fablab.members.roles import keep_an_admin
from fablab.members.rules import Actor


@dataclass(frozen=True)
class Erased:
    """What an erasure did."""

    member_id: int
    at: datetime
    bookings_cancelled: int


def begin_export(session: Session, actor: Actor | None, member_id: int, now: datetime) -> Whom:
    """Note that a member's data is handed out; `write_archive` then writes it.

    The caller commits in between, so that an export that breaks off counts too. ``actor`` is None for the
    command line, which may take anybody's, as often as it has to. Raises NOT_FOUND for somebody else's and
    for one that was erased, TOO_MANY after a few a day.
    """
    if actor is not None and not may_export(actor, member_id):
        raise not_found("member")
    who = person(session, member_id, lock=True)
    if who is None or who.erased_at is not None:
        raise not_found("member")
    if actor is not None:
        wait_s = export_wait(exports_since(session, member_id, now - timedelta(days=1)), now)
        if wait_s is not None:
            text = f"You have taken your data several times today. Try again in {-(-wait_s // 3600)} hours."
            raise DomainError(Code.TOO_MANY, text, retry_after_s=wait_s)
    audit.record(session, actor, "data.export", f"member {member_id}", now, on_member_id=member_id)
    return Whom(who.id, who.name, who.language, addresses(session, who))


def export(session: Session, whom: Whom, now: datetime, out: IO[bytes]) -> None:
    """Write everything held about a member to ``out``, as a ZIP."""
    write_archive(session, whom, now, out)


def check_erasure(session: Session, actor: Actor, now: datetime) -> list[Refusal]:
    """What the actor has to settle before the account can be erased; empty when nothing."""
    return hindrances(standing(session, actor.member_id, now))


def erase(
    session: Session,
    actor: Actor | None,
    member_id: int,
    now: datetime,
    base_url: str,
    *,
    goodbye: bool = True,
) -> Erased:
    """Erase a member: everything personal goes, figures stay. Whoever calls has made sure who asks.

    1. Nothing is done while the member's work runs or others depend on the account (REFUSED, every reason).
    2. See `erasure.forget`.
    3. The former address is told, by a mail that is itself forgotten once sent; not where mails have no way
       out (``goodbye``), because that one would stay for ever.

    Erasing again changes nothing. ``actor`` is None for the command line. Raises NOT_FOUND and REFUSED.
    """
    if actor is not None and not may_erase(actor, member_id):
        raise not_found("member")
    if person(session, member_id) is None:
        raise not_found("member")
    if refusals := hindrances(standing(session, member_id, now)):
        raise refused(*refusals)
    if is_an_admin(session, member_id):
        # Before the member's own row: of two who go at once, one waits here and is then the last.
        keep_an_admin(session, member_id)
    who = person(session, member_id, lock=True)
    if who is None:
        raise not_found("member")
    if who.erased_at is not None:
        return Erased(who.id, who.erased_at, 0)
    cancelled = forget(session, who, now, base_url)
    by = None if actor is None else Actor(actor.member_id, "")
    audit.record(session, by, "data.erase", f"member {member_id}", now, on_member_id=member_id)
    if goodbye:
        _say_goodbye(session, who, now)
    return Erased(who.id, now, cancelled)


def _say_goodbye(session: Session, who: Person, now: datetime) -> None:
    queue(session, "data_erased", Recipient(who.email, who.name, who.language), {}, now)
