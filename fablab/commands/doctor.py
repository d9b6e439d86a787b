"""`fablab doctor`: looks at every part once and says what to do about what is wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from fablab.clock import utc_now
from fablab.embedded.reach import database_address
from fablab.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

OVERLAPS = """
SELECT count(*) FROM occupancy AS a JOIN occupancy AS b
  ON a.unit_id = b.unit_id AND a.id < b.id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
"""
# A session-level advisory lock by one number shows as two halves.
LEADING = """
SELECT (classid::bigint << 32) + objid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
LATELY_LOST = """
SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM message_gap WHERE recorded_at >= :since
"""
# Mails that have been on their way for longer than a restart of anything takes.
MAILS_WAITING = """
SELECT count(*) FROM mail WHERE sent_at IS NULL AND given_up_at IS NULL AND created_at < :since
"""
SILENT = """
SELECT lab.slug || '/' || bridge.name FROM bridge JOIN lab ON lab.id = bridge.lab_id
WHERE NOT bridge.online ORDER BY 1
"""


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is well, and what was seen or is to be done."""

    subject: str
    well: bool
    words: str


@click.command()
def doctor() -> None:
    """Check every part; exit code 1 when something needs attention."""
    settings = load_settings()
    findings = [*_settings(settings), *_database(settings), *_broker(settings), *_mail(settings)]
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        click.echo(f"{'ok  ' if finding.well else 'BAD '} {finding.subject:<{width}}  {finding.words}")
    if not all(finding.well for finding in findings):
        raise SystemExit(1)


def _settings(settings: Settings) -> Iterator[Finding]:
    web = settings.web
    if not web.secret_key and not settings.database.url:
        yield Finding("settings", True, "readable; `fablab run` makes and keeps its own secret key")
    elif trouble := web.trouble_with_secret():
        yield Finding("secret key", False, f"FABLAB_SECRET_KEY {trouble}")
    else:
        yield Finding("settings", True, "readable")
    if not web.over_https and not web.only_here:
        words = f"{web.base_url}: passwords can be read on the way; put TLS before it and https here"
        yield Finding("web address", False, words)
    elif web.over_https and not web.proxies:
        words = "https, but web.proxies is 0: say how many proxies of yours there are, or all seem one client"
        yield Finding("web address", False, words)


def _database(settings: Settings) -> Iterator[Finding]:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError

    from fablab.db import engine_options, sqlalchemy_url

    try:
        with (
            database_address(settings) as address,
            create_engine(sqlalchemy_url(address), **engine_options(settings.database)).connect() as database,
        ):
            yield from _tables(database, utc_now())
    except (OperationalError, SettingsError) as error:
        reason = str(error).splitlines()[0]
        yield Finding("database", False, f"{reason}; check DATABASE_URL and that PostgreSQL runs")


def _tables(database: Connection, now: datetime) -> Iterator[Finding]:
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import text

    from fablab.leader import INGEST, SCHEDULER
    from fablab.settings import ROOT

    version = database.scalar(text("SHOW server_version"))
    yield Finding("database", True, f"PostgreSQL {version}")
    newest = ScriptDirectory(str(ROOT / "migrations")).get_current_head()
    here = MigrationContext.configure(database).get_current_revision()
    if here != newest:
        yield Finding("tables", False, f"at {here or 'nothing'}, not {newest}: run `fablab db upgrade`")
        return
    yield Finding("tables", True, f"up to date ({here})")
    overlaps = database.scalar(text(OVERLAPS))
    yield Finding("double bookings", overlaps == 0, f"{overlaps} overlapping claims")
    partition = f"reading_{now:%Y%m}"
    made = database.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": partition})
    words = f"{partition} is there" if made else f"{partition} is missing: is `fablab scheduler` running?"
    yield Finding("readings", bool(made), words)
    leading = set(database.scalars(text(LEADING)).all())
    for part, key in (("ingest", INGEST), ("scheduler", SCHEDULER)):
        words = "at work" if key in leading else f"nobody is at work: start `fablab {part}`"
        yield Finding(part, key in leading, words)
    gaps = database.scalar(text(LATELY_LOST), {"since": now - timedelta(days=1)})
    yield Finding("lost messages", gaps == 0, f"{gaps} given up in the last day")
    dead = database.scalar(text("SELECT count(*) FROM dead_letter"))
    yield Finding("dead letters", True, f"{dead} kept")
    waiting = database.scalar(text(MAILS_WAITING), {"since": now - timedelta(minutes=15)})
    words = "none waits" if not waiting else f"{waiting} waiting for a quarter of an hour or more: see below"
    yield Finding("mails", not waiting, words)
    silent = database.scalars(text(SILENT)).all()
    words = (
        "all connected" if not silent else f"away: {', '.join(silent)}; look at the bridge's log in that lab"
    )
    yield Finding("bridges", not silent, words)


def _broker(settings: Settings) -> Iterator[Finding]:
    if not settings.mqtt.url:
        yield Finding("broker", True, "none configured: `fablab run` brings its own")
        return
    from fablab.mqtt.client import address

    try:
        where = address(settings.mqtt.url)
        socket.create_connection((where.host, where.port), timeout=5).close()
    except (OSError, SettingsError) as error:
        yield Finding("broker", False, f"{error}; check FABLAB_MQTT_URL and that the broker runs")
    else:
        yield Finding("broker", True, f"{where.host}:{where.port} answers")


def _mail(settings: Settings) -> Iterator[Finding]:
    from fablab.mail.post import ServerAwayError
    from fablab.mail.smtp import connection, server_of

    mail = settings.mail
    if not mail.url:
        if mail.folder:
            yield Finding("mail", True, f"no server: mails are only written into {mail.folder}")
        elif not settings.database.url:
            yield Finding("mail", True, "none configured: `fablab run` keeps mails in its data directory")
        else:
            words = "no mail leaves, so nobody can open an account or reset a password: set FABLAB_MAIL_URL"
            yield Finding("mail", False, words)
        return
    try:
        with connection(server_of(mail.url), mail.timeout_s):
            pass
    except (ServerAwayError, SettingsError) as error:
        yield Finding("mail", False, f"{error}; check FABLAB_MAIL_URL and that the server takes our mails")
    else:
        where = server_of(mail.url)
        yield Finding("mail", True, f"{where.host}:{where.port} lets us in")
