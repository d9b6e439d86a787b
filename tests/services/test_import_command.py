"""`fablab import`: problems on the output, one a line; what was done beside it; exit 1 where one is left."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.members.models import Member
from tests.fixtures_cast import Cast
from tests.support.command_line import Fablab, command_line

GOOD, BAD = "email;name\nzoe@example.org;Zoé\n", "email;name\nzoe@example.org;Zoé\nnobody;N\n"


@pytest.fixture
def fablab(database_url: str, cast: Cast, tmp_path: Path) -> Fablab:
    return command_line(database_url, tmp_path)


def there(session: Session) -> bool:
    session.expire_all()
    return session.scalar(select(Member.id).where(Member.email == "zoe@example.org")) is not None


def test_all_or_none_or_line_by_line(fablab: Fablab, session: Session, tmp_path: Path) -> None:
    file = tmp_path / "members.csv"
    file.write_text(BAD, encoding="latin-1")
    for flags, exit_code, stored in (((), 1, False), (("--dry-run",), 1, False), (("--per-line",), 1, True)):
        done = fablab("import", "members", str(file), "--as", "admin@example.org", *flags)
        assert done.exit_code == exit_code
        assert "3\temail\tinvalid\t" in done.output
        assert "Windows-1252, separator semicolon" in done.output
        assert there(session) is stored
    file.write_text(GOOD, encoding="utf-8")
    done = fablab("import", "members", str(file), "--as", "admin@example.org")
    assert (done.exit_code, "0 added, 1 there already" in done.output) == (0, True)


def test_who_may_not_is_told_in_one_line(fablab: Fablab, tmp_path: Path) -> None:
    file = tmp_path / "members.csv"
    file.write_text(GOOD, encoding="utf-8")
    for who, says in (("salma@example.org", "Administrators import members."), ("x@y.org", "no such member")):
        done = fablab("import", "members", str(file), "--as", who)
        assert done.exit_code == 1
        assert says in done.output
