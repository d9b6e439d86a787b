"""`fablab member export` and `fablab member erase`: for whoever asked and cannot do it any more."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.cli import main
from fablab.members.models import Audit, Member
from tests.fixtures_cast import SECRET, Cast


@pytest.fixture
def fablab(database_url: str, cast: Cast) -> object:
    def run(*command: str) -> Result:
        environ = {"DATABASE_URL": database_url, "FABLAB_SECRET_KEY": SECRET}
        return CliRunner().invoke(main, command, env=environ)

    return run


def acts(session: Session) -> list[tuple[str, int | None, int | None]]:
    session.rollback()
    rows = select(Audit.action, Audit.actor_id, Audit.on_member_id).where(Audit.action.like("data.%"))
    return [tuple(row) for row in session.execute(rows.order_by(Audit.id))]


def test_a_stranger_s_data_is_not_found(fablab, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for command in (
        ["export", "nobody@example.org", str(tmp_path / "x")],
        ["erase", "nobody@example.org", "--yes"],
    ):
        done = fablab("member", *command)
        assert done.exit_code == 1
        assert "no such member" in done.output
    assert not (tmp_path / "x").exists()


def test_a_file_that_is_there_stays(fablab, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    there = tmp_path / "there.zip"
    there.write_text("mine")
    done = fablab("member", "export", "amina@example.org", str(there))
    assert done.exit_code == 1
    assert "File exists" in done.output
    assert there.read_text() == "mine"


def test_an_export_is_a_file_for_one_s_own_eyes(  # type: ignore[no-untyped-def]
    fablab, tmp_path: Path, session: Session, cast: Cast
) -> None:
    file = tmp_path / "amina.zip"
    done = fablab("member", "export", "Amina@example.org", str(file))
    assert done.exit_code == 0, done.output
    assert zipfile.ZipFile(file).testzip() is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert acts(session) == [("data.export", None, cast.members["amina"])]


def test_an_erasure_wants_a_yes(fablab, session: Session, cast: Cast) -> None:  # type: ignore[no-untyped-def]
    done = fablab("member", "erase", "amina@example.org")
    assert done.exit_code == 1
    assert "--yes" in done.output
    assert acts(session) == []


def test_an_account_others_depend_on_stays(fablab, session: Session) -> None:  # type: ignore[no-untyped-def]
    done = fablab("member", "erase", "admin@example.org", "--yes")
    assert done.exit_code == 1
    assert "only administrator" in done.output
    assert acts(session) == []


def test_an_erasure_is_done_and_written_down(  # type: ignore[no-untyped-def]
    fablab, session: Session, cast: Cast
) -> None:
    done = fablab("member", "erase", "amina@example.org", "--yes")
    assert done.exit_code == 0, done.output
    assert acts(session) == [("data.erase", None, cast.members["amina"])]
    row = session.scalars(select(Member).where(Member.id == cast.members["amina"])).one()
    assert row.name == f"Erased member {row.id}"
    assert fablab("member", "erase", "amina@example.org", "--yes").exit_code == 1
