"""Who of several like processes may work: the one whose database connection holds their lock.

The lock lives on the very connection that writes, so whoever lost it cannot write any more: there is no
moment in which two lead.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from fablab.db import engine_options, sqlalchemy_url
from fablab.settings import Database

# Advisory locks of the database, one a kind of process.
INGEST = 7_042_003
SCHEDULER = 7_042_004
# A leader whose host died must not hold the lock for the hours TCP would give it.
_MANNERS = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"


def leader_engine(settings: Database) -> Engine:
    """An engine that keeps no connection but the leader's."""
    options = engine_options(settings)
    kept = {name: options[name] for name in ("connect_args", "hide_parameters")}
    return create_engine(sqlalchemy_url(settings.url), poolclass=NullPool, **kept)


class Leader:
    """The one connection that leads among the processes of one kind (INGEST, SCHEDULER)."""

    def __init__(self, engine: Engine, kind: int) -> None:
        self._engine = engine
        self._kind = kind
        self._connection: Connection | None = None

    def connection(self) -> Connection | None:
        """The connection that holds the lock, or None while another process does.

        Raises SQLAlchemy's OperationalError when there is no database.
        """
        if self._connection is None:
            connection = self._engine.connect()
            try:
                connection.execute(text(_MANNERS))
                leads = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._kind})
                if leads.scalar_one():
                    connection.commit()
                    self._connection = connection
            finally:
                if self._connection is None:
                    connection.close()
        return self._connection

    def step_down(self) -> None:
        """Let go of the connection and of the lock with it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
