"""Who is asking: the browser's session or, in REST, a Bearer token, turned into an Actor.

Pages know sessions only: a token that somebody found opens no page that could make it a lasting way in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar, cast

import flask
from flask import Flask, Response, current_app, g, redirect, request, url_for
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from fablab.clock import utc_now
from fablab.errors import Code, DomainError, not_allowed
from fablab.members.queries import member_by_id
from fablab.members.rules import Actor
from fablab.signin import limits, second_factor, sessions
from fablab.signin.passkeys import passkeys_of
from fablab.signin.queries import Bearer, Present, find_token, present
from fablab.signin.rules import Lengths, address_key
from fablab.signin.tokens import note_token_use
from fablab.web import half_way, known_browser
from fablab.web.database import db, writing
from fablab.web.settings import settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# How exactly the last use of a token is remembered; every request would be a write otherwise.
TOKEN_USE_GRAIN = timedelta(hours=1)

# What somebody who must set up a second factor first may still open.
BEFORE_ENROLMENT = frozenset(
    f"pages.{name}"
    for name in ("authenticator", "authenticator_begun", "authenticator_confirmed", "sure", "sure_given")
)

csrf = CSRFProtect()
View = TypeVar("View", bound=Callable[..., Any])


def public(view: View) -> View:
    """Mark a view that needs no sign-in."""
    view.public = True  # type: ignore[attr-defined]
    return view


def proven_by_address(view: View) -> View:
    """Mark a view that a mail program posts to: its address, and nothing a browser adds, proves who may."""
    view.proven_by_address = True  # type: ignore[attr-defined]
    return view


def current_actor() -> Actor:
    """Who makes this request. Raises NOT_SIGNED_IN when nobody is known."""
    actor = actor_or_none()
    if actor is None:
        raise DomainError(Code.NOT_SIGNED_IN, "Sign in, or send a valid token as Authorization: Bearer.")
    return actor


def actor_or_none() -> Actor | None:
    """Who makes this request, or None.

    In REST a request with an Authorization header is judged by it alone: a bad token is never saved by a
    session. Elsewhere the header says nothing.
    """
    if "actor" not in g:
        # Known before tokens are counted: an error page asks again.
        g.actor = None
        actor = _bearer() if _has_bearer() else _session_actor()
        g.actor = None if actor is None else replace(actor, address=request.remote_addr)
    return cast("Actor | None", g.actor)


def still_the_same(actor: Actor) -> Callable[[Session], bool]:
    """For answers that go on after their request: whether its session or token still gives just these rights.

    What is returned takes a database session of its own; one statement.
    """
    plain = request.headers["Authorization"].partition(" ")[2].strip() if _has_bearer() else None
    cookie = request.cookies.get(cookie_name(), "")

    def same(session: Session) -> bool:
        now = utc_now()
        found = present(session, cookie, now) if plain is None else find_token(session, plain, now)
        return found is not None and replace(found.actor, address=actor.address) == actor

    return same


def current_session() -> Present | None:
    """The session this browser's request belongs to; None for programs and strangers."""
    actor_or_none()
    return cast("Present | None", g.get("present"))


def sign_in(member_id: int, method: str, *, second_factor: bool = False, remember: bool = False) -> None:
    """Begin a browser session for a member whose password, passkey or provider has been checked.

    Opens a transaction of its own. Whatever this browser was before is over: its session, its form tokens and
    all that its cookie remembered, so that nobody can hand a prepared cookie to somebody else.
    """
    now = utc_now()
    lengths = _lengths()
    with writing() as session:
        if old := request.cookies.get(cookie_name()):
            sessions.end_by_secret(session, old)
        plain = sessions.begin(
            session,
            member_id,
            method,
            now,
            second_factor=second_factor,
            remember=remember,
            address=request.remote_addr,
            browser=request.headers.get("User-Agent", ""),
            lengths=lengths,
        )
        member = member_by_id(session, member_id)
    if member is not None:
        known_browser.remember(member.email)
    flask.session.clear()
    _forget_actor()
    g.cookie = (plain, lengths.remembered_s if remember else None)


