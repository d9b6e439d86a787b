"""Who belongs to an organisation: inviting, making owners, removing, leaving."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.bookings.in_name import coming_of_member
from fablab.clock import utc_now
from fablab.errors import Code, DomainError, not_allowed, not_found
from fablab.members.queries import member_by_id
from fablab.organisations import invitations, queries, service
from fablab.organisations.queries import PersonView
from fablab.organisations.rules import may_remove
from fablab.organisations.visibility import visible
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import errors_of, line, told
from fablab.web.pages.organisation import people_page
from fablab.web.settings import base_url


@blueprint.post("/organisations/<slug:slug>/invitations")
def invite(slug: str) -> Response | tuple[str, int]:
    """Send an invitation; the answer is the same whether or not the address has an account."""
    _, actor = reading()
    email, owner = line("email"), bool(request.form.get("owner"))
    try:
        with writing() as session:
            sent = invitations.invite(
                session, actor, slug, email, utc_now(), base_url=base_url(), owner=owner
            )
    except DomainError as error:
        if error.code is Code.TOO_MANY:
            return people_page(slug, email, owner, {"email": [error.message]}), 429
        return people_page(slug, email, owner, errors_of(error, {"organisation": "email"})), 422
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
        return told(error, url_for("pages.organisation", slug=slug))
    flash("They are an owner now." if owner else "They are a member like others now.", "good")
    return _back(slug)


@blueprint.get("/organisations/<slug:slug>/members/<id:member_id>/removal")
def removal(slug: str, member_id: int) -> str:
    """Ask before somebody is removed, or leaves."""
    session, actor = reading()
    found, place = visible(session, actor, slug)
    if not may_remove(actor, place, member_id):
        raise not_allowed("Only its owners may remove a member.")
    person = next((each for each in queries.people(session, found.id) if each.member_id == member_id), None)
    if person is None:
        raise not_found("member of this organisation")
    coming = coming_of_member(session, found.id, member_id, utc_now())
    mine = member_id == actor.member_id
    question = _leaving(found.name, coming) if mine else _removing(person, found.name, coming)
    return render_template(
        "sure.html",
        **question,
        action=url_for("pages.remove_person", slug=slug, member_id=member_id),
        picture="user-x",
        back=url_for("pages.organisation", slug=slug),
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
        return told(error, url_for("pages.organisation", slug=slug))
    if member_id == actor.member_id:
        flash("You left the organisation. Your bookings stay yours.", "good")
        return redirect(url_for("pages.my_organisations"), 303)
    name = gone.name if gone else "This member"
    flash(f"{name} no longer belongs to the organisation. Bookings made stay as they are.", "good")
    return _back(slug)


def _leaving(organisation: str, coming: int) -> dict[str, str]:
    still = "They go on and count for the organisation; cancel those you do not need."
    return {
        "title": f"Leave {organisation}?",
        "text": "You can no longer book in its name. Your bookings stay yours.",
        "quiet": _to_come(coming, still),
        "button": "Yes, leave",
        "keep": "Stay",
    }


def _removing(person: PersonView, organisation: str, coming: int) -> dict[str, str]:
    return {
        "title": f"Remove {person.name}?",
        "text": f"{person.name} can no longer book in the name of {organisation}, "
        "and keeps the bookings already made.",
        "quiet": _to_come(coming, "They go on and stay on the organisation’s list, marked “Left”."),
        "button": "Yes, remove",
        "keep": "Keep",
    }


def _to_come(coming: int, what: str) -> str:
    if not coming:
        return ""
    are = "booking in its name is" if coming == 1 else "bookings in its name are"
    return f"{coming} {are} still to come. {what}"


def _back(slug: str) -> Response:
    return redirect(url_for("pages.organisation", slug=slug), 303)
