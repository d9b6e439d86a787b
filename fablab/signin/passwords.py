"""Passwords: which ones are taken, checking them, and setting a new one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_found, refused
from fablab.members import audit
from fablab.members.models import Member
from fablab.members.rules import Actor
from fablab.signin import links, sessions
from fablab.signin.hashing import aside, hash_password, matches, outdated
from fablab.signin.queries import Credentials

PASSWORD_MIN = 10
PASSWORD_MAX = 200
# The sample's people have it, and everybody can read it in the README: nobody else gets it.
PUBLISHED_PASSWORDS = frozenset({"fablab-demo"})
# Of zxcvbn's 0 to 4: from 3 on it takes more than a hundred million guesses.
STRONG_ENOUGH = 3
# zxcvbn takes no more, and its work grows with the square of the length.
LOOKED_AT = 72
# What people here think of first, and no list made elsewhere has.
LOCAL_WORDS = (
    "fablab", "atelier", "motdepasse", "mot de passe", "azerty", "azertyuiop", "bonjour", "bismillah",
    "maroc", "morocco", "casablanca", "rabat", "tanger", "agadir", "marrakech", "tetouan", "hoceima",
    "imprimante",
)  # fmt: skip
LEFT_AT_LEAST = 6
TO_DO = "Take three or four words that have nothing to do with one another."


def password_refusals(password: str, known: Sequence[str] = ()) -> list[Refusal]:
    """Why a password is not taken; empty when it is. ``known`` is what others know of the person.

    Judged on this machine alone: by length, by the lists of passwords known from breaches and the patterns
    that zxcvbn has (https://github.com/dropbox/zxcvbn), and by the person's own name and address.
    """
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        return [_refusal(f"A password needs {PASSWORD_MIN} to {PASSWORD_MAX} characters. {TO_DO}")]
    if password in PUBLISHED_PASSWORDS:
        return [_refusal(f"Everybody can read that password in our documents. {TO_DO}")]
    if not _encodes(password):
        return [_refusal("A password is made of characters that can be typed.")]
    own = {part.lower() for text in known for part in [text, *re.split(r"[\W_]+", text)] if len(part) > 2}
    expected = sorted(own | set(LOCAL_WORDS), key=len, reverse=True)
    if _left(password, expected) < LEFT_AT_LEAST:
        return [_refusal(f"That is little more than your name or a word everybody here thinks of. {TO_DO}")]
    if aside(_strength, password[:LOOKED_AT], expected) < STRONG_ENOUGH:
        return [_refusal(f"That password is too easy to guess. {TO_DO}")]
    return []


def check_password(password: str, known: Sequence[str] = ()) -> None:
    """Raise REFUSED, with the reason at the field ``password``, unless the password is taken."""
    if refusals := password_refusals(password, known):
        raise refused(*refusals)


def set_password(
    session: Session,
    actor: Actor | None,
    member_id: int,
    password: str,
    now: datetime,
    *,
    keep_session: int | None = None,
    address: str | None = None,
) -> None:
    """Set a new password; the member's sessions end, except the one with the id ``keep_session``.

    ``address`` is where somebody acts from who has not signed in. Links that were asked for before work no
    more: a thief's, above all.
    """
    member = session.execute(select(Member.name, Member.email).where(Member.id == member_id)).one_or_none()
    if member is None:
        raise not_found("member")
    check_password(password, [member.name, member.email])
    session.execute(
        update(Member).where(Member.id == member_id).values(password_hash=hash_password(password))
    )
    audit.record(
        session,
        actor,
        "member.set_password",
        f"member {member_id}",
        now,
        on_member_id=member_id,
        address=address,
    )
    sessions.end_all(session, member_id, now, but=keep_session)
    links.void(session, member_id)


def right(found: Credentials | None, password: str) -> bool:
    """Whether this password opens the account; ``found`` is None when there is no account.

    One hash is computed whatever the answer, so that nobody learns who has an account. It takes a tenth of
    a second: call it while no transaction is open.
    """
    same = matches(found.password_hash if found else None, password[: PASSWORD_MAX + 1])
    return same and found is not None and found.active


def renew_hash(session: Session, found: Credentials, password: str) -> None:
    """Hash a password that was right with today's parameters, if its hash is older."""
    if found.password_hash and outdated(found.password_hash):
        session.execute(
            update(Member).where(Member.id == found.member_id).values(password_hash=hash_password(password))
        )


def _left(password: str, expected: Sequence[str]) -> int:
    """How many letters and digits are left without what one would try first."""
    left = password.lower()
    for word in expected:
        left = left.replace(word, " ")
    return sum(each.isalnum() for each in left) if left != password.lower() else len(password)


def _strength(password: str, known: list[str]) -> int:
    from zxcvbn import zxcvbn

    score: int = zxcvbn(password, user_inputs=known)["score"]
    return score


def _encodes(password: str) -> bool:
    return "\0" not in password and not any("\ud800" <= each <= "\udfff" for each in password)


def _refusal(text: str) -> Refusal:
    return Refusal("invalid", "password", text)
