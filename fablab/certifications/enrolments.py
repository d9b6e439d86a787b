"""Places in a training, and the line for them. Whoever changes either holds the training's row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.certifications.letters import TrainingLetters, people
from fablab.certifications.models import Enrolment, Training
from fablab.certifications.rules import may_certify, may_enrol, place
from fablab.certifications.training_queries import TrainingView, training
from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.members import audit
from fablab.members.rules import Actor


def enrol(
    session: Session,
    actor: Actor,
    training_id: int,
    now: datetime,
    base_url: str,
    *,
    member_id: int | None = None,
) -> TrainingView:
    """Take a place for oneself, or as staff for a member; when all are taken, one in the line.

    Whoever has one keeps it: asking again changes nothing. Members enrol until it begins, staff until it is
    closed.
    """
    row = locked(session, training_id)
    member_id = _for_whom(actor, row, member_id)
    own = member_id == actor.member_id
    if not may_enrol(actor):
        raise not_allowed("Your account looks at trainings and takes no part.")
    _check_open(row, now, own)
    if member_id == row.trainer_id:
        raise refused(Refusal("own_certification", "member", "Whoever gives a training does not attend it."))
    has = session.scalar(
        select(Enrolment.state).where(Enrolment.training_id == training_id, Enrolment.member_id == member_id)
    )
    if has in (None, "cancelled"):
        person = people(session, [member_id]).get(member_id)
        if person is None or not person.active:
            raise refused(Refusal("invalid", "member", "There is no such member, or the account is closed."))
        state = place(row.places, _enrolled(session, training_id))
        _put(session, training_id, member_id, state, now)
        if not own:
            _record(session, actor, "enrol", row, member_id, now)
        template = "training_enrolled" if state == "enrolled" else "training_waiting"
        TrainingLetters(session, row, base_url, now).send(person, template)
    return _view(session, training_id, actor)


def leave(
    session: Session,
    actor: Actor,
    training_id: int,
    now: datetime,
    base_url: str,
    *,
    member_id: int | None = None,
) -> TrainingView:
    """Give a place back, or leave the line; the first who waits moves up and is told.

    Members leave until it begins, staff take somebody off the list until it is closed.
    """
    row = locked(session, training_id)
    member_id = _for_whom(actor, row, member_id)
    own = member_id == actor.member_id
    _check_open(row, now, own)
    left = session.scalar(
        update(Enrolment)
        .where(
            Enrolment.training_id == training_id,
            Enrolment.member_id == member_id,
            Enrolment.state.in_(("enrolled", "waiting")),
        )
        .values(state="cancelled", changed_at=now)
        .returning(Enrolment.member_id)
    )
    if left is None:
        raise not_found("enrolment")
    if not own:
        _record(session, actor, "remove", row, member_id, now)
    move_up(session, row, now, base_url)
    return _view(session, training_id, actor)


def move_up(session: Session, row: Training, now: datetime, base_url: str) -> int:
    """Give free places to who waits longest, while there is still time to come; returns to how many."""
    free = row.places - _enrolled(session, row.id)
    if free <= 0 or row.starts_at <= now:
        return 0
    first = (
        select(Enrolment.member_id)
        .where(Enrolment.training_id == row.id, Enrolment.state == "waiting")
        .order_by(Enrolment.enrolled_at, Enrolment.member_id)
        .limit(free)
    )
    moved = session.scalars(
        update(Enrolment)
        .where(Enrolment.training_id == row.id, Enrolment.member_id.in_(first.scalar_subquery()))
        .values(state="enrolled", changed_at=now)
        .returning(Enrolment.member_id)
    ).all()
    if moved:
        TrainingLetters(session, row, base_url, now).send_all(moved, "training_place")
    return len(moved)


def locked(session: Session, training_id: int) -> Training:
    """The training, held until the transaction ends: nobody else takes a place meanwhile."""
    row = session.scalars(
        select(Training)
        .where(Training.id == training_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise not_found("training")
    return row


def on_the_list(session: Session, training_id: int) -> dict[int, str]:
    """Everybody with a place or in the line: member -> state."""
    rows = session.execute(
        select(Enrolment.member_id, Enrolment.state).where(
            Enrolment.training_id == training_id, Enrolment.state != "cancelled"
        )
    )
    return {row.member_id: row.state for row in rows}


def _for_whom(actor: Actor, row: Training, member_id: int | None) -> int:
    if member_id is None or member_id == actor.member_id:
        return actor.member_id
    if not may_certify(actor, row.lab_id):
        raise not_allowed("Only the lab's trainers and managers enrol others.")
    return member_id


def _check_open(row: Training, now: datetime, own: bool) -> None:
    if row.cancelled_at is not None:
        raise refused(Refusal("training_over", "", "It was cancelled."))
    if row.closed_at is not None:
        raise refused(Refusal("training_over", "", "It is over."))
    if own and row.starts_at <= now:
        raise refused(Refusal("training_over", "", "It has begun. Ask the trainer."))


def _enrolled(session: Session, training_id: int) -> int:
    return (
        session.scalar(
            select(func.count()).where(Enrolment.training_id == training_id, Enrolment.state == "enrolled")
        )
        or 0
    )


def _put(session: Session, training_id: int, member_id: int, state: str, now: datetime) -> None:
    values = {"state": state, "enrolled_at": now, "changed_at": now}
    session.execute(
        insert(Enrolment)
        .values(training_id=training_id, member_id=member_id, **values)
        .on_conflict_do_update(index_elements=["training_id", "member_id"], set_=values)
    )


def _record(session: Session, actor: Actor, verb: str, row: Training, member_id: int, now: datetime) -> None:
    audit.record(
        session,
        actor,
        f"training.{verb}",
        f"training {row.id}",
        now,
        on_member_id=member_id,
        lab_id=row.lab_id,
    )


def _view(session: Session, training_id: int, actor: Actor) -> TrainingView:
    found = training(session, training_id, actor.member_id)
    assert found is not None
    return found
