"""How a table says what of it is personal. `catalogue` says it for every table.

Conditions and values are SQL over the row, named ``t``. They may use these arguments:

:member     the member's id
:emails     every address the member has or had here, in lower case (text[])
:terms      name, addresses, file and account names by which free text may mention the member (text[])
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


# A reason for `kept` that a law gives. Nothing here is an invoice yet; when one is, its table's columns that
# accounting law keeps are declared with this, and the sentence is what the member reads.
def kept_for_law(what: str, law: str, years: int) -> str:
    return f"{what} is kept for {years} years because {law} requires it."


Declaration = Personal | Unowned | Nothing


def mentions(text: str) -> str:
    """SQL: whether this text mentions the member."""
    return (
        "EXISTS (SELECT FROM unnest(CAST(:terms AS text[])) AS term "
        f"WHERE position(lower(term) IN lower({text})) > 0)"
    )


def mentions_in_bytes(payload: str) -> str:
    """SQL: whether these bytes, in whatever encoding they claim to be, mention the member."""
    return (
        f"EXISTS (SELECT FROM (SELECT lower(encode({payload}, 'escape')) AS said OFFSET 0) AS bytes, "
        "unnest(CAST(:terms AS text[])) AS term "
        "WHERE position(lower(encode(convert_to(term, 'UTF8'), 'escape')) IN said) > 0)"
    )
