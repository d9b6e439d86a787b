"""Closures: spans in which a lab or one machine is closed. Proposed by the clock, decided by its managers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_found, refused
from fablab.machines.lab_hours import ManagedLab, lock_managed_lab, machine_of
from fablab.machines.models import LABEL_MAX, CalendarSource, Closure, Machine
from fablab.machines.recurrence import BadRule, parse
from fablab.machines.rules import closure_refusals
from fablab.members import audit
from fablab.members.rules import Actor, may_manage_lab

# Of a lab, without those that come from calendars elsewhere.
CLOSURES_MOST = 1000
CHANGES = ("label", "machine", "local_starts", "local_ends", "rrule", "unattended_too")


@dataclass(frozen=True)
class ClosureView:
    """A closure in wall time. ``machine`` is its slug, None for the whole lab; ``source`` names the calendar
    elsewhere that it comes from. ``state`` is proposed, confirmed or declined.
    """

    id: int
    label: str
    machine: str | None
    local_starts: datetime
    local_ends: datetime
    rrule: str | None
    unattended_too: bool
    state: str
    proposal: str | None
    source: str | None

    @property
    def first_day(self) -> date:
        return self.local_starts.date()

    @property
    def last_day(self) -> date:
        """The last day any of it lies on."""
        return (self.local_ends - timedelta(microseconds=1)).date()

    @property
    def whole_days(self) -> bool:
        return self.local_starts.time() == self.local_ends.time() == time(0)


def closures_of(
    session: Session,
    actor: Actor,
    lab_id: int,
    *,
    state: str | None = None,
    since: date | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int | None = None,
) -> list[ClosureView]:
    """The closures of a lab by their beginning; those that are repeated count from their first time.

    ``since`` leaves out what was over by then. Proposals and declined ones are for the lab's managers.
    """
    query = _closures().where(Closure.lab_id == lab_id).order_by(Closure.local_starts, Closure.id)
    if not may_manage_lab(actor, lab_id):
        query = query.where(Closure.state == "confirmed")
    if state is not None:
        query = query.where(Closure.state == state)
    if since is not None:
        beginning = datetime.combine(since, time(0))
        query = query.where(or_(Closure.local_ends > beginning, Closure.rrule.is_not(None)))
    if after is not None:
        query = query.where(
            or_(
                Closure.local_starts > after[0],
                (Closure.local_starts == after[0]) & (Closure.id > after[1]),
            )
        )
    if limit is not None:
        query = query.limit(limit)
    return [ClosureView(*row) for row in session.execute(query)]


def closure_of(session: Session, lab_id: int, closure_id: int) -> ClosureView:
    row = session.execute(_closures().where(Closure.lab_id == lab_id, Closure.id == closure_id)).one_or_none()
    if row is None:
        raise not_found("closure")
    return ClosureView(*row)


def add_closure(
    session: Session,
    actor: Actor,
    lab: str,
    label: str,
    local_starts: datetime,
    local_ends: datetime,
    now: datetime,
    *,
    machine: str | None = None,
    rrule: str | None = None,
    unattended_too: bool = False,
) -> ClosureView:
    """Close a lab, or one machine of it, from one wall time to another, and again as ``rrule`` says."""
    managed = lock_managed_lab(session, actor, lab)
    machine_id = machine_of(session, managed, machine)
    label = label.strip()
    rrule = _checked(managed, label, local_starts, local_ends, rrule)
    own = select(func.count()).where(Closure.lab_id == managed.id, Closure.source_id.is_(None))
    if (session.scalar(own) or 0) >= CLOSURES_MOST:
        message = f"A lab has at most {CLOSURES_MOST} closures. Remove some that are over."
        raise refused(Refusal("too_many", "", message))
    row = Closure(
        lab_id=managed.id,
        machine_id=machine_id,
        label=label,
        local_starts=local_starts,
        local_ends=local_ends,
        rrule=rrule,
        unattended_too=unattended_too,
    )
    session.add(row)
    session.flush()
    _record(session, actor, "closure.add", managed, row, now)
    return closure_of(session, managed.id, row.id)


def change_closure(
    session: Session, actor: Actor, lab: str, closure_id: int, changes: Mapping[str, Any], now: datetime
) -> ClosureView:
    """Change some of CHANGES. A proposal stays one."""
    managed = lock_managed_lab(session, actor, lab)
    row = _locked(session, managed, closure_id)
    new = {name: value for name, value in changes.items() if name in CHANGES}
    if "machine" in new:
        row.machine_id = machine_of(session, managed, new.pop("machine"))
    label = str(new.pop("label", row.label)).strip()
    starts, ends = new.get("local_starts", row.local_starts), new.get("local_ends", row.local_ends)
    rrule = _checked(managed, label, starts, ends, new.get("rrule", row.rrule))
    row.label, row.local_starts, row.local_ends, row.rrule = label, starts, ends, rrule
    row.unattended_too = new.get("unattended_too", row.unattended_too)
    session.flush()
    _record(session, actor, "closure.change", managed, row, now)
    return closure_of(session, managed.id, row.id)


def confirm_closures(
    session: Session, actor: Actor, lab: str, closure_ids: Collection[int], now: datetime
) -> int:
    """Put proposals in force, all of them or none. Returns how many."""
    managed = lock_managed_lab(session, actor, lab)
    rows = [_locked(session, managed, each) for each in sorted(set(closure_ids))]
    if any(row.state != "proposed" for row in rows):
        raise refused(Refusal("not_proposed", "", "This closure is not a proposal any more."))
    for row in rows:
        row.state = "confirmed"
        _record(session, actor, "closure.confirm", managed, row, now)
    session.flush()
    return len(rows)


def remove_closure(session: Session, actor: Actor, lab: str, closure_id: int, now: datetime) -> None:
    """Open again, or decline a proposal. What was proposed is remembered, and not proposed again."""
    managed = lock_managed_lab(session, actor, lab)
    row = _locked(session, managed, closure_id)
    _record(session, actor, "closure.remove", managed, row, now)
    if row.proposal is None:
        session.delete(row)
    else:
        row.state = "declined"
    session.flush()


def decline_closures(
    session: Session, actor: Actor, lab: str, closure_ids: Collection[int], now: datetime
) -> int:
    """Decline proposals. What is no proposal any more is left as it is. Returns how many."""
    managed = lock_managed_lab(session, actor, lab, changes=False)
    declined = session.scalars(
        update(Closure)
        .where(Closure.lab_id == managed.id, Closure.id.in_(closure_ids), Closure.state == "proposed")
        .values(state="declined")
        .returning(Closure.id)
        .execution_options(synchronize_session=False)
    ).all()
    for closure_id in sorted(declined):
        detail = f"closure {closure_id}, proposed"
        audit.record(session, actor, "closure.remove", lab, now, detail, lab_id=managed.id)
    return len(declined)


def _closures() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Closure.id,
            Closure.label,
            Machine.slug,
            Closure.local_starts,
            Closure.local_ends,
            Closure.rrule,
            Closure.unattended_too,
            Closure.state,
            Closure.proposal,
            CalendarSource.label.label("source"),
        )
        .outerjoin(Machine, Machine.id == Closure.machine_id)
        .outerjoin(CalendarSource, CalendarSource.id == Closure.source_id)
    )


def _locked(session: Session, lab: ManagedLab, closure_id: int) -> Closure:
    row = session.scalars(
        select(Closure)
        .where(Closure.id == closure_id, Closure.lab_id == lab.id, Closure.state != "declined")
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise not_found("closure")
    if row.source_id is not None:
        message = (
            "This closure comes from a calendar elsewhere. Change it there, or remove the calendar here."
        )
        raise refused(Refusal("of_a_calendar", "", message))
    return row


def _checked(
    lab: ManagedLab, label: str, local_starts: datetime, local_ends: datetime, rrule: str | None
) -> str | None:
    """The rule as it is stored. Raises DomainError with everything that is wrong."""
    refusals = closure_refusals(local_starts, local_ends)
    if not 1 <= len(label) <= LABEL_MAX:
        refusals.append(Refusal("invalid", "label", f"Give it a name of 1 to {LABEL_MAX} letters."))
    if rrule is not None:
        try:
            rrule = parse(rrule, lab.zone, endless=True).text
        except BadRule as bad:
            refusals.append(bad.refusal)
    if refusals:
        raise refused(*refusals)
    return rrule


def _record(session: Session, actor: Actor, act: str, lab: ManagedLab, row: Closure, now: datetime) -> None:
    what = "the lab" if row.machine_id is None else f"machine {row.machine_id}"
    detail = (
        f"closure {row.id} of {what}: {row.local_starts:%Y-%m-%d %H:%M} to {row.local_ends:%Y-%m-%d %H:%M}"
    )
    again = f", {row.rrule}" if row.rrule else ""
    audit.record(session, actor, act, lab.slug, now, detail + again, lab_id=lab.id)
