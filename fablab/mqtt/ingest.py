"""The long-running process that takes bridges' messages into the database.

A message is acknowledged to the broker after its transaction, and the bridge hears `committed` after that. So
nothing that is lost on the way, by the broker, by us or by the database, is lost for good.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.leader import INGEST, Leader, leader_engine
from fablab.logs import logger
from fablab.mqtt.client import Line
from fablab.mqtt.inbox import Inbox, Letter
from fablab.mqtt.router import read
from fablab.settings import Settings, SettingsError
from fablab.telemetry import bridges
from fablab.telemetry.bridges import Outbox
from fablab.telemetry.incoming import Incoming
from fablab.telemetry.partitions import make_partitions
from fablab.telemetry.service import Applied, apply_batch
from fablab.usage.service import Ended
from fablab.utilisation.service import roll_up
from firmware_bridge.wire import codec
from firmware_bridge.wire.messages import Committed
from firmware_bridge.wire.topics import Kind, Topic

_FIRST_WAIT_S = 0.5
_STANDBY_S = 1.0
_FIRST_RETRY_S, _LAST_RETRY_S = 0.2, 10.0
_LONGEST_LOCK_MS = 200
_log = logger("ingest")


class Ingest:
    """One ingest process. Several may run: one leads, the others stand by and take over."""

    def __init__(self, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        if not settings.mqtt.url:
            raise SettingsError("FABLAB_MQTT_URL: no broker; set it, or use `fablab run`, which brings one")
        self._settings = settings
        self._now = now
        self._inbox = Inbox(settings.mqtt.queue_messages)
        mqtt = settings.mqtt
        self._line = Line(mqtt.url, mqtt.client_id, self._inbox, mqtt.authority())
        self._leader = Leader(leader_engine(settings.database), INGEST)
        self._batch: list[Letter] = []
        self._greeted = 0
        self._leads: bool | None = None
        self._partitions_on = ""
        self._uncounted: list[Ended] = []

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set. A database that fails is waited for; what it did not take is kept."""
        retry_s = _FIRST_RETRY_S
        troubled = False
        try:
            while not stop.is_set():
                try:
                    self._work(stop)
                except (SQLAlchemyError, psycopg.Error, OSError) as error:
                    self._leader.step_down()
                    if not troubled:
                        troubled = True
                        _log.warning("database_lost", trouble=_one_line(error), kept=len(self._inbox))
                    stop.wait(retry_s * random.uniform(0.75, 1.25))  # noqa: S311
                    retry_s = min(retry_s * 2, _LAST_RETRY_S)
                    continue
                if troubled:
                    troubled = False
                    _log.info("database_back")
                retry_s = _FIRST_RETRY_S
        finally:
            self._line.stop()
            self._leader.step_down()

    def _work(self, stop: threading.Event) -> None:
        """One turn: lead or stand by, greet a new connection, take a batch, commit it, acknowledge it."""
        connection = self._leader.connection()
        if connection is None:
            self._stand_by(stop)
            return
        if self._leads is not True:
            self._leads = True
            _log.info("leading")
        self._prepare(connection)
        if not self._line.running:
            self._line.start()
        if self._line.connection != self._greeted:
            self._greet(connection)
        if not self._batch:
            mqtt = self._settings.mqtt
            self._batch = self._inbox.take(mqtt.batch_messages, _FIRST_WAIT_S, mqtt.batch_wait_ms / 1000)
        if self._batch:
            batch = [incoming for letter in self._batch if (incoming := read(letter)) is not None]
            done = self._commit(connection, batch) if batch else []
            self._line.acknowledge(self._batch)
            self._batch = []
            self._tell([outbox for applied in done for outbox in applied.told])

    def _stand_by(self, stop: threading.Event) -> None:
        """Another process leads: stay off the broker, because it knows us by the same name."""
        if self._leads is not False:
            self._leads = False
            _log.info("standing_by")
        if self._line.running:
            self._line.stop()
        self._inbox.clear()
        self._batch = []
        stop.wait(_STANDBY_S)

    def _prepare(self, connection: Connection) -> None:
        """Make room for readings once a day, before the first message."""
        today = self._now().date().isoformat()
        if self._partitions_on != today:
            with Session(connection) as session, session.begin():
                make_partitions(session, self._now(), self._settings.telemetry)
            self._partitions_on = today

    def _greet(self, connection: Connection) -> None:
        """A new connection: the broker may have forgotten all, so every bridge is told how far it is."""
        greeted = self._line.connection
        with Session(connection) as session, session.begin():
            bridges.forget_gaps(session)
            current = bridges.current_outboxes(session)
        self._tell(current)
        self._greeted = greeted

    def _tell(self, outboxes: Sequence[Outbox]) -> None:
        """Tell bridges how far they are; the last word on each topic stays with the broker."""
        messages = {}
        for outbox in outboxes:
            topic = str(Topic(Kind.COMMITTED, outbox.lab, outbox.bridge))
            messages[topic, outbox.id] = codec.encode(Committed(outbox=outbox.id, seq=outbox.mark.committed))
        self._line.publish([(topic, payload) for (topic, _), payload in messages.items()])

    def _commit(self, connection: Connection, batch: Sequence[Incoming]) -> list[Applied]:
        """One transaction; if a message breaks it, smaller ones until that message is alone and put aside."""
        try:
            with Session(connection) as session, session.begin():
                applied = apply_batch(session, batch, self._settings)
                uncounted = self._count_hours(session, self._uncounted + applied.ended)
            self._uncounted = uncounted
            self._report(applied)
        except Exception as error:
            if not blames_message(error):
                raise
            if len(batch) == 1:
                if batch[0].reason is not None:
                    raise
                return self._commit(connection, [batch[0].dead(_why(error))])
            half = len(batch) // 2
            return self._commit(connection, batch[:half]) + self._commit(connection, batch[half:])
        return [applied]

    def _count_hours(self, session: Session, ended: Sequence[Ended]) -> list[Ended]:
        """Count the hours of sessions that ended; returns those to count with the next batch.

        Statistics can be counted again at any time, messages cannot: nobody waits here while the clock
        counts, and a count that fails is logged and made up for by the clock's next one.
        """
        if not ended:
            return []
        try:
            with session.begin_nested():
                session.execute(text(f"SET LOCAL lock_timeout = '{_LONGEST_LOCK_MS}ms'"))
                for each in ended:
                    roll_up(session, [each.machine_id], each.started_at, each.counted_until)
        except Exception as error:
            root = getattr(error, "orig", error)
            if isinstance(root, psycopg.errors.LockNotAvailable):
                return list(ended)
            if isinstance(root, psycopg.OperationalError):
                raise
            _log.exception("hours_not_counted")
        return []

    def _report(self, applied: Applied) -> None:
        if applied.dead or applied.gaps:
            _log.warning("put_aside", dead_letters=applied.dead, gaps=applied.gaps)


def blames_message(error: Exception) -> bool:
    """Whether the message is at fault, not the database: only then may it be put aside.

    A wrong value or a broken constraint comes with the message; so does whatever our own code cannot cope
    with. A missing table, a full disk or a lost connection does not: those are waited for.
    """
    root = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(root, psycopg.Error):
        return isinstance(root, (psycopg.DataError, psycopg.IntegrityError))
    return not isinstance(root, (SQLAlchemyError, OSError, MemoryError))


def _why(error: Exception) -> str:
    """The reason to put a message aside for; an error of our own is logged whole, it has to be mended."""
    if isinstance(getattr(error, "orig", error), psycopg.Error):
        return f"refused by the database: {_one_line(error)}"
    _log.error("message_not_understood", exc_info=error)
    return f"our own error: {_one_line(error)}"


def _one_line(error: Exception) -> str:
    root = getattr(error, "orig", None) or error
    return f"{type(root).__name__}: {' '.join(str(root).split())}"[:400]
