"""Rules of bookings. The one that is set is Tanger's: its staff read it, Salma may take it away."""

from __future__ import annotations

from typing import Any

from fablab.bookings.rule_changes import RuleWish, set_rule
from tests.web.permissions import Row
from tests.web.permissions.world import World

MAKERS = {"amina": 404, "youssef": 404}
READERS = {**MAKERS, "trainer": 403, "nadia": 403}

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
    "GET /staff/rules": Row(200, **MAKERS),
    "GET /staff/rules/explained": Row(200, **MAKERS),
    "GET /staff/rules/<name>/value": Row(200, **READERS, at={"name": "min_s"}),
    "POST /staff/rules/<name>/value": Row(
        303,
        **READERS,
        karim=403,
        at={"name": "min_s"},
        form={"value": "30", "unit": "minutes", "lab": "tanger"},
    ),
    "GET /staff/rules/<id:rule_id>/removal": Row(200, **READERS, karim=404, at={"rule_id": "$rule"}),
    "POST /staff/rules/<id:rule_id>/removal": Row(
        303, **READERS, karim=404, at={"rule_id": "$rule"}, form={}
    ),
}


def things(world: World) -> dict[str, Any]:
    wish = RuleWish("min_s", 900, lab="tanger")
    return {"rule": set_rule(world.session, world.cast.actors["admin"], wish, world.now, ()).row.id}
