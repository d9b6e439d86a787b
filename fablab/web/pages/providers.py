"""Signing in with a provider, linking one to one's account, unlinking it."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Any

import flask
from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.signin import limits, passkeys, providers, second_factor
from fablab.signin.rules import address_key
from fablab.web import auth, half_way, proof
from fablab.web.database import db, writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.destination import destination
from fablab.web.pages.forms import Errors, errors_of
from fablab.web.providers import Provider, ProviderTrouble
from fablab.web.providers import providers as providers_in_use
from fablab.web.settings import base_url, settings

TTL = timedelta(minutes=10)
_KEY = "oidc"
CODE_MAX = 2000
WORDS = {
    "away": "{title} does not answer just now. Try again in a moment, or sign in another way.",
    "unfit": "{title} gave an answer we cannot trust, so nobody was signed in. Try again; "
    "if it stays like this, tell your lab.",
    "denied": "{title} did not let you through, or you turned back there. Nothing was changed.",
    "stray": "This sign-in did not begin in this browser, or it took more than ten minutes. Begin again.",
}
STATUS = {"away": 503, "unfit": 400, "denied": 400, "stray": 400}


@blueprint.get("/sign-in/with/<name>")
@auth.public
def provider_begun(name: str) -> Response | tuple[str, int]:
    """Off to the provider. A link, not a form: our pages send forms nowhere but here."""
    provider = _provider(name)
    wanted = request.args.get("next", "")
    if auth.actor_or_none() is not None:
        return redirect(destination(wanted))
    try:
        return redirect(_begin(provider, {"next": destination(wanted)}))
    except ProviderTrouble as trouble:
        return _trouble(provider, trouble.kind)


@blueprint.get("/sign-in/with/<name>/back")
@auth.public
def provider_back(name: str) -> Response | tuple[str, int]:
    """Back from the provider.

    1. What comes back must belong to what this browser began, once. 2. Ask the provider who it is.
    3. Link, or sign in; whoever has an authenticator app is still asked for its code.
    """
    provider = _provider(name)
    begun = _take(provider, request.args.get("state", ""))
    if begun is None:
        return _trouble(provider, "stray")
    code = request.args.get("code", "")
    if "error" in request.args or not 0 < len(code) <= CODE_MAX:
        return _trouble(provider, "denied")
    keys = [address_key(request.remote_addr)]
    with writing() as session:
        limits.attempt(session, keys, utc_now())
    # No connection to the database is held while the provider thinks.
    db.session.remove()
    try:
        said = provider.finish(code, _back_address(provider), begun["verifier"], begun["nonce"])
        claims = providers.read_claims(provider.name, said)
        if "member" in begun:
            return _link(provider, claims, begun["member"])
        return _sign_in(provider, claims, begun, keys)
    except ProviderTrouble as trouble:
        return _trouble(provider, trouble.kind)
    except DomainError as refusal:
        if refusal.code is not Code.REFUSED:
            raise
        return _trouble_page(provider, refusal.message, 422)


@blueprint.post("/account/security/providers/<name>")
def provider_linked(name: str) -> Response | str | tuple[str, int]:
    """Off to the provider, to link an account there to one's own here.

    Begun by a form, so that no other site can begin it; and by way of a page, because our content policy
    lets forms lead nowhere but here.
    """
    provider, actor = _provider(name), auth.current_actor()
    if question := proof.first(url_for("pages.security")):
        return question
    try:
        address = _begin(provider, {"member": actor.member_id})
    except ProviderTrouble as trouble:
        return _trouble(provider, trouble.kind)
    return render_template("provider_onward.html", address=address, title=provider.title)


@blueprint.get("/account/security/providers/<id:identity_id>/removal")
def provider_removal(identity_id: int) -> str:
    """The question before an account is unlinked."""
    return _removal_page(identity_id, {})


@blueprint.post("/account/security/providers/<id:identity_id>/removal")
def provider_removed(identity_id: int) -> Response | tuple[str, int]:
    if question := proof.first(url_for("pages.provider_removal", identity_id=identity_id)):
        return question
    actor = auth.current_actor()
    try:
        with writing() as session:
            providers.unlink(session, actor, identity_id, providers_in_use().keys(), utc_now())
    except DomainError as refusal:
        return _removal_page(identity_id, errors_of(refusal, fields=())), 422
    flash("That account does not open yours any more.", "good")
    return redirect(url_for("pages.security"), 303)


def _removal_page(identity_id: int, errors: Errors) -> str:
    session, actor = reading()
    found = [each for each in providers.identities_of(session, actor.member_id) if each.id == identity_id]
    if not found:
        abort(404)
    in_use = providers_in_use().get(found[0].provider)
    title = in_use.title if in_use else found[0].provider
    return render_template(
        "sure.html",
        title=f"Unlink {title}?",
        quiet="Your account there does not sign you in here any more. Nothing else changes, there or here.",
        action=url_for("pages.provider_removed", identity_id=identity_id),
        button="Unlink it",
        picture="unlink",
        back=url_for("pages.security"),
        keep="Keep it",
        errors=errors,
    )


@blueprint.app_context_processor
def _ways() -> dict[str, Any]:
    """For parts/sign_in_ways.html, wherever it is included."""

    def sign_in_ways() -> dict[str, Any]:
        return {
            "providers": list(providers_in_use().values()),
            "passkeys": passkeys.place_of(base_url()) is not None,
        }

    return {"sign_in_ways": sign_in_ways}


def _sign_in(
    provider: Provider, claims: providers.Claims, begun: dict[str, Any], keys: list[str]
) -> Response:
    method, wanted = f"oidc:{provider.name}", begun.get("next", "")
    with writing() as session:
        member_id = providers.sign_in_with(
            session,
            claims,
            utc_now(),
            registration=settings().signin.registration,
            address=request.remote_addr,
        )
        limits.succeeded(session, keys)
        asked = second_factor.required(session, member_id)
    if asked:
        return redirect(half_way.begin(member_id, method, remember=False, destination=wanted))
    auth.sign_in(member_id, method)
    return redirect(destination(wanted))


def _link(provider: Provider, claims: providers.Claims, member_id: int) -> Response | tuple[str, int]:
    actor = auth.actor_or_none()
    if actor is None or actor.member_id != member_id:
        return _trouble(provider, "stray")
    with writing() as session:
        providers.link(session, actor, claims, utc_now())
    flash(f"{provider.title} opens your account from now on.", "good")
    return redirect(url_for("pages.security"))


def _provider(name: str) -> Provider:
    found = providers_in_use().get(name)
    if found is None:
        abort(404)
    return found


def _back_address(provider: Provider) -> str:
    return base_url().rstrip("/") + url_for("pages.provider_back", name=provider.name)


def _begin(provider: Provider, more: dict[str, Any]) -> str:
    """Remember what begins in this browser's signed cookie, one at a time; returns where to go."""
    begun = provider.begin(_back_address(provider))
    flask.session[_KEY] = {
        "provider": provider.name,
        "state": begun.state,
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "at": utc_now().isoformat(),
        **more,
    }
    return begun.url


def _take(provider: Provider, state: str) -> dict[str, Any] | None:
    """What this browser began with this state, once. A foreign state leaves it as it is."""
    kept: dict[str, Any] | None = flask.session.get(_KEY)
    if kept is None or kept["provider"] != provider.name:
        return None
    if not hmac.compare_digest(kept["state"].encode(), state.encode("utf-8", "replace")):
        return None
    flask.session.pop(_KEY)
    return kept if utc_now() - datetime.fromisoformat(kept["at"]) <= TTL else None


def _trouble(provider: Provider, kind: str) -> tuple[str, int]:
    return _trouble_page(provider, WORDS[kind].format(title=provider.title), STATUS[kind])


def _trouble_page(provider: Provider, text: str, status: int) -> tuple[str, int]:
    page = render_template(
        "provider_trouble.html", provider=provider, text=text, signed_in=auth.actor_or_none() is not None
    )
    return page, status
