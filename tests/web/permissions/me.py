"""Oneself and one's tokens. Somebody else's token does not exist, not even for admins."""

from __future__ import annotations

from typing import Any

from fablab.members.service import add_token
from tests.web.permissions import Row
from tests.web.permissions.world import World

ROWS: dict[str, Row] = {
    "GET /api/v1/me": Row(200),
    "GET /api/v1/me/tokens": Row(200),
    "POST /api/v1/me/tokens": Row(201, json={"name": "laptop"}),
    "DELETE /api/v1/me/tokens/<id:token_id>": Row(404, amina=204, at={"token_id": "$token"}),
}


def things(world: World) -> dict[str, Any]:
    token, _ = add_token(world.session, world.cast.members["amina"], "old", "read", world.now)
    return {"token": token.id}
