"""The commands people type: what they refuse, what they print, what they leave behind."""

import re
from pathlib import Path

import psycopg
from sqlalchemy import NullPool, create_engine

from fablab.cli import main
from fablab.db import sessions_on, sqlalchemy_url, transaction
from tests.fixtures_cast import Cast
from tests.support.command_line import Fablab, refused
from tests.support.database import plain

COMMANDS = (
    *(
        "run",
        "web",
        "import",
        "import-columns",
        "ingest",
        "scheduler",
        "db",
        "sample",
        "member",
        "token",
        "bridge",
        "broker",
    ),
    *("rollup", "backup", "restore", "doctor"),
)


def test_the_help_lists_every_command_with_a_sentence(fablab: Fablab) -> None:
    shown = fablab("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} +[A-Z]", shown, re.MULTILINE), command
    assert set(main.commands) == set(COMMANDS)


# ---- people


def test_members_that_cannot_be_are_refused(fablab: Fablab, cast: Cast) -> None:
    refused(fablab("member", "add", "nobody", "--name", "N"), "not an e-mail address")
    refused(fablab("member", "add", "a@example.org", "--name", "N", "--role", "king"), "king")
    refused(fablab("member", "add", "a@example.org", "--name", "N", "--role", "manager"), "needs a lab")
    refused(
        fablab("member", "add", "a@example.org", "--name", "N", "--role", "admin", "--lab", "tanger"),
        "takes no lab",
    )
    refused(
        fablab("member", "add", "a@example.org", "--name", "N", "--role", "manager", "--lab", "oujda"),
        "no such lab oujda",
    )
    add = ("member", "add", "a@example.org", "--name", "N", "--password-stdin")
    refused(fablab(*add, given="\n"), "no password")
    refused(fablab(*add, given="short\n"), "10 to 200")
    refused(fablab(*add, given="fablab-demo\n"), "Everybody can read")
    refused(fablab("token", "add", "a@example.org"), "no such member")


def test_a_member_with_a_password_and_a_token_gets_in(fablab: Fablab, cast: Cast, database_url: str) -> None:
    done = fablab(
        *("member", "add", "Leila@example.org", "--name", "Leila Amrani"),
        *("--role", "manager", "--lab", "rabat", "--password-stdin"),
        given="a long sentence\nand more\n",
    )
    assert done.exit_code == 0, done.stderr
    assert "manager of rabat" in done.stdout
    assert "a long sentence" not in done.stdout + done.stderr
    again = fablab("member", "add", "leila@example.org", "--name", "Leila Amrani")
    assert again.exit_code == 0, "the same address gets another role"

    made = fablab("token", "add", "leila@example.org", "--days", "2", "--scope", "read")
    assert made.exit_code == 0, made.stderr
    (token,) = made.stdout.split()
    assert token.startswith("fab_")
    with psycopg.connect(plain(database_url)) as connection:
        roles = connection.execute(
            "SELECT role FROM role JOIN member m ON m.id = member_id WHERE m.name = 'Leila Amrani' ORDER BY 1"
        ).fetchall()
        kept = connection.execute(
            "SELECT scope, expires_at - created_at = interval '2 days', digest::text FROM token"
        ).fetchall()
    assert roles == [("maker",), ("manager",)]
    assert kept[0][:2] == ("read", True)
    assert token not in kept[0][2]


# ---- the database


def test_a_backup_comes_back_whole_or_not_at_all(
    fablab: Fablab, cast: Cast, database_url: str, tmp_path: Path
) -> None:
    """With the partitions of `reading`, which is what makes a restore over a full database hard."""
    from fablab.clock import utc_now
    from fablab.settings import load_settings
    from fablab.telemetry.partitions import make_partitions

    file = tmp_path / "all.dump"
    with transaction(sessions_on(create_engine(sqlalchemy_url(database_url), poolclass=NullPool))) as session:
        make_partitions(session, utc_now(), load_settings({}).telemetry)
    assert fablab("backup", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    with psycopg.connect(plain(database_url), autocommit=True) as database:
        people = database.execute("SELECT count(*) FROM member").fetchone()
        database.execute("UPDATE member SET name = 'somebody else'")
        refused(fablab("restore", str(file)), "--replace")
        broken = tmp_path / "broken.dump"
        broken.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        refused(fablab("restore", "--replace", str(broken)), "pg_restore")
        assert database.execute("SELECT DISTINCT name FROM member").fetchall() == [("somebody else",)]
        done = fablab("restore", "--replace", str(file))
        assert done.exit_code == 0, done.stderr
        assert database.execute("SELECT count(*) FROM member").fetchone() == people
        assert database.execute("SELECT count(*) FROM member WHERE name = 'somebody else'").fetchone() == (0,)


def test_no_command_makes_a_database_by_looking_for_one(fablab: Fablab, tmp_path: Path) -> None:
    done = fablab("token", "add", "amina@example.org", DATABASE_URL="")
    refused(done, "there is no database in")
    assert not (tmp_path / "data" / "postgres" / "data").exists()


# ---- figures


def test_days_that_cannot_be_are_refused(fablab: Fablab) -> None:
    refused(fablab("rollup", "--from", "yesterday", "--to", "2026-01-01"), "yesterday")
    refused(fablab("rollup", "--from", "2026-01-02", "--to", "2026-01-01"), "before")


def test_counting_again_finds_what_was_wrong(fablab: Fablab, cast: Cast, database_url: str) -> None:
    days = ("rollup", "--from", "2026-03-29", "--to", "2026-03-30")
    done = fablab(*days)
    assert done.exit_code == 0, done.stderr
    assert f"{4 * 74} machine hours are new or were corrected" in done.stdout
    with psycopg.connect(plain(database_url)) as connection:
        connection.execute("UPDATE machine_hour SET used_s = 7 WHERE hour = '2026-03-30T12:00Z'")
    assert "4 machine hours are new or were corrected" in fablab(*days).stdout
    assert "0 machine hours are new or were corrected" in fablab(*days).stdout


def test_the_sample_is_not_loaded_over_a_network_of_one_s_own(fablab: Fablab, cast: Cast) -> None:
    refused(fablab("sample", "load"), "labs of its own")


def test_an_empty_database_says_what_to_do(fablab: Fablab, empty_database: str) -> None:
    refused(fablab("sample", "load", DATABASE_URL=empty_database), "fablab db upgrade")
