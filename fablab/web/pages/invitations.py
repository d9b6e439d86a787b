"""Answering an invitation into an organisation: from its mail, or from one's own page."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError
from fablab.organisations import invitations
from fablab.organisations.queries import InvitationView
from fablab.web import auth
from fablab.web.database import db, writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import told
from fablab.web.settings import settings

# The secret is 43 letters; what is longer was never one.
LONGEST = 200


@blueprint.get("/invitations/<secret>")
@auth.public
def invitation(secret: str) -> str | tuple[str, int]:
    """Who invites, into what, and the way in: at once, or after signing in or registering."""
    session, actor = db.session(), auth.actor_or_none()
    found = invitations.invitation_by_secret(session, secret[:LONGEST], utc_now())
    if found is None:
        return render_template("invitation.html", invitation=None), 404
    obstacles = [] if actor is None else invitations.obstacles(session, actor, found)
    return render_template(
        "invitation.html",
        invitation=found,
        secret=secret,
        obstacle=obstacles[0] if obstacles else None,
        may_register=settings().signin.registration,
        here=request.path,
    )


@blueprint.post("/invitations/<secret>/acceptance")
def accept_invitation(secret: str) -> Response:
    """Join by the mail's link."""
    _, actor = reading()
    try:
        with writing() as session:
            found = invitations.accept_by_secret(session, actor, secret[:LONGEST], utc_now())
    except DomainError as error:
        return told(error, url_for("pages.invitation", secret=secret))
    return _joined(found)


@blueprint.post("/my-invitations/<id:invitation_id>/acceptance")
def accept_own_invitation(invitation_id: int) -> Response:
    """Join by an invitation to one's own confirmed address."""
    _, actor = reading()
    try:
        with writing() as session:
            found = invitations.accept(session, actor, invitation_id, utc_now())
    except DomainError as error:
        return told(error, url_for("pages.my_organisations"))
    return _joined(found)


@blueprint.post("/my-invitations/<id:invitation_id>/refusal")
def decline_invitation(invitation_id: int) -> Response:
    """Say no."""
    _, actor = reading()
    with writing() as session:
        invitations.decline(session, actor, invitation_id, utc_now())
    flash("You said no; the invitation is gone.", "good")
    return redirect(url_for("pages.my_organisations"), 303)


def _joined(found: InvitationView) -> Response:
    flash(f"Welcome to {found.organisation_name}. You can book in its name now.", "good")
    return redirect(url_for("pages.organisation", slug=found.organisation_slug), 303)
