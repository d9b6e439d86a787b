"""The marks a year of Amina's leaves, and where in the database a mark is found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

# Stands in everything of Amina's, and in nothing of anybody else's.
MARK = "zq7"
NAME, EMAIL, FILE = f"Amina {MARK} Élodie", f"{MARK}.amina@example.org", f"{MARK}-vase.gcode"
# Stands in what is others': it must be there afterwards as it was before.
OTHERS = "kw3"
DAYS = 365
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass
class Year:
    """What was made, by number."""

    member: int
    bookings: list[int] = field(default_factory=list)
    to_come: list[int] = field(default_factory=list)
    organisations: dict[str, int] = field(default_factory=dict)
    certificate: str = ""
    training_to_come: int = 0


def digest(word: str) -> bytes:
    return hashlib.sha256(word.encode()).digest()


def marked(word: str) -> bytes:
    """32 bytes with the mark in them."""
    return f"{MARK}{word}".encode().ljust(32, b".")[:32]


def find(session: Session, word: str) -> set[tuple[str, str]]:
    """Every column of every table in which the word stands, in whatever case: (table, column)."""
    columns = session.execute(
        text(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns AS c "
            "JOIN information_schema.tables AS t USING (table_schema, table_name) "
            "WHERE table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type IN "
            "('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY', 'tsvector', "
            "'inet', 'xml', 'USER-DEFINED')"
        )
    ).all()
    assert len(columns) > 80
    found = set()
    for table, column, kind in columns:
        said = f"encode({column}, 'escape')" if kind == "bytea" else f"CAST({column} AS text)"
        query = f"SELECT EXISTS (SELECT FROM {table} WHERE position(:word IN lower({said})) > 0)"
        if session.scalar(text(query), {"word": word.lower()}):
            found.add((table, column))
    return found
