"""Who gets which answer from which route. A route without a row fails the suite; so does a row of no route.

To add rows, open the module of the area (or make one; every module here with ``ROWS`` counts) and write

    ROWS = {"POST /api/v1/labs/<slug:lab>/doors": Row(201, amina=403, youssef=403, json={"name": "$door"})}

The key is method and rule as Flask has them; the first number is everybody's status, names make exceptions.
``at`` fills the address (``at={"door_id": "$door"}``; lab and machine are Tanger's unless it says otherwise),
``json`` or ``form`` is the body; there are ``query`` and ``headers``, too. "$door", anywhere in them, is what
the area's ``def things(world: World) -> dict[str, Any]`` made under that name; world.py has the common ones.
Who has not signed in gets 401 (REST) or is sent to the door (pages); ``anonymous=200`` stands for `@public`.
Each request is undone afterwards: rows cannot disturb one another, and all may delete the same thing in turn.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

# amina owns the organisation and the things, youssef owns the other organisation, trainer and salma (manager)
# are of Tanger, karim manages Rabat, nadia is operator.
PEOPLE = ("amina", "youssef", "trainer", "salma", "karim", "nadia", "admin")
REST = "/api/v1/"


@dataclass(frozen=True)
class Row:
    """What one route answers to whom, and what it is asked with."""

    everybody: int
    anonymous: int | None = None
    amina: int | None = None
    youssef: int | None = None
    trainer: int | None = None
    salma: int | None = None
    karim: int | None = None
    nadia: int | None = None
    admin: int | None = None
    at: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    json: Any = field(default=None, kw_only=True)
    form: Mapping[str, Any] | None = field(default=None, kw_only=True)
    query: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    # The secret in the address is the proof; a mail program sends it, which has read no page of ours.
    proven_by_address: bool = field(default=False, kw_only=True)

    def expected(self, person: str) -> int:
        """The status one of PEOPLE gets."""
        own: int | None = getattr(self, person)
        return self.everybody if own is None else own

    @property
    def public(self) -> bool:
        """Whether the route answers somebody who has not signed in."""
        return self.anonymous is not None


def areas() -> Iterator[ModuleType]:
    """The modules of this package that have rows, by name."""
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        if not found.name.startswith("test_"):
            module = import_module(f"{__name__}.{found.name}")
            if hasattr(module, "ROWS"):
                yield module


def all_rows() -> dict[str, Row]:
    """Every row of every area. One route has one row."""
    rows: dict[str, Row] = {}
    for area in areas():
        twice = rows.keys() & area.ROWS.keys()
        assert not twice, f"{area.__name__} has rows that another area has too: {sorted(twice)}"
        rows.update(area.ROWS)
    return rows
