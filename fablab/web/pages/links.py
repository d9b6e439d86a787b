"""Pages that mails lead to: a new password, a confirmed address. Looking at them uses nothing up."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError
from fablab.organisations.queries import invitations_for
from fablab.signin import limits, links, service
from fablab.signin.hashing import matches
from fablab.signin.joining import join
from fablab.signin.passwords import PASSWORD_MAX, PASSWORD_MIN
from fablab.signin.rules import address_key, mail_key
from fablab.web import auth
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.forms import Errors, errors_of, sent


@blueprint.get("/forgotten")
@auth.public
def forgotten() -> str:
    return render_template("forgotten.html", email="", errors={})


@blueprint.post("/forgotten")
@auth.public
def forgotten_told() -> str | tuple[str, int]:
    """The same answer after the same work, whoever has this address: the clock looks that up later."""
    email = sent("email")["email"]
    try:
        service.check_email(email)
        count_mail(email)
        ask("reset", email)
    except DomainError as error:
        return render_template("forgotten.html", email=email[:254], errors=errors_of(error)), 422
    return render_template("mail_sent.html", email=email, what="reset")


@blueprint.get("/reset/<link>")
@auth.public
def reset(link: str) -> tuple[str, int]:
    return _reset_page(link, {})


@blueprint.post("/reset")
@auth.public
def reset_done() -> Response | tuple[str, int]:
    link, password = request.form.get("link", ""), request.form.get("password", "")
    try:
        count_try()
        with writing() as session:
            service.reset_password(session, link, password, utc_now(), address=request.remote_addr)
    except DomainError as error:
        return _reset_page(link, errors_of(error), 422)
    flash("You have a new password. Sign in with it.", "good")
    return redirect(url_for("pages.sign_in"), 303)


@blueprint.get("/confirm/<link>")
@auth.public
def confirm(link: str) -> tuple[str, int]:
    return _confirm_page(link, {})


@blueprint.post("/confirm")
@auth.public
def confirmed() -> Response | tuple[str, int]:
    """Use the link up. A new account is made for whoever also knows the password given for it."""
    link = request.form.get("link", "")
    try:
        with writing() as session:
            found = links.look(session, link, links.CONFIRMING, utc_now())
        if found.purpose == "join":
            return _joined(link, found)
        with writing() as session:
            service.confirm_address(session, link, utc_now(), address=request.remote_addr)
    except DomainError as error:
        return _confirm_page(link, errors_of(error), 422)
    flash("Your e-mail address is confirmed.", "good")
    where = "pages.account" if auth.actor_or_none() else "pages.sign_in"
    return redirect(url_for(where), 303)


def count_mail(email: str) -> None:
    """Count a mail that is asked for. Raises TOO_MANY when this address, or this place, has had enough."""
    keys = [mail_key(email), address_key(request.remote_addr, "mails-from")]
    with writing() as session:
        limits.attempt(session, keys, utc_now())


def count_try() -> None:
    """Count a form of a stranger whose answer costs us work. Raises TOO_MANY when this place had enough."""
    with writing() as session:
        limits.attempt(session, [address_key(request.remote_addr)], utc_now())


def ask(purpose: str, email: str, **more: Any) -> None:
    """Ask for a mail with a link. Raises REFUSED for what is no address."""
    with writing() as session:
        service.ask_for_link(session, purpose, email, utc_now(), **more)


def _joined(link: str, found: links.Taken) -> Response | tuple[str, int]:
    """The account begins: its owner is in."""
    keys = [address_key(request.remote_addr)]
    with writing() as session:
        limits.attempt(session, keys, utc_now())
    if not matches((found.pending or {}).get("password_hash"), request.form.get("password", "")[:201]):
        wrong = "That is not the password you chose when you asked for this account."
        return _confirm_page(link, {"password": [wrong]}, 422)
    with writing() as session:
        limits.succeeded(session, keys)
        member_id = join(session, link, utc_now(), address=request.remote_addr)
        invited = bool(invitations_for(session, member_id, utc_now(), limit=1))
    auth.sign_in(member_id, "password")
    flash("Welcome! Your account is ready.", "good")
    return redirect(url_for("pages.my_organisations" if invited else "pages.home"), 303)


def _reset_page(link: str, errors: Errors, status: int = 200) -> tuple[str, int]:
    try:
        with writing() as session:
            found = links.look(session, link, ("reset",), utc_now())
    except DomainError as error:
        return render_template("reset.html", found=None, link="", errors=errors_of(error)), status
    sizes = {"shortest": PASSWORD_MIN, "longest": PASSWORD_MAX}
    return render_template("reset.html", found=found, link=link, errors=errors, **sizes), status


def _confirm_page(link: str, errors: Errors, status: int = 200) -> tuple[str, int]:
    try:
        with writing() as session:
            found = links.look(session, link, links.CONFIRMING, utc_now())
    except DomainError as error:
        return render_template("confirm.html", found=None, link="", errors=errors_of(error)), status
    return render_template("confirm.html", found=found, link=link, errors=errors), status
