"""`fablab db`: the tables and their migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from fablab.embedded.reach import database_address
from fablab.settings import load_settings


@contextmanager
def _migrations() -> Iterator[None]:
    """Flask-Migrate finds the database through the application; on the one a command means."""
    from fablab.app import create_app

    settings = load_settings()
    with database_address(settings) as address:
        app = create_app(replace(settings, database=replace(settings.database, url=address)))
        with app.app_context():
            yield


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.option("--to", "revision", default="head", help="Revision to go to.")
def upgrade(revision: str) -> None:
    """Bring the tables up to date."""
    import flask_migrate

    with _migrations():
        flask_migrate.upgrade(revision=revision)


@db.command()
@click.option("--to", "revision", required=True, help="Revision to go back to, or `base`.")
def downgrade(revision: str) -> None:
    """Take the tables back to an earlier revision."""
    import flask_migrate

    with _migrations():
        flask_migrate.downgrade(revision=revision)


@db.command()
def check() -> None:
    """Fail when the models and the migrated tables differ."""
    import flask_migrate

    with _migrations():
        flask_migrate.check()


@db.command()
@click.argument("message")
def revision(message: str) -> None:
    """Write a new migration from the difference between models and tables."""
    import flask_migrate

    with _migrations():
        flask_migrate.migrate(message=message)
