"""Reading what a form sent, and saying beside each field what is wrong with it.

The functions named ``a_...`` take what was typed, the field's name and the form's errors. They give the
value, or None with a sentence put at the field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from typing import TypeVar
from zoneinfo import ZoneInfo

from flask import flash, redirect, request
from werkzeug.wrappers import Response

from fablab.errors import Code, DomainError

# Sentences by field; "" stands for the form as a whole.
Errors = dict[str, list[str]]
T = TypeVar("T")

# What a bigint holds at least: 18 digits.
NUMBER_MOST = 10**18 - 1
NOT_LISTED = "Please choose one of the list."


def line(name: str, longest: int = 254) -> str:
    """A line of text from the form or the address: no control characters, no space around it.

    Of what is too long, one letter more than ``longest`` is kept, so that the rule about it can say so.
    """
    text = request.form.get(name, request.args.get(name, ""))
    return "".join(letter for letter in text if letter.isprintable()).strip()[: longest + 1]


def sent(*names: str) -> dict[str, str]:
    """What the form sent, by field, for rules that judge every letter of it."""
    return {name: request.form.get(name, "").strip() for name in names}


def lines(*names: str) -> dict[str, str]:
    """Several such lines, by field."""
    return {name: line(name) for name in names}


def how_many(name: str, least: int, most: int) -> int:
    """How many rows the address asks for, such as ``?shown=40``, within bounds."""
    return min(max(request.args.get(name, least, type=int), least), most)


def number(text: str, least: int = 1, most: int = NUMBER_MOST) -> int | None:
    """A whole number as its digits; None for anything else, and for one out of bounds."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    return int(text) if least <= int(text) <= most else None


def a_number(
    text: str, name: str, errors: Errors, *, least: int = 1, most: int = NUMBER_MOST, message: str
) -> int | None:
    """A whole number from ``least`` to ``most``."""
    found = number(text, least, most)
    if found is None:
        refuse(errors, name, message)
    return found


def day(text: str) -> date | None:
    """A day as a date field sends it; None for anything else."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def a_day(text: str, name: str, errors: Errors, *, needed: bool = False, near: bool = False) -> date | None:
    """A day. Empty is None and no error unless it is ``needed``; ``near`` ones are from 2000 to 2199."""
    if not text.strip() and not needed:
        return None
    found = day(text)
    if found is None:
        refuse(errors, name, "Please give a day, for instance 2027-01-31.")
    elif near and not 2000 <= found.year <= 2199:
        refuse(errors, name, "Please give a day in this century.")
        return None
    return found


def a_time(text: str, name: str, errors: Errors) -> time | None:
    """A time of day, as a clock on the wall shows it."""
    try:
        found = time.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        refuse(errors, name, "Please give a time, for instance 14:30.")
        return None
    return found.replace(microsecond=0)


def an_instant(on: date, at: time, zone: str, name: str, errors: Errors) -> datetime | None:
    """The instant (UTC) of a day and a time on the walls of ``zone``; the first where it comes twice."""
    wall = datetime.combine(on, at, ZoneInfo(zone))
    instant = wall.astimezone(UTC)
    if instant.astimezone(wall.tzinfo).replace(tzinfo=None) != wall.replace(tzinfo=None):
        refuse(errors, name, "The clocks change that day and skip this time. Pick an hour earlier or later.")
        return None
    return instant


def a_choice(
    text: str, name: str, errors: Errors, among: Mapping[str, T], message: str = NOT_LISTED
) -> T | None:
    """What stands in ``among`` under what was chosen."""
    found = among.get(text)
    if found is None:
        refuse(errors, name, message)
    return found


def refuse(errors: Errors, name: str, message: str) -> None:
    """Put a sentence at a field."""
    errors.setdefault(name, []).append(message)


def errors_of(
    error: DomainError,
    names: Mapping[str, str] | None = None,
    *,
    fields: Collection[str] | None = None,
    also: Collection[Code] = (),
) -> Errors:
    """Refusals as a form shows them, by field. Raises the error again when it is no refusal, nor ``also``.

    ``names`` turns the verb's fields into the form's; whatever is not among the form's ``fields`` then
    concerns the form as a whole.
    """
    _only_refusals(error, also)
    errors: Errors = {}
    for each in error.refusals:
        name = (names or {}).get(each.field, each.field)
        refuse(errors, name if fields is None or name in fields else "", each.message)
    return errors or {"": [error.message]}


def told(error: DomainError, address: str, *, also: Collection[Code] = ()) -> Response:
    """To the page at ``address``, which says what a rule said. Raises as `errors_of`."""
    _only_refusals(error, also)
    flash(error.message, "error")
    return redirect(address, 303)


def _only_refusals(error: DomainError, also: Collection[Code]) -> None:
    if error.code is not Code.REFUSED and error.code not in also:
        raise error
