"""A mail as it goes over the wire: text and HTML of the same paragraphs, and headers nobody can add to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from fablab.mail.post import NeverError
from fablab.mail.rules import greetable
from fablab.mail.texts import HERE, LINK, fill, fill_html, frame, template

_FONT = "-apple-system,'Segoe UI',Roboto,'Noto Sans Arabic','Helvetica Neue',Arial,sans-serif"
# The layout is ours; what people typed only ever comes as a value of it.
_layouts = Environment(
    loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, auto_reload=False
)


class Unsendable(NeverError):
    """A mail that no server could take, such as one to an address that is none."""


def compose(
    name: str,
    language: str,
    filling: Mapping[str, str],
    *,
    sender: str,
    to: str,
    message_id: str,
    written_at: datetime,
) -> EmailMessage:
    """The mail ``name``. ``sender`` is "Name <address>"; ``message_id`` stays the same for the same mail."""
    words = template(name).words[language]
    message = EmailMessage()
    message["Subject"] = " ".join(fill(words.subject, filling).split())
    message["From"] = _address(*parseaddr(sender))
    message["To"] = _address("", to)
    message["Date"] = format_datetime(written_at)
    message["Message-ID"] = message_id
    # So that nobody's "I am on holiday" answers us.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(_text(name, language, filling))
    message.add_alternative(_html(name, language, filling), subtype="html")
    # Now: what is set before would become the text part's.
    message["Content-Language"] = language
    return message


def _text(name: str, language: str, filling: Mapping[str, str]) -> str:
    words, around = template(name).words[language], frame(language)
    button = [f"{words.button}\n{filling[LINK]}"] if words.button else []
    parts = [
        _greeting(language, filling),
        *(fill(each, filling) for each in words.text),
        *button,
        *(fill(each, filling) for each in words.after),
        f"{around.closing}\n{around.team}",
        f"-- \n{around.house}\n{around.foot}",
    ]
    return "\n\n".join(parts) + "\n"


def _html(name: str, language: str, filling: Mapping[str, str]) -> str:
    words, around = template(name).words[language], frame(language)
    right_to_left = language == "ar"
    return _layouts.get_template("layout.html").render(
        language=language,
        direction="rtl" if right_to_left else "ltr",
        start="right" if right_to_left else "left",
        end="left" if right_to_left else "right",
        font=Markup(_FONT),  # noqa: S704  (our own constant)
        subject=fill(words.subject, filling),
        title=fill_html(words.subject, filling),
        preview=fill(words.text[0], filling),
        greeting=_greeting(language, filling),
        before=[fill_html(each, filling) for each in words.text],
        button=words.button,
        link=escape(filling[LINK]) if words.button else "",
        after=[fill_html(each, filling) for each in words.after],
        house=around.house,
        closing=around.closing,
        team=around.team,
        fallback=around.fallback,
        foot=around.foot,
    )


def _greeting(language: str, filling: Mapping[str, str]) -> str:
    around = frame(language)
    name = greetable(filling.get("name", ""))
    return fill(around.greeting, {"name": name}) if name else around.nameless


def _address(name: str, address: str) -> Address:
    """An address for a header. Domains of other scripts go as the network writes them."""
    local, at, domain = address.rpartition("@")
    try:
        if not (at and local and domain):
            raise ValueError("it has no @")
        return Address(name, addr_spec=f"{local}@{domain.encode('idna').decode()}")
    except (ValueError, IndexError, AttributeError, MessageError) as error:
        raise Unsendable(f"no mail can go to this address: {type(error).__name__}") from error
