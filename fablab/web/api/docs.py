"""What the OpenAPI document says of the interface as a whole (its page: fablab.web.pages.api_docs)."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Flask
from flask_smorest import Api

from fablab.bookings.rules import REFUSAL_CODES
from fablab.errors import Code
from fablab.web.auth import public
from fablab.web.errors import STATUS

INTRODUCTION = (
    "Booking of machines and telemetry from machines.\n\nSend `Authorization: Bearer TOKEN`. Instants are "
    "RFC 3339 with offset, durations ISO 8601. Lists are `{items, next}`, and `next` is the `cursor` of the "
    "following page. Errors are application/problem+json with a stable `code` and one entry in `refusals` "
    "for every rule or field that says no. A POST with an `Idempotency-Key` may be sent again without harm."
)
PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "refusals": {"type": "array", "items": {"$ref": "#/components/schemas/RefusalOut"}},
        "alternatives": {"type": "array", "items": {"$ref": "#/components/schemas/AlternativeOut"}},
    },
}


def introduction() -> str:
    """The introduction with every code a request can be refused with, from where they are declared."""
    codes = "\n".join(f"- `{code}`: {STATUS[code]}" for code in Code)
    rules = "\n".join(f"- `{code}`: {sentence}" for code, sentence in REFUSAL_CODES.items())
    return f"{INTRODUCTION}\n\nCodes and their status:\n\n{codes}\n\nWhy a booking is refused:\n\n{rules}\n"


def init_app(app: Flask, api: Api) -> None:
    """Describe errors once for all operations, and open the document to everybody."""
    api.spec.components.schema("Problem", PROBLEM)
    for operations in api.spec._paths.values():
        for operation in operations.values():
            if isinstance(operation, dict):
                _promise_problems(operation)
    document = "api-docs.openapi_json"
    app.view_functions[document] = public(partial(app.view_functions[document]))


def _promise_problems(operation: dict[str, Any]) -> None:
    """Errors look the same everywhere."""
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    responses["default"] = {
        "description": "Refused; see `code` and `refusals`",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
