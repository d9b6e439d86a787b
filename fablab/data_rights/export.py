"""One ZIP of everything held about a member: one JSON, a CSV a table, and a page that explains them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from typing import IO, Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.csv_out import write_table
from fablab.data_rights import words
from fablab.data_rights.catalogue import SHEETS
from fablab.data_rights.declarations import Personal, Shown

# Rows held in memory at a time, with those below them.
CHUNK = 500
_CHILDREN: dict[str, Personal] = {each.within[0]: each for each in SHEETS if each.within is not None}


@dataclass(frozen=True)
class Whom:
    """The member an archive is for."""

    id: int
    name: str
    language: str
    emails: tuple[str, ...]

    def arguments(self) -> dict[str, Any]:
        """What the catalogue's conditions ask for."""
        return {"member": self.id, "emails": list(self.emails)}


def write_archive(session: Session, whom: Whom, now: datetime, out: IO[bytes]) -> None:
    """Write the ZIP to ``out``. Reads row by row: a long history needs no more memory than a short one."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        with _entry(archive, "data.json", now) as entry:
            _write_json(session, whom, now, entry)
        counts = {}
        for sheet in SHEETS:
            with _entry(archive, f"{sheet.sheet}.csv", now) as entry:
                counts[sheet.sheet] = _write_csv(session, whom, sheet, entry)
        with _entry(archive, "README.txt", now) as entry:
            entry.write(_explanation(whom, now, counts))


def columns(sheet: Personal) -> list[tuple[str, Shown]]:
    """What is handed out of a table, as (key, column)."""
    return [(each.key or name, each) for name, each in sheet.columns.items() if isinstance(each, Shown)]


def _entry(archive: zipfile.ZipFile, name: str, now: datetime) -> IO[bytes]:
    info = zipfile.ZipInfo(name, now.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return archive.open(info, "w")


def _rows(
    session: Session, sheet: Personal, arguments: Mapping[str, Any], more: str = ""
) -> Iterator[dict[str, Any]]:
    """The member's rows of a table as records, a few at a time."""
    read = ", ".join(f'{each.sql or f"t.{key}"} AS "{key}"' for key, each in columns(sheet))
    statement = text(f"SELECT {read} FROM {sheet.table} AS t WHERE {sheet.rows}{more} ORDER BY {sheet.order}")  # noqa: S608  (the catalogue's own words)
    found = session.execute(statement, dict(arguments), execution_options={"yield_per": CHUNK})
    for row in found.mappings():
        yield {key: _plain(value) for key, value in row.items()}


def _plain(value: Any) -> Any:
    """A value as JSON has it; instants in RFC 3339."""
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo is None else value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    return value


def _write_json(session: Session, whom: Whom, now: datetime, entry: IO[bytes]) -> None:
    entry.write(b'{"made_at": ' + _json(now.astimezone(UTC).isoformat(timespec="seconds")))
    for sheet in SHEETS:
        if sheet.within is None:
            entry.write(b",\n" + _json(sheet.sheet) + b": [")
            for number, row in enumerate(_nested(session, sheet, whom.arguments())):
                entry.write((b",\n " if number else b"\n ") + _json(row))
            entry.write(b"]")
    entry.write(b"}\n")


def _nested(session: Session, sheet: Personal, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A table's rows, each with what belongs below it."""
    rows = _rows(session, sheet, arguments)
    child = _CHILDREN.get(sheet.sheet)
    if child is None or child.within is None:
        yield from rows
        return
    column = child.within[1]
    while chunk := list(islice(rows, CHUNK)):
        below: dict[Any, list[dict[str, Any]]] = {row["id"]: [] for row in chunk}
        which = {**arguments, "parents": list(below)}
        for each in _rows(session, child, which, f" AND t.{column} = ANY(CAST(:parents AS bigint[]))"):
            below[each.pop(column)].append(each)
        yield from ({**row, "changes": below[row["id"]]} for row in chunk)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _write_csv(session: Session, whom: Whom, sheet: Personal, entry: IO[bytes]) -> int:
    """One table, with the mark that makes spreadsheets read UTF-8; returns how many rows."""
    heading = [each.heading for _, each in columns(sheet)]
    with io.TextIOWrapper(entry, "utf-8-sig", newline="", write_through=False) as out:
        return write_table(out, heading, (row.values() for row in _rows(session, sheet, whom.arguments())))


def _explanation(whom: Whom, now: datetime, counts: Mapping[str, int]) -> bytes:
    """README.txt in the member's language."""
    said = whom.language if whom.language in words.WHOLE else "fr"
    at = f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    lines: Sequence[str] = [
        words.INTRODUCTION[said].format(name=whom.name, at=at),
        "",
        f"data.json: {words.WHOLE[said]}",
        "",
        words.TABLES[said],
        "",
        *(f"{sheet.sheet}.csv [{counts[sheet.sheet]}]: {words.FILES[sheet.sheet][said]}" for sheet in SHEETS),
        "",
        words.NOT_IN_IT[said],
    ]
    return "\r\n".join([*lines, ""]).encode("utf-8-sig")
