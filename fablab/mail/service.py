"""Mails are queued in the transaction of what they tell: neither happens without the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from fablab.mail import texts
from fablab.mail.choices import unwanted
from fablab.mail.models import Mail
from fablab.mail.rules import LINES_MAX, is_link, plain
from fablab.mail.texts import LANGUAGES, LINK

# What fills a gap: a line, or the lines of a list.
Filling = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Recipient:
    """Who gets a mail, and in which language. ``member_id`` is None for people without an account."""

    address: str
    name: str
    language: str
    member_id: int | None = None


@dataclass(frozen=True)
class Letter:
    """One mail to be written. ``calendar`` is an iCalendar text that goes with it."""

    template: str
    to: Recipient
    filling: Filling
    calendar: str | None = None


def queue(session: Session, template: str, to: Recipient, filling: Filling, now: datetime) -> None:
    """Write the mail ``template`` (a file of templates/) into the outbox; it goes once the caller commits.

    ``filling`` has exactly the template's gaps, `link` an address or a path of ours among them. Nothing is
    written to who does not want this kind of notice. Raises ValueError where the filling does not fit: that
    is a mistake in our program, not in what somebody typed.
    """
    letter = Letter(template, to, filling)
    row = _row(letter, now)
    if _wanted(session, [letter]):
        session.add(Mail(**row))


def queue_all(session: Session, letters: Sequence[Letter], now: datetime) -> int:
    """The same for many, in two statements; returns how many were wanted."""
    rows = [_row(each, now) for each in _wanted(session, letters)]
    if rows:
        # With NULLs in their places: rows without a calendar go in the same statement.
        session.execute(insert(Mail), rows, execution_options={"render_nulls": True})
    return len(rows)


def _wanted(session: Session, letters: Sequence[Letter]) -> list[Letter]:
    kinds = {each.template: texts.template(each.template).notice for each in letters}
    asked = {each.to.member_id for each in letters if kinds[each.template]} - {None}
    off = unwanted(session, {member_id for member_id in asked if member_id is not None})
    return [each for each in letters if (each.to.member_id, kinds[each.template]) not in off]


def _row(letter: Letter, now: datetime) -> dict[str, object]:
    """The outbox row. Raises ValueError for a filling that does not fit its template."""
    template, to, filling = letter.template, letter.to, letter.filling
    has = texts.template(template)
    if has.gaps != filling.keys():
        raise ValueError(f"the mail {template} has the gaps {sorted(has.gaps)}, not {sorted(filling)}")
    kept: dict[str, object] = {"name": plain(to.name)}
    for gap, value in filling.items():
        if isinstance(value, str) == (gap in has.lists):
            raise ValueError(f"the mail {template} needs a {'list' if gap in has.lists else 'line'} as {gap}")
        if not isinstance(value, str):
            kept[gap] = [plain(each) for each in value[:LINES_MAX]]
        elif gap != LINK:
            kept[gap] = plain(value)
        elif is_link(value):
            kept[gap] = value
        else:
            raise ValueError(f"the mail {template} needs an http(s) address, or a path, as its link")
    return {
        "member_id": to.member_id,
        "address": to.address,
        "language": to.language if to.language in LANGUAGES else LANGUAGES[0],
        "template": template,
        "filling": kept,
        "calendar": letter.calendar,
        "created_at": now,
        "due_at": now,
    }
