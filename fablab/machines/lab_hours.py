"""What every change of a lab's hours begins with."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found
from fablab.machines.models import Lab, Machine
from fablab.members.rules import Actor, may_manage_lab


@dataclass(frozen=True)
class ManagedLab:
    """A lab whose hours somebody may change, locked until the transaction ends."""

    id: int
    slug: str
    zone: str


def lock_managed_lab(session: Session, actor: Actor, slug: str, *, changes: bool = True) -> ManagedLab:
    """The lab, for its managers and admins; others get an error. Two changes of one lab wait for each other.

    With ``changes`` its hours are another version from now on, so that every process reads them again.
    """
    row = session.execute(select(Lab.id, Lab.slug, Lab.zone).where(Lab.slug == slug)).one_or_none()
    if row is None:
        raise not_found("lab")
    if not may_manage_lab(actor, row.id):
        message = "Hours are set by the lab's managers."
        raise not_allowed(message, Refusal("not_allowed", "", message))
    if changes:
        session.execute(update(Lab).where(Lab.id == row.id).values(hours_version=uuid4()))
    else:
        session.execute(select(Lab.id).where(Lab.id == row.id).with_for_update(key_share=True))
    return ManagedLab(row.id, row.slug, row.zone)


def machine_of(session: Session, lab: ManagedLab, slug: str | None) -> int | None:
    """The id of a machine of this lab; None for None. Another lab's is not found."""
    if slug is None:
        return None
    found = session.scalar(select(Machine.id).where(Machine.slug == slug, Machine.lab_id == lab.id))
    if found is None:
        raise not_found("machine")
    return found
