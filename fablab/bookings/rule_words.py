"""Rules and where they come from, in the network's three languages: what rule_words.toml says, filled in."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fablab.bookings.rule_names import NAMES, Unit
from fablab.bookings.wording import Days, filled

if TYPE_CHECKING:
    from fablab.bookings.rulebook import Origin

PATH = Path(__file__).parent / "rule_words.toml"
# What of a row stands where: together they say in which place it holds.
_PLACES = {
    (): "network",
    ("lab",): "lab",
    ("kind",): "kind",
    ("lab", "kind"): "kind_in_lab",
    ("machine",): "machine",
}


def rule_in_words(name: str, value: Any, language: str) -> str:
    """What a rule with this value asks, as a sentence for whoever books."""
    words = _words()[name]
    if not value and "off" in words:
        return words["off"][language]
    return filled(words["says"], language, value=value_of(name, value))


def value_of(name: str, value: Any) -> Any:
    """The value as something that has words: a length for seconds and minutes, a count for days."""
    match NAMES[name].unit:
        case Unit.SECONDS:
            return timedelta(seconds=value)
        case Unit.MINUTES:
            return timedelta(minutes=value)
        case Unit.DAYS:
            return Days(value)
        case Unit.FLAG:
            return str(value).lower()
        case _:
            return value


def origin_in_words(origin: Origin, language: str) -> str:
    """Where a value comes from: "network", "lab Tanger", "3D printer in Tanger, for category school"."""
    words = _words()["origin"]
    row = origin.row
    if row is None:
        return words["machine_itself" if origin.machine else "settings"][language]
    said = place_in_words(origin, language)
    if row.category is not None:
        said += filled(words["for_category"], language, category=row.category)
    if row.organisation is not None:
        said += filled(words["for_organisation"], language, organisation=row.organisation.names)
    return said


def place_in_words(origin: Origin, language: str) -> str:
    """Where a rule holds, whoever it is for."""
    row = origin.row
    named = {} if row is None else {each: getattr(row, each) for each in ("lab", "kind", "machine")}
    known = {each: label.names for each, label in named.items() if label is not None}
    return filled(_words()["origin"][_PLACES[tuple(known)]], language, **known)


def standing_in_words(case: str, values: Mapping[str, Any], language: str) -> str:
    """How a member stands with a rule now."""
    return filled(_words()["now"][case], language, **values)


@cache
def _words() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    return tomllib.loads(PATH.read_text(encoding="utf-8"))
