"""One training: what it is, one's own place, and for the lab's staff its list."""

from __future__ import annotations

from flask import render_template
from sqlalchemy.orm import Session

from fablab.certifications.rules import may_certify, may_enrol, may_see_enrolments
from fablab.certifications.training_queries import TrainingView, enrolments
from fablab.certifications.training_queries import training as read_training
from fablab.clock import utc_now
from fablab.errors import not_allowed, not_found
from fablab.machines.queries import lab_by_slug
from fablab.members.directory import find_members
from fablab.members.rules import Actor
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import line

FOUND_SHOWN = 8
TYPED_MOST = 200


@blueprint.get("/trainings/<id:training_id>")
def training(training_id: int) -> str:
    """The training; ?q= looks for somebody to put on its list, for staff."""
    session, actor = reading()
    now = utc_now()
    found = read_training(session, training_id, actor.member_id)
    if found is None:
        raise not_found("training")
    staff = may_certify(actor, found.lab_id)
    listed = enrolments(session, training_id) if may_see_enrolments(actor, found.lab_id) else []
    typed = line("q", TYPED_MOST) if staff else ""
    there = {each.member_id for each in listed}
    return render_template(
        "training.html",
        now=now,
        training=found,
        state=found.state(now),
        lab=lab_by_slug(session, found.lab_slug),
        may_take=_may_take(found, may_enrol(actor), actor.member_id, now < found.starts_at),
        may_leave=found.own_state in ("enrolled", "waiting") and now < found.starts_at and _open(found),
        staff=staff,
        sees_list=may_see_enrolments(actor, found.lab_id),
        listed=listed,
        closing=staff and _open(found) and now >= found.starts_at,
        open=_open(found),
        q=typed,
        found=[
            each
            for each in (
                find_members(session, typed, limit=FOUND_SHOWN + len(there) + 1, active=True) if typed else []
            )
            if each.id not in there and each.id != found.trainer_id
        ][:FOUND_SHOWN],
    )


def for_its_staff(session: Session, actor: Actor, training_id: int) -> TrainingView:
    """A training that the actor may change. Raises NOT_FOUND, or NOT_ALLOWED for whoever only sees it."""
    found = read_training(session, training_id, actor.member_id)
    if found is None:
        raise not_found("training")
    if not may_certify(actor, found.lab_id):
        raise not_allowed("Only the lab's trainers and managers hold trainings.")
    return found


def _open(found: TrainingView) -> bool:
    return found.cancelled_at is None and found.closed_at is None


def _may_take(found: TrainingView, enrols: bool, member_id: int, early: bool) -> bool:
    return enrols and early and _open(found) and found.own_state is None and member_id != found.trainer_id
