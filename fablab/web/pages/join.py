"""Making oneself an account."""

from __future__ import annotations

from datetime import date

from flask import abort, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.members.passwords import hash_password
from fablab.signin.joining import account_to_be
from fablab.signin.passwords import PASSWORD_MAX, PASSWORD_MIN
from fablab.web import auth
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.links import ask, count_mail, count_try, errors_of
from fablab.web.settings import settings


@blueprint.get("/join")
@auth.public
def join() -> Response | str:
    _open()
    if auth.actor_or_none() is not None:
        return redirect(url_for("pages.home"))
    return _page(MultiDict({"email": request.args.get("email", "")[:254]}), {})


@blueprint.post("/join")
@auth.public
def joining() -> str | tuple[str, int]:
    """The same answer after the same work, whether the address has an account or not."""
    _open()
    form = request.form
    email, password = form.get("email", ""), form.get("password", "")
    try:
        # Judging a password costs more than counting: whoever sends form after form is stopped before it.
        count_try()
        pending = account_to_be(
            form.get("name", ""),
            email,
            password,
            form.get("language", ""),
            utc_now(),
            under_18=bool(form.get("under_18")),
            birth_on=_day(form.get("birth_on", "")),
        )
        count_mail(email)
        # Between two transactions: it takes a tenth of a second.
        ask("join", email, pending={**pending, "password_hash": hash_password(password)})
    except DomainError as error:
        if error.code is not Code.REFUSED:
            raise
        return _page(form, errors_of(error)), 422
    return render_template("mail_sent.html", email=email.strip(), what="join")


def _open() -> None:
    if not settings().signin.registration:
        abort(404)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _page(form: MultiDict[str, str], errors: dict[str, list[str]]) -> str:
    return render_template("join.html", form=form, errors=errors, shortest=PASSWORD_MIN, longest=PASSWORD_MAX)
