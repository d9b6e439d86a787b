"""What an imported file looks like: its columns, what they are called, and what a cell may say. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from fablab.errors import Refusal
from fablab.members.rules import Actor

# Every code a file or a line of it can be refused with, beside those of the verbs that take it in.
REFUSAL_CODES = {
    "not_csv": "The file is no table in CSV: it is empty, has no header, or holds bytes that are no text.",
    "file_too_large": "The file has more bytes or lines than are taken at once.",
    "unknown_column": "The file has a column that is not known, or twice the same.",
    "missing_column": "The file lacks a column that is needed.",
    "no_passwords": "Passwords do not belong in a file.",
    "unreadable_cell": "What stands in the cell is not what the column is for.",
    "twice_in_file": "An earlier line of the file says the same.",
    "other_machine": "There is a machine of this name in another lab.",
}
WHATS = ("bookings", "machines", "members")
CELL_MAX = 2000
FIRST_YEAR, LAST_YEAR = 2000, 2199

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_WALL = (
    (re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T]+(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII), (0, 1, 2)),
    (re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4}) +(\d{1,2})[:h](\d\d)(?::(\d\d))?", re.ASCII), (2, 1, 0)),
)
_DAY = (
    (re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII), (0, 1, 2)),
    (re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})", re.ASCII), (2, 1, 0)),
)
_ABILITY = re.compile(r"capability:([a-z][a-z0-9_]{0,39})", re.ASCII)
_NUMBERS = re.compile(r"\d+(?:[.,]\d+)?(?: ?[x×] ?\d+(?:[.,]\d+)?)+")
_YES = {
    "yes": True,
    "oui": True,
    "true": True,
    "1": True,
    "no": False,
    "non": False,
    "false": False,
    "0": False,
}


class Unreadable(ValueError):
    """A cell that says nothing its column can take; the message is a sentence that says what it should be."""


@dataclass(frozen=True)
class Column:
    """A column of a file: its name, what it is for, how a cell is read. ``also`` are other names for it."""

    name: str
    about: str
    read: Callable[[str], Any]
    needed: bool = False
    empty: Any = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Why a line of the file is not taken; the refusal's field is the column, "" for the line as a whole."""

    line: int
    refusal: Refusal

    @property
    def column(self) -> str:
        return self.refusal.field

    @property
    def code(self) -> str:
        return self.refusal.code

    @property
    def message(self) -> str:
        return self.refusal.message


def may_import(actor: Actor, what: str) -> bool:
    """Members: admins. Machines and bookings: whoever manages a lab, for that lab; the verbs see to it."""
    return actor.admin or (what != "members" and bool(actor.managed_labs))


def may_import_something(actor: Actor) -> bool:
    return any(may_import(actor, what) for what in WHATS)


def a_text(longest: int) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if len(cell) > longest:
            raise Unreadable(f"Say it in {longest} characters; these are {len(cell)}.")
        if not all(letter.isprintable() for letter in cell):
            raise Unreadable("Plain text in one line, without control characters.")
        return cell

    return read


def a_slug(cell: str) -> str:
    if len(cell) > 60 or not _SLUG.fullmatch(cell):
        raise Unreadable("A name of small letters, digits and dashes, at most 60, such as tanger-laser-1.")
    return cell


def slugs(cell: str) -> tuple[str, ...]:
    return tuple(a_slug(each) for each in re.split(r"[\s|,]+", cell) if each)


def a_number(least: int, most: int) -> Callable[[str], int]:
    def read(cell: str) -> int:
        if not (cell.isascii() and cell.isdigit() and len(cell) <= 18 and least <= int(cell) <= most):
            raise Unreadable(f"A whole number from {least} to {most}.")
        return int(cell)

    return read


def yes_or_no(cell: str) -> bool:
    found = _YES.get(cell.casefold())
    if found is None:
        raise Unreadable("yes or no.")
    return found


def one_of(*words: str) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if cell.casefold() not in words:
            raise Unreadable(f"One of {', '.join(words)}.")
        return cell.casefold()

    return read


def a_day(cell: str) -> date:
    """2027-01-31, or 31/01/2027."""
    for pattern, order in _DAY:
        if match := pattern.fullmatch(cell):
            parts = [int(each) for each in match.groups()]
            try:
                return date(*(parts[at] for at in order))
            except ValueError:
                break
    raise Unreadable("A day like 2027-01-31 or 31/01/2027.")


def a_moment(cell: str) -> datetime:
    """An instant with its offset, or wall time of the lab without one: 2027-01-31 10:00, 31/01/2027 10:00."""
    found = _moment(cell)
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Unreadable(
            "A day and a time on the lab's clock like 2027-01-31 10:00 or 31/01/2027 10:00, or an instant "
            "like 2027-01-31T10:00:00+01:00."
        )
    return found


def _moment(cell: str) -> datetime | None:
    for pattern, order in _WALL:
        if match := pattern.fullmatch(cell):
            parts = [int(each or 0) for each in match.groups()]
            try:
                return datetime.combine(
                    date(*(parts[at] for at in order)), time(parts[3], parts[4], parts[5])
                )
            except ValueError:
                return None
    try:
        found = datetime.fromisoformat(cell.upper())
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def an_ability(cell: str) -> Any:
    """A machine's capability: a number, yes or no, numbers as 250x210x220, words as PLA|PETG, or a word."""
    if len(cell) > 200 or not all(letter.isprintable() for letter in cell):
        raise Unreadable("A number, yes or no, numbers like 250x210x220, or words like PLA|PETG.")
    if cell.casefold() in ("yes", "no", "oui", "non"):
        return _YES[cell.casefold()]
    if "|" in cell:
        return [each.strip() for each in cell.split("|") if each.strip()]
    if _NUMBERS.fullmatch(cell):
        return [_plain_number(each) for each in re.split(r" ?[x×] ?", cell)]
    return _plain_number(cell) if re.fullmatch(r"\d{1,12}([.,]\d{1,6})?", cell, re.ASCII) else cell


def _plain_number(text: str) -> int | float:
    return float(text.replace(",", ".")) if re.search("[.,]", text) else int(text)


def ability_named(header: str) -> str | None:
    """The capability a column such as capability:laser_w is for."""
    match = _ABILITY.fullmatch(header)
    return match[1] if match else None


def plain(header: str) -> str:
    """A header as it is compared: without accents, in small letters, blanks and dashes as underscores."""
    letters = unicodedata.normalize("NFKD", header.strip().strip("*").casefold())
    return re.sub(r"[\s_-]+", "_", "".join(each for each in letters if not unicodedata.combining(each)))


def names_of(columns: Mapping[str, Column]) -> dict[str, str]:
    """Every name a column goes by -> its own."""
    return {plain(name): each.name for each in columns.values() for name in (each.name, *each.also)}


def says_password(header: str) -> bool:
    return any(word in plain(header) for word in ("password", "mot_de_passe", "motdepasse", "passwd"))
