"""The rules as they stand in the database, kept in memory until somebody changes one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, true
from sqlalchemy.orm import Session

from fablab.bookings.facts import Place, Policy, Who
from fablab.bookings.models import Booking
from fablab.bookings.models_rules import RuleRow, RulesVersion
from fablab.bookings.rulebook import Label, Row, Rulebook, Ruling
from fablab.machines.models import Kind, Lab, Machine
from fablab.machines.queries import MachineView
from fablab.members.models import Member
from fablab.organisations.models import Organisation

NO_RULES = Rulebook()
# By version, which names the rules of one database at one time; the last few, as tests and transactions that
# are undone bring others in between.
_known: dict[UUID, Rulebook] = {}
_KEPT = 4


def rulebook(session: Session, version: UUID | None) -> Rulebook:
    """The rules at this version, which comes with the row of a machine. No statement where they are known.

    None: nobody has ever set a rule.
    """
    if version is None:
        return NO_RULES
    found = _known.get(version)
    return _read(session) if found is None else found


def current(session: Session) -> Rulebook:
    """The rules as they stand. One statement, two where they have changed."""
    return rulebook(session, session.scalar(select(RulesVersion.version)))


def place_of(machine: MachineView) -> Place:
    """The machine as rules see it."""
    return Place(machine.id, machine.lab_id, machine.kind_id, machine.setup_s, machine.cleanup_s)


def ruling_at(session: Session, machine: MachineView, who: Who, policy: Policy) -> Ruling:
    """What is asked of bookings of this machine. No statement where the rules are known."""
    return rulebook(session, machine.rules_version).ruling(place_of(machine), who, policy)


def rulings_of_bookings(session: Session, booking_ids: Collection[int], policy: Policy) -> dict[int, Ruling]:
    """The rules in force for each of these bookings, by id. One statement, two where rules have changed."""
    if not booking_ids:
        return {}
    rows = session.execute(
        select(
            Booking.id,
            Booking.organisation_id,
            Member.category,
            Machine.id.label("machine_id"),
            Machine.lab_id,
            Machine.kind_id,
            Machine.setup_s,
            Machine.cleanup_s,
            select(RulesVersion.version).scalar_subquery().label("version"),
        )
        .join(Machine, Machine.id == Booking.machine_id)
        .join(Member, Member.id == Booking.member_id)
        .where(Booking.id.in_(tuple(booking_ids)))
    ).all()
    rules = rulebook(session, rows[0].version) if rows else NO_RULES
    return {
        row.id: rules.ruling(
            Place(row.machine_id, row.lab_id, row.kind_id, row.setup_s, row.cleanup_s),
            Who(row.category, row.organisation_id),
            policy,
        )
        for row in rows
    }


def rows_of_rules(*more: Any) -> Select[*tuple[Any, ...]]:
    """Every row with what it names; `row_from` makes a Row of each."""
    return _with_names(select(*_COLUMNS, *more).select_from(RuleRow))


def row_from(row: Any) -> Row:
    return Row(
        row.id,
        row.name,
        row.value,
        category=row.category,
        **{what: _named(row, what) for what in ("lab", "kind", "machine", "organisation")},
    )


def _read(session: Session) -> Rulebook:
    """Rows and their version at one moment, in one statement: somebody may be changing them just now."""
    every = select(RulesVersion.version, *_COLUMNS).select_from(RulesVersion).outerjoin(RuleRow, true())
    rows = session.execute(_with_names(every)).all()
    read = Rulebook(row_from(row) for row in rows if row.id is not None)
    if rows:
        while len(_known) >= _KEPT:
            _known.pop(next(iter(_known)), None)
        _known[rows[0].version] = read
    return read


def _with_names(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return (
        query.outerjoin(Lab, Lab.id == RuleRow.lab_id)
        .outerjoin(Kind, Kind.id == RuleRow.kind_id)
        .outerjoin(Machine, Machine.id == RuleRow.machine_id)
        .outerjoin(Organisation, Organisation.id == RuleRow.organisation_id)
    )


def _label(table: Any, fr: Any, ar: Any, en: Any) -> tuple[Any, ...]:
    what = table.__tablename__
    return (
        table.id.label(f"{what}_id"),
        table.slug.label(f"{what}_slug"),
        fr.label(f"{what}_fr"),
        ar.label(f"{what}_ar"),
        en.label(f"{what}_en"),
    )


def _named(row: Any, what: str) -> Label | None:
    has = row._mapping
    if has[f"{what}_id"] is None:
        return None
    names = {language: has[f"{what}_{language}"] for language in ("fr", "ar", "en")}
    return Label(has[f"{what}_id"], has[f"{what}_slug"], names)


_COLUMNS = (
    RuleRow.id,
    RuleRow.name,
    RuleRow.value,
    RuleRow.category,
    *_label(Lab, Lab.name_fr, Lab.name_ar, Lab.name_en),
    *_label(Kind, Kind.name_fr, Kind.name_ar, Kind.name_en),
    *_label(Machine, Machine.name, Machine.name, Machine.name),
    *_label(Organisation, Organisation.name, Organisation.name, Organisation.name),
)
