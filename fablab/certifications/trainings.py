"""Planning, changing, cancelling and closing trainings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from fablab.certifications.enrolments import locked, move_up, on_the_list
from fablab.certifications.grants import grant_to_all
from fablab.certifications.letters import TrainingLetters
from fablab.certifications.models import Enrolment, Training
from fablab.certifications.queries import Thing, names
from fablab.certifications.rules import (
    LEVELS,
    Policy,
    closing_refusals,
    may_certify,
    training_refusals,
)
from fablab.certifications.training_queries import TrainingView, training
from fablab.errors import Refusal, not_allowed, refused
from fablab.machines.models import Kind, Machine
from fablab.members import audit
from fablab.members.rules import Actor

CHANGEABLE = frozenset({"title", "notes", "starts_at", "ends_at", "places"})


def plan_training(
    session: Session,
    actor: Actor,
    lab_id: int,
    thing: Thing,
    level: int,
    title: str,
    starts_at: datetime,
    ends_at: datetime,
    places: int,
    now: datetime,
    *,
    notes: str = "",
) -> TrainingView:
    """Announce a training in a lab, given by the actor, for a kind or one of the lab's machines."""
    _check_staff(actor, lab_id)
    refusals = training_refusals(starts_at, ends_at, places, 0, now, moved=True)
    if thing.machine_lab_id not in (None, lab_id):
        refusals.append(Refusal("invalid", "machine", "That machine is in another lab."))
    if level not in LEVELS:
        refusals.append(Refusal("invalid", "level", "The level is 1, 2 or 3."))
    if refusals:
        raise refused(*refusals)
    row = Training(
        lab_id=lab_id,
        kind_id=thing.kind_id,
        machine_id=thing.machine_id,
        level=level,
        title=title,
        notes=notes,
        starts_at=starts_at,
        ends_at=ends_at,
        places=places,
        trainer_id=actor.member_id,
        created_at=now,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "training.plan", f"training {row.id}", now, lab_id=lab_id)
    return _view(session, row.id, actor)


def change_training(
    session: Session,
    actor: Actor,
    training_id: int,
    changes: Mapping[str, Any],
    now: datetime,
    base_url: str,
) -> TrainingView:
    """Change title, notes, time or places of a training that is not over.

    A new time is told to everybody on the list; more places let the line move up; fewer than are taken are
    refused.
    """
    row = _changing(session, actor, training_id)
    new = {name: changes.get(name, getattr(row, name)) for name in CHANGEABLE}
    people = on_the_list(session, training_id)
    taken = sum(state == "enrolled" for state in people.values())
    moved = new["starts_at"] != row.starts_at
    if refusals := training_refusals(
        new["starts_at"], new["ends_at"], new["places"], taken, now, moved=moved
    ):
        raise refused(*refusals)
    moved |= new["ends_at"] != row.ends_at
    for name, value in new.items():
        setattr(row, name, value)
    session.flush()
    audit.record(session, actor, "training.change", f"training {row.id}", now, lab_id=row.lab_id)
    if moved:
        TrainingLetters(session, row, base_url, now).send_all(people.keys(), "training_moved")
    move_up(session, row, now, base_url)
    return _view(session, row.id, actor)


def cancel_training(
    session: Session, actor: Actor, training_id: int, now: datetime, base_url: str
) -> TrainingView:
    """Call a training off and tell everybody on its list. Once more changes nothing."""
    row = _changing(session, actor, training_id, cancelled_too=True)
    if row.cancelled_at is None:
        row.cancelled_at = now
        session.flush()
        audit.record(session, actor, "training.cancel", f"training {row.id}", now, lab_id=row.lab_id)
        people = on_the_list(session, training_id)
        TrainingLetters(session, row, base_url, now).send_all(people.keys(), "training_cancelled")
    return _view(session, row.id, actor)


def close_training(
    session: Session,
    actor: Actor,
    training_id: int,
    attended: Collection[int],
    now: datetime,
    policy: Policy,
    base_url: str,
) -> TrainingView:
    """Note who came and certify all of them, in one act; closing once more changes nothing.

    1. lock the training; a closed one is answered as it is;
    2. whoever is named and on the list has attended, whoever had a place and is not named was absent;
    3. grant the training's level to all who attended, as `grant_to_all` has it.
    """
    row = locked(session, training_id)
    _check_staff(actor, row.lab_id)
    if row.closed_at is not None:
        return _view(session, row.id, actor)
    if row.cancelled_at is not None:
        raise refused(Refusal("training_over", "", "It was cancelled."))
    people = on_the_list(session, training_id)
    came = set(attended)
    if refusals := closing_refusals(row.starts_at, now, actor.member_id, came, people.keys()):
        raise refused(*refusals)
    _note(session, training_id, came, "attended", now)
    missing = [each for each, state in people.items() if state == "enrolled" and each not in came]
    _note(session, training_id, missing, "absent", now)
    row.closed_at = now
    session.flush()
    changed = grant_to_all(
        session,
        actor,
        came,
        _thing(session, row),
        row.level,
        row.lab_id,
        row.id,
        now,
        policy,
        base_url,
    )
    detail = f"{len(came)} attended, {len(missing)} absent, {changed} certifications"
    audit.record(session, actor, "training.close", f"training {row.id}", now, detail, lab_id=row.lab_id)
    return _view(session, row.id, actor)


def _changing(session: Session, actor: Actor, training_id: int, *, cancelled_too: bool = False) -> Training:
    row = locked(session, training_id)
    _check_staff(actor, row.lab_id)
    if row.closed_at is not None or (row.cancelled_at is not None and not cancelled_too):
        raise refused(Refusal("training_over", "", "It was cancelled or closed and changes no more."))
    return row


def _check_staff(actor: Actor, lab_id: int) -> None:
    if not may_certify(actor, lab_id):
        raise not_allowed("Only the lab's trainers and managers hold trainings.")


def _note(session: Session, training_id: int, member_ids: Collection[int], state: str, now: datetime) -> None:
    session.execute(
        update(Enrolment)
        .where(Enrolment.training_id == training_id, Enrolment.member_id.in_(member_ids))
        .values(state=state, changed_at=now)
    )


def _thing(session: Session, row: Training) -> Thing:
    if row.machine_id is not None:
        machine = session.get_one(Machine, row.machine_id)
        name = machine.name
        return Thing(None, machine.id, machine.slug, names(name, name, name), machine.lab_id)
    kind = session.get_one(Kind, row.kind_id)
    return Thing(kind.id, None, kind.slug, names(kind.name_fr, kind.name_ar, kind.name_en), None)


def _view(session: Session, training_id: int, actor: Actor) -> TrainingView:
    found = training(session, training_id, actor.member_id)
    assert found is not None
    return found
