"""The door: signing in and out."""

from __future__ import annotations

from flask import Response as FlaskResponse
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.signin import limits, passwords, second_factor
from fablab.signin.queries import Credentials, credentials
from fablab.signin.rules import account_key, address_key
from fablab.web import auth, half_way, known_browser
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.destination import destination
from fablab.web.pages.forms import Errors
from fablab.web.settings import settings

WRONG = "That address and password do not go together. Check both and try again."


@blueprint.get("/sign-in")
@auth.public
def sign_in() -> Response | str:
    """The form; or on to where one was going, when signed in already."""
    if request.headers.get("HX-Request"):
        # A part of an open page was asked for after the session had ended: the whole page must go.
        return FlaskResponse(status=204, headers={"HX-Redirect": url_for("pages.sign_in")})
    if auth.actor_or_none() is not None:
        return redirect(destination(request.args.get("next", "")))
    return _page("", {}, request.args.get("next", ""))


@blueprint.post("/sign-in")
@auth.public
def signing_in() -> Response | tuple[str, int]:
    """Check address and password. A wrong one of either gets the same answer, after the same work."""
    email = request.form.get("email", "").strip()
    password = request.form.get("password", "")
    going_to = request.form.get("next", "")
    errors: Errors = {}
    if not email:
        errors["email"] = ["Please give your e-mail address."]
    if not password:
        errors["password"] = ["Please give your password."]
    if not errors:
        found = let_in(email, password)
        if found is not None:
            return _in(found, remember=bool(request.form.get("remember")), going_to=going_to)
        errors["password"] = [WRONG]
    return _page(email, errors, going_to), 422


@blueprint.post("/sign-out")
@auth.public
def sign_out() -> Response:
    auth.sign_out()
    return redirect(url_for("pages.sign_in"), 303)


def let_in(email: str, password: str) -> Credentials | None:
    """Whom this address and password open; None for nobody. Raises TOO_MANY when guessed too often.

    Three short transactions, and none while the password's hash is computed:
    1. the try is counted, whatever follows; 2. the account is read; 3. a right one is forgotten again.
    """
    # PostgreSQL has no NUL in its texts, and no address has one.
    email = email.replace("\0", "\ufffd")
    keys = [known_browser.guess_key(email) or account_key(email), address_key(request.remote_addr)]
    with writing() as session:
        limits.attempt(session, keys, utc_now())
    with writing() as session:
        found = credentials(session, email)
    if not passwords.right(found, password) or found is None:
        return None
    with writing() as session:
        limits.succeeded(session, keys)
        passwords.renew_hash(session, found, password)
    return found


def _in(found: Credentials, *, remember: bool, going_to: str) -> Response:
    """In, or on to the second factor where the member has one."""
    with writing() as session:
        half = second_factor.required(session, found.member_id)
    if half:
        address = half_way.begin(found.member_id, "password", remember=remember, destination=going_to)
        return redirect(address, 303)
    auth.sign_in(found.member_id, "password", remember=remember)
    return redirect(destination(going_to), 303)


def _page(email: str, errors: Errors, going_to: str) -> str:
    return render_template(
        "sign_in.html",
        email=email[:254],
        errors=errors,
        destination=going_to,
        registration=settings().signin.registration,
    )
