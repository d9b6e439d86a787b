"""Invitations into organisations: sent by owners, answered by whoever has the address."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.clock import utc_now
from fablab.organisations import invitations
from fablab.organisations.queries import invitations_for, open_invitations
from fablab.organisations.visibility import visible_to_owners
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import organisations as shape
from fablab.web.schemas.base import page, page_of
from fablab.web.settings import base_url

blueprint = Blueprint("invitations", "Invitations into organisations")
InvitationPage = page_of(shape.InvitationOut, "InvitationPage")


@blueprint.get("/organisations/<slug:organisation>/invitations")
@blueprint.arguments(shape.InvitationsQuery, location="query")
@blueprint.response(200, InvitationPage)
def list_invitations(query: dict[str, Any], organisation: str) -> dict[str, Any]:
    """Invitations nobody has answered yet, newest first, for its owners."""
    found, _ = visible_to_owners(session(), current_actor(), organisation)
    (before,) = query.get("cursor", (None,))
    shown = open_invitations(session(), found.id, utc_now(), before=before, limit=query["limit"] + 1)
    return page(shown, query["limit"], shape.invitation_json, lambda each: [each.id])


@blueprint.post("/organisations/<slug:organisation>/invitations")
@writes
@blueprint.arguments(shape.InvitationIn)
@blueprint.response(201, shape.InvitationOut)
def post_invitation(body: dict[str, Any], organisation: str) -> dict[str, Any]:
    """Invite an address by mail. The answer does not tell whether it has an account."""
    made = invitations.invite(
        session(),
        current_actor(),
        organisation,
        body["email"],
        utc_now(),
        base_url=base_url(),
        owner=body["owner"],
    )
    return shape.invitation_json(made)


@blueprint.delete("/organisations/<slug:organisation>/invitations/<id:invitation_id>")
@writes
@blueprint.response(204)
def delete_invitation(organisation: str, invitation_id: int) -> Response:
    """Take an invitation back; its link no longer works."""
    invitations.withdraw(session(), current_actor(), organisation, invitation_id, utc_now())
    return Response(status=204)


@blueprint.get("/me/invitations")
@blueprint.arguments(shape.InvitationsQuery, location="query")
@blueprint.response(200, InvitationPage)
def list_own(query: dict[str, Any]) -> dict[str, Any]:
    """Invitations to one's own confirmed address, oldest first."""
    (after,) = query.get("cursor", (None,))
    member_id, limit = current_actor().member_id, query["limit"]
    shown = invitations_for(session(), member_id, utc_now(), after=after, limit=limit + 1)
    return page(shown, limit, shape.invitation_json, lambda each: [each.id])


@blueprint.post("/me/invitations/<id:invitation_id>/acceptance")
@writes
@blueprint.response(201, shape.InvitationOut)
def post_acceptance(invitation_id: int) -> dict[str, Any]:
    """Join the organisation."""
    return shape.invitation_json(invitations.accept(session(), current_actor(), invitation_id, utc_now()))


@blueprint.post("/invitations/acceptance")
@writes
@blueprint.arguments(shape.SecretIn)
@blueprint.response(201, shape.InvitationOut)
def post_acceptance_by_secret(body: dict[str, Any]) -> dict[str, Any]:
    """Join by the secret in a mail's link, with the account that has the address it was sent to."""
    joined = invitations.accept_by_secret(session(), current_actor(), body["secret"], utc_now())
    return shape.invitation_json(joined)


@blueprint.delete("/me/invitations/<id:invitation_id>")
@writes
@blueprint.response(204)
def delete_own(invitation_id: int) -> Response:
    """Say no."""
    invitations.decline(session(), current_actor(), invitation_id, utc_now())
    return Response(status=204)
