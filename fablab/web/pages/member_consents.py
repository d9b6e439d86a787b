"""A guardian's consent on paper, put down by staff; and its withdrawal."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed, not_found
from fablab.members.consent import current_words, record_consent, withdraw_consent
from fablab.members.directory import Details, consents_of
from fablab.members.rules import Actor, is_minor, may_record_consent, may_see_member_details
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_day, errors_of, lines, sent
from fablab.web.pages.member import ask, seen, told

LANGUAGE_NAMES = {"fr": "Français", "ar": "العربية", "en": "English"}


@blueprint.get("/staff/members/<id:member_id>/consents/new")
def new_consent(member_id: int) -> str:
    """The words to show to the guardian (?language=), and who agreed to them when."""
    return _page(member_id, {}, {})


@blueprint.post("/staff/members/<id:member_id>/consents")
def consent_recorded(member_id: int) -> Response | tuple[str, int]:
    _, actor = reading()
    errors: Errors = {}
    typed = lines("guardian_name", "guardian_email", "given_on", "language") | sent("words")
    given_on = a_day(typed["given_on"], "given_on", errors, needed=True)
    if given_on is None:
        return _page(member_id, typed, errors), 422
    try:
        with writing() as session:
            record_consent(
                session,
                actor,
                member_id,
                typed["guardian_name"],
                typed["guardian_email"] or None,
                typed["words"],
                given_on,
                utc_now(),
            )
    except DomainError as error:
        return _page(member_id, typed, errors_of(error)), 422
    flash("The consent is on record. They can book now.", "good")
    return redirect(url_for("pages.member", member_id=member_id), 303)


@blueprint.get("/staff/members/<id:member_id>/consents/<id:consent_id>/withdrawal")
def consent_withdrawal(member_id: int, consent_id: int) -> str:
    """Ask before a consent counts no more."""
    session, actor = reading()
    found = _for_recording(actor, member_id)
    given = [each for each in consents_of(session, member_id) if each.id == consent_id]
    if not given or given[0].withdrawn_at is not None:
        raise not_found("consent")
    return ask(
        found,
        title=f"Withdraw the consent of {given[0].guardian_name}?",
        text=f"{found.name} can book no machine any more until a guardian agrees again. The record stays.",
        button="Yes, withdraw it",
        action=url_for("pages.consent_withdrawn", member_id=member_id, consent_id=consent_id),
    )


@blueprint.post("/staff/members/<id:member_id>/consents/<id:consent_id>/withdrawal")
def consent_withdrawn(member_id: int, consent_id: int) -> Response:
    _, actor = reading()
    try:
        with writing() as session:
            withdraw_consent(session, actor, member_id, consent_id, utc_now())
    except DomainError as error:
        return told(error, member_id)
    flash("The consent is withdrawn.", "good")
    return redirect(url_for("pages.member", member_id=member_id), 303)


def _for_recording(actor: Actor, member_id: int) -> Details:
    session, _ = reading()
    found = seen(session, actor, member_id)
    if not may_see_member_details(actor):
        raise not_found("member")
    if not may_record_consent(actor, member_id):
        raise not_allowed("Consent to your own account is recorded by somebody else.")
    return found


def _page(member_id: int, typed: dict[str, str], errors: dict[str, list[str]]) -> str:
    _, actor = reading()
    found = _for_recording(actor, member_id)
    language = typed.get("language") or request.args.get("language", found.language)
    if language not in LANGUAGE_NAMES:
        language = found.language
    return render_template(
        "member_consent.html",
        member=found,
        minor=is_minor(found.birth_on, utc_now().date()),
        language=language,
        languages=LANGUAGE_NAMES,
        agreed=current_words()[language],
        typed=typed,
        errors=errors,
        today=utc_now().date(),
    )
