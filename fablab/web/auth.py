"""Who is asking: the browser's session or a Bearer token, turned into an Actor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from flask import Flask, current_app, g, request
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFProtect

from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.members.queries import Bearer, find_token, member_by_id, password_fingerprint, signed_in
from fablab.members.rules import Actor
from fablab.members.service import note_token_use
from fablab.web.database import db

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# How exactly the last use of a token is remembered; every request would be a write otherwise.
TOKEN_USE_GRAIN = timedelta(hours=1)

login = LoginManager()
csrf = CSRFProtect()
View = TypeVar("View", bound=Callable[..., Any])


class SignedIn(UserMixin):
    """What the session remembers: the member's id and a fingerprint of the password at sign-in."""

    def __init__(self, actor: Actor, fingerprint: str) -> None:
        self.actor = actor
        self._fingerprint = fingerprint

    def get_id(self) -> str:
        return f"{self.actor.member_id}.{self._fingerprint}"


def public(view: View) -> View:
    """Mark a view that needs no sign-in."""
    view.public = True  # type: ignore[attr-defined]
    return view


def current_actor() -> Actor:
    """Who makes this request. Raises NOT_SIGNED_IN when nobody is known."""
    actor = actor_or_none()
    if actor is None:
        raise DomainError(Code.NOT_SIGNED_IN, "Sign in, or send a valid token as Authorization: Bearer.")
    return actor


def actor_or_none() -> Actor | None:
    """Who makes this request, or None.

    A request with an Authorization header is judged by it alone: a bad token is never saved by a session.
    """
    if "actor" not in g:
        actor = _bearer() if _has_bearer() else _session_actor()
        g.actor = None if actor is None else replace(actor, address=request.remote_addr)
    return g.actor


def sign_in(member_id: int, remember: bool = False) -> None:
    """Begin a browser session for a member whose password (or identity provider) has been checked."""
    member = member_by_id(db.session(), member_id)
    found = _load(f"{member_id}.{password_fingerprint(member.password_hash if member else None)}")
    if found is None:
        raise DomainError(Code.NOT_SIGNED_IN, "This account cannot sign in.")
    login_user(found, remember=remember)
    g.pop("actor", None)


def sign_out() -> None:
    """End the browser session."""
    logout_user()
    g.pop("actor", None)


def init_app(app: Flask) -> None:
    """Check every request before its view: identity, then the right to write, then CSRF."""
    login.init_app(app)
    login.user_loader(_load)
    login.session_protection = None
    csrf.init_app(app)
    app.before_request(_check)


def _check() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or request.endpoint == "static":
        return
    if not getattr(view, "public", False):
        actor = current_actor()
        if actor.read_only and request.method not in SAFE_METHODS:
            raise DomainError(Code.NOT_ALLOWED, "This token may only read.")
    if request.method not in SAFE_METHODS and not _has_bearer():
        # A browser sends its cookies along with requests that other sites make; a token it does not.
        csrf.protect()


def _has_bearer() -> bool:
    return "Authorization" in request.headers


def _bearer() -> Actor | None:
    scheme, _, plain = request.headers["Authorization"].partition(" ")
    if scheme.lower() != "bearer" or not plain.strip():
        return None
    found = find_token(db.session(), plain.strip(), utc_now())
    if found is None:
        return None
    _remember_use(found)
    return found.actor


def _remember_use(bearer: Bearer) -> None:
    now = utc_now()
    if bearer.last_used_at is None or bearer.last_used_at < now - TOKEN_USE_GRAIN:
        note_token_use(db.session(), bearer.token_id, now)
        db.session.commit()


def _session_actor() -> Actor | None:
    return current_user.actor if current_user.is_authenticated else None


def _load(user_id: str) -> SignedIn | None:
    """The session's member, unless deactivated or given a new password since."""
    member_id, _, fingerprint = user_id.partition(".")
    found = signed_in(db.session(), int(member_id)) if member_id.isdecimal() else None
    if found is None or found[1] != fingerprint:
        return None
    return SignedIn(*found)
