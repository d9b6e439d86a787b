"""The audit, for admins."""

from __future__ import annotations

from typing import Any

from fablab.members.audit import acts
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor
from fablab.web.schemas import audit as shape
from fablab.web.schemas.base import page, page_of

blueprint = Blueprint("audit", "Who did what to whom")


@blueprint.get("/audit")
@blueprint.arguments(shape.AuditQuery, location="query")
@blueprint.response(200, page_of(shape.ActOut, "ActPage"))
def list_acts(query: dict[str, Any]) -> dict[str, Any]:
    """Changes of rights, acts on behalf of others, overrides, exports; the newest first. Admins only."""
    found = acts(
        session(),
        current_actor(),
        actions=[query["action"]] if "action" in query else (),
        actor_id=query.get("actor"),
        on_member_id=query.get("on"),
        lab=query.get("lab"),
        since=query.get("since"),
        until=query.get("until"),
        before=query["cursor"][0] if "cursor" in query else None,
        limit=query["limit"] + 1,
    )
    return page(found, query["limit"], shape.act_json, lambda each: [each.id])
