"""Mails reach a real server once each, or it is known why not."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.mail import letter
from fablab.mail.tasks import send_due
from fablab.settings import Settings
from tests.mail.conftest import LINK, Outbox
from tests.support.database import plain
from tests.support.mail_server import MailServer, certificate, mail_server, only
from tests.support.ports import free_port

Boxes = Callable[..., Outbox]


def test_a_wrong_recipient_is_given_up_and_the_next_mail_goes(outbox: Boxes, server: MailServer) -> None:
    box = outbox()
    server.answers["nobody@example.org"] = ["550 no such user"] * 2
    wrong, right = box.write("nobody@example.org"), box.write()
    assert box.send() == 1
    given_up = box.mail(wrong)
    assert given_up.given_up_at is not None
    assert (given_up.trouble, given_up.filling) == ("550 no such user", {})
    assert box.mail(right).sent_at is not None
    assert box.send(utc_now() + timedelta(minutes=30)) == 0
    assert len(server.answers["nobody@example.org"]) == 1, "it was tried again"


def test_a_mail_that_is_put_off_goes_later(outbox: Boxes, server: MailServer) -> None:
    box, now = outbox(), utc_now()
    server.answers["amina@example.org"] = ["451 try again later", "451 not yet"]
    put_off = box.write(now=now)
    assert box.send(now) == 0
    waiting = box.mail(put_off)
    assert (waiting.trouble, waiting.attempts) == ("451 try again later", 1)
    assert waiting.filling["link"] == LINK
    assert box.send(now + timedelta(seconds=59)) == 0
    assert len(server.answers["amina@example.org"]) == 1, "it was tried too soon"
    assert box.send(now + timedelta(minutes=1)) == 0
    assert box.mail(put_off).due_at == now + timedelta(minutes=3), "twice as long each time"
    assert box.send(now + timedelta(minutes=3)) == 1
    assert [mail["Subject"] for mail in server.mails] == ["Choisissez un nouveau mot de passe"]


def test_a_mail_is_forgotten_once_it_went(outbox: Boxes, server: MailServer) -> None:
    box = outbox()
    went = box.write()
    assert (box.send(), box.send()) == (1, 0)
    mail = box.mail(went)
    assert (mail.filling, mail.trouble, mail.attempts) == ({}, "", 1)
    assert len(server.mails) == 1


def test_a_link_that_is_dead_is_not_sent_any_more(outbox: Boxes, server: MailServer) -> None:
    box, now = outbox(), utc_now()
    dead, lasting = box.write(now=now), box.write(template="welcome", filling={}, now=now)
    assert box.send(now + timedelta(hours=1)) == 1
    assert (box.mail(dead).trouble, box.mail(dead).filling) == ("too late", {})
    assert box.mail(lasting).sent_at is not None
    late = box.write(template="welcome", filling={}, now=now)
    assert box.send(now + timedelta(hours=48)) == 0
    assert box.mail(late).given_up_at is not None


def test_a_server_that_is_away_is_waited_for_and_left_alone_meanwhile(
    sessions: sessionmaker[Session], settings: Settings
) -> None:
    port, now = free_port(), utc_now()
    box = Outbox(sessions, settings, url=f"smtp://127.0.0.1:{port}")
    first = box.write("amina@example.org", now=now)
    box.write("youssef@example.org", now=now)
    assert box.send(now) == 0
    assert box.mail(first).trouble.startswith("no server: 127.0.0.1")
    box.write("salma@example.org", now=now)
    with mail_server(port) as server:
        assert box.send(now + timedelta(seconds=10)) == 0
        assert server.connections == 0, "a server that was away ten seconds ago was asked again"
        assert box.send(now + timedelta(seconds=16)) == 3
        assert sorted(mail["To"] for mail in server.mails) == [
            "amina@example.org",
            "salma@example.org",
            "youssef@example.org",
        ]
        assert server.connections == 1


def test_a_mail_that_breaks_the_connection_does_not_hold_up_the_others(
    outbox: Boxes, server: MailServer
) -> None:
    box, now = outbox(), utc_now()
    server.answers["poison@example.org"] = ["hang up"] * 5
    poison = box.write("poison@example.org", now=now)
    box.write("amina@example.org", now=now)
    assert box.send(now) == 0
    assert box.send(now + timedelta(seconds=16)) == 1
    assert len(server.to("amina@example.org")) == 1
    assert box.mail(poison).due_at == now + timedelta(minutes=1)


def test_a_slow_server_does_not_hold_up_the_clock(outbox: Boxes, server: MailServer) -> None:
    box = outbox(run_s=1)
    server.slow_s = 0.4
    for number in range(8):
        box.write(f"member{number}@example.org")
    sent = box.send()
    assert 1 <= sent < 8
    server.slow_s = 0
    assert box.send() == 8 - sent
    assert len(server.mails) == 8


def test_two_senders_at_once_send_each_mail_once(outbox: Boxes, server: MailServer) -> None:
    box = outbox(batch=5)
    for number in range(20):
        box.write(f"member{number}@example.org")
    server.slow_s = 0.02
    meet = threading.Barrier(2, timeout=20)

    def send_all() -> None:
        meet.wait()
        while box.send():
            pass

    senders = [threading.Thread(target=send_all) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    assert sorted(mail["To"] for mail in server.mails) == sorted(f"member{n}@example.org" for n in range(20))


def test_a_sender_that_dies_before_its_commit_sends_again_under_the_same_name(
    outbox: Boxes, server: MailServer
) -> None:
    box = outbox()
    box.write()

    def die() -> None:
        with transaction(box.sessions) as session:
            send_due(session, utc_now(), box.settings)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        die()
    assert box.send() == 1
    first, second = server.mails
    assert first["Message-ID"] == second["Message-ID"] != ""


def test_a_password_goes_encrypted_to_whom_the_certificate_names(
    sessions: sessionmaker[Session], settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, shown = certificate(tmp_path)
    options = {"tls_context": context, "require_starttls": True, "auth_required": True}
    with mail_server(authenticator=only("fablab@net", "s/cret:"), **options) as server:
        right = f"smtp://fablab%40net:s%2Fcret%3A@localhost:{server.port}"

        def trouble(url: str) -> str:
            box = Outbox(sessions, settings, url=url)
            waiting = box.write(template="welcome", filling={})
            assert box.send() == 0
            said = box.mail(waiting).trouble
            assert box.send(utc_now() + timedelta(days=9)) == 0  # gives it up
            return said

        assert "CERTIFICATE_VERIFY_FAILED" in trouble(right)
        monkeypatch.setenv("SSL_CERT_FILE", str(shown))
        assert "certificate is not valid for '127.0.0.1'" in trouble(right.replace("localhost", "127.0.0.1"))
        assert "535" in trouble(right.replace("s%2Fcret", "guess"))
        assert "s/cret" not in repr(Outbox(sessions, settings, url=right).settings)
        box = Outbox(sessions, settings, url=right)
        box.write()
        assert box.send() == 1
        assert server.encrypted == [True]


def test_a_password_never_crosses_a_wire_in_the_clear(
    sessions: sessionmaker[Session], settings: Settings
) -> None:
    heard = []

    def check(server: object, session: object, envelope: object, mechanism: str, auth: object) -> None:
        heard.append(auth)

    with mail_server(authenticator=check, auth_require_tls=False) as server:
        # The same computer by a name that does not say so.
        box = Outbox(sessions, settings, url=f"smtp://fablab:secret@0.0.0.0:{server.port}")
        waiting = box.write()
        assert box.send() == 0
        assert "in the clear" in box.mail(waiting).trouble
    assert heard == []


def test_without_a_server_mails_are_files_that_only_we_may_read(
    sessions: sessionmaker[Session], settings: Settings, tmp_path: Path
) -> None:
    box = Outbox(sessions, settings, url="", folder=str(tmp_path / "mails"))
    box.write("new@example.org", "verify_address", language="ar")
    assert box.send() == 1
    [file] = (tmp_path / "mails").iterdir()
    assert file.suffix == ".eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert (mail["To"], mail["Content-Language"]) == ("new@example.org", "ar")
    assert LINK in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_with_neither_server_nor_folder_mails_wait_until_it_is_too_late(
    sessions: sessionmaker[Session], settings: Settings
) -> None:
    box, now = Outbox(sessions, settings, batch=1), utc_now()
    # The one that lasts longer is first in the queue, and holds up nobody's end.
    lasting, linked = box.write(template="welcome", filling={}, now=now), box.write(now=now)
    assert box.send(now + timedelta(minutes=59)) == 0
    assert box.mail(linked).given_up_at is None
    assert box.mail(linked).filling["link"] == LINK
    assert box.send(now + timedelta(hours=1)) == 0
    ended = box.mail(linked)
    assert (ended.given_up_at, ended.filling, ended.trouble) == (now + timedelta(hours=1), {}, "too late")
    assert box.mail(lasting).given_up_at is None
    assert box.send(now + timedelta(hours=48)) == 0
    assert (box.mail(lasting).filling, box.mail(lasting).trouble) == ({}, "too late")


def test_links_are_emptied_also_while_the_server_is_left_alone(
    sessions: sessionmaker[Session], settings: Settings
) -> None:
    box, now = Outbox(sessions, settings, url=f"smtp://127.0.0.1:{free_port()}"), utc_now()
    linked = box.write(now=now)
    assert box.send(now + timedelta(minutes=59, seconds=50)) == 0
    assert box.mail(linked).due_at > now + timedelta(hours=1), "it rests"
    assert box.send(now + timedelta(hours=1)) == 0
    assert box.mail(linked).filling == {}
    assert box.mail(linked).trouble.startswith("too late; no server: 127.0.0.1")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "nobody",
            "a@",
            "@b",
            "two@example.org,three@example.org",
            "a@example.org\r\nBcc: b@example.org",
        ),
        *(",a@x.org", ";@x.org", "<a@x.y>", "a@,x.y", "a@[", '"@x.org', "(@x.org", "a@x..org", "a b@x.org"),
    ],
)
def test_an_address_that_is_none_is_given_up(outbox: Boxes, server: MailServer, address: str) -> None:
    box = outbox()
    wrong, right = box.write(address), box.write()
    assert box.send() == 1
    assert box.mail(wrong).given_up_at is not None
    assert box.mail(right).sent_at is not None
    assert [mail["To"] for mail in server.mails] == ["amina@example.org"]


def test_a_domain_in_another_script_goes_as_the_network_writes_it(outbox: Boxes, server: MailServer) -> None:
    box = outbox()
    box.write("amina@مختبر.example.org")
    assert box.send() == 1
    name = "مختبر".encode("idna").decode()
    assert name.startswith("xn--")
    assert server.mails[0]["To"] == f"amina@{name}.example.org"


def test_what_one_mail_breaks_is_that_mail_s_trouble_only(
    outbox: Boxes, server: MailServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def compose(*args: Any, to: str, **more: Any) -> Any:
        if to == "poison@example.org":
            raise RuntimeError(f"a mistake of ours about {to}")
        return well(*args, to=to, **more)

    well = letter.compose
    monkeypatch.setattr(letter, "compose", compose)
    box = outbox()
    first, poison, last = box.write(), box.write("poison@example.org"), box.write("salma@example.org")
    assert box.send() == 2
    assert (box.mail(first).sent_at, box.mail(last).sent_at) != (None, None)
    waiting = box.mail(poison)
    assert (waiting.given_up_at, waiting.attempts) == (None, 1)
    assert waiting.trouble.startswith("RuntimeError at test_sending.py:")
    assert box.send() == 0
    assert len(server.mails) == 2, "a mail that went went again"
    said = capsys.readouterr()
    assert "mail_put_off" in said.out + said.err
    assert "poison@example.org" not in said.out + said.err


def test_marks_stay_when_one_cannot_be_written(outbox: Boxes, server: MailServer, database_url: str) -> None:
    box = outbox()
    first, odd, last = box.write(), box.write("odd@example.org"), box.write("salma@example.org")
    with psycopg.connect(plain(database_url)) as connection:
        connection.execute(f"ALTER TABLE mail ADD CONSTRAINT odd CHECK (id <> {odd} OR sent_at IS NULL)")
    try:
        assert box.send() == 2
        assert (box.mail(first).sent_at, box.mail(last).sent_at) != (None, None)
        waiting = box.mail(odd)
        assert (waiting.sent_at, waiting.attempts) == (None, 1)
        assert waiting.trouble.startswith("IntegrityError")
        assert box.send() == 0
    finally:
        with psycopg.connect(plain(database_url)) as connection:
            connection.execute("ALTER TABLE mail DROP CONSTRAINT odd")


def test_what_a_server_says_is_kept_as_one_line_without_the_address(
    outbox: Boxes, server: MailServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers["nobody@example.org"] = ["550 <Nobody@example.org>\0 is\x1b[2J unknown"]
    box = outbox()
    wrong, right = box.write("nobody@example.org"), box.write()
    assert box.send() == 1
    assert box.mail(wrong).trouble == "550 <(address)>  is [2J unknown"
    assert box.mail(right).sent_at is not None
    said = capsys.readouterr()
    assert "nobody@" not in (said.out + said.err).lower()


@pytest.mark.parametrize("url", ["smtp://" + "a" * 70 + "..b", "smtp://pässword:ü@127.0.0.1:{port}"])
def test_an_address_of_a_server_that_no_library_reads_is_waited_for(
    sessions: sessionmaker[Session], settings: Settings, server: MailServer, url: str
) -> None:
    box = Outbox(sessions, settings, url=url.format(port=server.port))
    waiting = box.write()
    assert box.send() == 0
    assert box.mail(waiting).trouble.startswith("no server: ")
    assert box.mail(waiting).due_at > utc_now()
