"""Reads about the rules that are set, for whoever sets them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from fablab.bookings.models_rules import RuleRow
from fablab.bookings.rule_store import row_from, rows_of_rules
from fablab.bookings.rule_words import rule_in_words
from fablab.bookings.rulebook import Origin, Row
from fablab.machines.models import Kind, Lab, Machine
from fablab.members.models import Member
from fablab.members.rules import Actor

_of_machine = aliased(Lab, name="of_machine")


@dataclass(frozen=True)
class RuleView:
    """A rule that is set: its row, the lab in which it holds (None: beyond one), and who set it last."""

    row: Row
    lab_id: int | None
    lab_slug: str | None
    note: str
    changed_by_id: int | None
    changed_by_name: str | None
    changed_at: datetime

    @property
    def origin(self) -> Origin:
        return Origin(self.row)

    def in_words(self, language: str) -> str:
        """What it asks, as a sentence."""
        return rule_in_words(self.row.name, self.row.value, language)


def rules(
    session: Session,
    *,
    actor: Actor | None = None,
    rule_id: int | None = None,
    name: str | None = None,
    lab: str | None = None,
    kind: str | None = None,
    machine: str | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[RuleView]:
    """Rules that are set, by number. One statement.

    With ``actor`` those that this member of staff may read: beyond labs, and of the own ones. ``lab`` (slug)
    selects those of the lab and of its machines, ``kind`` and ``machine`` those that name one.
    """
    lab_id = func.coalesce(RuleRow.lab_id, Machine.lab_id)
    query = (
        rows_of_rules(
            lab_id.label("holds_in"),
            func.coalesce(Lab.slug, _of_machine.slug).label("holds_in_slug"),
            RuleRow.note,
            RuleRow.changed_by_id,
            Member.name.label("changed_by"),
            RuleRow.changed_at,
        )
        .outerjoin(Member, Member.id == RuleRow.changed_by_id)
        .outerjoin(_of_machine, _of_machine.id == Machine.lab_id)
        .order_by(RuleRow.id)
        .limit(limit)
    )
    if actor is not None and not (actor.admin or actor.operator):
        own = sorted(actor.managed_labs | actor.trained_labs)
        query = query.where(or_(lab_id.is_(None), lab_id.in_(own)))
    if rule_id is not None:
        query = query.where(RuleRow.id == rule_id)
    if name is not None:
        query = query.where(RuleRow.name == name)
    if lab is not None:
        query = query.where(lab_id == select(Lab.id).where(Lab.slug == lab).scalar_subquery())
    if kind is not None:
        query = query.where(Kind.slug == kind)
    if machine is not None:
        query = query.where(Machine.slug == machine)
    if after is not None:
        query = query.where(RuleRow.id > after)
    return [
        RuleView(
            row_from(row),
            row.holds_in,
            row.holds_in_slug,
            row.note,
            row.changed_by_id,
            row.changed_by,
            row.changed_at,
        )
        for row in session.execute(query)
    ]
