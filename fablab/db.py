"""What every table and every transaction has in common."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

import psycopg
from sqlalchemy import DateTime, Engine, MetaData, TypeDecorator, create_engine, event, text
from sqlalchemy.engine import Dialect, ExceptionContext
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from fablab.settings import Database, SettingsError

LIVE_CHANNEL = "fablab_live"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant: refuses naive ones on the way in, gives UTC on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value!r}")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table of the product hangs here; constraints get names so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime}


# Somebody waits for the answer to a request: it gives up on a lock after this long, and PostgreSQL on one
# that holds locks and does nothing.
WEB_LIMITS = "-c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"


def engine_options(settings: Database) -> dict[str, Any]:
    """Options of every engine in the product."""
    return {
        # An error is logged with its statement: the addresses, names and hashes in it are nobody's business.
        "hide_parameters": True,
        "pool_size": settings.pool_size,
        "max_overflow": settings.max_overflow,
        "pool_pre_ping": True,
        "connect_args": {"options": "-c timezone=UTC"},
    }


def web_engine_options(settings: Database) -> dict[str, Any]:
    """Options of the engine that answers requests, as Flask-SQLAlchemy takes them."""
    options = engine_options(settings)
    return {**options, "connect_args": {"options": f"{options['connect_args']['options']} {WEB_LIMITS}"}}


@event.listens_for(Engine, "handle_error")
def _leave_out_values(context: ExceptionContext) -> None:
    """PostgreSQL quotes rows in its errors ("Key (email)=(...) already exists"): keep its sentence only."""
    error, wrapped = context.original_exception, context.sqlalchemy_exception
    if not isinstance(error, psycopg.Error) or not error.diag.message_primary:
        return
    whole, kept = str(error), error.diag.message_primary.partition(': "')[0]
    error.args = (kept,)
    if wrapped is not None:
        wrapped.args = tuple(
            each.replace(whole, kept) if isinstance(each, str) else each for each in wrapped.args
        )


def sqlalchemy_url(url: str) -> str:
    """The same address with the driver we use; people write plain postgresql://."""
    if not url:
        raise SettingsError("DATABASE_URL: no database; set it, or use `fablab run`, which brings one")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgres", "postgresql"}:
        raise SettingsError(f"DATABASE_URL: must start with postgresql://, not {scheme[:20]!r}")
    return f"postgresql+psycopg://{rest}"


def connect(settings: Database) -> sessionmaker[Session]:
    """A maker of sessions on the configured database; opens no connection yet."""
    return sessions_on(create_engine(sqlalchemy_url(settings.url), **engine_options(settings)))


def sessions_on(engine: Engine) -> sessionmaker[Session]:
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def transaction(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any exception."""
    with sessions() as session, session.begin():
        yield session


def notify(session: Session, event: Mapping[str, Any]) -> None:
    """Tell live viewers of a change; PostgreSQL delivers it when, and only if, the transaction commits."""
    session.execute(
        text("SELECT pg_notify(:channel, :payload)"),
        {"channel": LIVE_CHANNEL, "payload": json.dumps(event, separators=(",", ":"))},
    )


def notify_all(session: Session, events: Sequence[Mapping[str, Any]]) -> None:
    """Tell live viewers of several changes in one statement."""
    if events:
        session.execute(
            text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload"),
            {
                "channel": LIVE_CHANNEL,
                "payloads": [json.dumps(event, separators=(",", ":")) for event in events],
            },
        )
