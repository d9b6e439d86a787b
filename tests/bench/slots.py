"""The first ten free times over the network, at the service: 5,000 machines in 200 labs, 30 days, 60 % taken.

Median of many searches, each with a length, a kind and a place of its own, by a maker who has bookings of her
own. The reference is the search without its end: the gaps of all machines and all days read and laid out in
memory, once. Then the same over fewer machines and days, and the worst there is: nothing free anywhere.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from fablab.bookings.facts import Policy
from fablab.bookings.slots import SlotWish, find_slots
from fablab.db import sqlalchemy_url
from fablab.embedded.postgres import EmbeddedPostgres
from fablab.members.models import Member, Role
from fablab.members.rules import Actor
from fablab.settings import load_settings
from tests.fixtures_cast import SECRET
from tests.support.actors import actor_of
from tests.support.database import migrate

MACHINES, LABS, DAYS = 5000, 200, 30
SEARCHES = 40
SIZES = ((500, 30), (1000, 30), (2500, 30), (5000, 5), (5000, 10), (5000, 30))
NETWORK = """
INSERT INTO region (slug, name_fr, name_ar, name_en)
SELECT 'region-' || n, 'R', 'R', 'R' FROM generate_series(1, 12) n;
INSERT INTO kind (slug, name_fr, name_ar, name_en)
SELECT slug, slug, slug, slug FROM unnest(ARRAY['3d-printer', 'laser-cutter', 'mill', 'bench']) slug;
INSERT INTO lab (slug, name_fr, name_ar, name_en, region_id, zone, address, latitude, longitude)
SELECT 'lab-' || n, 'Lab', 'Lab', 'Lab ' || n, 1 + n % 12, 'Africa/Casablanca', '', 28 + n % 8, -10 + n % 9
FROM generate_series(1, :labs) n;
INSERT INTO opening (lab_id, weekday, opens, closes, supervised)
SELECT lab.id, day, time '09:00', time '19:00', true FROM lab, generate_series(0, 5) day;
INSERT INTO machine (slug, name, lab_id, kind_id, capabilities, unattended, setup_s, cleanup_s, active)
SELECT 'machine-' || n, 'Machine ' || n, 1 + n % :labs, 1 + n / :labs % 4,
       '{"materials": ["PLA"], "laser_w": 60}', n / :labs % 4 = 0, 0, 300, true
FROM generate_series(0, :machines - 1) n;
INSERT INTO unit (machine_id, number) SELECT id, 1 FROM machine;
INSERT INTO outage (machine_id, lab_id, starts_at, category, note, created_at)
VALUES (1, 1, now(), 'fault', '', now());
"""
# Claims of one to five hours with gaps between them, so that three of five hours are taken.
LOAD = """
INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, outage_id)
SELECT 1, unit_id, date_trunc('hour', now()) + at * interval '1 minute',
       date_trunc('hour', now()) + least(at + taken, :days * 1440) * interval '1 minute', 'outage', 1
FROM (
    SELECT unit.id AS unit_id, cell, taken, cell * 300 + floor(random() * (300 - taken)) AS at
    FROM unit, generate_series(0, :days * 1440 / 300 - 1) cell,
         LATERAL (SELECT 60 * (1 + floor(random() * 5 + 0 * unit.id + 0 * cell)) AS taken) length
) claim
WHERE at + taken <= :days * 1440
"""
ALL_DAYS = """
INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, outage_id)
SELECT 1, unit.id, date_trunc('hour', now()) + n * interval '3 hours',
       date_trunc('hour', now()) + (n + 1) * interval '3 hours', 'outage', 1
