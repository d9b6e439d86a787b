"""The door, and what mails lead to. Whoever is inside already is sent on."""

from __future__ import annotations

from typing import Any

from fablab.signin import links
from tests.fixtures_cast import PASSWORD
from tests.web.permissions import Row
from tests.web.permissions.world import World

NEW = "violet tram sugar"
HIND = {"name": "Hind", "email": "hind@example.org", "password": NEW, "language": "fr"}
LINK = {"link": "$link_to_reset"}

ROWS: dict[str, Row] = {
    "GET /sign-in": Row(302, anonymous=200),
    "POST /sign-in": Row(303, anonymous=303, form={"email": "amina@example.org", "password": PASSWORD}),
    "POST /sign-out": Row(303, anonymous=303),
    "GET /forgotten": Row(200, anonymous=200),
    "POST /forgotten": Row(200, anonymous=200, form={"email": "nobody@example.org"}),
    "GET /reset/<link>": Row(200, anonymous=200, at=LINK),
    "POST /reset": Row(303, anonymous=303, form={**LINK, "password": NEW}),
    "GET /confirm/<link>": Row(200, anonymous=200, at={"link": "$link_to_verify"}),
    "POST /confirm": Row(303, anonymous=303, form={"link": "$link_to_verify"}),
    "GET /join": Row(302, anonymous=200),
    "POST /join": Row(200, anonymous=200, form=HIND),
}


def things(world: World) -> dict[str, Any]:
    amina = world.cast.members["amina"]
    return {
        f"link_to_{purpose}": links.make(world.session, amina, purpose, "amina@example.org", world.now)
        for purpose in ("reset", "verify")
    }
