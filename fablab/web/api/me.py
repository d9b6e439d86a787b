"""The signed-in member and the member's tokens."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.clock import utc_now
from fablab.machines.queries import labs
from fablab.members.queries import member_by_id, tokens_of
from fablab.members.service import add_token, revoke_token
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes, writes_secret
from fablab.web.schemas import me as shape
from fablab.web.schemas.base import page_of

blueprint = Blueprint("me", "Oneself")


@blueprint.get("/me")
@blueprint.response(200, shape.MeOut)
def get_me() -> dict[str, Any]:
    """Who one is signed in as, and with which roles."""
    actor = current_actor()
    member = member_by_id(session(), actor.member_id)
    assert member is not None, "an actor is a member"
    roles = [name for name in ("maker", "operator", "admin") if getattr(actor, name)]
    for lab in labs(session()) if actor.managed_labs | actor.trained_labs else []:
        roles += [f"manager:{lab.slug}"] if lab.id in actor.managed_labs else []
        roles += [f"trainer:{lab.slug}"] if lab.id in actor.trained_labs else []
    return {"id": member.id, "name": member.name, "email": member.email, "roles": roles}


@blueprint.get("/me/tokens")
@blueprint.response(200, page_of(shape.TokenOut, "TokenPage"))
def list_tokens() -> dict[str, Any]:
    """One's own tokens that still work, without their secrets."""
    return {"items": tokens_of(session(), current_actor().member_id, utc_now()), "next": None}


@blueprint.post("/me/tokens")
@writes_secret
@blueprint.arguments(shape.TokenIn)
@blueprint.response(201, shape.NewTokenOut)
def post_token(body: dict[str, Any]) -> dict[str, Any]:
    """Make a token for a program. The answer is the only time it is shown."""
    actor = current_actor()
    made, plain = add_token(
        session(), actor.member_id, body["name"], body["scope"], utc_now(), days=body["days"], actor=actor
    )
    return {**vars(made), "token": plain}


@blueprint.delete("/me/tokens/<id:token_id>")
@writes
@blueprint.response(204)
def delete_token(token_id: int) -> Response:
    """End a token."""
    revoke_token(session(), current_actor(), token_id, utc_now())
    return Response(status=204)