def sign_out() -> None:
    """End the browser session. Opens a transaction of its own."""
    if plain := request.cookies.get(cookie_name()):
        with writing() as session:
            sessions.end_by_secret(session, plain)
    flask.session.clear()
    _forget_actor()
    g.cookie = None


def cookie_name() -> str:
    """Over https a name that browsers take only from this very host, and only with Secure."""
    return f"{'__Host-' if settings().web.over_https else ''}fablab_in"


def init_app(app: Flask) -> None:
    """Check every request before its view: identity, then the right to write, then CSRF."""
    csrf.init_app(app)
    app.before_request(_check)
    app.after_request(_set_cookie)
    app.after_request(known_browser.set_cookie)


def _check() -> AnyResponse | None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or request.endpoint == "static":
        return None
    enrolment = None
    if not getattr(view, "public", False):
        actor = current_actor()
        if actor.read_only and request.method not in SAFE_METHODS:
            raise not_allowed("This token may only read.")
        enrolment = _enrolment(actor)
    by_address = getattr(view, "proven_by_address", False)
    if request.method not in SAFE_METHODS and not _has_bearer() and not by_address:
        # A browser sends its cookies along with requests that other sites make; a token it does not.
        csrf.protect()
    return enrolment


def _enrolment(actor: Actor) -> AnyResponse | None:
    """Where the settings ask staff for a second factor: to the page to set it up, or on to show it.

    Raises NOT_ALLOWED to programs, also to those whose token belongs to somebody without one.
    """
    here = current_session()
    shown = here is not None and here.second_factor
    if not second_factor.enrolment_due(actor, settings().signin.staff_second_factor, shown):
        return None
    if request.endpoint in BEFORE_ENROLMENT:
        return None
    has_app = second_factor.required(db.session(), actor.member_id)
    if here is None and (has_app or passkeys_of(db.session(), actor.member_id)):
        return None
    if here is None or request.path.startswith("/api/"):
        text = "Your role needs a second factor. Sign in with a browser to set it up."
        raise not_allowed(text)
    if has_app:
        # Set up meanwhile in another browser: here it was not shown yet.
        return redirect(half_way.begin(actor.member_id, here.method, remember=False, destination=""))
    return redirect(url_for("pages.authenticator"))


def _set_cookie(response: Response) -> Response:
    if "cookie" not in g:
        return response
    options: dict[str, Any] = {
        "path": "/",
        "secure": settings().web.over_https,
        "httponly": True,
        "samesite": "Lax",
    }
    if g.cookie is None:
        response.delete_cookie(cookie_name(), **options)
    else:
        plain, lasts_s = g.cookie
        response.set_cookie(cookie_name(), plain, max_age=lasts_s, **options)
    return response


def _has_bearer() -> bool:
    for_programs = request.path.startswith("/api/") or request.path == "/metrics"
    return for_programs and "Authorization" in request.headers


def _bearer() -> Actor | None:
    """Who holds the token. Bad ones are counted by where they come from; good ones always pass, since a
    whole lab shares an address and one wrong program must not stop the others.
    """
    scheme, _, plain = request.headers["Authorization"].partition(" ")
    found = None
    if scheme.lower() == "bearer" and plain.strip():
        found = find_token(db.session(), plain.strip(), utc_now())
    if found is None:
        with writing() as session:
            limits.attempt(session, [address_key(request.remote_addr, "token")], utc_now())
        return None
    _remember_use(found)
    return found.actor


def _remember_use(bearer: Bearer) -> None:
    now = utc_now()
    if bearer.last_used_at is None or bearer.last_used_at < now - TOKEN_USE_GRAIN:
        note_token_use(db.session(), bearer.token_id, now)
        db.session.commit()


def _session_actor() -> Actor | None:
    plain = request.cookies.get(cookie_name())
    now = utc_now()
    found = present(db.session(), plain, now) if plain else None
    g.present = found
    if found is None:
        return None
    if found.seen_at < now - sessions.SEEN_GRAIN:
        sessions.seen(db.session(), found.session_id, request.remote_addr, now)
        db.session.commit()
    return found.actor


def _forget_actor() -> None:
    g.pop("actor", None)
    g.pop("present", None)


def _lengths() -> Lengths:
    has = settings().signin
    return Lengths(has.session_s, has.idle_s, has.remembered_s, has.remembered_idle_s)
