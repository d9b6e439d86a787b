"""The locks of one's account: password, second factor, the browsers one is signed in with, tokens."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError
from fablab.signin import service, sessions
from fablab.signin.passwords import PASSWORD_MAX, PASSWORD_MIN
from fablab.signin.queries import profile, sessions_of, tokens_of
from fablab.signin.tokens import make_token, revoke_token
from fablab.web import auth, proof
from fablab.web.database import writing
from fablab.web.pages import second_factor
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, errors_of, number
from fablab.web.pages.links import ask, count_mail
from fablab.web.settings import settings

DAYS = (7, 30, 90, 365)


@blueprint.get("/account/security")
def security() -> str:
    return _page({})


@blueprint.post("/account/security/password")
def password_changed() -> Response | tuple[str, int]:
    """A new password, for whoever shows the old one; every other browser is signed out."""
    actor = auth.current_actor()
    here = auth.current_session()
    if not proof.is_really(actor, request.form.get("old", "")):
        return _page({"old": [proof.WRONG]}), 422
    try:
        with writing() as session:
            kept = here.session_id if here else None
            service.change_password(
                session, actor, request.form.get("password", ""), utc_now(), keep_session=kept
            )
    except DomainError as error:
        return _page(errors_of(error)), 422
    flash("You have a new password. Other browsers were signed out.", "good")
    return redirect(url_for("pages.security"), 303)


@blueprint.post("/account/security/password/link")
def password_link_asked() -> Response:
    """Send a link to set a password, to somebody who has none yet."""
    session, actor = reading()
    member = profile(session, actor.member_id)
    session.rollback()
    assert member is not None, "an actor is a member"
    count_mail(member.email)
    ask("reset", member.email)
    flash(f"We are sending a link to {member.email}.", "info")
    return redirect(url_for("pages.security"), 303)


@blueprint.post("/account/security/sessions/<id:session_id>/end")
def session_ended(session_id: int) -> Response:
    with writing() as session:
        sessions.end(session, auth.current_actor(), session_id, utc_now())
    flash("That browser is signed out.", "good")
    return redirect(url_for("pages.security"), 303)


@blueprint.post("/account/security/sessions/end")
def sessions_ended() -> Response:
    """Sign out everywhere else."""
    here = auth.current_session()
    with writing() as session:
        actor = auth.current_actor()
        sessions.end_all(
            session, actor.member_id, utc_now(), but=here.session_id if here else None, actor=actor
        )
    flash("Every other browser is signed out.", "good")
    return redirect(url_for("pages.security"), 303)


@blueprint.get("/account/security/tokens")
def tokens() -> str:
    return _tokens_page({})


@blueprint.post("/account/security/tokens")
def token_made() -> Response | str | tuple[str, int]:
    """Make a token. The answer is the only time it is shown."""
    if question := proof.first(url_for("pages.tokens")):
        return question
    form, limits = request.form, settings().signin
    try:
        with writing() as session:
            made, plain = make_token(
                session,
                auth.current_actor(),
                form.get("name", ""),
                form.get("scope", ""),
                number(form.get("days", ""), most=99_999) or 0,
                utc_now(),
                most=limits.tokens,
                longest_days=limits.token_days,
            )
    except DomainError as error:
        return _tokens_page(errors_of(error)), 422
    return _tokens_page({}, made=made, plain=plain)


@blueprint.post("/account/security/tokens/<id:token_id>/end")
def token_ended(token_id: int) -> Response:
    with writing() as session:
        revoke_token(session, auth.current_actor(), token_id, utc_now())
    flash("The token works no more.", "good")
    return redirect(url_for("pages.tokens"), 303)


def _page(errors: Errors) -> str:
    session, actor = reading()
    here = auth.current_session()
    now = utc_now()
    return render_template(
        "security.html",
        member=profile(session, actor.member_id),
        sessions=sessions_of(session, actor.member_id, now),
        here=here.session_id if here else None,
        tokens=tokens_of(session, actor.member_id, now),
        now=now,
        errors=errors,
        shortest=PASSWORD_MIN,
        longest=PASSWORD_MAX,
        **second_factor.for_security_page(session, actor),
    )


def _tokens_page(errors: Errors, made: Any = None, plain: str = "") -> str:
    session, actor = reading()
    now = utc_now()
    return render_template(
        "tokens.html",
        tokens=tokens_of(session, actor.member_id, now),
        made=made,
        plain=plain,
        form=request.form if errors else {},
        errors=errors,
        days=[each for each in DAYS if each <= settings().signin.token_days],
        now=now,
    )
