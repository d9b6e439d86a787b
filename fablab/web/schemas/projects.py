"""Projects as JSON."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from fablab.organisations.queries import ProjectView
from fablab.organisations.rules import NAME_MAX
from fablab.web.schemas.base import (
    Cursor,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    Text,
    a_number,
    person,
)
from fablab.web.schemas.organisations import a_name


class ProjectsQuery(PageQuery):
    organisation = Slug()
    closed = fields.Boolean(load_default=False, metadata={"description": "Closed ones too"})
    cursor = Cursor(a_name, a_number)


class ProjectIn(Strict):
    name = Text(NAME_MAX, 1, required=True)
    filiere = Slug(required=True, metadata={"description": "One of /filieres"})
    programme = Slug(load_default=None, allow_none=True, metadata={"description": "One of /programmes"})
    organisation = Slug(
        load_default=None, allow_none=True, metadata={"description": "Null: a project of one's own"}
    )


class ProjectPatch(Strict):
    name = Text(NAME_MAX, 1)
    filiere = Slug()
    programme = Slug(allow_none=True)


class ProjectOut(Strict):
    id = fields.Integer()
    name = fields.String()
    filiere = fields.String()
    programme = fields.String(allow_none=True)
    organisation = fields.String(allow_none=True)
    member = fields.Nested(PersonOut, metadata={"description": "Who began it"})
    created_at = Instant()
    closed_at = Instant(allow_none=True)


def project_json(found: ProjectView) -> dict[str, Any]:
    member = person(found.member_id, found.member_name)
    return {**vars(found), "organisation": found.organisation_slug, "member": member}
