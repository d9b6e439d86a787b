"""The second factor: what a member shows beside a password: a code of an app, or a recovery code."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_found, refused
from fablab.members import audit
from fablab.members.models import Member
from fablab.members.rules import Actor, is_staff
from fablab.signin import authenticator, recovery
from fablab.signin.models import SignInSession
from fablab.signin.ways_in import tell


def may_remove_second_factor(actor: Actor, member_id: int) -> bool:
    """Take a second factor away from somebody locked out: admins, but not their own: that takes proof."""
    return actor.admin and actor.member_id != member_id


def enrolment_due(actor: Actor, policy: str, shown: bool) -> bool:
    """Whether the actor must set up a second factor before anything else.

    ``policy`` is the setting signin.staff_second_factor; ``shown``: this session was begun with one.
    """
    return policy == "required" and not shown and is_staff(actor)


def required(session: Session, member_id: int) -> bool:
    """Whether a right password does not sign this member in by itself."""
    return authenticator.confirmed(session, member_id)


def check(
    session: Session, member_id: int, key: bytes, code: str, now: datetime, *, address: str | None = None
) -> bool:
    """Whether this is a code of the member's app, or a recovery code; either is used up by it.

    ``key`` encrypts authenticators' secrets (`authenticator.key_from`), ``address`` is where the code came
    from. Limits on guessing are the caller's.
    """
    if not required(session, member_id):
        return False
    bare = _bare(code)
    if len(bare) == authenticator.DIGITS:
        return authenticator.take(session, member_id, key, bare, now)
    if not recovery.take(session, member_id, bare, now):
        return False
    left = f"{recovery.left(session, member_id)} left"
    subject = f"member {member_id}"
    audit.record(
        session, None, "recovery_code.use", subject, now, left, on_member_id=member_id, address=address
    )
    return True


def confirm(
    session: Session, actor: Actor, key: bytes, code: str, now: datetime, *, session_id: int | None = None
) -> list[str] | None:
    """Take the first code of a new app; returns the recovery codes, shown this once. None: a wrong code.

    The sign-in session with the id ``session_id`` counts from now on as begun with a second factor.
    """
    if not authenticator.confirm(session, actor, key, _bare(code), now):
        return None
    session.execute(
        update(SignInSession)
        .where(SignInSession.id == session_id, SignInSession.member_id == actor.member_id)
        .values(second_factor=True)
    )
    tell(session, actor.member_id, now)
    return recovery.renew(session, actor.member_id)


def renew_codes(session: Session, actor: Actor, now: datetime) -> list[str]:
    """New recovery codes for the actor, who has given proof; the earlier ones open nothing any more."""
    if not required(session, actor.member_id):
        text = "Set up your authenticator app first: recovery codes stand in for it."
        raise refused(Refusal("not_set_up", "", text))
    codes = recovery.renew(session, actor.member_id)
    subject = f"member {actor.member_id}"
    audit.record(session, actor, "recovery_code.renew", subject, now, on_member_id=actor.member_id)
    return codes


def remove_own(session: Session, actor: Actor, now: datetime) -> None:
    """Take away the actor's own second factor; they have given proof. Raises NOT_FOUND without one."""
    _remove(session, actor, actor.member_id, now)


def remove(session: Session, actor: Actor, member_id: int, now: datetime) -> None:
    """Take away the second factor of somebody who lost it. Raises NOT_FOUND for all but admins."""
    if not may_remove_second_factor(actor, member_id):
        raise not_found("member")
    if session.scalar(select(Member.id).where(Member.id == member_id)) is None:
        raise not_found("member")
    _remove(session, actor, member_id, now)


def _bare(code: str) -> str:
    """The code without blanks; digits of whatever script become the ones apps show."""
    return "".join(str(int(each)) if each.isdecimal() else each for each in code if not each.isspace())


def _remove(session: Session, actor: Actor, member_id: int, now: datetime) -> None:
    if not authenticator.forget(session, member_id):
        raise not_found("second factor")
    recovery.forget(session, member_id)
    subject = f"member {member_id}"
    audit.record(session, actor, "authenticator.remove", subject, now, on_member_id=member_id)
