"""It is really you: a password or a code, asked for before a second factor is taken away or renewed."""

from __future__ import annotations

from flask import request

from fablab.clock import utc_now
from fablab.members.queries import member_by_id
from fablab.members.rules import Actor
from fablab.signin import authenticator, limits, second_factor
from fablab.signin.passwords import right
from fablab.signin.queries import Credentials
from fablab.signin.rules import address_key, factor_key
from fablab.web.database import writing
from fablab.web.pages.context import settings


def key() -> bytes:
    """The key authenticators' secrets are encrypted with."""
    return authenticator.key_from(settings().web.secret_key)


def code_is_right(member_id: int, code: str) -> bool:
    """Whether this is a code of the member's app or a recovery code. Counts as a guess until it is right.

    Raises TOO_MANY when guessed too often. Opens transactions of its own: a guess counts whatever follows.
    """
    keys = _guess(member_id)
    with writing() as session:
        found = second_factor.check(session, member_id, key(), code, utc_now())
        if found:
            limits.succeeded(session, keys)
    return found


def is_really(actor: Actor, given: str) -> bool:
    """Whether this is the actor's password or a code, as for `code_is_right`."""
    keys = _guess(actor.member_id)
    with writing() as session:
        found = second_factor.check(session, actor.member_id, key(), given, utc_now())
        member = None if found else member_by_id(session, actor.member_id)
    # Outside of any transaction: a password's hash takes its time.
    if member is not None:
        found = right(Credentials(member.id, member.password_hash, member.active), given)
    if found:
        with writing() as session:
            limits.succeeded(session, keys)
    return found


def _guess(member_id: int) -> list[str]:
    keys = [factor_key(member_id), address_key(request.remote_addr)]
    with writing() as session:
        limits.attempt(session, keys, utc_now())
    return keys
