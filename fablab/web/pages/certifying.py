"""Staff's side of certifications: who needs a look, finding somebody, certifying, and one certification."""

from __future__ import annotations

from datetime import timedelta

from flask import flash, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.certifications import changes
from fablab.certifications.grants import grant
from fablab.certifications.models import REASON_MAX
from fablab.certifications.queries import (
    CertificationView,
    certification,
    certifications,
    history,
    needing_attention,
    thing,
)
from fablab.certifications.rules import (
    LEVELS,
    add_months,
    certifies_somewhere,
    may_certify,
    may_certify_member,
    may_look_up_certifications,
    may_see_certifications,
)
from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed, not_found
from fablab.machines.queries import kinds, labs, machines
from fablab.members.directory import Details, find_members, member_details
from fablab.members.rules import Actor
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_day, a_number, errors_of, line, lines, number, refuse, told
from fablab.web.settings import base_url, certification_policy, settings

FOUND_SHOWN = 12
TYPED_MOST = 200
ACTS = ("renewal", "suspension", "resumption", "revocation")
SAID = {
    "renewal": "Renewed.",
    "suspension": "Suspended. The holder is told why.",
    "resumption": "It is good again.",
    "revocation": "Revoked. The holder is told why.",
}


@blueprint.get("/staff/certifications")
def certifying() -> str:
    """Find a member (?q=), and see which certifications of one's labs end soon or are suspended."""
    session, actor = reading()
    _staff_only(actor)
    now = utc_now()
    typed = line("q", TYPED_MOST)
    own = None if actor.admin or actor.operator else actor.managed_labs | actor.trained_labs
    until = now.date() + timedelta(days=settings().certifications.remind_days)
    found = find_members(session, typed, limit=FOUND_SHOWN + 1, active=True) if typed else []
    return render_template(
        "certifying.html",
        now=now,
        q=typed,
        certifies=certifies_somewhere(actor),
        found=found[:FOUND_SHOWN],
        more=len(found) > FOUND_SHOWN,
        attention=needing_attention(session, own, until),
    )


@blueprint.get("/staff/certifications/new")
def certify() -> str:
    """The form for one member (?member=)."""
    session, actor = reading()
    _certifying_only(actor)
    return _form(session, actor, _member(session), {}, {})


@blueprint.post("/staff/certifications/new")
def certified() -> Response | tuple[str, int]:
    """Certify, and lead to what was granted."""
    session, actor = reading()
    _certifying_only(actor)
    member = _member(session)
    typed = lines("on", "level", "lab", "expires_on")
    errors: Errors = {}
    kind, _, slug = typed["on"].partition(":")
    on = thing(session, slug if kind == "kind" else None, slug if kind == "machine" else None)
    if on is None or kind not in ("kind", "machine"):
        refuse(errors, "on", "Please choose what it is for.")
    level = a_number(typed["level"], "level", errors, most=max(LEVELS), message="Please choose a level.")
    lab = next((each for each in labs(session) if each.slug == typed["lab"]), None)
    ends = a_day(typed["expires_on"], "expires_on", errors)
    if errors or on is None or level is None:
        return _form(session, actor, member, typed, errors), 422
    try:
        with writing() as session:
            done = grant(
                session,
                actor,
                member.id,
                on,
                level,
                utc_now(),
                certification_policy(),
                base_url(),
                lab_id=lab.id if lab else None,
                expires_on=ends,
            )
    except DomainError as error:
        return _form(session, actor, member, typed, errors_of(error, fields=typed)), 422
    flash(f"{member.name} is certified. We sent them a mail.", "good")
    return redirect(url_for("pages.certification", certification_id=done.id), 303)


@blueprint.get("/staff/certifications/<id:certification_id>", endpoint="certification")
def one_certification(certification_id: int) -> str:
    """One certification with its history, and what may be done with it."""
    session, actor = reading()
    _staff_only(actor)
    return _one(session, actor, certification_id, {})


@blueprint.post(
    "/staff/certifications/<id:certification_id>/<any(renewal, suspension, resumption, revocation):act>"
)
def certification_changed(certification_id: int, act: str) -> Response | tuple[str, int]:
    """Renew, suspend, resume or revoke."""
    session, actor = reading()
    _staff_only(actor)
    reason = line("reason", REASON_MAX)[:REASON_MAX]
    now = utc_now()
    if act in ("suspension", "revocation") and not reason:
        errors = {"reason": ["Please say why: the holder reads it."]}
        return _one(session, actor, certification_id, errors), 422
    there = url_for("pages.certification", certification_id=certification_id)
    try:
        with writing() as session:
            if act == "renewal":
                changes.renew(session, actor, certification_id, now, certification_policy(), reason=reason)
            else:
                verb = {
                    "suspension": changes.suspend,
                    "resumption": changes.resume,
                    "revocation": changes.revoke,
                }[act]
                verb(session, actor, certification_id, now, reason)
    except DomainError as error:
        return told(error, there)
    flash(SAID[act], "good")
    return redirect(there, 303)


def _one(session: Session, actor: Actor, certification_id: int, errors: Errors) -> str:
    held = certification(session, certification_id)
    if held is None or not may_see_certifications(actor, held.member_id):
        raise not_found("certification")
    return render_template(
        "certification.html",
        now=utc_now(),
        held=held,
        state=held.state(utc_now()),
        history=history(session, certification_id),
        certifies=certifies_somewhere(actor),
        may_change=_may_change(actor, held),
        errors=errors,
        ends=add_months(utc_now().date(), settings().certifications.valid_months),
    )


def _may_change(actor: Actor, held: CertificationView) -> bool:
    return may_certify_member(actor, held.thing.machine_lab_id, held.member_id)


def _form(
    session: Session,
    actor: Actor,
    member: Details,
    typed: dict[str, str],
    errors: Errors,
) -> str:
    own = [each for each in labs(session) if may_certify(actor, each.id)]
    slugs = {each.slug for each in own}
    now = utc_now()
    return render_template(
        "certify.html",
        now=now,
        member=member,
        own=member.id == actor.member_id,
        typed=typed,
        errors=errors,
        labs=own,
        kinds=kinds(session),
        machines=[each for each in machines(session) if each.lab_slug in slugs],
        held=certifications(session, member_id=member.id),
        levels=LEVELS,
        tomorrow=now.date() + timedelta(days=1),
        ends=add_months(now.date(), settings().certifications.valid_months),
    )


def _staff_only(actor: Actor) -> None:
    if not may_look_up_certifications(actor):
        raise not_found("page")


def _certifying_only(actor: Actor) -> None:
    _staff_only(actor)
    if not certifies_somewhere(actor):
        raise not_allowed("Only trainers and managers certify.")


def _member(session: Session) -> Details:
    found = member_details(session, number(line("member")) or 0)
    if found is None:
        raise not_found("member")
    return found
