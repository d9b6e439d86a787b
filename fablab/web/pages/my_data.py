"""Your data: what is kept and for how long, taking it along, and erasing the account."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.data_rights.rules import for_days
from fablab.data_rights.service import check_erasure, erase
from fablab.errors import Code, DomainError
from fablab.settings import Retention
from fablab.signin.queries import profile
from fablab.web import auth, proof
from fablab.web.database import writing
from fablab.web.own_data import archive
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, errors_of, told
from fablab.web.settings import base_url, settings

# What is kept, in the order in which people ask; the settings say for how long.
KEPT = (
    ("Purposes, reasons and who came along on a booking", "booking_texts_days", "after the booking"),
    ("File names of your jobs", "job_files_days", "after the job"),
    ("What machines reported while they worked", "status_changes_days", ""),
    ("Temperatures and power of machines", "readings_days", ""),
    ("That we wrote you a mail", "mails_days", "after it was sent"),
    ("Your places in waiting lists and offers of bookings", "waits_days", "after they are over"),
    ("What labs’ own programs were told about bookings", "deliveries_days", ""),
    ("Invitations to your address", "invitations_days", "after they ran out"),
    ("Access tokens that no longer work", "tokens_days", "after they ended"),
    ("A guardian’s consent", "consents_days", "after you turn 18"),
    ("Messages of machines nobody could read", "dead_letters_days", ""),
    ("Answers kept in case a program asks again", "answers_days", ""),
    ("Who changed whose rights", "audit_days", ""),
)


@blueprint.get("/account/data")
def my_data() -> str:
    """What is kept, the button to take it along, and the way out."""
    reading()
    return render_template("my_data.html", kept=kept(settings().retention))


@blueprint.post("/account/data/archive")
def my_data_archive() -> Response:
    """The ZIP, for whoever is really the member; or back to the page that says why there is none now."""
    if asked := proof.first(url_for("pages.my_data")):
        return asked
    try:
        return archive(auth.current_actor())
    except DomainError as error:
        return told(error, url_for("pages.my_data"), also=(Code.TOO_MANY,))


@blueprint.get("/account/data/erasure")
def my_erasure() -> str:
    """What goes, what stays and why, and the last question."""
    return _erasure({})


@blueprint.post("/account/data/erasure")
def my_erasure_done() -> Response | tuple[str, int]:
    """Erase the account of whoever says so and is really the member."""
    actor = auth.current_actor()
    if not request.form.get("sure"):
        return _erasure({"sure": ["Please tick this: it cannot be undone."]}), 422
    try:
        proof.make_sure(actor, request.form.get("password", ""))
        with writing() as session:
            erase(session, actor, actor.member_id, utc_now(), base_url(), goodbye=settings().mail.go_out)
    except DomainError as error:
        if error.code is Code.TOO_MANY:
            return _erasure({"password": [error.message]}), 429
        return _erasure(errors_of(error)), 422
    auth.sign_out()
    flash(
        "Your account and everything personal in it is erased. Thank you for making things with us.", "good"
    )
    return redirect(url_for("pages.sign_in"), 303)


def kept(retention: Retention) -> list[tuple[str, str]]:
    """What is kept and for how long, in words."""
    return [
        (what, f"{for_days(days)} {since}".strip() if (days := getattr(retention, setting)) else for_days(0))
        for what, setting, since in KEPT
    ]


def _erasure(errors: Errors) -> str:
    session, actor = reading()
    member = profile(session, actor.member_id)
    assert member is not None, "an actor is a member"
    return render_template(
        "my_erasure.html",
        errors=errors,
        hindrances=check_erasure(session, actor, utc_now()),
        fresh=proof.lately(),
        member=member,
        years=for_days(settings().retention.audit_days),
    )
