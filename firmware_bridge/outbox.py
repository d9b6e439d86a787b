"""Store and forward: every message gets its number and a place on disk before anybody hears of it.

One SQLite file holds the outbox's identity, the messages the server has not confirmed, and the memory of
each machine, so that a job's start and the knowledge of it are written together or not at all. A message is
forgotten when the server says `committed`, never before.

Events and statuses are on disk when `append` returns. Readings come every two seconds from every busy
machine; a commit each would wear an SD card out, so they wait up to `FLUSH_AFTER_S` for company and are not
offered for sending until then: a power cut may lose a second of readings, and leaves no hole in the numbers.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from firmware_bridge.memory import Memory
from firmware_bridge.reports import Report
from firmware_bridge.wire.codec import Unreadable, decode, encode, kind_of
from firmware_bridge.wire.messages import MessageId, Reading
from firmware_bridge.wire.topics import Kind

log = logging.getLogger(__name__)

FLUSH_AFTER_S = 1.0

_SCHEMA = """
create table if not exists identity (one integer primary key check (one = 1), outbox text not null,
    last_seq integer not null, committed integer not null);
create table if not exists message (seq integer primary key, kind text not null, subject text not null,
    body blob not null);
create table if not exists memory (machine text primary key, body blob not null);
"""


class OutboxInUse(RuntimeError):
    """Another process holds the file."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A stored message: its number, whose it is, and its JSON."""

    seq: int
    kind: Kind
    subject: str
    body: bytes


class Outbox:
    """The outbox file of one bridge. Safe to use from several threads; one process at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, readable by its owner only. Raises OutboxInUse.

        A file that SQLite cannot read is put aside under another name and a new one begun: a bridge that
        will not start loses more than its backlog.
        """
        self.path = path
        self._lock = threading.RLock()
        self._pending_since: float | None = None
        self._saved: dict[str, Memory] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise OutboxInUse(f"{path}: {error} (is another bridge running?)") from None
            aside = path.with_suffix(f".damaged-{int(time.time())}")
            os.replace(path, aside)
            log.error("%s is damaged (%s): kept as %s, beginning a new outbox", path, error, aside.name)
            self._connection = self._open()
        row = self._connection.execute("select outbox, last_seq, committed from identity").fetchone()
        self.id, self.last_seq, self.committed = UUID(row[0]), int(row[1]), int(row[2])
        self.durable_seq = self.last_seq

    def _open(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.path, timeout=2.0, isolation_level=None, check_same_thread=False)
        try:
            # Exclusive: a second bridge on this file would count the same numbers again.
            connection.execute("pragma locking_mode=exclusive")
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=full")
            connection.execute("pragma cache_size=-512")
            connection.execute("begin immediate")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            fresh = (str(uuid4()),)
            connection.execute("insert or ignore into identity values (1, ?, 0, 0)", fresh)
            connection.execute("commit")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @property
    def backlog(self) -> int:
        """How many messages the server has not confirmed."""
        return self.last_seq - self.committed

    def append(self, machine: str, memory: Memory | None, reports: Sequence[Report]) -> None:
        """Number and store the messages together with the machine's memory.

        A message that the contract would refuse is logged and left out, before it takes a number. Raises
        sqlite3.Error when the disk fails; then none of it is stored and the numbers go on without a hole.
        """
        with self._whole():
            urgent = False
            for report in reports:
                identified = msgspec.structs.replace(
                    report, id=MessageId(outbox=self.id, seq=self.last_seq + 1)
                )
                kind = kind_of(identified)
                try:
                    body = encode(identified)
                    decode(kind, body)
                except (Unreadable, ValueError) as error:
                    log.error("%s: a %s that breaks the contract was dropped: %s", machine, kind, error)
                    continue
                self._begin()
                self._connection.execute(
                    "insert into message values (?, ?, ?, ?)", (self.last_seq + 1, kind.value, machine, body)
                )
                self.last_seq += 1
                urgent = urgent or not isinstance(report, Reading)
            if memory is not None and self._pending_since is not None and self._saved.get(machine) != memory:
                self._connection.execute(
                    "insert or replace into memory values (?, ?)", (machine, msgspec.json.encode(memory))
                )
                self._saved[machine] = memory
            if urgent:
                self.flush()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except Exception:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                row = self._connection.execute("select last_seq, committed from identity").fetchone()
                self.last_seq, self.committed = row
                self.durable_seq, self._pending_since = self.last_seq, None
                self._saved.clear()
                raise

    def _begin(self) -> None:
        if self._pending_since is None:
            self._connection.execute("begin immediate")
            self._pending_since = time.monotonic()

    def flush(self, *, if_older_than_s: float = 0.0) -> None:
        """Put what waits on disk; only now may it be sent."""
        with self._lock:
            since = self._pending_since
            if since is None or time.monotonic() - since < if_older_than_s:
                return
        with self._whole():
            self._connection.execute("update identity set last_seq = ?", (self.last_seq,))
            self._connection.execute("commit")
            self._pending_since = None
            self.durable_seq = self.last_seq

    def recall(self, machine: str) -> Memory:
        """What was remembered of a machine; a blank memory for a new one or an unreadable note."""
        with self._lock:
            row = self._connection.execute("select body from memory where machine = ?", (machine,)).fetchone()
        if row is None:
            return Memory()
        try:
            return msgspec.json.decode(row[0], type=Memory)
        except msgspec.DecodeError as error:
            log.error("%s: the memory of it cannot be read (%s), starting afresh", machine, error)
            return Memory()

    def read(self, after: int, limit: int) -> list[Parcel]:
        """Stored messages with numbers above `after`, in order, at most `limit`; only what is on disk."""
        with self._lock:
            rows = self._connection.execute(
                "select seq, kind, subject, body from message"
                " where seq > ? and seq <= ? order by seq limit ?",
                (after, self.durable_seq, limit),
            ).fetchall()
        return [Parcel(seq, Kind(kind), subject, body) for seq, kind, subject, body in rows]

    def forget(self, upto: int) -> None:
        """The server has everything up to and including this number."""
        with self._whole():
            upto = min(upto, self.durable_seq)
            if upto <= self.committed:
                return
            self._begin()
            self._connection.execute("delete from message where seq <= ?", (upto,))
            self._connection.execute("update identity set committed = ?", (upto,))
            self.committed = upto

    def renew(self) -> None:
        """Become a new outbox, keeping the messages in order under new numbers.

        Needed when the server has more of this outbox than we ever sent: the file is an old copy (a restored
        SD card), and the server would take our next numbers for repeats. Raises sqlite3.Error when the disk
        fails; then it is the old outbox still.
        """
        with self._whole():
            self.flush()
            parcels = self.read(0, self.backlog + 1)
            outbox = uuid4()
            self._connection.execute("begin immediate")
            self._connection.execute("delete from message")
            for seq, parcel in enumerate(parcels, start=1):
                message = decode(parcel.kind, parcel.body)
                renumbered = msgspec.structs.replace(message, id=MessageId(outbox=outbox, seq=seq))
                row = (seq, parcel.kind.value, parcel.subject, encode(renumbered))
                self._connection.execute("insert into message values (?, ?, ?, ?)", row)
            identity = (str(outbox), len(parcels))
            self._connection.execute("update identity set outbox = ?, last_seq = ?, committed = 0", identity)
            self._connection.execute("commit")
            self.id, self.last_seq, self.committed = outbox, len(parcels), 0
            self.durable_seq = self.last_seq

    def close(self) -> None:
        """Write what waits and let the file go."""
        with self._lock:
            self.flush()
            self._connection.close()
