"""One's profile: name, language, e-mail address, and under 18 the birth date."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.members.profile import change_profile
from fablab.members.queries import has_consent
from fablab.members.rules import Actor, is_minor
from fablab.signin import service
from fablab.signin.queries import ProfileView, profile
from fablab.web import auth, proof
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_day, errors_of, sent
from fablab.web.pages.links import ask, count_mail

# A minor's birth date is staff's to change: said on the form too.
NOT_THEIRS = (Code.NOT_ALLOWED,)


@blueprint.get("/account")
def account() -> str:
    session, actor = reading()
    return _page(session, actor, {})


@blueprint.post("/account")
def account_changed() -> Response | tuple[str, int]:
    """Keep name and language; the birth date too, where none is known yet."""
    actor = auth.current_actor()
    errors: Errors = {}
    form = sent("name", "language", "birth_on")
    changes: dict[str, Any] = {"name": form["name"], "language": form["language"]}
    if birth_on := a_day(form["birth_on"], "birth_on", errors):
        changes["birth_on"] = birth_on
    if errors:
        return _again(actor, errors, form)
    try:
        with writing() as session:
            change_profile(session, actor, actor.member_id, changes, utc_now())
    except DomainError as error:
        return _again(actor, errors_of(error, also=NOT_THEIRS), form)
    flash("Your profile is saved.", "good")
    return redirect(url_for("pages.account"), 303)


@blueprint.post("/account/address")
def address_asked() -> Response | tuple[str, int]:
    """Send a link to the new address, for whoever proves to be the account's owner."""
    actor = auth.current_actor()
    form = sent("email")
    email = form["email"]
    try:
        service.check_email(email)
        if not proof.is_really(actor, request.form.get("proof", "")):
            return _again(actor, {"proof": [proof.WRONG]}, form)
        count_mail(email)
        ask("address", email, member_id=actor.member_id)
    except DomainError as error:
        return _again(actor, errors_of(error, also=NOT_THEIRS), form)
    flash(f"We are sending a link to {email}. Your old address stays until you open it.", "info")
    return redirect(url_for("pages.account"), 303)


@blueprint.post("/account/address/confirmation")
def confirmation_asked() -> Response:
    """Send a link to the address one has, to show that it is one's own."""
    session, actor = reading()
    email = _profile(session, actor).email
    session.rollback()
    count_mail(email)
    ask("verify", email, member_id=actor.member_id)
    flash(f"We are sending a link to {email}.", "info")
    return redirect(url_for("pages.account"), 303)


def _again(actor: Actor, errors: Errors, form: dict[str, str]) -> tuple[str, int]:
    session, _ = reading()
    session.rollback()
    return _page(session, actor, errors, form), 422


def _page(session: Session, actor: Actor, errors: Errors, form: dict[str, str] | None = None) -> str:
    member = _profile(session, actor)
    minor = is_minor(member.birth_on, utc_now().date())
    return render_template(
        "account.html",
        member=member,
        form=form or {},
        errors=errors,
        minor=minor,
        consent=minor and has_consent(session, actor.member_id),
    )


def _profile(session: Session, actor: Actor) -> ProfileView:
    found = profile(session, actor.member_id)
    assert found is not None, "an actor is a member"
    return found
