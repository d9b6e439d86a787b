"""The page that asks whether it is really you, before a way into your account is added or taken away."""

from __future__ import annotations

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from fablab.signin.queries import profile
from fablab.web import auth, proof
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.destination import destination


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


def _page(going_to: str, errors: dict[str, list[str]]) -> str:
    session, actor = reading()
    return render_template(
        "sure.html", destination=going_to, errors=errors, member=profile(session, actor.member_id)
    )
