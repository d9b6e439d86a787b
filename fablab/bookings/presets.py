"""A lab's presets: its managers make them, everybody books by them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fablab.bookings.models_series import Preset
from fablab.bookings.preset_queries import PresetView, Step, preset
from fablab.bookings.wording import refusal
from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.machines.models import Kind
from fablab.machines.queries import LabView, machines
from fablab.members import audit
from fablab.members.rules import Actor, may_manage_lab


def add_preset(
    session: Session, actor: Actor, lab: LabView, name: str, steps: Sequence[Step], now: datetime
) -> PresetView:
    """Write down machines that are often booked together; at least one step begins with the booking.

    Raises NOT_ALLOWED, or REFUSED: `preset_exists`, `not_in_lab`, `preset_begins_late`.
    """
    _check(actor, lab.id)
    kept = _kept(session, lab.slug, steps)
    preset_id = session.scalar(
        insert(Preset)
        .values(lab_id=lab.id, name=name, steps=kept)
        .on_conflict_do_nothing()
        .returning(Preset.id)
    )
    if preset_id is None:
        raise refused(refusal("preset_exists", "name", name=name))
    _audit(session, actor, "preset.add", preset_id, lab.id, now)
    return _read(session, preset_id)


def change_preset(
    session: Session,
    actor: Actor,
    preset_id: int,
    now: datetime,
    *,
    name: str | None = None,
    steps: Sequence[Step] | None = None,
) -> PresetView:
    """Give it another name or other steps. Bookings that were made by it stay as they are."""
    found = _changeable(session, actor, preset_id)
    values: dict[str, Any] = {}
    if name is not None and name != found.name:
        taken = select(Preset.id).where(Preset.lab_id == found.lab_id, Preset.name == name)
        if session.scalar(taken) is not None:
            raise refused(refusal("preset_exists", "name", name=name))
        values["name"] = name
    if steps is not None:
        values["steps"] = _kept(session, found.lab_slug, steps)
    if values:
        try:
            with session.begin_nested():
                session.execute(update(Preset).where(Preset.id == preset_id).values(**values))
        except IntegrityError:
            # Somebody gave another one that name in this moment.
            raise refused(refusal("preset_exists", "name", name=name or "")) from None
        _audit(session, actor, "preset.change", preset_id, found.lab_id, now)
    return _read(session, preset_id)


def remove_preset(session: Session, actor: Actor, preset_id: int, now: datetime) -> None:
    """Take it away. Bookings that were made by it stay as they are."""
    found = _changeable(session, actor, preset_id)
    session.execute(delete(Preset).where(Preset.id == preset_id))
    _audit(session, actor, "preset.remove", preset_id, found.lab_id, now)


def _kept(session: Session, lab: str, steps: Sequence[Step]) -> list[dict[str, int]]:
    """The steps as they are stored, by number. Two statements at most."""
    there = {each.slug: each.id for each in machines(session, lab=lab)}
    kinds: dict[str, int] = {}
    wanted = {step.kind for step in steps if step.kind is not None}
    if wanted:
        kinds = {
            slug: id_
            for id_, slug in session.execute(select(Kind.id, Kind.slug).where(Kind.slug.in_(wanted)))
        }
    troubles: list[Refusal] = []
    kept = []
    for number, step in enumerate(steps):
        times = {"offset_s": step.offset_s, "duration_s": step.duration_s}
        if step.machine is not None and step.machine in there:
            kept.append({"machine": there[step.machine], **times})
        elif step.kind is not None and step.kind in kinds:
            kept.append({"kind": kinds[step.kind], **times})
        else:
            of = "machine" if step.machine is not None else "kind"
            name = step.machine or step.kind or ""
            troubles.append(refusal("not_in_lab", f"steps.{number}.{of}", case=of, name=name, lab=lab))
    if all(step.offset_s != 0 for step in steps):
        troubles.append(refusal("preset_begins_late", "steps.0.offset_s"))
    if troubles:
        raise refused(*troubles)
    return kept


def _check(actor: Actor, lab_id: int) -> None:
    if not may_manage_lab(actor, lab_id):
        raise not_allowed("The lab's managers say what is booked together.")


def _changeable(session: Session, actor: Actor, preset_id: int) -> PresetView:
    found = _read(session, preset_id)
    _check(actor, found.lab_id)
    return found


def _read(session: Session, preset_id: int) -> PresetView:
    found = preset(session, preset_id)
    if found is None:
        raise not_found("preset")
    return found


def _audit(session: Session, actor: Actor, act: str, preset_id: int, lab_id: int, now: datetime) -> None:
    audit.record(session, actor, act, f"preset {preset_id}", now, lab_id=lab_id)
