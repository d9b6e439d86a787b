"""What our mails say: in three languages, as text and HTML, whatever people are called."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.mail.choices import KINDS
from fablab.mail.letter import compose
from fablab.mail.models import Mail
from fablab.mail.service import Recipient, queue
from fablab.mail.texts import LANGUAGES, LINK, frame, names, template
from fablab.mail.words import format_day, format_when
from tests.mail.conftest import Outbox
from tests.support.mail_server import MailServer

HREF = "https://fablab.example.org/x/abc?a=1&b=2"


def filling(name: str) -> dict[str, Any]:
    """Something in each gap that can be found again."""
    found: dict[str, Any] = {gap: f"the {gap}" for gap in template(name).gaps}
    found |= {gap: [f"the first of {gap}", f"the last of {gap}"] for gap in template(name).lists}
    return {**found, LINK: HREF} if LINK in found else found


def written(template_name: str, language: str, **more: str) -> EmailMessage:
    return compose(
        template_name,
        language,
        {"name": "Amina", **filling(template_name), **more},
        sender="Fablab <fablab@example.org>",
        to="amina@example.org",
        message_id="<mail-1@example.org>",
        written_at=utc_now(),
    )


def parts(mail: EmailMessage) -> tuple[str, str]:
    """The text and the HTML of a mail."""
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


class Page(HTMLParser):
    """What a reader sees of HTML, where its links lead, and the attributes of its root."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.links, self.root, self.tags = "", [], {}, set[str]()
        self._quiet = 0
        self.feed(html)
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._quiet += tag in {"style", "title"}
        if tag == "html":
            self.root = dict(attrs)
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in {"style", "title"}

    def handle_data(self, data: str) -> None:
        self.words += "" if self._quiet else data


@pytest.mark.parametrize("name", names())
def test_every_language_says_the_same(name: str) -> None:
    """A house rule: the same gaps, and as many paragraphs, in each of the three."""
    french = template(name).words["fr"]
    for language in LANGUAGES:
        words = template(name).words[language]
        where = f"fablab/mail/templates/{name}.toml [{language}]"
        assert words.gaps == french.gaps, f"{where} has other gaps than [fr]"
        assert (len(words.text), len(words.after)) == (len(french.text), len(french.after)), where
        assert bool(words.button) == bool(french.button), where
        assert not {"name", LINK} & set(re.findall(r"\{(\w+)\}", "".join(words.text + words.after))), (
            f"{where}: the greeting has the name, the button has the link"
        )
        arabic = re.search(r"[\u0600-\u06ff]", words.subject + "".join(words.text))
        assert bool(arabic) == (language == "ar"), f"{where} is in another language"
        assert "{" not in "".join(vars(frame(language)).values()).replace("{name}", "")


def test_every_mail_reaches_a_server_in_every_language(
    outbox: Callable[..., Outbox], server: MailServer
) -> None:
    box, expected = outbox(batch=500, run_s=30), 0
    for name in names():
        for language in LANGUAGES:
            box.write(f"{name}.{language}@example.org", name, language=language, filling=filling(name))
            expected += 1
    assert box.send() == expected
    assert server.connections == 1
    for name in names():
        for language in LANGUAGES:
            [mail] = server.to(f"{name}.{language}@example.org")
            text, html = parts(mail)
            page = Page(html)
            assert mail["Content-Language"] == page.root["lang"] == language
            assert page.root["dir"] == ("rtl" if language == "ar" else "ltr")
            assert mail["Auto-Submitted"] == "auto-generated"
            assert mail["From"] == "Fablab <fablab@localhost>"
            assert not {"img", "script", "link", "iframe"} & page.tags, "nothing is fetched from anywhere"
            for gap, given in filling(name).items():
                for value in given if isinstance(given, list) else [given]:
                    assert value in text or value in mail["Subject"], (name, language, gap)
                    assert value in page.words or value in page.links, (name, language, gap)
            assert not re.search(r"[{}]", text + mail["Subject"] + page.words), (name, language)
            assert page.links == ([HREF, HREF] if LINK in template(name).gaps else [])
            for paragraph in template(name).words[language].text:
                if paragraph.strip("{}") in template(name).lists:
                    continue
                start = paragraph.split("{")[0].strip()
                assert start in text
                assert start in page.words


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Amina El Fassi", "Bonjour Amina El Fassi,"),
        ("M’hamed Aït-Ben", "Bonjour M’hamed Aït-Ben,"),
        ("أمينة الفاسي", "Bonjour أمينة الفاسي,"),
        ("", "Bonjour,"),
        ("Win 1000 DH at http://evil.example", "Bonjour,"),
        ("Click here: evil/now", "Bonjour,"),
        ("A" * 61, "Bonjour,"),
    ],
)
def test_who_calls_himself_an_advertisement_is_not_greeted_by_it(name: str, greeted: str) -> None:
    text, html = parts(written("verify_address", "fr", name=name))
    assert text.startswith(f"{greeted}\n")
    assert greeted in Page(html).words


def test_what_people_typed_adds_neither_headers_nor_tags_nor_links(
    outbox: Callable[..., Outbox], server: MailServer
) -> None:
    box = outbox()
    box.write(
        name="Eve\r\nBcc: victim@example.org",
        template="invitation",
        filling={
            "organisation": 'Club\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script> "x"\0',
            "inviter": "{link} {0.__class__} http://10.0.0.1 www.evil.example \u202e",
            "link": HREF,
        },
    )
    assert box.send() == 1
    [mail] = server.mails
    assert mail["Bcc"] is None
    assert (
        mail["Subject"].strip() == 'Invitation : Club Bcc: victim@example. org <script>alert(1)</script> "x"'
    )
    text, html = parts(mail)
    page = Page(html)
    assert "script" not in page.tags
    assert page.links == [HREF, HREF]
    for words in (text, page.words):
        assert "{link} {0.__class__} http: 10.0.0.1 www. evil. example vous invite" in words


