"""The one place where an error becomes an answer: problem+json for programs, a page for people."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, redirect, render_template, request
from jinja2 import TemplateNotFound
from marshmallow import ValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from fablab.errors import Alternative, Code, DomainError, Refusal
from fablab.logs import logger
from fablab.web.database import db
from fablab.web.language import caller_language, refusal_json, told
from fablab.web.preconditions import HEADER

log = logger("web")

STATUS = {
    Code.UNREADABLE: 400,
    Code.NOT_SIGNED_IN: 401,
    Code.NOT_ALLOWED: 403,
    Code.NOT_FOUND: 404,
    Code.CLASH: 409,
    Code.STALE: 409,
    Code.REFUSED: 422,
    Code.TOO_MANY: 429,
    Code.INTERNAL: 500,
}
# What requests are refused with before a domain has seen them.
REFUSAL_CODES = {
    "wrong_password": "The password or code is not the member's, or none is given and the sign-in is old.",
    "idempotency_key_reused": "The key was used for another request, or its answer was a secret not kept.",
}
SIGN_IN_PATH = "/sign-in"
# Parts of addresses that let in whoever has them: never logged, never told to the next page.
SECRET_PARTS = frozenset({"link", "secret", "key"})
# Seconds after which whoever was turned away for want of the database may come again.
RETRY_AFTER_S = 5


def init_app(app: Flask) -> None:
    app.register_error_handler(DomainError, _domain_error)
    app.register_error_handler(ValidationError, _validation_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _unavailable)
    app.register_error_handler(PoolTimeoutError, _unavailable)
    app.register_error_handler(Exception, _unexpected)


def wants_problem() -> bool:
    """Whether the caller is a program: everything below /api, and whoever asks for JSON."""
    return request.path.startswith("/api/") or (
        request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
    )


def problem(
    status: int,
    code: str,
    detail: str,
    refusals: Sequence[Refusal] = (),
    alternatives: Sequence[Alternative] = (),
) -> Response:
    """An answer as RFC 9457 has it, in the caller's language, with what a booking needs beside it."""
    body = {
        "type": f"/api/docs#{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": told(detail, refusals),
        "code": code,
        "refusals": [refusal_json(each) for each in refusals],
        "alternatives": [
            {
                "machine": each.machine,
                "lab": each.lab,
                "starts_at": each.starts_at.isoformat(),
                "ends_at": each.ends_at.isoformat(),
            }
            for each in alternatives
        ],
    }
    answer = Response(
        json.dumps(body, ensure_ascii=False), status=status, content_type="application/problem+json"
    )
    answer.headers["Content-Language"] = caller_language()
    answer.vary.add("Accept-Language")
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="fablab"'
    return answer


def _domain_error(error: DomainError) -> Any:
    _give_up()
    status = STATUS[error.code]
    if error.code is Code.STALE and HEADER in request.headers:
        status = HTTPStatus.PRECONDITION_FAILED
    if error.code is Code.NOT_SIGNED_IN and not wants_problem():
        return redirect(f"{SIGN_IN_PATH}?{urlencode({'next': _page_asked_for()})}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unexpected(error)
    answer = _answer(status, error.code, error.message, error.refusals, error.alternatives)
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _path_to_log() -> str:
    """The path; of links sent by mail, which open an account, only their kind."""
    rule = request.url_rule
    return rule.rule if rule is not None and rule.arguments & SECRET_PARTS else request.path


def _page_asked_for() -> str:
    """Where to go after signing in. A form is not sent again: that is the page it was on, else home."""
    if request.method in {"GET", "HEAD"}:
        return request.full_path.rstrip("?")
    page = urlsplit(request.referrer or "")
    if (page.scheme, page.netloc) != (request.scheme, request.host) or not page.path:
        return "/"
    return f"{page.path}?{page.query}" if page.query else page.path


def _validation_error(error: ValidationError) -> Any:
    _give_up()
    return _invalid(422, error.messages)


def _http_error(error: HTTPException) -> Any:
    _give_up()
    if error.code is None or error.code < 400:
        return error
    messages = (getattr(error, "data", None) or {}).get("messages")
    if messages:
        return _invalid(error.code, messages)
    answer = _answer(error.code, _code_of(error), error.description or error.name)
    # Allow, Retry-After and the like belong to the status.
    kept = {name: value for name, value in error.get_headers() if name.lower() not in _OWN_HEADERS}
    answer.headers.update(kept)
    return answer


def _unavailable(error: OperationalError | PoolTimeoutError) -> Any:
    """The database is away or too busy: a lock or a connection was not to be had in time."""
    _give_up()
    trouble = str(getattr(error, "orig", error)).strip().splitlines()[0]
    log.warning("database_unavailable", method=request.method, path=_path_to_log(), trouble=trouble)
    answer = _answer(503, "unavailable", "The service is too busy just now. Try again in a moment.")
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def _unexpected(error: Exception) -> Any:
    """Log everything, tell nothing but a reference by which the log can be searched."""
    _give_up()
    reference = secrets.token_hex(4)
    log.error(
        "unexpected_error", reference=reference, method=request.method, path=_path_to_log(), exc_info=error
    )
    return _answer(500, Code.INTERNAL, f"Something went wrong on our side (reference {reference}).")


def _invalid(status: int, messages: Any) -> Response:
    refusals = list(_refusals(messages))
    code = Code.UNREADABLE if status == HTTPStatus.BAD_REQUEST else "invalid"
    detail = "; ".join(f"{each.field}: {each.message}" for each in refusals[:5])
    return _answer(status, code, detail, refusals)


def _refusals(messages: Any) -> Iterator[Refusal]:
    """Refusals from what marshmallow and webargs collected: {location: {field: [text]}}, or deeper."""
    for location, fields in messages.items() if isinstance(messages, Mapping) else [("body", messages)]:
        if isinstance(fields, Mapping) and location in {"json", "query", "headers", "form", "path"}:
            yield from _fields(fields, "")
        else:
            yield from _fields({"body" if location == "json" else location: fields}, "")


def _fields(messages: Mapping[Any, Any], above: str) -> Iterator[Refusal]:
    for name, found in messages.items():
        field = (above.rstrip(".") or "body") if name == "_schema" else f"{above}{name}"
        if isinstance(found, Mapping):
            yield from _fields(found, f"{field}.")
        else:
            texts = [found] if isinstance(found, str) else found
            yield from (Refusal("invalid", field, str(text)) for text in texts)


def _answer(
    status: int,
    code: str,
    detail: str,
    refusals: Sequence[Refusal] = (),
    alternatives: Sequence[Alternative] = (),
) -> Response:
    if wants_problem():
        return problem(status, code, detail, refusals, alternatives)
    title = HTTPStatus(status).phrase
    try:
        page = render_template("error.html", status=status, title=title, detail=detail, refusals=refusals)
    except TemplateNotFound:
        return Response(
            f"{status} {title}\n{detail}\n", status=status, content_type="text/plain; charset=utf-8"
        )
    return Response(page, status=status, content_type="text/html; charset=utf-8")


def _code_of(error: HTTPException) -> str:
    if type(error).__name__ == "CSRFError":
        return "csrf"
    return {400: Code.UNREADABLE, 404: Code.NOT_FOUND}.get(
        error.code or 0, error.name.lower().replace(" ", "_")
    )


def _give_up() -> None:
    """Whatever the view had begun is not kept, and its connection goes back."""
    db.session.rollback()


_OWN_HEADERS = {"content-type", "content-length"}
