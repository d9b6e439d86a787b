"""Adding machines to a lab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, refused
from fablab.machines.models import Kind, Lab, Machine, Need, Unit
from fablab.members import audit
from fablab.members.rules import Actor, may_manage_lab

UNITS_MOST = 200


@dataclass(frozen=True)
class NewMachine:
    """A machine as it is to be: lab, kind and the machines it needs by slug, buffers in seconds."""

    slug: str
    name: str
    lab: str
    kind: str
    units: int = 1
    unattended: bool = False
    bookable: bool = True
    setup_s: int = 0
    cleanup_s: int = 0
    needs: tuple[str, ...] = ()
    capabilities: Mapping[str, Any] = field(default_factory=dict)


def add_machine(session: Session, actor: Actor, wanted: NewMachine, now: datetime) -> int:
    """Add a machine to a lab the actor manages; returns its id.

    Raises NOT_ALLOWED, or REFUSED with all that is wrong. What it needs is there already, so nothing can need
    itself by a detour.
    """
    lab_id = session.scalar(select(Lab.id).where(Lab.slug == wanted.lab))
    if lab_id is not None and not may_manage_lab(actor, lab_id):
        text = f"Only the managers of {wanted.lab} add machines to it."
        raise not_allowed(text, Refusal("not_allowed", "lab", text))
    kind_id = session.scalar(select(Kind.id).where(Kind.slug == wanted.kind))
    needed = {
        row.slug: row.id
        for row in session.execute(
            select(Machine.slug, Machine.id).where(
                Machine.slug.in_((wanted.slug, *wanted.needs)), Machine.lab_id == (lab_id or 0)
            )
        )
    }
    taken = session.scalar(select(Machine.id).where(Machine.slug == wanted.slug))
    refusals = []
    if lab_id is None:
        refusals.append(Refusal("unknown_lab", "lab", f"There is no lab {wanted.lab}."))
    if kind_id is None:
        kinds = ", ".join(session.scalars(select(Kind.slug).order_by(Kind.slug)))
        refusals.append(
            Refusal("unknown_kind", "kind", f"There is no kind {wanted.kind}. There are {kinds or 'none'}.")
        )
    if taken is not None:
        text = f"There is a machine {wanted.slug} already. Choose another slug."
        refusals.append(Refusal("machine_exists", "slug", text))
    refusals += [
        Refusal("unknown_need", "needs", f"There is no machine {each} in this lab. Add it first.")
        for each in wanted.needs
        if lab_id is not None and (each not in needed or each == wanted.slug)
    ]
    if refusals or lab_id is None or kind_id is None:
        raise refused(*refusals)
    made = Machine(
        slug=wanted.slug,
        name=wanted.name,
        lab_id=lab_id,
        kind_id=kind_id,
        capabilities=dict(wanted.capabilities),
        unattended=wanted.unattended,
        bookable=wanted.bookable,
        setup_s=wanted.setup_s,
        cleanup_s=wanted.cleanup_s,
        units=[Unit(number=number) for number in range(1, wanted.units + 1)],
    )
    session.add(made)
    session.flush()
    session.add_all(Need(machine_id=made.id, needs_id=needed[each]) for each in dict.fromkeys(wanted.needs))
    session.flush()
    audit.record(session, actor, "machine.add", f"machine {made.id}", now, wanted.slug, lab_id=lab_id)
    return made.id