@pytest.mark.parametrize(
    ("name", "filling"),
    [
        ("reset_password", {}),
        ("reset_password", {"link": HREF, "more": "x"}),
        ("reset_password", {"link": "//evil.example/reset"}),
        ("reset_password", {"link": "/reset/a b"}),
        ("reset_password", {"link": "javascript:alert(1)"}),
        ("reset_password", {"link": 'https://x/"onclick="'}),
        ("welcome", {"title": "x"}),
    ],
)
def test_a_mail_that_could_not_be_written_is_not_queued(
    session: Session, name: str, filling: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=f"the mail {name}"):
        queue(session, name, Recipient("amina@example.org", "Amina", "fr"), filling, utc_now())
    with pytest.raises(LookupError, match=r"there is no mail '\.\./models'"):
        queue(session, "../models", Recipient("amina@example.org", "Amina", "fr"), {}, utc_now())
    assert session.scalar(select(func.count()).select_from(Mail)) == 0


def test_a_mail_is_in_its_readers_language_or_in_french(session: Session) -> None:
    for language in ("ar", "en", "fr", "de", ""):
        queue(session, "welcome", Recipient("amina@example.org", "Amina", language), {}, utc_now())
    written_in = session.scalars(select(Mail.language).order_by(Mail.id)).all()
    assert written_in == ["ar", "en", "fr", "fr", "fr"]


def test_dates_are_of_the_lab_and_in_the_readers_words() -> None:
    at = datetime(2026, 11, 28, 13, 30, tzinfo=UTC)
    assert format_when(at, "Africa/Casablanca", "fr") == "samedi 28 novembre 2026 à 13:30"
    assert format_when(at, "Europe/Paris", "en") == "Saturday 28 November 2026 at 14:30"
    assert format_when(at, "Africa/Casablanca", "ar") == "السبت 28 نونبر 2026 على الساعة 13:30"
    assert format_day(date(2027, 2, 7), "fr") == "dimanche 7 février 2027"


def test_no_text_calls_for_what_it_does_not_have() -> None:
    unknown: dict[str, Any] = {"name": "Amina"}
    with pytest.raises(KeyError):
        compose(
            "reset_password",
            "fr",
            unknown,
            sender="a@example.org",
            to="b@example.org",
            message_id="<a@b>",
            written_at=utc_now(),
        )


def test_a_notice_that_may_be_turned_off_is_of_a_kind_there_is() -> None:
    """A house rule: what concerns an account itself always comes, all else says of which kind it is."""
    for name in names():
        kind = template(name).notice
        assert kind == "" or kind in KINDS, f"fablab/mail/templates/{name}.toml: there is no notice {kind!r}"
        assert template(name).optional <= template(name).gaps, name
        assert template(name).lists <= template(name).gaps, name
    always = {name for name in names() if not template(name).notice}
    assert {"reset_password", "password_changed", "way_in_added", "address_changed", "data_erased"} <= always
    assert not {name for name in always if name.startswith(("booking_", "training_", "certification_"))}
    assert {template(name).notice for name in names()} - {""} == set(KINDS), "a kind that nobody ever gets"


def test_what_is_optional_and_empty_leaves_no_gap() -> None:
    empty: dict[str, Any] = {"by": "", "leader": "", "purpose": "", "dates": []}
    text, html = parts(written("booking_confirmed", "en", **empty))
    assert "Done by" not in text + html
    assert "{" not in text
    assert "\n\n\n" not in text
    assert "<ul" not in html
    text, html = parts(
        written("booking_confirmed", "en", **{**empty, "by": "Salma", "dates": ["one", "<b>two"]})
    )
    assert "Done by Salma." in text
    assert "- one\n- <b>two" in text
    assert "<bdi>one</bdi></li>" in html
    assert "&lt;b&gt;two" in html


def test_an_invitation_stands_beside_the_text_and_as_a_file(
    outbox: Callable[..., Outbox], server: MailServer
) -> None:
    calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:CANCEL\r\nX-NAME:أمينة\r\nEND:VCALENDAR\r\n"
    mail = compose(
        "welcome",
        "ar",
        {"name": "Amina", **filling("welcome")},
        sender="Fablab <fablab@example.org>",
        to="amina@example.org",
        message_id="<mail-1@example.org>",
        written_at=utc_now(),
        calendar=calendar,
    )
    read = message_from_bytes(bytes(mail), policy=policy.default)
    found = [each for each in read.walk() if each.get_content_type() == "text/calendar"]
    assert [each.get_param("method") for each in found] == ["CANCEL", "CANCEL"]
    assert [each.get_param("charset") for each in found] == ["utf-8", "utf-8"]
    assert [each.get_payload(decode=True) for each in found] == [calendar.encode()] * 2
    assert [each.get_content_disposition() for each in found] == [None, "attachment"]
    assert found[1].get_filename() == "booking.ics"
    around = next(each for each in read.walk() if each.get_content_type() == "multipart/alternative")
    kinds = [each.get_content_type() for each in around.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
