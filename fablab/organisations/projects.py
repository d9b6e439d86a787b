"""Verbs about projects: a member's own, or an organisation's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.members.rules import Actor
from fablab.organisations.catalogue import Catalogue
from fablab.organisations.models import Project
from fablab.organisations.queries import ProjectView, project, standing
from fablab.organisations.rules import (
    OUTSIDE,
    Standing,
    may_change_project,
    may_have_projects,
    may_see_project,
    name_refusals,
)
from fablab.organisations.service import locked


def begin_project(
    session: Session,
    actor: Actor,
    name: str,
    filiere: str,
    programme: str | None,
    words: Catalogue,
    now: datetime,
    *,
    organisation: str | None = None,
) -> ProjectView:
    """Begin a project of one's own, or of an organisation (slug) one belongs to."""
    if not may_have_projects(actor):
        raise not_allowed("Operators look at the network and change nothing in it.")
    organisation_id = None
    if organisation is not None:
        found, place = locked(session, actor, organisation)
        if not place.member:
            raise not_allowed("Only its members may begin projects of an organisation.")
        organisation_id = found.id
    name = name.strip()
    if refusals := [*name_refusals(name), *_unknown(words, filiere, programme)]:
        raise refused(*refusals)
    made = Project(
        organisation_id=organisation_id,
        member_id=actor.member_id,
        name=name,
        filiere=filiere,
        programme=programme,
        created_at=now,
    )
    session.add(made)
    session.flush()
    return _view(session, made.id)


def edit_project(
    session: Session,
    actor: Actor,
    project_id: int,
    words: Catalogue,
    *,
    name: str | None = None,
    filiere: str | None = None,
    programme: str | None = None,
    without_programme: bool = False,
) -> ProjectView:
    """Change what is given. Slugs that it has already may stay, though gone from the network's list."""
    found = _locked(session, actor, project_id)
    if found.closed_at is not None:
        raise refused(Refusal("project_closed", "project", "The project is closed."))
    new_name = found.name if name is None else name.strip()
    new_filiere = filiere or found.filiere
    new_programme = None if without_programme else programme or found.programme
    if refusals := [*name_refusals(new_name), *_unknown(words, new_filiere, new_programme, found)]:
        raise refused(*refusals)
    found.name, found.filiere, found.programme = new_name, new_filiere, new_programme
    session.flush()
    return _view(session, project_id)


def close_project(session: Session, actor: Actor, project_id: int, now: datetime) -> ProjectView:
    """Close a project: nobody books for it any more. Closing it again changes nothing."""
    found = _locked(session, actor, project_id)
    if found.closed_at is None:
        found.closed_at = now
        session.flush()
    return _view(session, project_id)


def visible_project(session: Session, actor: Actor, project_id: int) -> ProjectView:
    """A project the actor may see; others do not exist for them."""
    found = project(session, project_id)
    if found is None or not may_see_project(actor, found.member_id, _standing(session, actor, found)):
        raise not_found("project")
    return found


def changeable(session: Session, actor: Actor, found: ProjectView) -> bool:
    """Whether the actor may change a project."""
    place = _standing(session, actor, found)
    return may_change_project(actor, found.member_id, place, found.organisation_id is not None)


def _standing(session: Session, actor: Actor, found: ProjectView) -> Standing:
    if found.organisation_id is None:
        return OUTSIDE
    return standing(session, found.organisation_id, actor.member_id)


def _locked(session: Session, actor: Actor, project_id: int) -> Project:
    seen = visible_project(session, actor, project_id)
    if not changeable(session, actor, seen):
        raise not_allowed("Only who began the project, or an owner of the organisation, may change it.")
    if seen.organisation_slug is not None:
        locked(session, actor, seen.organisation_slug)
    return session.scalars(
        select(Project)
        .where(Project.id == project_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _unknown(
    words: Catalogue, filiere: str, programme: str | None, before: Project | None = None
) -> list[Refusal]:
    refusals = []
    if filiere not in words.filieres and (before is None or before.filiere != filiere):
        refusals.append(Refusal("invalid", "filiere", "Please choose one of the creative fields."))
    known = programme is None or programme in words.programmes
    if not known and (before is None or before.programme != programme):
        refusals.append(Refusal("invalid", "programme", "There is no such programme."))
    return refusals


def _view(session: Session, project_id: int) -> ProjectView:
    found = project(session, project_id)
    assert found is not None, "it is in this transaction"
    return found
