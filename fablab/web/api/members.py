"""The directory of members, for staff: finding, adding, changing, roles, guardians' consents."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.machines.queries import labs
from fablab.members.consent import current_words, record_consent, withdraw_consent
from fablab.members.directory import consents_of, find_members, member_details
from fablab.members.profile import change_profile
from fablab.members.queries import has_consent
from fablab.members.roles import grant_role, remove_role
from fablab.members.rules import Actor, may_look_up_members, may_see_member_details
from fablab.signin.accounts import deactivate, open_account, reactivate
from fablab.web.api.base import Blueprint, session, the_lab
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import members as shape
from fablab.web.schemas.base import page, page_of
from fablab.web.settings import base_url

blueprint = Blueprint("members", "Members and their roles, for staff")


@blueprint.get("/members")
@blueprint.arguments(shape.MembersQuery, location="query")
@blueprint.response(200, page_of(shape.MemberOut, "MemberPage"))
def list_members(query: dict[str, Any]) -> dict[str, Any]:
    """Members by name, all or those who have every word of `q`; first those whose names begin with it."""
    _staff()
    limit = query["limit"]
    found = find_members(session(), query["q"], after=query.get("cursor"), limit=limit + 1)
    slugs = _lab_slugs()
    return page(
        found,
        limit,
        lambda each: {**vars(each), "roles": shape.roles_json(each.roles, slugs)},
        lambda each: each.place,
    )


@blueprint.post("/members")
@writes
@blueprint.arguments(shape.MemberIn)
@blueprint.response(201, shape.OneMemberOut)
def post_member(body: dict[str, Any]) -> dict[str, Any]:
    """Make a maker's account for somebody, who gets a mail to choose a password."""
    made = open_account(session(), current_actor(), **body, now=utc_now(), base_url=base_url())
    return _member(made)


@blueprint.get("/members/<id:member_id>")
@blueprint.response(200, shape.OneMemberOut)
def get_member(member_id: int) -> dict[str, Any]:
    """One member; details for managers and admins only."""
    _staff()
    return _member(member_id)


@blueprint.patch("/members/<id:member_id>")
@writes
@blueprint.arguments(shape.MemberPatch)
@blueprint.response(200, shape.OneMemberOut)
def patch_member(body: dict[str, Any], member_id: int) -> dict[str, Any]:
    """Change name, language or birth date; shut the account or open it again."""
    actor, now = _staff(), utc_now()
    active = body.pop("active", None)
    if body or active is None:
        change_profile(session(), actor, member_id, body, now)
    if active is not None and active != _found(member_id).active:
        (reactivate if active else deactivate)(session(), actor, member_id, now)
    return _member(member_id)


@blueprint.post("/members/<id:member_id>/roles")
@writes
@blueprint.arguments(shape.RoleIn)
@blueprint.response(201, shape.OneMemberOut)
def post_role(body: dict[str, Any], member_id: int) -> dict[str, Any]:
    """Give a role: admins any, managers that of a trainer in their lab. Nobody raises oneself."""
    actor = _staff()
    grant_role(session(), actor, member_id, body["role"], _lab_id(body["lab"]), utc_now())
    return _member(member_id)


@blueprint.delete("/members/<id:member_id>/roles/<slug:role>")
@writes
@blueprint.arguments(shape.RoleQuery, location="query")
@blueprint.response(204)
def delete_role(query: dict[str, Any], member_id: int, role: str) -> Response:
    """Take a role away. The last admin's stays."""
    actor = _staff()
    remove_role(session(), actor, member_id, role, _lab_id(query["lab"]), utc_now())
    return Response(status=204)


@blueprint.get("/consent-words")
@blueprint.response(200, page_of(shape.WordsOut, "ConsentWordsPage"))
def list_consent_words() -> dict[str, Any]:
    """What a guardian agrees to, in each language."""
    words = [{"language": language, "words": text} for language, text in current_words().items()]
    return {"items": words, "next": None}


@blueprint.get("/members/<id:member_id>/consents")
@blueprint.response(200, page_of(shape.ConsentOut, "ConsentPage"))
def list_consents(member_id: int) -> dict[str, Any]:
    """Guardians' consents to a minor's account, withdrawn ones too, newest first."""
    _staff_with_details()
    _found(member_id)
    return {"items": [shape.consent_json(each) for each in consents_of(session(), member_id)], "next": None}


@blueprint.post("/members/<id:member_id>/consents")
@writes
@blueprint.arguments(shape.ConsentIn)
@blueprint.response(201, shape.ConsentOut)
def post_consent(body: dict[str, Any], member_id: int) -> dict[str, Any]:
    """Record that a guardian agreed: who, when, to which words."""
    made = record_consent(session(), current_actor(), member_id, **body, now=utc_now())
    [found] = [each for each in consents_of(session(), member_id) if each.id == made]
    return shape.consent_json(found)


@blueprint.delete("/members/<id:member_id>/consents/<id:consent_id>")
@writes
@blueprint.response(204)
def delete_consent(member_id: int, consent_id: int) -> Response:
    """The guardian takes it back. The record stays, with the date."""
    withdraw_consent(session(), current_actor(), member_id, consent_id, utc_now())
    return Response(status=204)


def _staff() -> Actor:
    """Whoever may look up members; for others there is no directory."""
    actor = current_actor()
    if not may_look_up_members(actor):
        raise not_found("page")
    return actor


def _staff_with_details() -> Actor:
    actor = _staff()
    if not may_see_member_details(actor):
        raise not_found("member")
    return actor


def _found(member_id: int) -> Any:
    found = member_details(session(), member_id)
    if found is None:
        raise not_found("member")
    return found


def _member(member_id: int) -> dict[str, Any]:
    found = _found(member_id)
    details = None
    if may_see_member_details(current_actor()):
        consent = has_consent(session(), member_id)
        details = shape.details_json(found, consent, utc_now().date())
    return {
        "id": found.id,
        "name": found.name,
        "email": found.email,
        "active": found.active,
        "roles": shape.roles_json(found.roles, _lab_slugs()),
        "details": details,
    }


def _lab_id(slug: str | None) -> int | None:
    return None if slug is None else the_lab(slug).id


def _lab_slugs() -> dict[int, str]:
    return {lab.id: lab.slug for lab in labs(session())}
