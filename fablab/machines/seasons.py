"""Seasons: days on which a lab keeps other hours. Proposed by the clock, decided by its managers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_found, refused
from fablab.machines.lab_hours import ManagedLab, lock_managed_lab, machine_of
from fablab.machines.models import LABEL_MAX, Lab, Machine, Opening, Season
from fablab.machines.rules import OpenHours, days_refusals
from fablab.machines.weeks import put_week, week_in_words
from fablab.members import audit
from fablab.members.rules import Actor, may_manage_lab

SEASONS_MOST = 200
PRIORITY_MOST = 100
CHANGES = ("label", "starts_on", "ends_on", "priority")


@dataclass(frozen=True)
class SeasonView:
    """A season with its weeks: the lab's under None, those of machines under their slugs.

    ``state`` is proposed, confirmed or declined. ``proposal`` says what proposed it.
    """

    id: int
    label: str
    starts_on: date
    ends_on: date
    priority: int
    state: str
    proposal: str | None
    weeks: Mapping[str | None, tuple[OpenHours, ...]] = field(default_factory=dict)

    @property
    def week(self) -> tuple[OpenHours, ...]:
        """The lab's."""
        return self.weeks.get(None, ())


def seasons_of(session: Session, actor: Actor, lab_id: int) -> list[SeasonView]:
    """The seasons of a lab by their first day; proposals and what was declined for its managers only."""
    shown = select(Season).where(Season.lab_id == lab_id).order_by(Season.starts_on, Season.id)
    if not may_manage_lab(actor, lab_id):
        shown = shown.where(Season.state == "confirmed")
    return _views(session, session.scalars(shown).all())


def season_of(session: Session, lab_id: int, season_id: int) -> SeasonView:
    row = session.scalars(select(Season).where(Season.id == season_id, Season.lab_id == lab_id)).one_or_none()
    if row is None:
        raise not_found("season")
    return _views(session, [row])[0]


def add_season(
    session: Session,
    actor: Actor,
    lab: str,
    label: str,
    starts_on: date,
    ends_on: date,
    week: Sequence[OpenHours],
    now: datetime,
    *,
    priority: int = 0,
) -> SeasonView:
    """Have other hours from one day to another, the last one included. No openings: the lab is closed."""
    managed = lock_managed_lab(session, actor, lab)
    label = label.strip()
    _check(label, starts_on, ends_on, priority)
    if (session.scalar(select(func.count()).where(Season.lab_id == managed.id)) or 0) >= SEASONS_MOST:
        message = f"A lab has at most {SEASONS_MOST} seasons. Remove those of years past."
        raise refused(Refusal("too_many", "", message))
    row = Season(lab_id=managed.id, label=label, starts_on=starts_on, ends_on=ends_on, priority=priority)
    session.add(row)
    session.flush()
    put_week(session, managed, week, season_id=row.id)
    detail = f"{starts_on} to {ends_on}: {week_in_words(week)}"
    audit.record(session, actor, "season.add", lab, now, detail, lab_id=managed.id)
    return season_of(session, managed.id, row.id)


def change_season(
    session: Session, actor: Actor, lab: str, season_id: int, changes: Mapping[str, Any], now: datetime
) -> SeasonView:
    """Change some of CHANGES. A proposal stays one."""
    managed = lock_managed_lab(session, actor, lab)
    row = _locked(session, managed, season_id)
    new = {name: getattr(row, name) for name in CHANGES} | {
        name: value for name, value in changes.items() if name in CHANGES
    }
    new["label"] = new["label"].strip()
    _check(**new)
    for name, value in new.items():
        setattr(row, name, value)
    session.flush()
    detail = f"season {row.id}: {row.starts_on} to {row.ends_on}, priority {row.priority}"
    audit.record(session, actor, "season.change", lab, now, detail, lab_id=managed.id)
    return season_of(session, managed.id, row.id)


