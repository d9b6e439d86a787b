"""One database, one application and one cast for the whole matrix: every request in it is undone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from fablab.app import create_app
from fablab.db import connect, transaction
from fablab.settings import load_settings
from fablab.web.database import db
from tests.fixtures_cast import SECRET, Apis, build_cast
from tests.support.database import migrate, new_database
from tests.web.permissions.world import Asking, make_things


@pytest.fixture(scope="package")
def matrix_app(postgres_url: str) -> Iterator[tuple[Flask, Asking]]:
    with new_database(postgres_url) as url:
        migrate(url)
        settings = load_settings({"DATABASE_URL": url, "FABLAB_SECRET_KEY": SECRET})
        app = create_app(settings)
        app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
        sessions = connect(settings.database)
        with transaction(sessions) as session:
            cast = build_cast(session)
        things = make_things(sessions, cast, settings)
        yield app, Asking(app, Apis(app, sessions, cast), things)
        sessions.kw["bind"].dispose()
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def matrix(matrix_app: tuple[Flask, Asking]) -> Asking:
    """Asks rows as anybody: `matrix.usual(route, row, "amina")`."""
    return matrix_app[1]
