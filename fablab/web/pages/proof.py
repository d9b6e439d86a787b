"""The page that asks whether it is really you, before a way into your account is added or taken away."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.signin.queries import profile
from fablab.web import auth, proof
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.destination import destination
from fablab.web.pages.forms import Errors


@blueprint.get("/account/security/sure")
def sure() -> str:
    """The question; ``next`` is where one was going."""
    return _page(request.args.get("next", ""), {})


@blueprint.post("/account/security/sure")
def sure_given() -> Response | tuple[str, int]:
    """Take the password or a code, and go on."""
    going_to = request.form.get("next", "")
    if not proof.is_really(auth.current_actor(), request.form.get("proof", "")):
        return _page(going_to, {"proof": [proof.WRONG]}), 422
    proof.remember()
    return redirect(destination(going_to), 303)


@blueprint.app_context_processor
def _for_templates() -> dict[str, object]:
    """``sure_lately()`` for pages that offer what needs proof."""
    return {"sure_lately": proof.lately}


def _page(going_to: str, errors: Errors) -> str:
    session, actor = reading()
    member = profile(session, actor.member_id)
    assert member is not None, "an actor is a member"
    none = "You have no password? Sign out, sign in again, and come back within ten minutes."
    return render_template(
        "sure.html",
        title="Is it really you?",
        quiet="We ask before a way into your account changes. You signed in a while ago.",
        proof="Your password, or a code from your app",
        hint="" if member.has_password else none,
        email=member.email,
        fields=[("next", going_to)],
        action=url_for("pages.sure_given"),
        button="Go on",
        picture="check",
        harmless=True,
        back=url_for("pages.security"),
        errors=errors,
    )
