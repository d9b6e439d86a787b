"""The serious acts on somebody's account, each asked for twice: shutting it, forgetting a second factor."""

from __future__ import annotations

from flask import flash, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed, not_found
from fablab.members.rules import may_deactivate
from fablab.signin import second_factor
from fablab.signin.accounts import deactivate, reactivate
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.member import ask, back, seen, told


@blueprint.get("/staff/members/<id:member_id>/deactivation")
def deactivation(member_id: int) -> str:
    """Ask before an account is shut."""
    session, actor = reading()
    found = seen(session, actor, member_id)
    if not may_deactivate(actor, member_id):
        raise not_allowed("Administrators shut and open accounts, but not their own.")
    return ask(
        found,
        title=f"Shut the account of {found.name}?",
        text="They are signed out everywhere at once, and their access tokens end. "
        "You can open the account again.",
        button="Yes, shut it",
        action=url_for("pages.deactivated", member_id=member_id),
    )


@blueprint.post("/staff/members/<id:member_id>/deactivation")
def deactivated(member_id: int) -> Response:
    _, actor = reading()
    try:
        with writing() as session:
            deactivate(session, actor, member_id, utc_now())
    except DomainError as error:
        return told(error, member_id)
    flash("The account is shut.", "good")
    return back(member_id)


@blueprint.post("/staff/members/<id:member_id>/reactivation")
def reactivated(member_id: int) -> Response:
    _, actor = reading()
    try:
        with writing() as session:
            reactivate(session, actor, member_id, utc_now())
    except DomainError as error:
        return told(error, member_id)
    flash("The account is open again.", "good")
    return back(member_id)


@blueprint.get("/staff/members/<id:member_id>/second-factor-removal")
def second_factor_removal(member_id: int) -> str:
    """Ask before a lost authenticator app is forgotten."""
    session, actor = reading()
    found = seen(session, actor, member_id)
    if not second_factor.may_remove_second_factor(actor, member_id):
        raise not_found("page")
    return ask(
        found,
        title=f"Remove the second factor of {found.name}?",
        text="Their password alone opens the account then. Be sure whom you talk to: "
        "ask for an identity card, or call them back on a number you know.",
        button="Yes, remove it",
        action=url_for("pages.second_factor_removed", member_id=member_id),
    )


@blueprint.post("/staff/members/<id:member_id>/second-factor-removal")
def second_factor_removed(member_id: int) -> Response:
    _, actor = reading()
    with writing() as session:
        second_factor.remove(session, actor, member_id, utc_now())
    flash("The second factor is removed. Ask them to set up a new one.", "good")
    return back(member_id)
