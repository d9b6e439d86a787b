"""One member as staff see her: what is put down about her, and what staff may do."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.certifications.rules import may_certify_member, may_see_certifications
from fablab.clock import utc_now
from fablab.errors import DomainError, not_found
from fablab.members.directory import Details, consents_of, member_details
from fablab.members.profile import change_profile
from fablab.members.rules import (
    Actor,
    is_minor,
    may_change_birth_date,
    may_change_member,
    may_deactivate,
    may_record_consent,
    may_see_member_details,
)
from fablab.organisations.queries import memberships
from fablab.signin import authenticator, second_factor
from fablab.web.database import writing
from fablab.web.pages import forms
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_day, errors_of, sent
from fablab.web.pages.members import staff_only
from fablab.web.pages.my_certifications import held_by
from fablab.web.pages.role_choice import givable, roles_held


@blueprint.get("/staff/members/<id:member_id>")
def member(member_id: int) -> str:
    """The member's page; what is on it depends on who looks."""
    return member_page(member_id, {}, {})


@blueprint.post("/staff/members/<id:member_id>")
def member_changed(member_id: int) -> Response | tuple[str, int]:
    """Keep name, language and birth date."""
    _, actor = reading()
    errors: Errors = {}
    typed = sent("name", "language", "birth_on")
    changes: dict[str, Any] = {"name": typed["name"], "language": typed["language"]}
    if "birth_on" in request.form:
        changes["birth_on"] = a_day(typed["birth_on"], "birth_on", errors)
    if errors:
        return member_page(member_id, typed, errors), 422
    try:
        with writing() as session:
            change_profile(session, actor, member_id, changes, utc_now())
    except DomainError as error:
        return member_page(member_id, typed, errors_of(error)), 422
    flash("The profile is saved.", "good")
    return back(member_id)


def seen(session: Session, actor: Actor, member_id: int) -> Details:
    """The member, for staff."""
    staff_only(actor)
    found = member_details(session, member_id)
    if found is None:
        raise not_found("member")
    return found


def told(error: DomainError, member_id: int) -> Response:
    """Back to the member's page with what a rule said; any other no is a page of its own."""
    return forms.told(error, url_for("pages.member", member_id=member_id))


def ask(found: Details, **question: Any) -> str:
    """The question before a serious act; ``question`` is what sure.html takes."""
    return render_template("sure.html", back=url_for("pages.member", member_id=found.id), **question)


def member_page(member_id: int, typed: dict[str, str], errors: Errors) -> str:
    session, actor = reading()
    found = seen(session, actor, member_id)
    details = may_see_member_details(actor)
    minor = is_minor(found.birth_on, utc_now().date())
    consents = consents_of(session, member_id) if details else []
    second = second_factor.may_remove_second_factor(actor, member_id)
    now = utc_now()
    sees_certifications = may_see_certifications(actor, member_id)
    return render_template(
        "member.html",
        now=now,
        sees_certifications=sees_certifications,
        may_certify=may_certify_member(actor, None, member_id),
        held=held_by(session, member_id, now) if sees_certifications else [],
        member=found,
        mine=member_id == actor.member_id,
        details=details,
        minor=details and minor,
        consents=consents,
        consented=any(each.withdrawn_at is None for each in consents),
        may_consent=minor and may_record_consent(actor, member_id),
        may_change=may_change_member(actor, member_id, found.roles) and details,
        keeps_birth_date=not may_change_birth_date(actor, member_id, found.birth_on, None, utc_now().date()),
        may_shut=may_deactivate(actor, member_id),
        has_second_factor=second and authenticator.confirmed(session, member_id),
        organisations=memberships(session, member_id) if details else [],
        roles=roles_held(session, actor, found),
        givable=givable(session, actor, found),
        typed=typed,
        errors=errors,
        today=utc_now().date(),
    )


def back(member_id: int) -> Response:
    return redirect(url_for("pages.member", member_id=member_id), 303)
