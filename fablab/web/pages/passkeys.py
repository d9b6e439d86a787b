"""Passkeys: signing in with one, and the page on which one adds and removes them."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime

import flask
from flask import Response as FlaskResponse
from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError
from fablab.members.queries import member_by_id
from fablab.signin import limits, passkeys
from fablab.signin.rules import address_key
from fablab.web import auth, proof
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.destination import destination
from fablab.web.pages.forms import Errors, errors_of
from fablab.web.providers import providers as providers_in_use
from fablab.web.settings import base_url

_KEY = "passkey"


@blueprint.get("/account/security/passkeys", endpoint="passkeys")
def passkeys_page() -> str:
    """The passkeys one has, and a way to another."""
    return _passkeys_page({})


@blueprint.post("/account/security/passkeys/challenge")
def passkey_challenge() -> FlaskResponse:
    """What the browser needs to make a passkey, as JSON."""
    place = _place()
    proof.in_browser_lately()
    session, actor = reading()
    member = member_by_id(session, actor.member_id)
    challenge = _new_challenge("add")
    email = member.email if member else ""
    return _json(passkeys.options_to_add(session, actor, email, place, challenge))


@blueprint.post("/account/security/passkeys")
def passkey_added() -> Response | tuple[str, int]:
    """Keep the passkey the browser has made."""
    actor = auth.current_actor()
    place = _place()
    if question := proof.first(url_for("pages.passkeys")):
        return question
    challenge = _take_challenge("add")
    if challenge is None:
        flash("That took more than five minutes. Please try again.", "info")
        return redirect(url_for("pages.passkeys"), 303)
    name, credential = request.form.get("name", ""), request.form.get("credential", "")
    try:
        with writing() as session:
            passkeys.add(session, actor, name, credential, challenge, place, utc_now())
    except DomainError as refusal:
        return _passkeys_page(errors_of(refusal)), 422
    flash("Your passkey works from now on.", "good")
    return redirect(url_for("pages.passkeys"), 303)


@blueprint.get("/account/security/passkeys/<id:passkey_id>/removal")
def passkey_removal(passkey_id: int) -> str:
    """The question before one is removed."""
    return _removal_page(passkey_id, {})


@blueprint.post("/account/security/passkeys/<id:passkey_id>/removal")
def passkey_removed(passkey_id: int) -> Response | tuple[str, int]:
    if question := proof.first(url_for("pages.passkey_removal", passkey_id=passkey_id)):
        return question
    actor = auth.current_actor()
    try:
        with writing() as session:
            passkeys.remove(session, actor, passkey_id, providers_in_use().keys(), utc_now())
    except DomainError as refusal:
        return _removal_page(passkey_id, errors_of(refusal, fields=())), 422
    flash("The passkey is removed. Delete it on your device too, so that it is not offered any more.", "good")
    return redirect(url_for("pages.passkeys"), 303)


@blueprint.post("/sign-in/passkey/challenge")
@auth.public
def passkey_asked() -> FlaskResponse:
    """What the browser needs to ask for a passkey, as JSON; it names nobody."""
    return _json(passkeys.options_to_sign_in(_place(), _new_challenge("sign-in")))


@blueprint.post("/sign-in/passkey")
@auth.public
def passkey_shown() -> Response:
    """Sign in with a passkey. It has verified its user, so no second factor is asked for."""
    place, challenge, now = _place(), _take_challenge("sign-in"), utc_now()
    wanted = request.form.get("next", "")
    keys = [address_key(request.remote_addr)]
    with writing() as session:
        limits.attempt(session, keys, now)
    member_id = None
    if challenge is not None:
        with writing() as session:
            member_id = passkeys.sign_in_with(
                session,
                request.form.get("credential", ""),
                challenge,
                place,
                now,
                address=request.remote_addr,
            )
            if member_id is not None:
                limits.succeeded(session, keys)
    if member_id is None:
        flash("That passkey does not open an account here. Try another, or use your password.", "info")
        return redirect(url_for("pages.sign_in", next=wanted or None), 303)
    auth.sign_in(member_id, "passkey", second_factor=True)
    return redirect(destination(wanted), 303)


def _passkeys_page(errors: Errors) -> str:
    session, actor = reading()
    offered = passkeys.place_of(base_url()) is not None
    found = passkeys.passkeys_of(session, actor.member_id)
    return render_template("passkeys.html", passkeys=found, offered=offered, errors=errors)


def _removal_page(passkey_id: int, errors: Errors) -> str:
    session, actor = reading()
    found = [each for each in passkeys.passkeys_of(session, actor.member_id) if each.id == passkey_id]
    if not found:
        abort(404)
    return render_template(
        "sure.html",
        title=f"Remove {found[0].name}?",
        quiet="It does not sign you in any more. Your other ways in stay as they are.",
        action=url_for("pages.passkey_removed", passkey_id=passkey_id),
        button="Remove it",
        picture="trash",
        back=url_for("pages.passkeys"),
        keep="Keep it",
        errors=errors,
    )


def _place() -> passkeys.Place:
    """Where passkeys are good for; without one these pages do not exist."""
    place = passkeys.place_of(base_url())
    if place is None:
        abort(404)
    return place


def _new_challenge(purpose: str) -> bytes:
    """Random bytes to sign, remembered in this browser's signed cookie."""
    challenge = secrets.token_bytes(32)
    flask.session[_KEY] = {
        "purpose": purpose,
        "challenge": base64.b64encode(challenge).decode(),
        "at": utc_now().isoformat(),
    }
    return challenge


def _take_challenge(purpose: str) -> bytes | None:
    """The challenge this browser was given for this purpose, once, unless it is too old."""
    kept = flask.session.pop(_KEY, None)
    if kept is None or kept["purpose"] != purpose:
        return None
    if utc_now() - datetime.fromisoformat(kept["at"]) > passkeys.CHALLENGE_TTL:
        return None
    return base64.b64decode(kept["challenge"])


def _json(text: str) -> FlaskResponse:
    return FlaskResponse(text, content_type="application/json", headers={"Cache-Control": "no-store"})
