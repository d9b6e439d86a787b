"""The set-based statements that write a batch: a few per batch, however many messages it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from fablab.telemetry.incoming import MAX_KEPT, Incoming
from fablab.telemetry.models import DeadLetter
from fablab.telemetry.rules import Mark
from firmware_bridge.wire.messages import Reading, Temperature

_json = msgspec.json.Encoder().encode
# COPY's text form: what separates columns and rows is written as an escape.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(slots=True)
class Live:
    """The newest word of a machine, as the batch changes it."""

    machine_id: int
    lab_id: int
    bridge_id: int | None
    state: str
    since: datetime
    at: datetime
    seen_at: datetime
    detail: str | None = None
    job: dict[str, Any] | None = None
    temperatures: dict[str, Temperature] | dict[str, Any] | None = None
    power_w: float | None = None
    energy_wh: float | None = None
    clock_skew_s: float | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A machine's state became another one."""

    machine_id: int
    lab_id: int
    at: datetime
    from_state: str | None
    to_state: str
    detail: str | None
    historical: bool


def reading_line(machine_id: int, lab_id: int, reading: Reading) -> str:
    """One reading as a line for COPY."""
    temperatures = reading.temperatures
    epoch = reading.energy_epoch
    columns = (
        str(machine_id),
        reading.at.isoformat(),
        str(reading.id.seq),
        str(lab_id),
        _number(reading.progress),
        # JSON has no raw control characters, so only its own escapes need one more.
        "\\N" if temperatures is None else _json(temperatures).decode().replace("\\", "\\\\"),
        _number(reading.power_w),
        _number(reading.energy_wh),
        "\\N" if epoch is None else epoch.translate(_ESCAPES),
    )
    return "\t".join(columns) + "\n"


def copy_readings(session: Session, lines: Sequence[str]) -> None:
    """Append readings by COPY; raises psycopg's errors, not SQLAlchemy's."""
    if not lines:
        return
    connection = session.connection().connection.driver_connection
    assert connection is not None
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write("".join(lines))


def write_live(session: Session, lives: Sequence[Live]) -> None:
    """Replace the newest word of these machines."""
    if not lives:
        return
    session.execute(
        text(_LIVE),
        {
            "machines": [live.machine_id for live in lives],
            "labs": [live.lab_id for live in lives],
            "bridges": [live.bridge_id for live in lives],
            "states": [live.state for live in lives],
            "since": [live.since for live in lives],
            "at": [live.at for live in lives],
            "seen": [live.seen_at for live in lives],
            "details": [live.detail for live in lives],
            "jobs": [_document(live.job) for live in lives],
            "temperatures": [_document(live.temperatures) for live in lives],
            "power": [live.power_w for live in lives],
            "energy": [live.energy_wh for live in lives],
            "skew": [live.clock_skew_s for live in lives],
        },
    )


def write_changes(session: Session, changes: Sequence[Change]) -> None:
    """Append changes of state, leaving out those that are there already."""
    if not changes:
        return
    session.execute(
        text(_CHANGES),
        {
            "machines": [change.machine_id for change in changes],
            "labs": [change.lab_id for change in changes],
            "at": [change.at for change in changes],
            "before": [change.from_state for change in changes],
            "after": [change.to_state for change in changes],
            "details": [change.detail for change in changes],
            "historical": [change.historical for change in changes],
        },
    )


def write_marks(session: Session, marks: Sequence[tuple[UUID, Mark]]) -> None:
    """Move the marks of outboxes."""
    if not marks:
        return
    session.execute(
        text(_MARKS),
        {
            "outboxes": [outbox for outbox, _ in marks],
            "committed": [mark.committed for _, mark in marks],
            "gaps": [mark.gap_since for _, mark in marks],
        },
    )


def write_dead_letters(session: Session, dead: Iterable[Incoming]) -> None:
    """Keep what nobody could read, with the reason."""
    rows = [
        {
            "received_at": letter.received_at,
            "topic": _clean(letter.topic, 300),
            "payload": letter.payload[:MAX_KEPT],
            "size": letter.size,
            "reason": _clean(letter.reason or "", 500),
        }
        for letter in dead
    ]
    if rows:
        session.execute(insert(DeadLetter.__table__), rows)  # type: ignore[arg-type]


def _number(value: float | None) -> str:
    return "\\N" if value is None else repr(value)


def _document(value: Any) -> str | None:
    return None if value is None else _json(value).decode()


def _clean(written: str, length: int) -> str:
    """Text PostgreSQL can hold: no NUL, no half of a surrogate pair."""
    return written.encode("utf-8", "replace").decode().replace("\x00", "�")[:length]


_COPY = (
    "COPY reading (machine_id, at, seq, lab_id, progress, temperatures, power_w, energy_wh, energy_epoch) "
    "FROM STDIN"
)

_LIVE = """
INSERT INTO machine_status (machine_id, lab_id, bridge_id, state, since, at, seen_at, detail, job,
                            temperatures, power_w, energy_wh, clock_skew_s)
SELECT machine_id, lab_id, bridge_id, state, since, at, seen_at, detail, CAST(job AS jsonb),
       CAST(temperatures AS jsonb), power_w, energy_wh, clock_skew_s
FROM unnest(CAST(:machines AS integer[]), CAST(:labs AS integer[]), CAST(:bridges AS integer[]),
            CAST(:states AS text[]), CAST(:since AS timestamptz[]), CAST(:at AS timestamptz[]),
            CAST(:seen AS timestamptz[]), CAST(:details AS text[]), CAST(:jobs AS text[]),
            CAST(:temperatures AS text[]), CAST(:power AS float8[]), CAST(:energy AS float8[]),
            CAST(:skew AS float8[]))
  AS n (machine_id, lab_id, bridge_id, state, since, at, seen_at, detail, job, temperatures, power_w,
        energy_wh, clock_skew_s)
ON CONFLICT (machine_id) DO UPDATE SET
  lab_id = excluded.lab_id, bridge_id = excluded.bridge_id, state = excluded.state, since = excluded.since,
  at = excluded.at, seen_at = excluded.seen_at, detail = excluded.detail, job = excluded.job,
  temperatures = excluded.temperatures, power_w = excluded.power_w, energy_wh = excluded.energy_wh,
  clock_skew_s = excluded.clock_skew_s
"""

_CHANGES = """
INSERT INTO status_change (machine_id, lab_id, at, from_state, to_state, detail, historical)
SELECT machine_id, lab_id, at, from_state, to_state, detail, historical
FROM unnest(CAST(:machines AS integer[]), CAST(:labs AS integer[]), CAST(:at AS timestamptz[]),
            CAST(:before AS text[]), CAST(:after AS text[]), CAST(:details AS text[]),
            CAST(:historical AS boolean[]))
  WITH ORDINALITY AS n (machine_id, lab_id, at, from_state, to_state, detail, historical, place)
WHERE NOT EXISTS (
  SELECT FROM status_change AS c
  WHERE c.machine_id = n.machine_id AND c.at = n.at AND c.to_state = n.to_state)
ORDER BY place
"""

_MARKS = """
UPDATE bridge_outbox AS b SET committed_seq = n.committed, gap_since = n.gap_since
FROM unnest(CAST(:outboxes AS uuid[]), CAST(:committed AS bigint[]), CAST(:gaps AS timestamptz[]))
  AS n (outbox, committed, gap_since)
WHERE b.outbox = n.outbox
"""