FROM unit, generate_series(0, :days * 8 + 8) n
"""
EVERY_GAP = """
SELECT unit_id, ends_at, lead(starts_at) OVER (PARTITION BY unit_id ORDER BY starts_at) FROM occupancy
"""


def rows(sizes: tuple[tuple[int, int], ...] = SIZES) -> list[dict[str, Any]]:
    found = []
    for machines, days in sizes:
        with network(machines, days) as bench:
            found.append(bench.row(f"{machines:,} machines, {days} days"))
            if (machines, days) == sizes[-1]:
                found += [bench.row(what, **more) for what, more in OTHERS.items()]
    with network(*sizes[-1], full=True) as bench:
        found.append(bench.row(f"{sizes[-1][0]:,} machines, all taken for {sizes[-1][1]} days", searches=5))
    return found


OTHERS: dict[str, dict[str, Any]] = {
    "50 slots instead of ten": {"limit": 50},
    "one lab": {"labs": ("lab-7",)},
    "one kind": {"kinds": ("laser-cutter",)},
    "by material": {"material": "PLA"},
}


class Bench:
    """A network in a database, and somebody who looks for time in it."""

    def __init__(self, engine: Engine, actor: Actor, policy: Policy, labs: int, days: int) -> None:
        self.engine, self.actor, self.policy = engine, actor, policy
        self.labs, self.days = labs, days
        self.chance = random.Random("slots")

    def row(self, what: str, searches: int = SEARCHES, limit: int = 10, **wanted: Any) -> dict[str, Any]:
        taken, statements, slots = [], [], []
        for number in range(searches + 3):
            wish = replace(self.wish(), limit=limit)
            if wanted:
                wish = replace(wish, wanted=replace(wish.wanted, **wanted))
            with Session(self.engine) as session, counting(self.engine) as made:
                begun = time.perf_counter()
                found = find_slots(session, self.actor, wish, datetime.now(UTC), self.policy)
                spent = time.perf_counter() - begun
            if number >= 3:
                taken.append(1000 * spent)
                statements.append(len(made))
                slots.append(len(found.slots))
        reference = self.reference_ms()
        p50 = statistics.median(taken)
        return {
            "what": f"ms until the first {limit}, p50: {what}",
            "figure": round(p50, 1),
            "reference": round(reference),
            "ratio": round(p50 / reference, 3),
            "where": {
                "p95": f"{sorted(taken)[int(len(taken) * 0.95)]:.0f} ms",
                "statements": f"{min(statements)} to {max(statements)}",
                "found": f"{min(slots)} to {max(slots)}",
            },
        }

    def wish(self) -> SlotWish:
        now = datetime.now(UTC)
        return SlotWish(
            length_s=60 * self.chance.choice([30, 60, 90, 120, 180, 240]),
            after=now + timedelta(hours=self.chance.randint(0, 12 * self.days)),
            before=now + timedelta(days=self.days),
            near=self.chance.choice([None, (35.7, -5.8), f"lab-{self.chance.randint(1, self.labs)}"]),
        )

    def reference_ms(self) -> float:
        """Read every gap there is, and do nothing with it."""
        with Session(self.engine) as session:
            begun = time.perf_counter()
            session.execute(text(EVERY_GAP)).all()
            return 1000 * (time.perf_counter() - begun)


@contextmanager
def network(machines: int, days: int, *, full: bool = False) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="bench") as name, EmbeddedPostgres(Path(name)) as server:
        migrate(server.url)
        engine = create_engine(sqlalchemy_url(server.url))
        values = {"machines": machines, "labs": min(LABS, machines // 25), "days": days}
        with Session(engine) as session, session.begin():
            session.execute(text("SELECT setseed(0.5)"))
            maker = Member(email="maker@example.org", name="Maker", created_at=datetime.now(UTC))
            maker.roles = [Role(role="maker")]
            session.add(maker)
            session.flush()
            for statement in [*NETWORK.split(";"), ALL_DAYS if full else LOAD]:
                if statement.strip():
                    session.execute(
                        text(statement), {k: v for k, v in values.items() if f":{k}" in statement}
                    )
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        settings = load_settings({"DATABASE_URL": server.url, "FABLAB_SECRET_KEY": SECRET})
        with Session(engine) as session:
            actor = actor_of(session, 1)
        assert actor is not None
        yield Bench(engine, actor, Policy(**asdict(settings.bookings)), values["labs"], days)
        engine.dispose()


@contextmanager
def counting(engine: Engine) -> Iterator[list[str]]:
    made: list[str] = []

    def note(*args: Any) -> None:
        made.append(args[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(engine, "before_cursor_execute", note)


if __name__ == "__main__":
    for row in rows(((500, 10),)):
        print(row)
