"""REST: every endpoint below /api/v1, its OpenAPI document and the page that shows it."""

from __future__ import annotations

from flask import Flask
from flask_smorest import Api

from fablab import __version__
from fablab.web.api import (
    audit,
    bookings,
    calendars,
    catalogue,
    certifications,
    check_in,
    data_rights,
    docs,
    feeds,
    handovers,
    hours,
    imports,
    invitations,
    labs,
    machines,
    me,
    members,
    organisations,
    outages,
    presets,
    projects,
    rules,
    series,
    slots,
    stream,
    trainings,
    usage,
    utilisation,
    waitlist,
    webhooks,
)
from fablab.web.api.base import PREFIX, IdConverter, SlugConverter
from fablab.web.schemas.base import Cursor, Duration, Instant
from fablab.web.schemas.hours import Clock, Wall
from fablab.web.schemas.slots import Length, Near, Numbers, Slugs

PARTS = (
    labs,
    hours,
    machines,
    calendars,
    feeds,
    slots,
    bookings,
    series,
    presets,
    outages,
    rules,
    check_in,
    waitlist,
    handovers,
    usage,
    utilisation,
    stream,
    me,
    data_rights,
    members,
    imports,
    audit,
    organisations,
    invitations,
    projects,
    catalogue,
    certifications,
    trainings,
    webhooks,
)


def init_app(app: Flask) -> None:
    app.config.update(
        API_TITLE="fablab",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=PREFIX,
        OPENAPI_JSON_PATH="openapi.json",
        OPENAPI_JSON_INDENT=None,
        # A page refuses forms without the token; programs carry none and are told apart by their header.
        API_SPEC_OPTIONS={
            "info": {"description": docs.introduction()},
            "security": [{"token": []}],
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        },
    )
    app.url_map.converters.update(slug=SlugConverter, id=IdConverter)
    api = Api()
    api.init_app(app)
    api.register_converter(SlugConverter, _slug_parameter)
    api.register_converter(IdConverter, _id_parameter)
    api.register_field(Instant, "string", "date-time")
    api.register_field(Duration, "string", "duration")
    api.register_field(Cursor, "string", None)
    api.register_field(Clock, "string", None)
    api.register_field(Wall, "string", None)
    for written in (Length, Near, Numbers, Slugs):
        api.register_field(written, "string", None)
    for part in PARTS:
        api.register_blueprint(part.blueprint)
    docs.init_app(app, api)


def _slug_parameter(converter: SlugConverter) -> dict[str, object]:
    return {"type": "string", "maxLength": 60, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}


def _id_parameter(converter: IdConverter) -> dict[str, object]:
    return {"type": "integer", "minimum": 1}
