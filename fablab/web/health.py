"""For those who watch the service: is it alive, is it ready, how does it do."""

from __future__ import annotations

import os
import time

from flask import Blueprint, Flask, Response, g, jsonify, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from fablab.errors import not_allowed
from fablab.web.auth import current_actor, public
from fablab.web.database import db

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """The process and its database answer."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        answer = jsonify(status="unavailable", database="unreachable")
        answer.status_code = 503
        return answer
    return jsonify(status="ok", database="ok")


@blueprint.get("/metrics")
def metrics() -> Response:
    """Figures of this worker for Prometheus, for operators and admins."""
    actor = current_actor()
    if not (actor.operator or actor.admin):
        raise not_allowed("Metrics are for operators.")
    return Response(generate_latest(_registry), content_type=CONTENT_TYPE_LATEST)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Any of the workers may answer: without its number, their figures would be taken for one series that jumps.
_WORKER = str(os.getpid())

_registry = CollectorRegistry()
_requests = Counter(
    "fablab_http_requests_total",
    "Requests answered",
    ["method", "endpoint", "status", "worker"],
    registry=_registry,
)
_seconds = Histogram(
    "fablab_http_request_seconds",
    "Time to the first byte of the answer",
    ["endpoint", "worker"],
    registry=_registry,
)
_viewers = Gauge("fablab_live_viewers", "Open live streams of this worker", ["worker"], registry=_registry)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)
    _viewers.labels(_WORKER).set_function(lambda: app.extensions["fablab.live"].viewers)

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(answer: Response) -> Response:
        # The endpoint, not the path, and no method of the caller's invention: both are without number.
        endpoint = request.endpoint or "none"
        method = request.method if request.method in METHODS else "OTHER"
        _requests.labels(method, endpoint, answer.status_code, _WORKER).inc()
        if "began" in g:
            _seconds.labels(endpoint, _WORKER).observe(time.perf_counter() - g.began)
        return answer
