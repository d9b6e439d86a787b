"""Webhooks and what they were told as JSON."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from fablab.outbound import URL_MAX
from fablab.web.schemas.base import (
    Cursor,
    Instant,
    PageQuery,
    PersonOut,
    Slug,
    Strict,
    Text,
    a_number,
    an_instant,
    person,
)
from fablab.webhooks.queries import DeliveryView, WebhookView
from fablab.webhooks.rules import EVENTS

_EVENTS = "; ".join(f"`{name}`: {said}" for name, said in EVENTS.items())


class WebhookIn(Strict):
    lab = Slug(
        load_default=None,
        allow_none=True,
        metadata={"description": "Whose events; left out or null: the whole network's, for admins"},
    )
    url = Text(URL_MAX, 1, required=True, metadata={"description": "https, reachable from the internet"})
    events = fields.List(
        Text(40, 1),
        required=True,
        validate=validate.Length(1, len(EVENTS)),
        metadata={"description": _EVENTS},
    )


class WebhookOut(Strict):
    id = fields.Integer()
    lab = fields.String(allow_none=True)
    url = fields.String()
    events = fields.List(fields.String())
    created_at = Instant()
    created_by = fields.Nested(PersonOut, allow_none=True)
    disabled_at = Instant(allow_none=True, metadata={"description": "It took nothing for a day and is off"})
    waiting = fields.Integer(metadata={"description": "How many deliveries are still to arrive"})
    last = fields.Nested(
        Strict.from_dict(
            {
                "delivered_at": Instant(allow_none=True),
                "status": fields.Integer(allow_none=True),
                "trouble": fields.String(),
            },
            name="WebhookLastOut",
        ),
        allow_none=True,
        metadata={"description": "What came of the newest delivery that was tried; null before the first"},
    )


class NewWebhookOut(WebhookOut):
    secret = fields.String(
        metadata={
            "description": "Signs what is sent; shown now and never again. Each request carries "
            "`Fablab-Signature: t=<epoch seconds>,v1=<hex>`: v1 is HMAC-SHA256, keyed with the secret, over "
            "the digits of t, a full stop, and the body as it came. Reckon it again, compare it in constant "
            "time, and turn away what is older than five minutes. `id` in the body (and `Fablab-Delivery`) "
            "is the same at every attempt: take each one once. Answer any 2xx within five seconds; anything "
            "else is tried ten times within a day"
        }
    )


class DeliveriesQuery(PageQuery):
    cursor = Cursor(an_instant, a_number)


class DeliveryOut(Strict):
    id = fields.Integer()
    event = fields.String()
    state = fields.String(validate=validate.OneOf(("waiting", "delivered", "given_up")))
    attempts = fields.Integer()
    created_at = Instant()
    due_at = Instant(allow_none=True, metadata={"description": "When it is tried next; null once it is over"})
    delivered_at = Instant(allow_none=True)
    status = fields.Integer(allow_none=True, metadata={"description": "Of the last answer, null without one"})
    trouble = fields.String()


def webhook_json(found: WebhookView) -> dict[str, Any]:
    """The values of a WebhookOut."""
    tried = found.status is not None or found.trouble
    last = {"delivered_at": found.delivered_at, "status": found.status, "trouble": found.trouble}
    return {
        "id": found.id,
        "lab": found.lab,
        "url": found.url,
        "events": list(found.events),
        "created_at": found.created_at,
        "created_by": person(found.created_by_id, found.created_by_name),
        "disabled_at": found.disabled_at,
        "waiting": found.waiting,
        "last": last if tried else None,
    }


def delivery_json(found: DeliveryView) -> dict[str, Any]:
    """The values of a DeliveryOut."""
    return {
        "id": found.id,
        "event": found.event,
        "state": found.state,
        "attempts": found.attempts,
        "created_at": found.created_at,
        "due_at": found.due_at if found.state == "waiting" else None,
        "delivered_at": found.delivered_at,
        "status": found.status,
        "trouble": found.trouble,
    }
