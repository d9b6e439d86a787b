"""Machines from a file, with their units and what they can do."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.errors import Refusal, refused
from fablab.imports.reading import Line
from fablab.imports.rules import Column, Unreadable, a_number, a_slug, a_text, slugs, yes_or_no
from fablab.machines.adding import UNITS_MOST, NewMachine, add_machine
from fablab.machines.models import Lab, Machine
from fablab.members.rules import Actor

MINUTES_MOST = 1440


def _abilities(cell: str) -> Any:
    raise Unreadable("Give each capability a column of its own, such as capability:laser_w.")


class MachinesImport:
    """What the lab has under this slug already stays as it is."""

    key = "slug"
    columns: Mapping[str, Column] = {
        each.name: each
        for each in (
            Column(
                "slug",
                "By which the machine is known in addresses: small letters, digits and dashes.",
                a_slug,
                needed=True,
                also=("machine", "code"),
            ),
            Column("name", "As it stands on its sign.", a_text(120), needed=True, also=("nom",)),
            Column("lab", "The lab's slug.", a_slug, needed=True, also=("labo", "fablab")),
            Column(
                "kind", "The kind's slug, such as 3d-printer.", a_slug, needed=True, also=("type", "genre")
            ),
            Column(
                "units",
                "How many bookings it takes at once; most machines one.",
                a_number(1, UNITS_MOST),
                empty=1,
                also=("places", "unites"),
            ),
            Column("unattended", "May run while nobody is there: yes or no.", yes_or_no, empty=False),
            Column("bookable", "No: only ever claimed with a machine that needs it.", yes_or_no, empty=True),
            Column("setup_min", "Minutes before every booking.", a_number(0, MINUTES_MOST), empty=0),
            Column("cleanup_min", "Minutes after every booking.", a_number(0, MINUTES_MOST), empty=0),
            Column(
                "needs",
                "Slugs of machines it runs only together with, such as an extractor.",
                slugs,
                empty=(),
            ),
            Column(
                "capabilities",
                "One column each, such as capability:build_volume_mm (250x210x220).",
                _abilities,
            ),
        )
    }
    fields: Mapping[str, str] = {}

    def __init__(self, actor: Actor, now: datetime) -> None:
        self._actor, self._now = actor, now

    def key_of(self, values: Mapping[str, Any]) -> Hashable:
        return values["slug"]

    def prepare(self, session: Session, lines: Iterable[Line]) -> None:
        """Nothing is held before: new machines are nobody else's."""

    def take(self, session: Session, values: Mapping[str, Any]) -> bool:
        there = session.scalar(
            select(Lab.slug).join(Machine, Machine.lab_id == Lab.id).where(Machine.slug == values["slug"])
        )
        if there == values["lab"]:
            return False
        if there is not None:
            text = f"{values['slug']} is a machine of {there}. Choose another slug."
            raise refused(Refusal("other_machine", "slug", text))
        wanted = NewMachine(
            slug=values["slug"],
            name=values["name"],
            lab=values["lab"],
            kind=values["kind"],
            units=values["units"],
            unattended=values["unattended"],
            bookable=values["bookable"],
            setup_s=60 * values["setup_min"],
            cleanup_s=60 * values["cleanup_min"],
            needs=values["needs"],
            capabilities=values["capabilities"] or {},
        )
        add_machine(session, self._actor, wanted, self._now)
        return True

    def finish(self, session: Session) -> None:
        """Nothing is left to do."""
