"""`fablab doctor` says whether mails can leave, and what to do when they cannot."""

from __future__ import annotations

from pathlib import Path

from tests.support.command_line import command_line
from tests.support.mail_server import mail_server, only
from tests.support.ports import free_port


def said_of_mail(database_url: str, directory: Path, **environ: str) -> str:
    shown = command_line(database_url, directory)("doctor", **environ).stdout
    [line] = [line for line in shown.splitlines() if " mail " in line[:20]]
    return line


def test_what_doctor_says_of_mails(database_url: str, tmp_path: Path) -> None:
    alone = said_of_mail(database_url, tmp_path)
    assert alone.startswith("BAD ")
    assert "set FABLAB_MAIL_URL" in alone
    folder = said_of_mail(database_url, tmp_path, FABLAB_MAIL__FOLDER="/var/mails")
    assert folder.startswith("ok ")
    assert "/var/mails" in folder
    nobody = said_of_mail(database_url, tmp_path, FABLAB_MAIL_URL=f"smtp://127.0.0.1:{free_port()}")
    assert nobody.startswith("BAD ")
    assert "refused" in nobody
    options = {"authenticator": only("fablab", "right"), "auth_require_tls": False}
    with mail_server(**options) as server:
        for password, begins, says in (("wrong", "BAD ", "535"), ("right", "ok ", "lets us in")):
            url = f"smtp://fablab:{password}@127.0.0.1:{server.port}"
            line = said_of_mail(database_url, tmp_path, FABLAB_MAIL_URL=url)
            assert line.startswith(begins)
            assert says in line
            assert password not in line
        assert server.mails == []
