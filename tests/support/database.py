"""Databases for tests: an empty one at a time, and a migrated one that is emptied after each test."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

PROJECT = Path(__file__).resolve().parents[2]


def plain(url: str) -> str:
    """The address without SQLAlchemy's driver, as psycopg wants it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """A new empty database on the server, dropped at the end with whoever is still connected."""
    name = f"fablab_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(plain(server_url), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(plain(server_url), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def migrate(url: str) -> None:
    """Bring a database up to date the way a person does: `fablab db upgrade`."""
    done = subprocess.run(
        [sys.executable, "-m", "fablab", "db", "upgrade"],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": url, "FABLAB_SECRET_KEY": "for-tests-only-" + "0" * 32},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"fablab db upgrade failed:\n{done.stdout}\n{done.stderr}"


def empty_all_tables(url: str) -> None:
    """Truncate everything but Alembic's own table; whoever still holds a lock after 5 s is cut off."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'alembic_version'"
        ).fetchall()
        if not rows:
            return
        # The audit refuses to be emptied, as it should outside tests.
        statement = (
            "ALTER TABLE audit DISABLE TRIGGER USER;"
            f"TRUNCATE {', '.join(name for (name,) in rows)} RESTART IDENTITY CASCADE;"
            "ALTER TABLE audit ENABLE TRIGGER USER"
        )
        connection.execute("SET lock_timeout = '5s'")
        try:
            connection.execute(statement)
        except psycopg.errors.LockNotAvailable:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute(statement)
