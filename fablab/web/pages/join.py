"""Making oneself an account."""

from __future__ import annotations

from flask import abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError
from fablab.signin.hashing import hash_password
from fablab.signin.joining import account_to_be
from fablab.signin.passwords import PASSWORD_MAX, PASSWORD_MIN
from fablab.web import auth
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.forms import Errors, a_day, errors_of, lines, sent
from fablab.web.pages.links import ask, count_mail, count_try
from fablab.web.settings import settings


@blueprint.get("/join")
@auth.public
def join() -> Response | str:
    _open()
    if auth.actor_or_none() is not None:
        return redirect(url_for("pages.home"))
    return _page(lines("email"), {})


@blueprint.post("/join")
@auth.public
def joining() -> str | tuple[str, int]:
    """The same answer after the same work, whether the address has an account or not."""
    _open()
    errors: Errors = {}
    form = sent("name", "email", "language", "under_18", "birth_on")
    email, password = form["email"], request.form.get("password", "")
    birth_on = a_day(form["birth_on"], "birth_on", errors)
    if errors:
        return _page(form, errors), 422
    try:
        # Judging a password costs more than counting: whoever sends form after form is stopped before it.
        count_try()
        pending = account_to_be(
            form["name"],
            email,
            password,
            form["language"],
            utc_now(),
            under_18=bool(form["under_18"]),
            birth_on=birth_on,
        )
        count_mail(email)
        # Between two transactions: it takes a tenth of a second.
        ask("join", email, pending={**pending, "password_hash": hash_password(password)})
    except DomainError as error:
        return _page(form, errors_of(error)), 422
    return render_template("mail_sent.html", email=email, what="join")


def _open() -> None:
    if not settings().signin.registration:
        abort(404)


def _page(form: dict[str, str], errors: Errors) -> str:
    return render_template("join.html", form=form, errors=errors, shortest=PASSWORD_MIN, longest=PASSWORD_MAX)
