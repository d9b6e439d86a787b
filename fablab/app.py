"""The one place where the web service is wired together."""

from __future__ import annotations

from flask import Flask
from flask_migrate import Migrate

import fablab.models  # noqa: F401  (every table must be known before the first query)
from fablab.db import engine_options, sqlalchemy_url
from fablab.settings import ROOT, Settings, load_settings
from fablab.web.database import db

migrate = Migrate()


def create_app(settings: Settings | None = None) -> Flask:
    """The Flask application. Connects to nothing yet."""
    settings = settings or load_settings()
    app = Flask("fablab.web")
    app.config.update(
        SECRET_KEY=settings.web.secret_key,
        MAX_CONTENT_LENGTH=settings.web.max_body_bytes,
        SQLALCHEMY_DATABASE_URI=sqlalchemy_url(settings.database.url),
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database),
    )
    app.extensions["fablab.settings"] = settings
    db.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"), compare_type=True)
    return app
