"""Oneself, one's browsers and tokens. Somebody else's do not exist, not even for admins."""

from __future__ import annotations

from typing import Any

from fablab.signin import sessions
from fablab.signin.models import SignInSession
from fablab.signin.rules import Lengths
from fablab.signin.tokens import add_token
from tests.fixtures_cast import PASSWORD
from tests.web.permissions import Row
from tests.web.permissions.world import World

TOKEN = {"token_id": "$token"}
SESSION = {"session_id": "$session"}
NEW_PASSWORD = {"old": PASSWORD, "password": "violet tram sugar"}

ROWS: dict[str, Row] = {
    "GET /api/v1/me": Row(200),
    "PATCH /api/v1/me": Row(200, json={"language": "ar"}),
    "GET /api/v1/me/tokens": Row(200),
    # A token makes no tokens: tests/web/test_ways_in.py makes one by a session.
    "POST /api/v1/me/tokens": Row(403, json={"name": "laptop"}),
    "DELETE /api/v1/me/tokens/<id:token_id>": Row(404, amina=204, at=TOKEN),
    "GET /api/v1/me/sessions": Row(200),
    "DELETE /api/v1/me/sessions": Row(204),
    "DELETE /api/v1/me/sessions/<id:session_id>": Row(404, amina=204, at=SESSION),
    "GET /account": Row(200),
    "POST /account": Row(303, form={"name": "A new name", "language": "ar"}),
    "POST /account/address": Row(303, form={"email": "new@example.org", "proof": PASSWORD}),
    "POST /account/address/confirmation": Row(303, form={}),
    "GET /account/security": Row(200),
    "POST /account/security/password": Row(303, form=NEW_PASSWORD),
    "POST /account/security/password/link": Row(303, form={}),
    "POST /account/security/sessions/end": Row(303, form={}),
    "POST /account/security/sessions/<id:session_id>/end": Row(404, amina=303, at=SESSION, form={}),
    "GET /account/security/tokens": Row(200),
    "POST /account/security/tokens": Row(200, form={"name": "laptop", "scope": "read", "days": "30"}),
    "POST /account/security/tokens/<id:token_id>/end": Row(404, amina=303, at=TOKEN, form={}),
}


def things(world: World) -> dict[str, Any]:
    amina = world.cast.members["amina"]
    token, _ = add_token(world.session, amina, "old", "read", world.now)
    sessions.begin(
        world.session,
        amina,
        "password",
        world.now,
        second_factor=False,
        remember=False,
        address=None,
        browser="",
        lengths=Lengths(86400, 86400, 86400, 86400),
    )
    newest = world.session.query(SignInSession.id).order_by(SignInSession.id.desc()).limit(1).scalar()
    return {"token": token.id, "session": newest}
