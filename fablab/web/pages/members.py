"""Staff's directory of members: finding one as one types, and adding one."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed, not_found
from fablab.machines.queries import labs
from fablab.members.directory import find_members
from fablab.members.rules import Actor, may_add_members, may_look_up_members
from fablab.signin.accounts import open_account
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_day, errors_of, how_many, line, sent
from fablab.web.pages.role_choice import roles_in_words
from fablab.web.settings import base_url

SHOWN = 20
SHOWN_MOST = 200
TYPED_MOST = 200


@blueprint.get("/staff/members")
def members() -> str:
    """Members by name, or those whose words begin as was typed (?q=); ?shown= is how many are shown."""
    session, actor = reading()
    staff_only(actor)
    typed = line("q", TYPED_MOST)
    shown = how_many("shown", SHOWN, SHOWN_MOST)
    found = find_members(session, typed, limit=shown + 1)
    names = {lab.id: lab.names["en"] for lab in labs(session)}
    return render_template(
        "members.html",
        q=typed,
        found=[(each, roles_in_words(each.roles, names)) for each in found[:shown]],
        more=min(shown * 2, SHOWN_MOST) if len(found) > shown < SHOWN_MOST else None,
        too_many=len(found) > shown == SHOWN_MOST,
        may_add=may_add_members(actor),
    )


@blueprint.get("/staff/members/new")
def new_member() -> str:
    """The form for somebody who has no account yet."""
    _, actor = reading()
    adding_only(actor)
    return _form_page({}, {})


@blueprint.post("/staff/members/new")
def member_added() -> Response | tuple[str, int]:
    """Make the account, and send the mail by which its owner chooses a password."""
    _, actor = reading()
    adding_only(actor)
    errors: Errors = {}
    typed = sent("name", "email", "language", "birth_on", "under_18")
    birth_on = a_day(typed["birth_on"], "birth_on", errors)
    if errors:
        return _form_page(typed, errors), 422
    try:
        with writing() as session:
            made = open_account(
                session,
                actor,
                typed["email"],
                typed["name"],
                typed["language"],
                birth_on,
                utc_now(),
                under_18=bool(typed["under_18"]),
                base_url=base_url(),
            )
    except DomainError as error:
        return _form_page(typed, errors_of(error)), 422
    flash(f"{typed['name']} has an account now, and a mail to choose a password.", "good")
    return redirect(url_for("pages.member", member_id=made), 303)


def staff_only(actor: Actor) -> None:
    """For makers there is no directory."""
    if not may_look_up_members(actor):
        raise not_found("page")


def adding_only(actor: Actor) -> None:
    staff_only(actor)
    if not may_add_members(actor):
        raise not_allowed("Managers and administrators add members.")


def _form_page(typed: dict[str, str], errors: Errors) -> str:
    return render_template("member_new.html", typed=typed, errors=errors, today=utc_now().date())
