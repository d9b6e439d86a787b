"""Who belongs to an organisation: inviting, making owners, removing, leaving."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.bookings.in_name import coming_of_member
from fablab.clock import utc_now
from fablab.errors import Code, DomainError, not_found
from fablab.members.queries import member_by_id
from fablab.organisations import invitations, queries, service
from fablab.organisations.rules import may_remove
from fablab.organisations.visibility import visible
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.organisation import frame, people_page
from fablab.web.pages.organisation_words import by_field, typed
from fablab.web.settings import base_url


@blueprint.post("/organisations/<slug:slug>/invitations")
def invite(slug: str) -> Response | tuple[str, int]:
    """Send an invitation; the answer is the same whether or not the address has an account."""
    _, actor = reading()
    email, owner = typed("email"), bool(request.form.get("owner"))
    try:
        with writing() as session:
            sent = invitations.invite(
                session, actor, slug, email, utc_now(), base_url=base_url(), owner=owner
            )
    except DomainError as error:
        if error.code is Code.TOO_MANY:
            return people_page(slug, email, owner, {"email": [error.message]}), 429
        if error.code is not Code.REFUSED:
            raise
        return people_page(slug, email, owner, by_field(error, organisation="email")), 422
    flash(f"We wrote to {sent.email}. The link in the mail works for seven days.", "good")
    return _back(slug)


@blueprint.post("/organisations/<slug:slug>/invitations/<id:invitation_id>/withdrawal")
def withdraw_invitation(slug: str, invitation_id: int) -> Response:
    """Take an invitation back."""
    _, actor = reading()
    with writing() as session:
        invitations.withdraw(session, actor, slug, invitation_id, utc_now())
    flash("The invitation is taken back; its link no longer works.", "good")
    return _back(slug)


@blueprint.post("/organisations/<slug:slug>/members/<id:member_id>/ownership")
def appoint_owner(slug: str, member_id: int) -> Response:
    """Make a member an owner, or an owner a member."""
    _, actor = reading()
    owner = request.form.get("owner") == "1"
    try:
        with writing() as session:
            service.appoint(session, actor, slug, member_id, owner, utc_now())
    except DomainError as error:
        return _told(error, slug)
    flash("They are an owner now." if owner else "They are a member like others now.", "good")
    return _back(slug)


@blueprint.get("/organisations/<slug:slug>/members/<id:member_id>/removal")
def removal(slug: str, member_id: int) -> str:
    """Ask before somebody is removed, or leaves."""
    session, actor = reading()
    found, place = visible(session, actor, slug)
    if not may_remove(actor, place, member_id):
        raise DomainError(Code.NOT_ALLOWED, "Only its owners may remove a member.")
    person = next((each for each in queries.people(session, found.id) if each.member_id == member_id), None)
    if person is None:
        raise not_found("member of this organisation")
    return render_template(
        "organisation_removal.html",
        **frame(found, place),
        person=person,
        mine=member_id == actor.member_id,
        coming=coming_of_member(session, found.id, member_id, utc_now()),
    )


@blueprint.post("/organisations/<slug:slug>/members/<id:member_id>/removal")
def remove_person(slug: str, member_id: int) -> Response:
    """Remove a member, or leave."""
    _, actor = reading()
    try:
        with writing() as session:
            gone = member_by_id(session, member_id)
            service.remove(session, actor, slug, member_id, utc_now())
    except DomainError as error:
        return _told(error, slug)
    if member_id == actor.member_id:
        flash("You left the organisation. Your bookings stay yours.", "good")
        return redirect(url_for("pages.my_organisations"), 303)
    name = gone.name if gone else "This member"
    flash(f"{name} no longer belongs to the organisation. Bookings made stay as they are.", "good")
    return _back(slug)


def _told(error: DomainError, slug: str) -> Response:
    """A rule's no, said on the page they came from."""
    if error.code is not Code.REFUSED:
        raise error
    flash(error.message, "error")
    return _back(slug)


def _back(slug: str) -> Response:
    return redirect(url_for("pages.organisation", slug=slug), 303)
