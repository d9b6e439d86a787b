"""What the tests of the web share: browsers, and one application for all requests that leave no trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures_cast import SECRET, Apis, build_cast
from tests.support.pages import visit
from tests.web.permissions.world import Asking, make_things

__all__ = ["visit"]


@pytest.fixture(scope="package")
def matrix(postgres_url: str) -> Iterator[Asking]:
    """Asks rows of the permission matrix as anybody, and undoes it: `matrix.usual(route, row, "amina")`.

    The application has a database of its own with the cast and everything the rows speak of.
    """
    from fablab.app import create_app
    from fablab.db import connect, transaction
    from fablab.settings import load_settings
    from fablab.web.database import db
    from tests.support.database import migrated_database

    with migrated_database(postgres_url) as url:
        settings = load_settings({"DATABASE_URL": url, "FABLAB_SECRET_KEY": SECRET})
        app = create_app(settings)
        app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
        sessions = connect(settings.database)
        with transaction(sessions) as session:
            cast = build_cast(session)
        things = make_things(sessions, cast, settings)
        yield Asking(app, Apis(app, sessions, cast), things)
        sessions.kw["bind"].dispose()
        with app.app_context():
            db.engine.dispose()
