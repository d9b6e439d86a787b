"""Reads about presets: machines of a lab that are often booked together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from fablab.bookings.models_series import Preset
from fablab.machines.models import Kind, Lab, Machine

STEPS_MOST = 10


@dataclass(frozen=True)
class Step:
    """A machine, or any of a kind (slugs), for so long; ``offset_s`` counts from the booking's start."""

    offset_s: int
    duration_s: int
    machine: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class PresetView:
    """A lab's preset with its steps by name."""

    id: int
    lab_id: int
    lab_slug: str
    name: str
    steps: tuple[Step, ...]


def preset(session: Session, preset_id: int) -> PresetView | None:
    """The preset, whichever lab's it is. Three statements."""
    found = _views(session, _presets().where(Preset.id == preset_id))
    return found[0] if found else None


def presets(session: Session, lab_id: int) -> list[PresetView]:
    """A lab's presets by name. Three statements."""
    return _views(session, _presets().where(Preset.lab_id == lab_id).order_by(Preset.name))


def _presets() -> Select[Any]:
    return select(Preset.id, Preset.lab_id, Lab.slug, Preset.name, Preset.steps).join(
        Lab, Lab.id == Preset.lab_id
    )


def _views(session: Session, query: Select[Any]) -> list[PresetView]:
    """The rows with the names of the machines and kinds that their steps number."""
    rows = session.execute(query).all()
    steps = [step for row in rows for step in row.steps]
    named: dict[tuple[str, int], str] = {}
    if steps:
        by_machine = select(Machine.id, Machine.slug).where(Machine.id.in_(_ids(steps, "machine")))
        by_kind = select(Kind.id, Kind.slug).where(Kind.id.in_(_ids(steps, "kind")))
        named |= {("machine", each): slug for each, slug in session.execute(by_machine)}
        named |= {("kind", each): slug for each, slug in session.execute(by_kind)}
    return [
        PresetView(
            row.id,
            row.lab_id,
            row.slug,
            row.name,
            tuple(
                Step(
                    each["offset_s"],
                    each["duration_s"],
                    named.get(("machine", each["machine"]), "") if "machine" in each else None,
                    named.get(("kind", each["kind"]), "") if "kind" in each else None,
                )
                for each in row.steps
            ),
        )
        for row in rows
    ]


def _ids(steps: list[dict[str, Any]], of: str) -> set[int]:
    return {each[of] for each in steps if of in each}
