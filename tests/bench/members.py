"""The search of members as one types, over 100,000 of them, in the database alone: its own execution time.

The reference is the same page found by reading every member (ILIKE), measured in the same run. Besides what
people type, the worst there is: a letter with which a part of every second address begins, and names at the
end of the alphabet, where walking down the names would take longest.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from fablab.db import sqlalchemy_url
from fablab.embedded.postgres import EmbeddedPostgres
from fablab.members import directory
from fablab.members.models import Member
from fablab.members.search import sought
from fablab.sample.people import MAKERS
from tests.support.database import migrate

MEMBERS = 100_000
ROUNDS = 7
DIALECT = postgresql.psycopg.dialect()
A_PAGE = 21
SEARCHES = {
    "one letter": "a",
    "one letter, half of all": "c",
    "two letters": "be",
    "three letters": "zin",
    "a name at the end": "walid",
    "two words": "amina ben",
    "a whole address": "amina.benali7@gmail.com",
    "nobody": "zqx",
    "a host that half of all have": "com",
    "everybody's first page": "",
}
READING_ALL = """
SELECT id, name, email, active FROM member
WHERE erased_at IS NULL AND (name ILIKE :begins OR name ILIKE :within OR email ILIKE :begins)
ORDER BY sought, id LIMIT 21
"""
_SYLLABLES = (
    "ba", "ben", "cha", "dri", "el", "fa", "gha", "ha", "id", "ja", "ka", "la", "ma", "na", "ou", "ra", "sa",
    "ta", "wa", "ya", "za", "zi", "mou", "lah", "ri", "si", "ti",
)  # fmt: skip


def rows() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="bench") as name, EmbeddedPostgres(Path(name)) as server:
        migrate(server.url)
        engine = create_engine(sqlalchemy_url(server.url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(insert(Member), list(_people()))
            connection.execute(text("VACUUM ANALYZE member"))
            found = [_row(connection, what, typed) for what, typed in SEARCHES.items()]
        engine.dispose()
    return found


def _row(connection: Connection, what: str, typed: str) -> dict[str, Any]:
    taken = statistics.median(_search_ms(connection, typed) for _ in range(ROUNDS))
    first = typed.split(" ")[0]
    reading = str(text(READING_ALL).compile(dialect=DIALECT))
    values = {"begins": f"{first}%", "within": f"% {first}%"}
    all_read = statistics.median(_ms(connection, reading, values) for _ in range(ROUNDS))
    return {
        "what": f"searches/s, {what} ({typed or 'nothing typed'})",
        "figure": round(1000 / taken),
        "reference": round(1000 / all_read),
        "ratio": round(all_read / taken, 1),
        "where": {"in the database": f"{taken:.2f} ms", "reading all": f"{all_read:.1f} ms"},
    }


def _search_ms(connection: Connection, typed: str) -> float:
    """Milliseconds of all statements that one search makes, as PostgreSQL itself counts them."""
    spent = []

    def note(_: object, cursor: object, sql: str, values: Any, *more: object) -> None:
        if not sql.startswith("EXPLAIN"):
            spent.append(_ms(connection, sql, values))

    event.listen(connection, "before_cursor_execute", note)
    try:
        directory.find_members(Session(bind=connection), typed, limit=A_PAGE)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return sum(spent)


def _ms(connection: Connection, sql: str, values: dict[str, Any]) -> float:
    plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", values)
    return float(plan.scalar_one()[0]["Execution Time"])


def _people() -> Iterator[dict[str, Any]]:
    """Members with the names of the sample, and others made of the same syllables; the same on each run."""
    chance = random.Random("members")
    first = [maker.name.split()[0] for maker in MAKERS] + ["Amina", "Youssef", "Yasmine"]
    last = [maker.name.partition(" ")[2] for maker in MAKERS] + ["Benali", "El Idrissi"]
    hosts = ("gmail.com", "outlook.com", "example.org", "uae.ac.ma")
    now = datetime.now(UTC)
    for number in range(MEMBERS):
        family = (
            chance.choice(last)
            if chance.random() < 0.3
            else "".join(chance.choice(_SYLLABLES) for _ in range(chance.randint(2, 4))).capitalize()
        )
        name = f"{chance.choice(first)} {family}"
        email = f"{name.lower().replace(' ', '.')}{number}@{chance.choice(hosts)}"
        yield {"name": name, "email": email, "created_at": now, "sought": sought(name, email)}
