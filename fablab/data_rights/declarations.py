"""How a table says what of it is personal. `catalogue` says it for every table.

Conditions and values are SQL over the row, named ``t``. They may use these arguments:

:member     the member's id
:emails     every address the member has or had here, in lower case (text[])
:terms      full name and addresses by which free text may mention the member (text[])
:now        the instant of the erasure
:name, :address   what stands where the member's name and address were
:before     (limits only) what was counted from before this instant has been kept long enough
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shown:
    """A column the member gets. ``heading`` is for people, ``sql`` what is read instead of the column."""

    heading: str
    sql: str = ""
    key: str = ""


@dataclass(frozen=True)
class Hidden:
    """A column the member does not get, and why: a secret, or somebody else's."""

    why: str


@dataclass(frozen=True)
class Delete:
    """Rows that go when the member does."""

    rows: str


@dataclass(frozen=True)
class Change:
    """Rows that stay without the member: column -> SQL of what stands there afterwards."""

    rows: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Limit:
    """How long rows are kept: a setting of [retention], and which rows have passed it.

    ``values`` empties columns and leaves the rows; without, the rows are deleted. ``source`` is where rows
    are looked for, when that is more than the table itself; it must give the row as ``t``.
    """

    setting: str
    rows: str
    values: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True)
class Personal:
    """A table that holds something about people.

    ``rows`` are those about a member, ``columns`` what of them is handed out; every column is named.
    ``erasure`` runs in order. ``kept`` says of each column that stays readable after an erasure why it may,
    ``links`` of each key to a member what it means once that member is erased.
    ``limits`` are the settings that say how long rows are kept; without any, ``lasts`` says it in words.
    ``within`` is the (sheet, column) of the rows these belong below.
    """

    table: str
    sheet: str
    rows: str
    columns: Mapping[str, Shown | Hidden]
    erasure: tuple[Delete | Change, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    lasts: str = ""
    within: tuple[str, str] | None = None
    order: str = "t.id"


@dataclass(frozen=True)
class Unowned:
    """A table nobody's rows can be handed out from, but in which a person may be mentioned."""

    table: str
    why: str
    erasure: tuple[Delete | Change, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    lasts: str = ""


@dataclass(frozen=True)
class Nothing:
    """A table that holds nothing about people, and why that is so."""

    table: str
    why: str


Declaration = Personal | Unowned | Nothing


def word_in(term: str, text: str) -> str:
    """SQL: whether the term stands in the text on its own, and not as a part of another word.

    ``term`` and ``text`` are SQL of texts, ``text`` in lower case. An escape as JSON writes it (\\n, \\u00e9)
    may come before.
    """
    literal = f"regexp_replace(lower({term}), '(\\W)', '\\\\\\1', 'g')"
    # Few texts hold it at all, and a pattern takes its time.
    return f"position(lower({term}) IN {text}) > 0 AND {text} ~ ('{BEFORE}' || {literal} || '{AFTER}')"


# Of an address such as not.amina@example.org.ma, amina@example.org is only a part.
BEFORE = r"(^|[^\w.@-]|\\[nrtbf]|\\u[0-9a-f]{4})"
AFTER = r"($|[^\w.@-]|[.@-]($|\W))"


def mentions(text: str) -> str:
    """SQL: whether this text mentions the member."""
    found = word_in("term", f"lower({text})")
    return f"EXISTS (SELECT FROM unnest(CAST(:terms AS text[])) AS term WHERE {found})"


def in_bytes(term: str) -> str:
    """SQL: a text as `escaped` bytes have it."""
    return f"encode(convert_to({term}, 'UTF8'), 'escape')"


def escaped(payload: str) -> str:
    """SQL: bytes, in whatever encoding they claim to be, as a text in lower case that can be searched."""
    return f"lower(encode({payload}, 'escape'))"


def mentions_in_bytes(payload: str) -> str:
    """SQL: whether these bytes mention the member."""
    found = word_in(in_bytes("term"), "bytes.said")
    return (
        f"EXISTS (SELECT FROM (SELECT {escaped(payload)} AS said OFFSET 0) AS bytes, "
        f"unnest(CAST(:terms AS text[])) AS term WHERE {found})"
    )
