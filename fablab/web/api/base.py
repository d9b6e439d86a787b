"""The blueprint all endpoints are made from, and what several of them need."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import flask
import flask_smorest
from flask import request
from marshmallow import RAISE
from sqlalchemy.orm import Session
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.routing import BaseConverter, IntegerConverter

from fablab.errors import not_found
from fablab.machines.queries import LabView, MachineView, lab_by_slug, machine_by_slug
from fablab.web.auth import SAFE_METHODS
from fablab.web.database import db
from fablab.web.schemas.base import ID_MOST

PREFIX = "/api/v1"


class Parser(FlaskParser):
    """Refuses unknown query parameters too, and JSON that is broken in whatever way."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}  # noqa: RUF012

    def _raw_load_json(self, req: flask.Request) -> Any:
        try:
            return super()._raw_load_json(req)
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            # Numbers of thousands of digits, brackets nested a thousand deep.
            raise json.JSONDecodeError("unreadable", "?", 0) from error


class Blueprint(flask_smorest.Blueprint):
    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, description: str, *, body: str = "application/json") -> None:
        super().__init__(f"api_{name}", __name__, url_prefix=PREFIX, description=description)
        self.before_request(partial(_only, body))


def _only(body: str) -> None:
    """A body is what it has to be, and says so. Forms of other sites cannot send JSON without asking first.

    Where a form is taken, a browser's session needs the page's token, as it does everywhere.
    """
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if request.method not in SAFE_METHODS and has_body and request.mimetype != body:
        name = "JSON" if body == "application/json" else "a form"
        raise UnsupportedMediaType(f"Send {name}, with Content-Type: {body}.")


class SlugConverter(BaseConverter):
    """A slug in a path; anything else is an address that does not exist."""

    regex = r"[a-z0-9]+(?:-[a-z0-9]+)*"

    def to_python(self, value: str) -> str:
        return value[:61]


class IdConverter(IntegerConverter):
    """A number the database can hold."""

    def __init__(self, map: Any) -> None:
        super().__init__(map, min=1, max=ID_MOST)


def session() -> Session:
    """This request's database session."""
    return db.session()


def the_lab(slug: str) -> LabView:
    lab = lab_by_slug(session(), slug)
    if lab is None:
        raise not_found("lab")
    return lab


def the_machine(slug: str) -> MachineView:
    machine = machine_by_slug(session(), slug)
    if machine is None:
        raise not_found("machine")
    return machine


def span_of(query: dict[str, Any], zone: str, now: datetime, days: int) -> tuple[datetime, datetime]:
    """The range asked for; by default ``days`` local days from the beginning of today."""
    since = query.get("since")
    if since is None:
        until = query.get("until")
        today = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
        since = today if until is None or until > today else until - timedelta(days=days)
    return since, query.get("until") or since + timedelta(days=days)
