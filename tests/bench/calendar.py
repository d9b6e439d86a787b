"""A lab's calendar for a week over HTTP, as a gunicorn worker answers it: 50 machines, 400 entries.

The reference is the least that the same worker answers to somebody with a token, /api/v1/me; the time between
them is the calendar's own. Then with 1,000 machines and 8,000 entries; statements are counted in
tests/web/api/test_calendars.py.
"""

from __future__ import annotations

import http.client
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.db import sessions_on, sqlalchemy_url, transaction
from fablab.embedded.postgres import EmbeddedPostgres
from fablab.signin.tokens import add_token
from tests.fixtures_cast import build_cast
from tests.support.database import migrate
from tests.support.web import serving

ROUNDS = 120
SIZES = ((50, 400), (200, 1600), (1000, 8000))
MACHINES = """
INSERT INTO machine (slug, name, lab_id, kind_id, capabilities, unattended, setup_s, cleanup_s, active)
SELECT 'more-' || n, 'More', :lab, (SELECT min(id) FROM kind), '{}', true, 0, 0, true
FROM generate_series(1, :count) n;
INSERT INTO unit (machine_id, number) SELECT id, 1 FROM machine WHERE slug LIKE 'more-%'
"""
# Two months before the week, too: a calendar must not read a lab's history.
BOOKINGS = """
INSERT INTO booking (machine_id, lab_id, member_id, created_by_id, starts_at, ends_at, zone, local_starts,
                     local_ends, state, purpose, created_at)
SELECT machine.id, machine.lab_id, :member, :member, at, at + interval '90 minutes', 'Africa/Casablanca',
       at::timestamp, at::timestamp + interval '90 minutes', 'confirmed', '', now()
FROM machine,
     generate_series(-60, 6) day, generate_series(0, 1) turn,
     LATERAL (SELECT CAST(:monday AS timestamptz) + day * interval '1 day'
                     + (9 + turn * 2) * interval '1 hour' AS at) slot
WHERE machine.slug LIKE 'more-%' AND day * 2 + turn < 8
"""


def rows() -> list[dict[str, Any]]:
    return [_row(machines, entries) for machines, entries in SIZES]


def _row(machines: int, entries: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench") as name, EmbeddedPostgres(Path(name)) as server:
        migrate(server.url)
        engine = create_engine(sqlalchemy_url(server.url))
        monday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
        with transaction(sessions_on(engine)) as session:
            cast = build_cast(session)
            _, token = add_token(session, cast.members["salma"], "bench", "read", utc_now())
            values = {"lab": cast.labs["tanger"], "count": machines}
            for statement in MACHINES.split(";"):
                session.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})
            session.execute(text(BOOKINGS), {"member": cast.members["amina"], "monday": monday})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        with Session(engine) as session:
            count = session.scalar(
                text("SELECT count(*) FROM booking WHERE starts_at >= :at"), {"at": monday}
            )
        assert count == entries, count
        engine.dispose()
        span = urlencode({"from": monday.isoformat(), "to": (monday + timedelta(days=7)).isoformat()})
        with serving(server.url, Path(name)) as base_url:
            whole = _p50_ms(base_url, token, f"/api/v1/labs/tanger/calendar?{span}", entries)
            least = _p50_ms(base_url, token, "/api/v1/me", None)
    return {
        "what": f"ms, p50, a week of {machines:,} machines with {entries:,} entries",
        "figure": round(whole, 1),
        "reference": round(least, 1),
        "ratio": round(whole / least, 1),
        "where": {"HTTP, routing, token": f"{least:.1f} ms", "the calendar": f"{whole - least:.1f} ms"},
    }


def _p50_ms(base_url: str, token: str, path: str, entries: int | None) -> float:
    address = urlsplit(base_url)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    taken = []
    for number in range(ROUNDS + 10):
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        body = answer.read()
        spent = time.perf_counter() - begun
        assert answer.status == 200, body[:200]
        assert entries is None or body.count(b'"machine"') == entries
        if number >= 10:
            taken.append(1000 * spent)
    connection.close()
    return statistics.median(taken)


if __name__ == "__main__":
    for row in rows():
        print(row)
