"""How Alembic reaches the database: through the application, as `fablab db` starts it."""

import re

from alembic import context
from flask import current_app
from sqlalchemy import text

MIGRATION_LOCK = 7_042_000

# Monthly partitions of `reading` are made by the clock, not by migrations.
PARTITION = re.compile(r"reading_\d{6}")


def include_name(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
    return not (kind == "table" and name and PARTITION.fullmatch(name))


def run() -> None:
    database = current_app.extensions["migrate"].db
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            include_name=include_name,
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            # The application's limits are for requests; a migration takes the time it needs.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            # Two servers that start together must not migrate together.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            context.run_migrations()


run()
