"""Monthly partitions of `reading`: made ahead, and dropped whole once nobody needs them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.settings import Telemetry

# Two processes that make partitions at the same moment would wait for one another's half of them.
_LOCK = 7_042_001


def months(since: datetime, until: datetime) -> list[datetime]:
    """The first instants (UTC) of all months from that of ``since`` to that of ``until``."""
    first = since.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found = []
    while first <= until:
        found.append(first)
        first = _next(first)
    return found


def make_partitions(session: Session, now: datetime, settings: Telemetry) -> list[str]:
    """Make what is missing: from the oldest message we take to ``partitions_ahead`` months from now.

    Returns the names of the new ones. Any number of processes may call it at once.
    """
    oldest = now - timedelta(days=settings.oldest_message_days)
    newest = now + timedelta(seconds=settings.newest_message_s)
    wanted = months(oldest, newest)
    for _ in range(settings.partitions_ahead):
        wanted.append(_next(wanted[-1]))
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    known = _partitions(session)
    made = []
    for first in wanted:
        name = _name(first)
        if name not in known:
            bounds = f"FROM ('{first.isoformat()}') TO ('{_next(first).isoformat()}')"
            session.execute(
                text(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF reading FOR VALUES {bounds}")
            )
            made.append(name)
    return made


def drop_partitions(session: Session, before: datetime) -> list[str]:
    """Drop the months that end at or before this instant; returns their names.

    Waits five seconds at most for whoever reads them: ingest would wait behind it.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    session.execute(text("SET LOCAL lock_timeout = '5s'"))
    past = sorted(name for name in _partitions(session) if _next(_first(name)) <= before)
    for name in past:
        session.execute(text(f"DROP TABLE {name}"))
    return past


def _partitions(session: Session) -> set[str]:
    return set(
        session.scalars(
            text(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
                "WHERE i.inhparent = CAST('reading' AS regclass) AND c.relname ~ '^reading_[0-9]{6}$'"
            )
        )
    )


def _name(first: datetime) -> str:
    return f"reading_{first:%Y%m}"


def _first(name: str) -> datetime:
    return datetime.strptime(name, "reading_%Y%m").replace(tzinfo=UTC)


def _next(first: datetime) -> datetime:
    return (first + timedelta(days=32)).replace(day=1)
