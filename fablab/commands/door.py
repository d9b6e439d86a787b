"""How a command enters the house: the database it means, one transaction, one line for what goes wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from fablab.embedded.reach import database_address
from fablab.errors import DomainError
from fablab.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker


class Commands(click.Group):
    """Commands whose trouble, where a person can put it right, ends as one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            line = one_line(error)
            if line is None:
                raise
            raise click.ClickException(line) from error


def one_line(error: Exception) -> str | None:
    """What to tell a person; None for an error that is ours, whose traceback is needed."""
    if isinstance(error, SettingsError | DomainError):
        return str(error)
    # Only a command that used the database has imported this.
    database = sys.modules.get("sqlalchemy.exc")
    if database is not None and isinstance(error, database.OperationalError):
        return f"the database does not answer: {str(error.orig).strip().splitlines()[0]}"
    if type(getattr(error, "orig", None)).__name__ == "UndefinedTable":
        return "the database has no tables yet: run `fablab db upgrade`"
    return None


@contextmanager
def sessions() -> Iterator[sessionmaker[Session]]:
    """Sessions on the database a command means, for as long as the block lasts."""
    from sqlalchemy import create_engine

    import fablab.models  # noqa: F401  (every table must be known before the first query)
    from fablab.db import engine_options, sessions_on, sqlalchemy_url

    settings = load_settings()
    with database_address(settings) as address:
        engine = create_engine(sqlalchemy_url(address), **engine_options(settings.database))
        try:
            yield sessions_on(engine)
        finally:
            engine.dispose()


@contextmanager
def transaction() -> Iterator[Session]:
    """One transaction on the database a command means: committed at the end, rolled back on any exception."""
    from fablab import db

    with sessions() as make, db.transaction(make) as session:
        yield session