def replace_season_week(
    session: Session,
    actor: Actor,
    lab: str,
    season_id: int,
    week: Sequence[OpenHours],
    now: datetime,
    *,
    machine: str | None = None,
) -> SeasonView:
    """Put this week in the place of the season's, or of the one that a machine has in it."""
    managed = lock_managed_lab(session, actor, lab)
    row = _locked(session, managed, season_id)
    machine_id = machine_of(session, managed, machine)
    put_week(session, managed, week, machine_id=machine_id, season_id=row.id)
    detail = f"season {row.id}, {machine or 'the lab'}: {week_in_words(week)}"
    audit.record(session, actor, "season.change", lab, now, detail, lab_id=managed.id)
    return season_of(session, managed.id, row.id)


def confirm_season(session: Session, actor: Actor, lab: str, season_id: int, now: datetime) -> SeasonView:
    """Put a proposal in force, with the hours it has now."""
    managed = lock_managed_lab(session, actor, lab)
    row = _locked(session, managed, season_id)
    if row.state != "proposed":
        raise refused(Refusal("not_proposed", "", "This season is not a proposal any more."))
    row.state = "confirmed"
    session.flush()
    detail = f"season {row.id}: {row.starts_on} to {row.ends_on}"
    audit.record(session, actor, "season.confirm", lab, now, detail, lab_id=managed.id)
    return season_of(session, managed.id, row.id)


def remove_season(session: Session, actor: Actor, lab: str, season_id: int, now: datetime) -> None:
    """Take a season away, or decline a proposal. What was proposed is remembered, and not proposed again."""
    managed = lock_managed_lab(session, actor, lab)
    row = _locked(session, managed, season_id)
    detail = f"season {row.id}: {row.starts_on} to {row.ends_on}"
    if row.proposal is None:
        session.delete(row)
    else:
        row.state = "declined"
    session.flush()
    audit.record(session, actor, "season.remove", lab, now, detail, lab_id=managed.id)


def _locked(session: Session, lab: ManagedLab, season_id: int) -> Season:
    row = session.scalars(
        select(Season)
        .where(Season.id == season_id, Season.lab_id == lab.id, Season.state != "declined")
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise not_found("season")
    return row


def _check(label: str, starts_on: date, ends_on: date, priority: int) -> None:
    refusals = days_refusals(starts_on, ends_on)
    if not 1 <= len(label) <= LABEL_MAX:
        refusals.append(Refusal("invalid", "label", f"Give it a name of 1 to {LABEL_MAX} letters."))
    if not 0 <= priority <= PRIORITY_MOST:
        refusals.append(
            Refusal("invalid", "priority", f"The priority is a whole number from 0 to {PRIORITY_MOST}.")
        )
    if refusals:
        raise refused(*refusals)


def _views(session: Session, rows: Sequence[Season]) -> list[SeasonView]:
    weeks: dict[int, dict[str | None, list[OpenHours]]] = defaultdict(lambda: defaultdict(list))
    if rows:
        openings = (
            select(Opening, Machine.slug)
            .outerjoin(Machine, Machine.id == Opening.machine_id)
            .where(Opening.season_id.in_([row.id for row in rows]))
            .order_by(Opening.weekday, Opening.opens)
        )
        for each, slug in session.execute(openings):
            weeks[each.season_id or 0][slug].append(
                OpenHours(each.weekday, each.opens, each.closes, each.supervised)
            )
    return [
        SeasonView(
            row.id,
            row.label,
            row.starts_on,
            row.ends_on,
            row.priority,
            row.state,
            row.proposal,
            {slug: tuple(week) for slug, week in weeks[row.id].items()},
        )
        for row in rows
    ]


def weeks_of(session: Session, lab_id: int) -> dict[str | None, tuple[OpenHours, ...]]:
    """The usual weeks of a lab (under None) and of those of its machines (slug) that have their own."""
    found: dict[str | None, list[OpenHours]] = defaultdict(list)
    openings = (
        select(Opening, Machine.slug)
        .outerjoin(Machine, Machine.id == Opening.machine_id)
        .join(Lab, Lab.id == Opening.lab_id)
        .where(Opening.lab_id == lab_id, Opening.season_id.is_(None))
        .order_by(Opening.weekday, Opening.opens)
    )
    for each, slug in session.execute(openings):
        found[slug].append(OpenHours(each.weekday, each.opens, each.closes, each.supervised))
    return {slug: tuple(week) for slug, week in found.items()}
