"""A mail as it goes over the wire: text and HTML of the same paragraphs, and headers nobody can add to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from fablab.mail.post import NeverError
from fablab.mail.rules import greetable
from fablab.mail.texts import HERE, LINK, fill, fill_html, frame, lines_of, needed, template

_METHOD = re.compile(r"^METHOD:([A-Z]+)\r?$", re.MULTILINE)
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
    filling: Mapping[str, Any],
    *,
    sender: str,
    to: str,
    message_id: str,
    written_at: datetime,
    calendar: str | None = None,
    unsubscribe: str | None = None,
) -> EmailMessage:
    """The mail ``name``. ``sender`` is "Name <address>"; ``message_id`` stays the same for the same mail.

    ``calendar`` is an iCalendar text: it goes beside text and HTML, which is where mail programs look for an
    invitation, and as a file, for whoever opens it by hand. ``unsubscribe`` is an address that ends mails of
    this kind with one POST (RFC 8058).
    """
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
    if unsubscribe:
        message["List-Unsubscribe"] = f"<{unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(_text(name, language, filling))
    message.add_alternative(_html(name, language, filling), subtype="html")
    if calendar is not None:
        _add_calendar(message, calendar)
    # Now: what is set before would become the text part's.
    message["Content-Language"] = language
    return message


def _add_calendar(message: EmailMessage, calendar: str) -> None:
    method = _METHOD.search(calendar)
    told = {"method": method[1]} if method else {}
    # As bytes: line ends and folds stay as they are.
    content = calendar.encode()
    message.add_alternative(content, "text", "calendar", cte="base64", params={"charset": "utf-8", **told})
    message.add_attachment(
        content, "text", "calendar", cte="base64", filename="booking.ics", params={"charset": "utf-8", **told}
    )


def _paragraphs(written: Sequence[str], name: str, filling: Mapping[str, Any]) -> list[str]:
    """Those that say something."""
    return [each for each in written if needed(each, filling, template(name).optional)]


def _text(name: str, language: str, filling: Mapping[str, Any]) -> str:
    words, around = template(name).words[language], frame(language)
    button = [f"{words.button}\n{filling[LINK]}"] if words.button else []
    parts = [
        _greeting(language, filling),
        *(_plain(each, filling) for each in _paragraphs(words.text, name, filling)),
        *button,
        *(_plain(each, filling) for each in _paragraphs(words.after, name, filling)),
        f"{around.closing}\n{around.team}",
        f"-- \n{around.house}\n{around.foot}",
    ]
    return "\n\n".join(parts) + "\n"


def _plain(paragraph: str, filling: Mapping[str, Any]) -> str:
    lines = lines_of(paragraph, filling)
    return fill(paragraph, filling) if lines is None else "\n".join(f"- {line}" for line in lines)


def _marked(paragraph: str, filling: Mapping[str, Any]) -> Markup | list[str]:
    """A paragraph in HTML, or the lines of a list."""
    lines = lines_of(paragraph, filling)
    return fill_html(paragraph, filling) if lines is None else lines


def _html(name: str, language: str, filling: Mapping[str, Any]) -> str:
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
        preview=_plain(_paragraphs(words.text, name, filling)[0], filling),
        greeting=_greeting(language, filling),
        before=[_marked(each, filling) for each in _paragraphs(words.text, name, filling)],
        button=words.button,
        link=escape(filling[LINK]) if words.button else "",
        after=[_marked(each, filling) for each in _paragraphs(words.after, name, filling)],
        house=around.house,
        closing=around.closing,
        team=around.team,
        fallback=around.fallback,
        foot=around.foot,
    )


def _greeting(language: str, filling: Mapping[str, Any]) -> str:
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
