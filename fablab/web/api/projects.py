"""Projects: what bookings are for."""

from __future__ import annotations

from typing import Any

from fablab.clock import utc_now
from fablab.organisations import projects, visibility
from fablab.organisations.queries import projects_of, projects_of_organisation
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor
from fablab.web.catalogue import network_words
from fablab.web.idempotency import writes
from fablab.web.schemas import projects as shape
from fablab.web.schemas.base import page, page_of

blueprint = Blueprint("projects", "What bookings are for")


@blueprint.get("/projects")
@blueprint.arguments(shape.ProjectsQuery, location="query")
@blueprint.response(200, page_of(shape.ProjectOut, "ProjectPage"))
def list_projects(query: dict[str, Any]) -> dict[str, Any]:
    """One's own and those of one's organisations, or of one organisation, by name."""
    actor = current_actor()
    wanted = {"closed": query["closed"], "after": query.get("cursor"), "limit": query["limit"] + 1}
    if "organisation" in query:
        found, _ = visibility.visible(session(), actor, query["organisation"])
        shown = projects_of_organisation(session(), found.id, **wanted)
    else:
        shown = projects_of(session(), actor.member_id, **wanted)
    return page(shown, query["limit"], shape.project_json, lambda each: [each.name, each.id])


@blueprint.post("/projects")
@writes
@blueprint.arguments(shape.ProjectIn)
@blueprint.response(201, shape.ProjectOut)
def post_project(body: dict[str, Any]) -> dict[str, Any]:
    """Begin a project of one's own, or of an organisation one belongs to."""
    made = projects.begin_project(
        session(),
        current_actor(),
        body["name"],
        body["filiere"],
        body["programme"],
        network_words(),
        utc_now(),
        organisation=body["organisation"],
    )
    return shape.project_json(made)


@blueprint.get("/projects/<id:project_id>")
@blueprint.response(200, shape.ProjectOut)
def get_project(project_id: int) -> dict[str, Any]:
    """One project, for whoever may see it."""
    return shape.project_json(projects.visible_project(session(), current_actor(), project_id))


@blueprint.patch("/projects/<id:project_id>")
@writes
@blueprint.arguments(shape.ProjectPatch)
@blueprint.response(200, shape.ProjectOut)
def patch_project(body: dict[str, Any], project_id: int) -> dict[str, Any]:
    """Change its name, field or programme."""
    done = projects.edit_project(
        session(),
        current_actor(),
        project_id,
        network_words(),
        name=body.get("name"),
        filiere=body.get("filiere"),
        programme=body.get("programme"),
        without_programme="programme" in body and body["programme"] is None,
    )
    return shape.project_json(done)


@blueprint.post("/projects/<id:project_id>/closure")
@writes
@blueprint.response(201, shape.ProjectOut)
def post_project_closure(project_id: int) -> dict[str, Any]:
    """Close a project: nobody books for it any more."""
    return shape.project_json(projects.close_project(session(), current_actor(), project_id, utc_now()))
