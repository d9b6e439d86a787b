"""Certifications: list, grant, renew, suspend, resume, revoke."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.certifications import changes
from fablab.certifications.grants import grant
from fablab.certifications.queries import (
    CertificationView,
    Thing,
    certification,
    certifications,
    history,
    thing,
)
from fablab.certifications.rules import (
    may_see_certifications,
    may_see_lab_certifications,
)
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.web.api.base import Blueprint, session, the_lab
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import certifications as shape
from fablab.web.schemas.base import page
from fablab.web.settings import base_url, certification_policy

blueprint = Blueprint("certifications", "Who may use what, and at which level")


def the_thing(query: dict[str, Any]) -> Thing | None:
    """The kind or machine a body or query speaks of; None where it speaks of neither."""
    if query.get("kind") is None and query.get("machine") is None:
        return None
    found = thing(session(), query.get("kind"), query.get("machine"))
    if found is None:
        raise not_found("machine" if query.get("machine") else "kind")
    return found


@blueprint.get("/certifications")
@blueprint.arguments(shape.CertificationsQuery, location="query")
@blueprint.response(200, shape.CertificationPage)
def list_certifications(query: dict[str, Any]) -> dict[str, Any]:
    """Own certifications, whatever their state; for staff those of a member, or what their lab granted."""
    actor, now = current_actor(), utc_now()
    lab = the_lab(query["lab"]) if "lab" in query else None
    member_id = query.get("member") or (None if lab else actor.member_id)
    if lab is not None and not may_see_lab_certifications(actor, lab.id):
        raise not_found("lab")
    if member_id is not None and not may_see_certifications(actor, member_id):
        raise not_found("member")
    kind = the_thing({"kind": query.get("kind")})
    machine = the_thing({"machine": query.get("machine")})
    found = certifications(
        session(),
        member_id=member_id,
        lab_id=lab.id if lab else None,
        kind_id=kind.kind_id if kind else None,
        machine_id=machine.machine_id if machine else None,
        after=query["cursor"][0] if "cursor" in query else None,
        limit=query["limit"] + 1,
    )
    return page(
        found,
        query["limit"],
        lambda each: shape.certification_json(each, now, base_url()),
        lambda each: [each.id],
    )


@blueprint.post("/certifications")
@writes
@blueprint.arguments(shape.CertificationIn)
@blueprint.response(201, shape.CertificationOut)
def post_certification(body: dict[str, Any]) -> dict[str, Any]:
    """Certify a member on a kind (trainers and managers of any lab) or a machine (those of its lab)."""
    on = the_thing(body)
    assert on is not None, "the schema wants one"
    done = grant(
        session(),
        current_actor(),
        body["member"],
        on,
        body["level"],
        utc_now(),
        certification_policy(),
        base_url(),
        lab_id=the_lab(body["lab"]).id if "lab" in body else None,
        expires_on=body.get("expires_on"),
    )
    return _json(done)


@blueprint.get("/certifications/<id:certification_id>")
@blueprint.response(200, shape.CertificationOut)
def get_certification(certification_id: int) -> dict[str, Any]:
    """One certification: an own one, or anybody's for staff."""
    return _json(_seen(certification_id))


@blueprint.get("/certifications/<id:certification_id>/history")
@blueprint.response(200, shape.CertificationChangePage)
def get_certification_history(certification_id: int) -> dict[str, Any]:
    """Every change of a certification: who or what made it, when, and why."""
    zone = _seen(certification_id).zone
    found = history(session(), certification_id)
    return {"items": [shape.certification_change_json(each, zone) for each in found], "next": None}


@blueprint.delete("/certifications/<id:certification_id>")
@writes
@blueprint.arguments(shape.ReasonIn)
@blueprint.response(204)
def delete_certification(body: dict[str, Any], certification_id: int) -> Response:
    """Revoke a certification. It stays in the list, with its history."""
    changes.revoke(session(), current_actor(), certification_id, utc_now(), body["reason"])
    return Response(status=204)


@blueprint.post("/certifications/<id:certification_id>/renewal")
@writes
@blueprint.arguments(shape.RenewalIn)
@blueprint.response(201, shape.CertificationOut)
def post_renewal(body: dict[str, Any], certification_id: int) -> dict[str, Any]:
    """Make a certification good for another period from today; also ends a suspension."""
    return _json(
        changes.renew(session(), current_actor(), certification_id, utc_now(), certification_policy(), **body)
    )


@blueprint.post("/certifications/<id:certification_id>/suspension")
@writes
@blueprint.arguments(shape.ReasonIn)
@blueprint.response(201, shape.CertificationOut)
def post_suspension(body: dict[str, Any], certification_id: int) -> dict[str, Any]:
    """Suspend a certification until the suspension is lifted or it is renewed."""
    return _json(changes.suspend(session(), current_actor(), certification_id, utc_now(), body["reason"]))


@blueprint.delete("/certifications/<id:certification_id>/suspension")
@writes
@blueprint.arguments(shape.ReasonIn)
@blueprint.response(204)
def delete_suspension(body: dict[str, Any], certification_id: int) -> Response:
    """Lift a suspension: the certification is good again."""
    changes.resume(session(), current_actor(), certification_id, utc_now(), body["reason"])
    return Response(status=204)


def _seen(certification_id: int) -> CertificationView:
    found = certification(session(), certification_id)
    if found is None or not may_see_certifications(current_actor(), found.member_id):
        raise not_found("certification")
    return found


def _json(held: CertificationView) -> dict[str, Any]:
    return shape.certification_json(held, utc_now(), base_url())
