"""Organisations and projects. Amina owns "atlas-club", where Salma is a member; Youssef's is another one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fablab.members.models import Member
from fablab.organisations.catalogue import catalogue
from fablab.organisations.invitations import digest
from fablab.organisations.models import Invitation, Membership, Organisation, Quota
from fablab.organisations.projects import begin_project
from tests.web.permissions import Row
from tests.web.permissions.world import World

CLUB = {"organisation": "$organisation"}
OUTSIDE = {"youssef": 404, "trainer": 404, "karim": 404}
# Who sees it: its members, the operator and the admin. Who owns it: Amina; the admin may do as owners do.
OWNERS = {**OUTSIDE, "salma": 403, "nadia": 403}
LOOK = {**OUTSIDE, "salma": 403}
ADMINS = {**OUTSIDE, "amina": 403, "salma": 403, "nadia": 403}
OF_SALMA = {**CLUB, "member_id": "$salma"}
PAGE = {"slug": "$organisation"}
PAGE_OF_SALMA = {**PAGE, "member_id": "$salma"}
PROJECT = {"project_id": "$project"}
EDITED = {"name": "Other", "filiere": "design", "programme": ""}
INVITED = {"invitation_id": "$invitation_for_youssef"}
NOT_INVITED = dict.fromkeys(("amina", "trainer", "salma", "karim", "nadia", "admin"), 404)

ROWS: dict[str, Row] = {
    "GET /api/v1/filieres": Row(200),
    "GET /api/v1/programmes": Row(200),
    "GET /api/v1/tariff-categories": Row(200),
    "GET /api/v1/organisations": Row(200),
    "POST /api/v1/organisations": Row(201, nadia=403, json={"name": "New", "kind": "startup"}),
    "GET /api/v1/organisations/<slug:organisation>": Row(200, **OUTSIDE, at=CLUB),
    "PATCH /api/v1/organisations/<slug:organisation>": Row(200, **OWNERS, at=CLUB, json={"name": "Other"}),
    "POST /api/v1/organisations/<slug:organisation>/closure": Row(201, **OWNERS, at=CLUB),
    "DELETE /api/v1/organisations/<slug:organisation>/closure": Row(204, **ADMINS, at=CLUB),
    "GET /api/v1/organisations/<slug:organisation>/members": Row(200, **OUTSIDE, at=CLUB),
    "PATCH /api/v1/organisations/<slug:organisation>/members/<id:member_id>": Row(
        200, **OWNERS, at=OF_SALMA, json={"owner": True}
    ),
    # Salma may leave.
    "DELETE /api/v1/organisations/<slug:organisation>/members/<id:member_id>": Row(
        204, **OUTSIDE, nadia=403, at=OF_SALMA
    ),
    "GET /api/v1/organisations/<slug:organisation>/quotas": Row(200, **OUTSIDE, at=CLUB),
    "POST /api/v1/organisations/<slug:organisation>/quotas": Row(
        201, **ADMINS, at=CLUB, json={"period": "week", "limit_s": 3600}
    ),
    "DELETE /api/v1/organisations/<slug:organisation>/quotas/<id:quota_id>": Row(
        204, **ADMINS, at={**CLUB, "quota_id": "$quota"}
    ),
    "GET /api/v1/organisations/<slug:organisation>/bookings": Row(200, **LOOK, at=CLUB),
    "GET /api/v1/organisations/<slug:organisation>/consumption": Row(200, **LOOK, at=CLUB),
    "GET /api/v1/organisations/<slug:organisation>/invitations": Row(200, **LOOK, at=CLUB),
    "POST /api/v1/organisations/<slug:organisation>/invitations": Row(
        201, **OWNERS, at=CLUB, json={"email": "somebody@example.org"}
    ),
    "DELETE /api/v1/organisations/<slug:organisation>/invitations/<id:invitation_id>": Row(
        204, **OWNERS, at={**CLUB, **INVITED}
    ),
    "GET /api/v1/me/invitations": Row(200),
    "POST /api/v1/me/invitations/<id:invitation_id>/acceptance": Row(201, **NOT_INVITED, at=INVITED),
    "DELETE /api/v1/me/invitations/<id:invitation_id>": Row(204, **NOT_INVITED, at=INVITED),
    "POST /api/v1/invitations/acceptance": Row(422, youssef=201, json={"secret": "for-youssef"}),
    "GET /api/v1/projects": Row(200),
    "POST /api/v1/projects": Row(201, nadia=403, json={"name": "Lamp", "filiere": "design"}),
    "GET /api/v1/projects/<id:project_id>": Row(200, **OUTSIDE, at=PROJECT),
    "PATCH /api/v1/projects/<id:project_id>": Row(200, **OWNERS, at=PROJECT, json={"name": "Other"}),
    "POST /api/v1/projects/<id:project_id>/closure": Row(201, **OWNERS, at=PROJECT),
    "GET /organisations": Row(200),
    "GET /organisations/new": Row(200, nadia=403),
    "POST /organisations/new": Row(303, nadia=403, form={"name": "New", "kind": "startup"}),
    "GET /staff/organisations": Row(404, nadia=200, admin=200),
    "GET /organisations/<slug:slug>": Row(200, **OUTSIDE, at=PAGE),
    "GET /organisations/<slug:slug>/bookings": Row(200, **LOOK, at=PAGE),
    "GET /organisations/<slug:slug>/consumption": Row(200, **LOOK, at=PAGE),
    "GET /organisations/<slug:slug>/settings": Row(200, **LOOK, at=PAGE),
    "POST /organisations/<slug:slug>/invitations": Row(
        303, **OWNERS, at=PAGE, form={"email": "somebody@example.org"}
    ),
    "POST /organisations/<slug:slug>/invitations/<id:invitation_id>/withdrawal": Row(
        303, **OWNERS, at={**PAGE, **INVITED}
    ),
    "POST /organisations/<slug:slug>/members/<id:member_id>/ownership": Row(
        303, **OWNERS, at=PAGE_OF_SALMA, form={"owner": "1"}
    ),
    "GET /organisations/<slug:slug>/members/<id:member_id>/removal": Row(
        200, **OUTSIDE, nadia=403, at=PAGE_OF_SALMA
    ),
    "POST /organisations/<slug:slug>/members/<id:member_id>/removal": Row(
        303, **OUTSIDE, nadia=403, at=PAGE_OF_SALMA
    ),
    "POST /organisations/<slug:slug>/name": Row(303, **OWNERS, at=PAGE, form={"name": "Other"}),
    "POST /organisations/<slug:slug>/terms": Row(
        303, **ADMINS, at=PAGE, form={"kind": "startup", "tariff_category": "partner"}
    ),
    "POST /organisations/<slug:slug>/quotas": Row(
        303, **ADMINS, at=PAGE, form={"hours": "12.5", "period": "week", "machine_kind": ""}
    ),
    "POST /organisations/<slug:slug>/quotas/<id:quota_id>/removal": Row(
        303, **ADMINS, at={**PAGE, "quota_id": "$quota"}
    ),
    "GET /organisations/<slug:slug>/closure": Row(200, **OWNERS, at=PAGE),
    "POST /organisations/<slug:slug>/closure": Row(303, **OWNERS, at=PAGE),
    "POST /organisations/<slug:slug>/reopening": Row(303, **ADMINS, at=PAGE),
    "GET /invitations/<secret>": Row(200, anonymous=200, at={"secret": "for-youssef"}),
    # With another address it says so on the invitation's page.
    "POST /invitations/<secret>/acceptance": Row(303, at={"secret": "for-youssef"}),
    "POST /my-invitations/<id:invitation_id>/acceptance": Row(303, **NOT_INVITED, at=INVITED),
    "POST /my-invitations/<id:invitation_id>/refusal": Row(303, **NOT_INVITED, at=INVITED),
    "GET /projects": Row(200),
    "GET /projects/new": Row(200, nadia=403),
    "POST /projects/new": Row(303, nadia=403, form={"name": "Lamp", "filiere": "design"}),
    "GET /projects/<id:project_id>": Row(200, **OWNERS, at=PROJECT),
    "POST /projects/<id:project_id>": Row(303, **OWNERS, at=PROJECT, form=EDITED),
    "POST /projects/<id:project_id>/closure": Row(303, **OWNERS, at=PROJECT),
}


def things(world: World) -> dict[str, Any]:
    session, cast = world.session, world.cast
    club_id = world.made["organisation_id"]
    session.add(
        Membership(organisation_id=club_id, member_id=cast.members["salma"], owner=False, since=world.now)
    )
    session.get_one(Member, cast.members["youssef"]).email_verified_at = world.now
    invited = Invitation(
        organisation_id=club_id,
        email="youssef@example.org",
        digest=digest("for-youssef"),
        invited_by_id=cast.members["amina"],
        created_at=world.now,
        expires_at=world.now + timedelta(days=7),
    )
    quota = Quota(organisation_id=club_id, kind_id=None, period="month", limit_s=36000)
    session.add_all([invited, quota])
    session.flush()
    club = session.get_one(Organisation, club_id).slug
    project = begin_project(
        session, cast.actors["amina"], "Arm", "design", None, catalogue(), world.now, organisation=club
    )
    return {"invitation_for_youssef": invited.id, "quota": quota.id, "project": project.id}
