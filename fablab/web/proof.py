"""It is really you: asked before a way into an account is added or taken away, and before an account goes.

A sign-in, or a password or code given since, is good for ten minutes (`lately`). A browser found open, a
stolen cookie and a token are no proof.
"""

from __future__ import annotations

from datetime import datetime

import flask
from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, Refusal, not_allowed, refused
from fablab.members.rules import Actor
from fablab.signin import authenticator, limits, second_factor
from fablab.signin.passwords import right
from fablab.signin.queries import credentials
from fablab.signin.rules import address_key, factor_key, is_recent
from fablab.web.auth import current_session
from fablab.web.database import writing
from fablab.web.settings import settings

_KEY = "sure"
WRONG = "That is neither your password nor a code that still works."


def key() -> bytes:
    """The key authenticators' secrets are encrypted with."""
    return authenticator.key_from(settings().web.secret_key)


def code_is_right(member_id: int, code: str) -> bool:
    """Whether this is a code of the member's app or a recovery code. Counts as a guess until it is right.

    Raises TOO_MANY when guessed too often. Opens transactions of its own: a guess counts whatever follows.
    """
    keys = _guess(member_id)
    with writing() as session:
        found = second_factor.check(session, member_id, key(), code, utc_now(), address=request.remote_addr)
        if found:
            limits.succeeded(session, keys)
    return found


def is_really(actor: Actor, given: str) -> bool:
    """Whether this is the actor's password or a code, as for `code_is_right`."""
    keys = _guess(actor.member_id)
    with writing() as session:
        found = second_factor.check(
            session, actor.member_id, key(), given, utc_now(), address=request.remote_addr
        )
        account = None if found else credentials(session, actor.member_id)
    # Outside of any transaction: a password's hash takes its time.
    if account is not None:
        found = right(account, given)
    if found:
        with writing() as session:
            limits.succeeded(session, keys)
    return found


def lately() -> bool:
    """Whether this browser's sign-in, or the proof given in it, is ten minutes old at most."""
    here = current_session()
    if here is None:
        return False
    now = utc_now()
    given = flask.session.get(_KEY) or {}
    at = datetime.fromisoformat(given["at"]) if given.get("session") == here.session_id else None
    return is_recent(here.began_at, now) or is_recent(at, now)


def remember() -> None:
    """Proof was given in this browser just now: for ten minutes it is not asked for again."""
    if (here := current_session()) is not None:
        flask.session[_KEY] = {"session": here.session_id, "at": utc_now().isoformat()}


def first(going_to: str) -> Response | None:
    """None when it is the member for sure; otherwise on to the page that asks, and then to ``going_to``."""
    return None if lately() else redirect(url_for("pages.sure", next=going_to), 303)


def make_sure(actor: Actor, given: str | None) -> None:
    """Go on only if it is the member: by password or code, or lately. Raises REFUSED and TOO_MANY."""
    if given:
        if not is_really(actor, given):
            raise _not_sure("That is not your password.")
    elif not lately():
        raise _not_sure("Give your password, or sign in again and come back within ten minutes.")


def in_browser_lately() -> None:
    """For programs: raise NOT_ALLOWED unless this is a browser whose member has given proof lately."""
    if current_session() is None:
        raise not_allowed("A token cannot do this. Sign in with a browser and do it there.")
    if not lately():
        text = "Sign in again and come back within ten minutes: this opens another way into your account."
        raise not_allowed(text)


def _guess(member_id: int) -> list[str]:
    keys = [factor_key(member_id), address_key(request.remote_addr)]
    with writing() as session:
        limits.attempt(session, keys, utc_now())
    return keys


def _not_sure(text: str) -> DomainError:
    return refused(Refusal("wrong_password", "password", text))
