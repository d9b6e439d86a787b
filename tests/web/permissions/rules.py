"""Rules of bookings. The one that is set is Tanger's: its staff read it, Salma may take it away."""

from __future__ import annotations

from typing import Any

from fablab.bookings.rule_changes import RuleWish, set_rule
from tests.web.permissions import Row
from tests.web.permissions.world import World

MAKERS = {"amina": 404, "youssef": 404}

ROWS: dict[str, Row] = {
    "GET /api/v1/rules": Row(200, **MAKERS),
    "PUT /api/v1/rules": Row(
        200,
        amina=403,
        youssef=403,
        trainer=403,
        karim=403,
        nadia=403,
        json={"name": "max_ahead", "value": 3, "lab": "tanger"},
    ),
    "DELETE /api/v1/rules/<id:rule_id>": Row(
        204, **MAKERS, trainer=403, karim=404, nadia=403, at={"rule_id": "$rule"}
    ),
    "GET /api/v1/rules/names": Row(200),
    "GET /api/v1/machines/<slug:machine>/rules": Row(
        200, youssef=404, trainer=404, karim=404, query={"member": "$amina"}
    ),
}


def things(world: World) -> dict[str, Any]:
    wish = RuleWish("min_s", 900, lab="tanger")
    return {"rule": set_rule(world.session, world.cast.actors["admin"], wish, world.now, ()).row.id}
