"""Databases for tests: an empty one at a time, and a migrated one that is emptied after each test."""

import hashlib
import itertools
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
_emptied = itertools.count(1)


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
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def migrated_database(server_url: str) -> Iterator[str]:
    """A new database with all tables, as `new_database`; migrated once per server and copied from then on."""
    template = f"fablab_template_{_state_of_migrations()}"
    name = f"fablab_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(plain(server_url), autocommit=True) as admin:
        # Several runs may share the server; the first one makes the template.
        admin.execute("SELECT pg_advisory_lock(hashtext(%s))", (template,))
        found = admin.execute("SELECT FROM pg_database WHERE datname = %s", (template,)).fetchone()
        if found is None:
            with new_database(server_url) as made:
                migrate(made)
                admin.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                        sql.Identifier(urlsplit(made).path[1:]), sql.Identifier(template)
                    )
                )
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(plain(server_url), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _state_of_migrations() -> str:
    """Another one whenever a migration is added or changed."""
    digest = hashlib.sha256()
    for path in sorted((PROJECT / "migrations" / "versions").glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


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
    """Empty everything but Alembic's own table, and let numbers begin at 1 again.

    Most tests fill few tables with few rows: deleting those is far quicker than truncating all. Where
    somebody still has a transaction open, only TRUNCATE waits for it; who does not end within 5 s is cut off.
    """
    with psycopg.connect(plain(url), autocommit=True) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                "AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'alembic_version'"
            )
        ]
        if not tables:
            return
        (others,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        ).fetchone() or (0,)
        # Servers of tests do not vacuum: now and then what deleting leaves behind must go, too.
        if others or next(_emptied) % 40 == 0:
            _truncate(connection, tables)
        else:
            _delete(connection, tables)


def _delete(connection: psycopg.Connection, tables: list[str]) -> None:
    asked = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in tables)
    filled = [name for (name,) in connection.execute(asked)]
    with connection.transaction():
        # No foreign keys to check when everything goes; and the audit refuses to be emptied, as it should.
        connection.execute("SET LOCAL session_replication_role = replica")
        for name in filled:
            connection.execute(f"DELETE FROM {name}")
        connection.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences "
            "WHERE schemaname = 'public' AND last_value IS NOT NULL"
        )


def _truncate(connection: psycopg.Connection, tables: list[str]) -> None:
    statement = (
        "ALTER TABLE audit DISABLE TRIGGER USER;"
        f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE;"
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
