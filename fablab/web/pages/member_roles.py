"""Giving a member a role, and taking one away."""

from __future__ import annotations

from flask import flash, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed
from fablab.machines.queries import labs
from fablab.members.roles import grant_role, remove_role
from fablab.members.rules import may_remove_role
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.member import ask, back, seen, told
from fablab.web.pages.role_choice import ROLE_WORDS, chosen_role


@blueprint.post("/staff/members/<id:member_id>/roles")
def role_given(member_id: int) -> Response:
    """Give the role that was chosen: "maker", or "trainer:tanger"."""
    _, actor = reading()
    with writing() as session:
        role, lab_id = chosen_role(session, request.form.get("role", ""))
        given = grant_role(session, actor, member_id, role, lab_id, utc_now())
        names = {lab.id: lab.names["en"] for lab in labs(session)}
    which = ROLE_WORDS[role] + (f" of {names[lab_id]}" if lab_id else "")
    said = f"The role is given: {which}." if given else f"They have this role already: {which}."
    flash(said, "good" if given else "info")
    return back(member_id)


@blueprint.get("/staff/members/<id:member_id>/role-removal")
def role_removal(member_id: int) -> str:
    """Ask before a role (?role=trainer:tanger) is taken away."""
    session, actor = reading()
    found = seen(session, actor, member_id)
    chosen = request.args.get("role", "")
    role, lab_id = chosen_role(session, chosen)
    if not may_remove_role(actor, role, lab_id):
        raise not_allowed("This role is not yours to take away.")
    name = ROLE_WORDS[role] + (f" of {_lab_name(session, lab_id)}" if lab_id else "")
    return ask(
        found,
        title=f"Take a role away from {found.name}?",
        text=f"{name}: what only this role allows ends at once. Bookings and certifications stay.",
        button="Yes, take it away",
        action=url_for("pages.role_removed", member_id=member_id),
        fields=[("role", chosen)],
    )


@blueprint.post("/staff/members/<id:member_id>/role-removal")
def role_removed(member_id: int) -> Response:
    _, actor = reading()
    try:
        with writing() as session:
            role, lab_id = chosen_role(session, request.form.get("role", ""))
            remove_role(session, actor, member_id, role, lab_id, utc_now())
    except DomainError as error:
        return told(error, member_id)
    flash("The role is taken away.", "good")
    return back(member_id)


def _lab_name(session: Session, lab_id: int) -> str:
    return next(lab.names["en"] for lab in labs(session) if lab.id == lab_id)
