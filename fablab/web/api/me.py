"""The signed-in member and the member's tokens."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.clock import utc_now
from fablab.machines.queries import labs
from fablab.members.profile import change_profile
from fablab.members.rules import Actor
from fablab.signin import sessions
from fablab.signin.queries import SessionView, profile, sessions_of, tokens_of
from fablab.signin.tokens import make_token, revoke_token
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor, current_session
from fablab.web.idempotency import writes, writes_secret
from fablab.web.proof import in_browser_lately
from fablab.web.schemas import me as shape
from fablab.web.schemas.base import page_of
from fablab.web.settings import settings

blueprint = Blueprint("me", "Oneself")


@blueprint.get("/me")
@blueprint.response(200, shape.MeOut)
def get_me() -> dict[str, Any]:
    """Who one is signed in as, and with which roles."""
    return _me(current_actor())


@blueprint.patch("/me")
@writes
@blueprint.arguments(shape.MeIn)
@blueprint.response(200, shape.MeOut)
def patch_me(body: dict[str, Any]) -> dict[str, Any]:
    """Change one's name or the language of one's mails."""
    actor = current_actor()
    change_profile(session(), actor, actor.member_id, body, utc_now())
    return _me(actor)


@blueprint.get("/me/sessions")
@blueprint.response(200, page_of(shape.SignInSessionOut, "SignInSessionPage"))
def list_sessions() -> dict[str, Any]:
    """The browsers one is signed in with, the one seen last first."""
    found = sessions_of(session(), current_actor().member_id, utc_now())
    return {"items": [_session(each) for each in found], "next": None}


@blueprint.delete("/me/sessions/<id:session_id>")
@writes
@blueprint.response(204)
def delete_session(session_id: int) -> Response:
    """Sign one browser out."""
    sessions.end(session(), current_actor(), session_id, utc_now())
    return Response(status=204)


@blueprint.delete("/me/sessions")
@writes
@blueprint.response(204)
def delete_sessions() -> Response:
    """Sign out everywhere, but for the browser that asks. Tokens stay."""
    actor, here = current_actor(), current_session()
    sessions.end_all(
        session(), actor.member_id, utc_now(), but=here.session_id if here else None, actor=actor
    )
    return Response(status=204)


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
    """Make a token for a program. The answer is the only time it is shown.

    Only a browser's session makes tokens, within ten minutes of signing in: a token that somebody found must
    not make itself another. Without `days` it works for as long as tokens may here: a year, unless the
    network says otherwise.
    """
    in_browser_lately()
    limits = settings().signin
    made, plain = make_token(
        session(),
        current_actor(),
        body["name"],
        body["scope"],
        body["days"],
        utc_now(),
        most=limits.tokens,
        longest_days=limits.token_days,
    )
    return {**vars(made), "token": plain}


@blueprint.delete("/me/tokens/<id:token_id>")
@writes
@blueprint.response(204)
def delete_token(token_id: int) -> Response:
    """End a token."""
    revoke_token(session(), current_actor(), token_id, utc_now())
    return Response(status=204)


def _me(actor: Actor) -> dict[str, Any]:
    member = profile(session(), actor.member_id)
    assert member is not None, "an actor is a member"
    roles = [name for name in ("maker", "operator", "admin") if getattr(actor, name)]
    for lab in labs(session()) if actor.managed_labs | actor.trained_labs else []:
        roles += [f"manager:{lab.slug}"] if lab.id in actor.managed_labs else []
        roles += [f"trainer:{lab.slug}"] if lab.id in actor.trained_labs else []
    return {"id": actor.member_id, **vars(member), "roles": roles}


def _session(found: SessionView) -> dict[str, Any]:
    here = current_session()
    return {**vars(found), "current": here is not None and here.session_id == found.id}
