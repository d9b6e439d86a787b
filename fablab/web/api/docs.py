"""What the OpenAPI document says of the interface as a whole (its page: fablab.web.pages.api_docs)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask
from flask_smorest import Api

from fablab import errors
from fablab.bookings import rules as bookings
from fablab.bookings import rules_changes, rules_handover, rules_presence, rules_waiting, series_plan
from fablab.certifications import rules as certifications
from fablab.data_rights import rules as data_rights
from fablab.errors import Code
from fablab.imports import rules as imports
from fablab.machines import rules as machines
from fablab.members import rules as members
from fablab.organisations import rules as organisations
from fablab.signin import rules as signin
from fablab.web import errors as web
from fablab.web.auth import public
from fablab.web.idempotency import takes_key
from fablab.web.preconditions import takes_version
from fablab.webhooks import rules as webhooks

INTRODUCTION = (
    "Booking of machines and telemetry from machines.\n\nSend `Authorization: Bearer TOKEN`. Instants are "
    "RFC 3339 with offset, durations ISO 8601. `Accept-Language` fr, ar or en chooses the language of what a "
    "rule says; English without it. Lists are `{items, next}`, and `next` is the `cursor` of the "
    "following page. Errors are application/problem+json with a stable `code` and one entry in `refusals` "
    "for every rule or field that says no. A POST among whose parameters is an `Idempotency-Key` "
    "may be sent again with it without harm."
)
# Every status a refusal has, its name in the document and its sentence.
REFUSALS = {
    "400": ("Unreadable", "The request cannot be understood, or a browser's lacks the page's CSRF token"),
    "401": ("NotSignedIn", "No token, or one that is not valid"),
    "403": ("NotAllowed", "Known, but not permitted: the role, or a token that may only read"),
    "404": ("NotFound", "Does not exist, or may not be seen"),
    "409": ("Clash", "Taken, changed meanwhile, or an Idempotency-Key that was used for something else"),
    "412": ("Stale", "It is not what the version in `If-Match` was any more"),
    "413": ("TooLarge", "The body is too large"),
    "415": ("NotJson", "The body is not JSON"),
    "422": ("Refused", "One or more fields or rules say no; `refusals` lists them all"),
    "429": ("TooMany", "Too often in too short a time"),
    "503": ("Unavailable", "Too busy just now"),
}
ANYWHERE = ("401", "403", "429", "503")
WRITING = ("400", "404", "409", "413", "415", "422")
# Where a refusal says when to come again, and how to sign in.
HEADERS = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    "429": {"Retry-After": {"schema": {"type": "integer", "minimum": 0}, "required": True}},
    "503": {"Retry-After": {"schema": {"type": "integer", "minimum": 0}, "required": True}},
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Sent again with the same key and body, a request gives its first answer once more",
    "schema": {"type": "string", "minLength": 1, "maxLength": 120, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}
VERSION = {
    "name": "If-Match",
    "in": "header",
    "description": "The `ETag` of what was read: refused with 412 where it was changed since",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": '^(\\*|"[0-9]{1,18}")$'},
}
# What is refused, and the codes of its refusals.
REASONS = {
    "anything": {**errors.REFUSAL_CODES, **web.REFUSAL_CODES},
    "a booking": {
        **bookings.REFUSAL_CODES,
        **rules_changes.REFUSAL_CODES,
        **rules_handover.REFUSAL_CODES,
        **rules_presence.REFUSAL_CODES,
        **rules_waiting.REFUSAL_CODES,
        **series_plan.REFUSAL_CODES,
    },
    "something about hours or repetitions": machines.REFUSAL_CODES,
    "something about certifications or trainings": certifications.REFUSAL_CODES,
    "something about members": members.REFUSAL_CODES,
    "something about organisations or projects": organisations.REFUSAL_CODES,
    "something about signing in": signin.REFUSAL_CODES,
    "an erasure": data_rights.REFUSAL_CODES,
    "an imported file": imports.REFUSAL_CODES,
    "a webhook": webhooks.REFUSAL_CODES,
}
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
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
    codes = "\n".join(f"- `{code}`: {web.STATUS[code]}" for code in Code)
    rules = "".join(
        f"\n\nWhy {what} is refused:\n\n" + "\n".join(f"- `{code}`: {said}" for code, said in why.items())
        for what, why in REASONS.items()
    )
    return f"{INTRODUCTION}\n\nCodes and their status:\n\n{codes}{rules}\n"


def init_app(app: Flask, api: Api) -> None:
    """Describe refusals and keys once for all operations, name the parts, open the document to everybody."""
    api.spec.components.schema("Problem", PROBLEM)
    api.spec.components.parameter("IdempotencyKey", "header", KEY)
    api.spec.components.parameter("IfMatch", "header", VERSION)
    for status, (name, sentence) in REFUSALS.items():
        api.spec.components.response(name, _refusal(status, sentence))
    with_key = _paths_of(app, "POST", takes_key)
    with_version = {method: _paths_of(app, method.upper(), takes_version) for method in ("post", "patch")}
    for path, operations in api.spec._paths.items():
        for method, operation in operations.items():
            if isinstance(operation, dict):
                _promise(
                    path,
                    method,
                    operation,
                    with_key=method == "post" and path in with_key,
                    with_version=path in with_version.get(method, ()),
                )
    for tag in api.spec._tags:
        tag["name"] = _title(tag["name"])
    document = "api-docs.openapi_json"
    app.view_functions[document] = public(partial(app.view_functions[document]))


def _refusal(status: str, sentence: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    headers = {"headers": HEADERS[status]} if status in HEADERS else {}
    return {"description": sentence, "content": content, **headers}


def _paths_of(app: Flask, method: str, takes: Callable[[object], bool]) -> set[str]:
    """The paths, as the document writes them, whose views of this method take something."""
    return {
        _ARGUMENT.sub(r"{\1}", rule.rule)
        for rule in app.url_map.iter_rules()
        if method in (rule.methods or ()) and takes(app.view_functions[rule.endpoint])
    }


def _promise(
    path: str, method: str, operation: dict[str, Any], *, with_key: bool, with_version: bool
) -> None:
    """The statuses an operation may refuse with, and the headers that it heeds."""
    responses = operation.setdefault("responses", {})
    for status in ("default", "422"):
        responses.pop(status, None)
    parameters = operation.setdefault("parameters", [])
    if with_key:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if with_version:
        parameters.append({"$ref": "#/components/parameters/IfMatch"})
    statuses = {*ANYWHERE, "412"} if with_version else {*ANYWHERE}
    if method != "get":
        statuses |= {*WRITING}
    if "{" in path:
        statuses.add("404")
    if parameters and method == "get":
        statuses |= {"404", "422"}
    for status in sorted(statuses):
        responses[status] = {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}
    operation["tags"] = [_title(tag) for tag in operation.get("tags", ())]


def _title(tag: str) -> str:
    """How a blueprint is called for people: "api_data_rights" is "Data rights"."""
    return tag.removeprefix("api_").replace("_", " ").capitalize()
