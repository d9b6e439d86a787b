"""Reads about trainings and who comes to them; every function is one statement and returns plain records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from fablab.certifications.models import Enrolment, Training
from fablab.certifications.queries import THING, Thing, names, thing_of
from fablab.machines.models import Kind, Lab, Machine
from fablab.members.models import Member

HOLDING = ("enrolled", "attended", "absent")


@dataclass(frozen=True)
class TrainingView:
    """A training as one member sees it. ``own_state`` is that member's, ``ahead`` who waits before them."""

    id: int
    lab_id: int
    lab_slug: str
    lab_names: dict[str, str]
    zone: str
    thing: Thing
    kind_slug: str
    level: int
    title: str
    notes: str
    starts_at: datetime
    ends_at: datetime
    places: int
    trainer_id: int
    trainer_name: str
    cancelled_at: datetime | None
    closed_at: datetime | None
    enrolled: int
    waiting: int
    own_state: str | None
    ahead: int

    @property
    def free(self) -> int:
        """Places nobody has."""
        return max(self.places - self.enrolled, 0)

    def state(self, now: datetime) -> str:
        """cancelled, closed, held (over, not closed), under_way or planned."""
        if self.cancelled_at is not None:
            return "cancelled"
        if self.closed_at is not None:
            return "closed"
        if self.starts_at > now:
            return "planned"
        return "held" if self.ends_at <= now else "under_way"


@dataclass(frozen=True)
class EnrolmentView:
    """One person of a training's list."""

    member_id: int
    member_name: str
    state: str
    enrolled_at: datetime


def training(session: Session, training_id: int, viewer_id: int) -> TrainingView | None:
    row = session.execute(_all(viewer_id).where(Training.id == training_id)).one_or_none()
    return None if row is None else _view(row)


def trainings(
    session: Session,
    viewer_id: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    lab_id: int | None = None,
    kind_id: int | None = None,
    mine: bool = False,
    after: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[TrainingView]:
    """Trainings by start: those that end after ``since`` and start before ``until``.

    ``kind_id`` finds trainings for the kind and for its machines; ``mine`` where the viewer is on the list.
    """
    query = _all(viewer_id).order_by(Training.starts_at, Training.id).limit(limit)
    if since is not None:
        query = query.where(Training.ends_at > since)
    if until is not None:
        query = query.where(Training.starts_at < until)
    if lab_id is not None:
        query = query.where(Training.lab_id == lab_id)
    if kind_id is not None:
        query = query.where(Kind.id == kind_id)
    if mine:
        query = query.where(_own(viewer_id, Enrolment.state != "cancelled").exists())
    if after is not None:
        query = query.where(tuple_(Training.starts_at, Training.id) > after)
    return [_view(row) for row in session.execute(query)]


def unclosed(
    session: Session, viewer_id: int, lab_ids: Collection[int] | None, now: datetime
) -> list[TrainingView]:
    """Trainings of these labs (None: all) that have begun and wait for their attendance; oldest first."""
    query = _all(viewer_id).where(
        Training.starts_at <= now, Training.closed_at.is_(None), Training.cancelled_at.is_(None)
    )
    if lab_ids is not None:
        query = query.where(Training.lab_id.in_(lab_ids))
    rows = session.execute(query.order_by(Training.starts_at, Training.id).limit(50))
    return [_view(row) for row in rows]


def enrolments(session: Session, training_id: int) -> list[EnrolmentView]:
    """The list of a training: those with a place first, then the line; each in the order they came."""
    rows = session.execute(
        select(Enrolment.member_id, Member.name, Enrolment.state, Enrolment.enrolled_at)
        .join(Member, Member.id == Enrolment.member_id)
        .where(Enrolment.training_id == training_id, Enrolment.state != "cancelled")
        .order_by(Enrolment.state == "waiting", Enrolment.enrolled_at, Enrolment.member_id)
    )
    return [EnrolmentView(*row) for row in rows]


def _own(viewer_id: int, *more: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return select(Enrolment.state).where(
        Enrolment.training_id == Training.id, Enrolment.member_id == viewer_id, *more
    )


def _count(*conditions: ColumnElement[bool]) -> Any:
    return (
        select(func.count())
        .select_from(Enrolment)
        .where(Enrolment.training_id == Training.id, *conditions)
        .scalar_subquery()
    )


def _all(viewer_id: int) -> Select[*tuple[Any, ...]]:
    mine = aliased(Enrolment)
    before = and_(
        mine.state == "waiting",
        tuple_(Enrolment.enrolled_at, Enrolment.member_id) < tuple_(mine.enrolled_at, mine.member_id),
    )
    return (
        select(
            Training.id,
            Training.lab_id,
            Lab.slug.label("lab_slug"),
            Lab.name_fr.label("lab_fr"),
            Lab.name_ar.label("lab_ar"),
            Lab.name_en.label("lab_en"),
            Lab.zone,
            *THING,
            Training.level,
            Training.title,
            Training.notes,
            Training.starts_at,
            Training.ends_at,
            Training.places,
            Training.trainer_id,
            Member.name.label("trainer_name"),
            Training.cancelled_at,
            Training.closed_at,
            _count(Enrolment.state.in_(HOLDING)).label("enrolled"),
            _count(Enrolment.state == "waiting").label("waiting"),
            mine.state.label("own_state"),
            _count(Enrolment.state == "waiting", before).label("ahead"),
        )
        .select_from(Training)
        .join(Lab, Lab.id == Training.lab_id)
        .join(Member, Member.id == Training.trainer_id)
        .outerjoin(Machine, Machine.id == Training.machine_id)
        .join(Kind, or_(Kind.id == Training.kind_id, Kind.id == Machine.kind_id))
        .outerjoin(mine, and_(mine.training_id == Training.id, mine.member_id == viewer_id))
    )


def _view(row: Any) -> TrainingView:
    return TrainingView(
        id=row.id,
        lab_id=row.lab_id,
        lab_slug=row.lab_slug,
        lab_names=names(row.lab_fr, row.lab_ar, row.lab_en),
        zone=row.zone,
        thing=thing_of(row),
        kind_slug=row.kind_slug,
        level=row.level,
        title=row.title,
        notes=row.notes,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        places=row.places,
        trainer_id=row.trainer_id,
        trainer_name=row.trainer_name,
        cancelled_at=row.cancelled_at,
        closed_at=row.closed_at,
        enrolled=row.enrolled,
        waiting=row.waiting,
        own_state=None if row.own_state == "cancelled" else row.own_state,
        ahead=row.ahead,
    )
