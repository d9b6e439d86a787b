"""Migrations: up, down, up again; the tables are the models; the database itself refuses a double booking."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support.database import PROJECT, migrate, plain

TABLES = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
FUNCTIONS = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"


def fablab(url: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fablab", *command],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": url, "FABLAB_SECRET_KEY": "for-tests-only-" + "0" * 32},
        capture_output=True,
        text=True,
        check=False,
    )


def number(url: str, query: str) -> int:
    with psycopg.connect(plain(url)) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_up_down_and_up_again_and_the_tables_are_the_models(empty_database: str) -> None:
    migrate(empty_database)
    made = number(empty_database, TABLES)
    assert made > 20
    down = fablab(empty_database, "db", "downgrade", "--to", "base")
    assert down.returncode == 0, down.stderr
    assert number(empty_database, TABLES) == 1, "only Alembic's own table stays"
    assert number(empty_database, FUNCTIONS) == 0
    migrate(empty_database)
    assert number(empty_database, TABLES) == made
    with psycopg.connect(plain(empty_database), autocommit=True) as connection:
        # What the clock makes later is no difference to the models.
        connection.execute(
            "CREATE TABLE reading_203012 PARTITION OF reading "
            "FOR VALUES FROM ('2030-12-01T00:00Z') TO ('2031-01-01T00:00Z')"
        )
    same = fablab(empty_database, "db", "check")
    assert same.returncode == 0, same.stdout + same.stderr
    with psycopg.connect(plain(empty_database), autocommit=True) as connection:
        connection.execute("ALTER TABLE lab DROP COLUMN address")
    differs = fablab(empty_database, "db", "check")
    assert differs.returncode != 0, "a missing column must be found"


def test_a_file_says_when_and_what() -> None:
    for path in (PROJECT / "migrations" / "versions").glob("*.py"):
        assert re.fullmatch(r"\d{8}_\d{4}_[a-z0-9_]+\.py", path.name), path.name
        text = path.read_text(encoding="utf-8")
        assert re.match(r'"""\w[^\n]+\."""\n', text), f"{path.name} needs a sentence at its top"
        assert "def downgrade() -> None:\n    pass" not in text


@pytest.fixture
def unit(database_url: str) -> psycopg.Connection:  # type: ignore[type-arg]
    """A connection to a database with a lab, a machine and its units 1 and 2."""
    connection = psycopg.connect(plain(database_url), autocommit=True)
    names = "(slug, name_fr, name_ar, name_en"
    connection.execute(f"INSERT INTO region {names}) VALUES ('r', 'r', 'r', 'r')")
    connection.execute(
        f"INSERT INTO lab {names}, region_id, zone, address)"
        " VALUES ('l', 'l', 'l', 'l', 1, 'Africa/Casablanca', '')"
    )
    connection.execute(f"INSERT INTO kind {names}) VALUES ('k', 'k', 'k', 'k')")
    connection.execute(
        "INSERT INTO machine"
        " (slug, name, lab_id, kind_id, capabilities, unattended, setup_s, cleanup_s, active)"
        " VALUES ('m', 'm', 1, 1, '{}', true, 0, 0, true)"
    )
    connection.execute("INSERT INTO unit (machine_id, number) VALUES (1, 1), (1, 2)")
    connection.execute(
        "INSERT INTO outage (machine_id, lab_id, starts_at, category, note, created_at)"
        " VALUES (1, 1, now(), 'fault', '', now())"
    )
    yield connection
    connection.close()


def claim(unit: psycopg.Connection, starts: str, ends: str, number: int = 1) -> None:  # type: ignore[type-arg]
    unit.execute(
        "INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, outage_id)"
        " VALUES (1, %s, %s, %s, 'outage', 1)",
        (number, f"2026-11-22T{starts}Z", f"2026-11-22T{ends}Z"),
    )


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        ("10:00", "11:00"),
        ("10:59:59", "12:00"),
        ("09:00", "10:00:01"),
        ("10:20", "10:30"),
        ("09:00", "12:00"),
    ],
)
def test_the_database_refuses_an_overlap_whoever_writes(
    unit: psycopg.Connection,
    starts: str,
    ends: str,  # type: ignore[type-arg]
) -> None:
    claim(unit, "10:00", "11:00")
    with pytest.raises(psycopg.errors.ExclusionViolation, match="one_claim_per_unit_and_instant"):
        claim(unit, starts, ends)
    with pytest.raises(psycopg.errors.ExclusionViolation):
        unit.execute("UPDATE occupancy SET unit_id = 1 WHERE id = %s", (_other_unit(unit),))


def _other_unit(unit: psycopg.Connection) -> int:  # type: ignore[type-arg]
    claim(unit, "10:30", "10:40", number=2)
    row = unit.execute("SELECT max(id) FROM occupancy").fetchone()
    assert row is not None
    return int(row[0])


def test_neighbours_touch_and_other_units_are_free(unit: psycopg.Connection) -> None:  # type: ignore[type-arg]
    claim(unit, "10:00", "11:00")
    claim(unit, "11:00", "12:00")
    claim(unit, "09:00", "10:00")
    claim(unit, "10:00", "11:00", number=2)
    with pytest.raises(psycopg.errors.CheckViolation):
        claim(unit, "15:00", "15:00")


def test_migrations_are_found_from_anywhere(empty_database: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fablab", "db", "upgrade"],
        cwd=tmp_path,
        env={**os.environ, "DATABASE_URL": empty_database, "FABLAB_SECRET_KEY": "0" * 40},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
