"""The one place where the web service is wired together."""

from __future__ import annotations

from flask import Flask
from flask_migrate import Migrate
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.middleware.proxy_fix import ProxyFix

import fablab.models  # noqa: F401  (every table must be known before the first query)
from fablab.db import sessions_on, sqlalchemy_url, web_engine_options
from fablab.organisations.catalogue import catalogue
from fablab.settings import ROOT, Settings, load_settings
from fablab.web import api, auth, errors, health, pages, providers
from fablab.web.database import db
from fablab.web.live import Hub

migrate = Migrate()


def create_app(settings: Settings | None = None) -> Flask:
    """The Flask application. Connects to nothing yet."""
    settings = settings or load_settings()
    # Read by pages and REST; a bad file stops the start, not the first reader.
    catalogue(settings.network.catalogue)
    app = Flask("fablab.web")
    over_https = settings.web.over_https
    app.config.update(
        SECRET_KEY=settings.web.secret_key,
        MAX_CONTENT_LENGTH=settings.web.max_body_bytes,
        SQLALCHEMY_DATABASE_URI=sqlalchemy_url(settings.database.url),
        SQLALCHEMY_ENGINE_OPTIONS=web_engine_options(settings.database),
        SESSION_COOKIE_NAME="__Host-fablab" if over_https else "fablab",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=over_https,
        # Which views are checked is decided in one place (fablab.web.auth), not by the method alone.
        WTF_CSRF_CHECK_DEFAULT=False,
        # A form that stays open over lunch must still work; the token dies with the session.
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    if settings.web.proxies:
        # Only as many of the addresses in X-Forwarded-For are believed as our own proxies have added.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.web.proxies, x_proto=settings.web.proxies
        )
    app.extensions["fablab.settings"] = settings
    db.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"), compare_type=True)
    health.init_app(app)
    auth.init_app(app)
    api.init_app(app)
    providers.init_app(app, settings)
    pages.register(app)
    errors.init_app(app)
    app.extensions["fablab.live"] = _hub(app, settings)
    return app


def _hub(app: Flask, settings: Settings) -> Hub:
    """The worker's hub; it shares the requests' pool of connections, and listens on one of its own."""

    def sessions() -> sessionmaker[Session]:
        with app.app_context():
            return sessions_on(db.engine)

    address = sqlalchemy_url(settings.database.url).replace("postgresql+psycopg://", "postgresql://", 1)
    return Hub(settings, address, sessions)
