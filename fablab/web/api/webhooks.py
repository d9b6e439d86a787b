"""Webhooks: who is told of what, and what became of each telling."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.clock import utc_now
from fablab.errors import not_allowed
from fablab.web.api.base import Blueprint, session
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes, writes_secret
from fablab.web.schemas import webhooks as shape
from fablab.web.schemas.base import page, page_of
from fablab.web.settings import settings
from fablab.webhooks.queries import deliveries, webhooks
from fablab.webhooks.rules import may_have_webhooks
from fablab.webhooks.service import add_webhook, enable_webhook, remove_webhook, the_webhook, try_webhook

blueprint = Blueprint("webhooks", "Telling other programs what happens")


@blueprint.get("/webhooks")
@blueprint.response(200, page_of(shape.WebhookOut, "WebhookPage"))
def list_webhooks() -> dict[str, Any]:
    """Those of the labs you manage, each with what came of the last attempt; for admins all."""
    actor = current_actor()
    if not may_have_webhooks(actor):
        raise not_allowed("Webhooks are for managers of labs and for admins.")
    return {"items": [shape.webhook_json(each) for each in webhooks(session(), actor)], "next": None}


@blueprint.post("/webhooks")
@writes_secret
@blueprint.arguments(shape.WebhookIn)
@blueprint.response(201, shape.NewWebhookOut)
def post_webhook(body: dict[str, Any]) -> dict[str, Any]:
    """Have a program told of events of a lab. The secret that signs is in this answer only.

    422 `bad_address` for http without s and for addresses of private networks.
    """
    made, secret = add_webhook(
        session(), current_actor(), **body, now=utc_now(), private=settings().webhooks.private
    )
    return {**shape.webhook_json(made), "secret": secret}


@blueprint.delete("/webhooks/<id:webhook_id>")
@writes
@blueprint.response(204)
def delete_webhook(webhook_id: int) -> Response:
    """Tell it nothing any more; what still waits is forgotten."""
    remove_webhook(session(), current_actor(), webhook_id, utc_now())
    return Response(status=204)


@blueprint.get("/webhooks/<id:webhook_id>/deliveries")
@blueprint.arguments(shape.DeliveriesQuery, location="query")
@blueprint.response(200, page_of(shape.DeliveryOut, "DeliveryPage"))
def list_deliveries(query: dict[str, Any], webhook_id: int) -> dict[str, Any]:
    """What it was told, the newest first."""
    the_webhook(session(), current_actor(), webhook_id)
    limit = query["limit"]
    found = deliveries(session(), webhook_id, before=query.get("cursor"), limit=limit + 1)
    return page(found, limit, shape.delivery_json, lambda each: [each.created_at, each.id])


@blueprint.post("/webhooks/<id:webhook_id>/test")
@writes
@blueprint.response(201, shape.DeliveryOut)
def post_test(webhook_id: int) -> dict[str, Any]:
    """Send it `webhook.test` within seconds; how it answered is then among its deliveries."""
    delivery_id = try_webhook(session(), current_actor(), webhook_id, utc_now())
    [made] = [each for each in deliveries(session(), webhook_id, limit=50) if each.id == delivery_id]
    return shape.delivery_json(made)


@blueprint.post("/webhooks/<id:webhook_id>/activation")
@writes
@blueprint.response(201, shape.WebhookOut)
def post_activation(webhook_id: int) -> dict[str, Any]:
    """Turn one on again that was turned off because it took nothing for a day."""
    return shape.webhook_json(enable_webhook(session(), current_actor(), webhook_id, utc_now()))
