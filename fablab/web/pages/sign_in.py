"""The door: signing in and out."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response as FlaskResponse
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.signin.passwords import verify_password
from fablab.web import auth
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint


@blueprint.get("/sign-in")
@auth.public
def sign_in() -> Response | str:
    """The form; or on to where one was going, when signed in already."""
    if request.headers.get("HX-Request"):
        # A part of an open page was asked for after the session had ended: the whole page must go.
        return FlaskResponse(status=204, headers={"HX-Redirect": url_for("pages.sign_in")})
    if auth.actor_or_none() is not None:
        return redirect(_destination(request.args.get("next", "")))
    return render_template("sign_in.html", email="", errors={}, destination=request.args.get("next", ""))


@blueprint.post("/sign-in")
@auth.public
def signing_in() -> Response | tuple[str, int]:
    """Check address and password. A wrong one of either gets the same answer."""
    email = request.form.get("email", "").strip()
    password = request.form.get("password", "")
    errors = {}
    if not email:
        errors["email"] = ["Please give your e-mail address."]
    if not password:
        errors["password"] = ["Please give your password."]
    if not errors:
        with writing() as session:
            member = None if "\0" in email else verify_password(session, email, password)
        if member is not None:
            auth.sign_in(member.id, "password", remember=bool(request.form.get("remember")))
            return redirect(_destination(request.form.get("next", "")), 303)
        errors["password"] = ["That address and password do not go together. Check both and try again."]
    page = render_template(
        "sign_in.html", email=email[:254], errors=errors, destination=request.form.get("next", "")
    )
    return page, 422


@blueprint.post("/sign-out")
@auth.public
def sign_out() -> Response:
    auth.sign_out()
    return redirect(url_for("pages.sign_in"), 303)


def _destination(wanted: str) -> str:
    """A page of ours. Anything that could lead to another host leads home instead."""
    parts = urlsplit(wanted.replace("\\", "/"))
    inside = wanted.startswith("/") and not wanted.startswith("//") and not parts.scheme and not parts.netloc
    if inside and wanted.isprintable() and "\\" not in wanted:
        return wanted
    return url_for("pages.home")
