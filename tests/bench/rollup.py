"""Machine hours counted a second, as a ratio to merely inserting the finished rows into the same table.

Two months of the sample network: 24 machines, about 3,000 bookings and as many sessions. `counting again` is
what the clock does all day, when nothing has changed; `one machine, two hours` what a session's end costs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from fablab.db import sqlalchemy_url
from fablab.embedded.postgres import EmbeddedPostgres
from fablab.sample.load import load
from fablab.utilisation.service import roll_up
from tests.support.database import migrate

ROUNDS = 5


def rows() -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    since = now - timedelta(days=60)
    with tempfile.TemporaryDirectory(prefix="bench") as name, EmbeddedPostgres(Path(name)) as server:
        migrate(server.url)
        engine = create_engine(sqlalchemy_url(server.url))
        with Session(engine) as session, session.begin():
            load(session, now)
        with Session(engine) as session:
            session.execute(text("ANALYZE"))
            count = session.scalar(text("SELECT count(*) FROM machine_hour WHERE hour < :now"), {"now": now})
            session.execute(
                text("CREATE TABLE finished AS SELECT * FROM machine_hour WHERE hour < :now"), {"now": now}
            )
            session.commit()
            insert_s = _median(session, lambda: session.execute(text(_INSERT)), empty=True)
            first_s = _median(session, lambda: roll_up(session, None, since, now), empty=True)
            again_s = _median(session, lambda: roll_up(session, None, since, now))
            one_s = _median(session, lambda: roll_up(session, [1], now - timedelta(hours=1), now))
            bare_s = _median(session, lambda: session.execute(text(_TWO)))
        engine.dispose()
    return [
        _row("machine hours/s, first count", count, first_s, insert_s),
        _row("machine hours/s, counting again", count, again_s, insert_s),
        _row("one machine, two hours; counts/s", 1, one_s, bare_s),
    ]


_INSERT = "INSERT INTO machine_hour SELECT * FROM finished"
_TWO = """
INSERT INTO machine_hour SELECT * FROM finished WHERE machine_id = 1 ORDER BY hour DESC LIMIT 2
ON CONFLICT (machine_id, hour) DO UPDATE SET open_s = excluded.open_s
"""


def _median(session: Session, work: Callable[[], object], empty: bool = False) -> float:
    """Seconds; each round is rolled back."""
    taken = []
    for _ in range(ROUNDS):
        if empty:
            session.execute(text("TRUNCATE machine_hour"))
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
        session.rollback()
    return sorted(taken)[ROUNDS // 2]


def _row(what: str, count: int | None, seconds: float, reference_s: float) -> dict[str, Any]:
    number = count or 0
    return {
        "what": what,
        "figure": round(number / seconds),
        "reference": round(number / reference_s),
        "ratio": round(reference_s / seconds, 2),
    }
