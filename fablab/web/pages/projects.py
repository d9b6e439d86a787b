"""Projects: what bookings are for, one's own and those of one's organisations."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed
from fablab.organisations import projects as verbs
from fablab.organisations.queries import ProjectView, memberships, projects_of
from fablab.organisations.rules import (
    NAME_MAX,
    OUTSIDE,
    Standing,
    may_change_project,
    may_have_projects,
)
from fablab.web.catalogue import network_words
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, errors_of, line
from fablab.web.pages.organisation_words import choices


@blueprint.get("/projects")
def projects() -> str:
    """Open ones first; closed ones behind a line."""
    session, actor = reading()
    belong = memberships(session, actor.member_id, closed=True)
    standings = {each.organisation_id: Standing(True, each.owner) for each in belong}
    found = projects_of(session, actor.member_id, closed=True)
    usable = {each.id for each in projects_of(session, actor.member_id)}

    def may_edit(each: ProjectView) -> bool:
        place = standings.get(each.organisation_id or 0, OUTSIDE)
        return may_change_project(actor, each.member_id, place, each.organisation_id is not None)

    return render_template(
        "projects.html",
        projects=[each for each in found if each.id in usable],
        closed=[each for each in found if each.id not in usable],
        may_edit=may_edit,
        may_begin=may_have_projects(actor),
    )


@blueprint.get("/projects/new")
def new_project() -> str:
    """The form that begins one; ``?organisation=SLUG`` chooses whose."""
    _, actor = reading()
    if not may_have_projects(actor):
        raise not_allowed("Operators look at the network and change nothing in it.")
    return _form(None, {"name": "", "filiere": "", "programme": "", "organisation": line("organisation", 60)})


@blueprint.post("/projects/new")
def begin_project() -> Response | tuple[str, int]:
    _, actor = reading()
    values = _typed()
    try:
        with writing() as session:
            made = verbs.begin_project(
                session,
                actor,
                values["name"],
                values["filiere"],
                values["programme"] or None,
                network_words(),
                utc_now(),
                organisation=values["organisation"] or None,
            )
    except DomainError as error:
        return _again(error, None, values)
    flash(f"{made.name} is there. Choose it when you book.", "good")
    return redirect(url_for("pages.projects"), 303)


@blueprint.get("/projects/<id:project_id>")
def project(project_id: int) -> str:
    """The form that changes one."""
    session, actor = reading()
    found = verbs.visible_project(session, actor, project_id)
    if not verbs.changeable(session, actor, found):
        raise not_allowed("Only who began it, or an owner of its organisation, changes it.")
    return _form(
        found,
        {
            "name": found.name,
            "filiere": found.filiere,
            "programme": found.programme or "",
            "organisation": found.organisation_slug or "",
        },
    )


@blueprint.post("/projects/<id:project_id>")
def edit_project(project_id: int) -> Response | tuple[str, int]:
    _, actor = reading()
    values = _typed()
    try:
        with writing() as session:
            verbs.edit_project(
                session,
                actor,
                project_id,
                network_words(),
                name=values["name"],
                filiere=values["filiere"],
                programme=values["programme"] or None,
                without_programme=not values["programme"],
            )
    except DomainError as error:
        session, actor = reading()
        return _again(error, verbs.visible_project(session, actor, project_id), values)
    flash("Saved.", "good")
    return redirect(url_for("pages.projects"), 303)


@blueprint.post("/projects/<id:project_id>/closure")
def close_project(project_id: int) -> Response:
    _, actor = reading()
    with writing() as session:
        done = verbs.close_project(session, actor, project_id, utc_now())
    flash(f"{done.name} is closed. Its past bookings keep it.", "good")
    return redirect(url_for("pages.projects"), 303)


def _typed() -> dict[str, str]:
    longest = {"name": NAME_MAX, "filiere": 60, "programme": 60, "organisation": 60}
    return {name: line(name, length) for name, length in longest.items()}


def _form(found: ProjectView | None, values: dict[str, str], errors: Errors | None = None) -> str:
    session, actor = reading()
    words = network_words()
    return render_template(
        "project_form.html",
        project=found,
        values=values,
        errors=errors or {},
        filieres=choices(words.filieres, values["filiere"]),
        programmes=choices(words.programmes, values["programme"]),
        organisations=memberships(session, actor.member_id),
    )


def _again(error: DomainError, found: ProjectView | None, values: dict[str, str]) -> tuple[str, int]:
    return _form(found, values, errors_of(error)), 422
