"""Links in mails lead where they say: read from what a mail server took, and followed as the person would."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.mail.models import Mail
from fablab.mail.tasks import send_due
from fablab.mail.texts import LINK, template
from fablab.settings import Settings
from fablab.signin.tasks import send_links
from tests.fixtures_cast import Apis, Cast
from tests.support.mail_server import MailServer, mail_server
from tests.support.pages import Reader, words
from tests.web.permissions.world import make_things

NEW = "violet tram sugar"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def clock(sessions: sessionmaker[Session], settings: Settings, server: MailServer) -> Callable[[], None]:
    """Lets the clock make the links that were asked for, and send what is due."""
    ours = dataclasses.replace(settings, mail=dataclasses.replace(settings.mail, url=server.url))

    def run() -> None:
        for task in (send_links, send_due):
            with transaction(sessions) as session:
                task(session, utc_now(), ours)

    return run


def link_in(mail: EmailMessage) -> str:
    """The path of the mail's button, which stands in its text, too."""
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    [link] = set(re.findall(r'href="([^"]+)"', html.get_content()))
    assert link in text.get_content()
    return urlsplit(link).path


def only_mail(server: MailServer, address: str) -> EmailMessage:
    [mail] = server.to(address)
    return mail


def test_joining_by_mail(app: Flask, clock: Callable[[], None], server: MailServer) -> None:
    reader = Reader(app)
    reader.get("/join")
    told = reader.post("/join", name="Hind", email="hind@example.org", password=NEW, language="ar")
    assert told.status_code == 200
    clock()
    mail = only_mail(server, "hind@example.org")
    assert mail["Content-Language"] == "ar"
    link = link_in(mail)
    assert reader.get(link).status_code == 200
    joined = reader.post("/confirm", link=link.rpartition("/")[2], password=NEW)
    assert (joined.status_code, joined.location) == (303, "/")
    assert "Welcome" in words(reader.get("/"))


def test_a_new_password_by_mail(app: Flask, clock: Callable[[], None], server: MailServer) -> None:
    reader = Reader(app)
    reader.get("/forgotten")
    assert reader.post("/forgotten", email="amina@example.org").status_code == 200
    clock()
    link = link_in(only_mail(server, "amina@example.org"))
    assert reader.get(link).status_code == 200
    assert reader.post("/reset", link=link.rpartition("/")[2], password=NEW).status_code == 303
    assert reader.sign_in("amina", NEW).status_code == 303
    clock()
    assert "mot de passe a été changé" in str(server.to("amina@example.org")[-1]["Subject"])
    again = Reader(app)
    assert "This link is over" in again.get(link).text
    again.get("/sign-in")
    assert again.post("/reset", link=link.rpartition("/")[2], password=NEW).status_code == 422


def test_every_other_mail_leads_to_a_page_its_reader_may_open(
    app: Flask,
    api: Apis,
    cast: Cast,
    sessions: sessionmaker[Session],
    settings: Settings,
    clock: Callable[[], None],
    server: MailServer,
) -> None:
    """Whatever the permission matrix needs is made by the same verbs, and they write mails."""
    make_things(sessions, cast, settings)
    asked = {"email": "karim@example.org"}
    assert api("amina").post("/organisations/atlas-club/invitations", asked).status_code == 201
    stranger = Reader(app)
    stranger.get("/join")
    stranger.post("/join", name="Amina", email="amina@example.org", password=NEW, language="fr")
    clock()
    with sessions() as session:
        written = {mail.id: mail.template for mail in session.scalars(select(Mail))}
    for _ in range(5):
        clock()
    followed = set()
    for mail in server.mails:
        number = int(re.search(r"mail-(\d+)-", mail["Message-ID"])[1])  # type: ignore[index]
        if LINK not in template(written[number]).gaps:
            continue
        reader, name = Reader(app), str(mail["To"]).partition("@")[0]
        if name in cast.members:
            reader.sign_in(name)
        answer = reader.get(link_in(mail))
        assert answer.status_code == 200, (written[number], mail["To"], link_in(mail))
        followed.add(written[number])
    assert followed >= {"account_exists", "invitation", "certification_granted", "training_enrolled"}
