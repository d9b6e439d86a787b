"""What is done with a training: taking places, giving them back, calling it off, closing it."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.certifications.enrolments import enrol, leave
from fablab.certifications.rules import may_certify
from fablab.certifications.training_queries import TrainingView, enrolments
from fablab.certifications.training_queries import training as read_training
from fablab.certifications.trainings import cancel_training, close_training
from fablab.clock import utc_now
from fablab.errors import Code, DomainError, not_found
from fablab.members.rules import Actor
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.settings import base_url, certification_policy

MOST_NAMED = 500


@blueprint.post("/trainings/<id:training_id>/enrolment")
def place_taken(training_id: int) -> Response:
    """Take a place, or one in the line."""
    _, actor = reading()
    done = _do(
        training_id,
        lambda session: enrol(session, actor, training_id, utc_now(), base_url()),
    )
    if done is not None:
        taken = done.own_state == "enrolled"
        flash(
            "You have a place. We sent you the details."
            if taken
            else "It is full. You are in the line, and we write to you when there is a place.",
            "good",
        )
    return _back(training_id)


@blueprint.post("/trainings/<id:training_id>/leaving")
def place_given_back(training_id: int) -> Response:
    """Give the place back."""
    _, actor = reading()
    done = _do(
        training_id,
        lambda session: leave(session, actor, training_id, utc_now(), base_url()),
    )
    if done is not None:
        flash("You are off the list. Thank you, somebody else gets the place.", "good")
    return _back(training_id)


@blueprint.post("/trainings/<id:training_id>/people")
def put_on_the_list(training_id: int) -> Response:
    """Put a member on the list, for staff."""
    _, actor = reading()
    member_id = _member_id(request.form.get("member", ""))
    done = _do(
        training_id,
        lambda session: enrol(session, actor, training_id, utc_now(), base_url(), member_id=member_id),
    )
    if done is not None:
        flash("They are on the list.", "good")
    return _back(training_id)


@blueprint.post("/trainings/<id:training_id>/people/<id:member_id>/removal")
def taken_off_the_list(training_id: int, member_id: int) -> Response:
    """Take a member off the list, for staff."""
    _, actor = reading()
    done = _do(
        training_id,
        lambda session: leave(session, actor, training_id, utc_now(), base_url(), member_id=member_id),
    )
    if done is not None:
        flash("They are off the list.", "good")
    return _back(training_id)


@blueprint.get("/trainings/<id:training_id>/cancellation")
def training_cancellation(training_id: int) -> str:
    """Ask before a training is called off."""
    session, actor = reading()
    found = read_training(session, training_id, actor.member_id)
    if found is None:
        raise not_found("training")
    if not may_certify(actor, found.lab_id):
        raise DomainError(Code.NOT_ALLOWED, "Only the lab's trainers and managers hold trainings.")
    return render_template("training_cancellation.html", now=utc_now(), training=found)


@blueprint.post("/trainings/<id:training_id>/cancellation")
def training_cancelled(training_id: int) -> Response:
    """Call it off and tell everybody."""
    _, actor = reading()
    done = _do(
        training_id,
        lambda session: cancel_training(session, actor, training_id, utc_now(), base_url()),
    )
    if done is not None:
        flash("The training is cancelled, and everybody on its list is told.", "good")
    return _back(training_id)


@blueprint.post("/trainings/<id:training_id>/closure")
def training_closed(training_id: int) -> Response | str:
    """Note who came and certify them; asks once more first, as it cannot be undone."""
    session, actor = reading()
    came = [_member_id(text) for text in request.form.getlist("attended")[:MOST_NAMED]]
    if request.form.get("sure") != "1":
        return _closure_question(session, actor, training_id, set(came))
    done = _do(
        training_id,
        lambda session: close_training(
            session, actor, training_id, came, utc_now(), certification_policy(), base_url()
        ),
    )
    if done is not None:
        number = len(set(came))
        flash(
            f"Done. {number} {'person is' if number == 1 else 'people are'} certified."
            if number
            else "Done. Nobody came, so nobody is certified.",
            "good",
        )
    return _back(training_id)


def _closure_question(session: Session, actor: Actor, training_id: int, came: set[int]) -> str:
    found = read_training(session, training_id, actor.member_id)
    if found is None:
        raise not_found("training")
    if not may_certify(actor, found.lab_id):
        raise DomainError(Code.NOT_ALLOWED, "Only the lab's trainers and managers hold trainings.")
    listed = [each for each in enrolments(session, training_id) if each.member_id in came]
    return render_template("training_closure.html", now=utc_now(), training=found, came=listed)


def _do(training_id: int, act: Callable[[Session], TrainingView]) -> TrainingView | None:
    """Act in one transaction; a refusal is said on the page it leads back to."""
    try:
        with writing() as session:
            return act(session)
    except DomainError as error:
        if error.code is not Code.REFUSED:
            raise
        flash(error.message, "error")
        return None


def _member_id(text: str) -> int:
    """A member's number as a form sends it."""
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise not_found("member")
    return int(text)


def _back(training_id: int) -> Response:
    if request.form.get("back") == "list":
        return redirect(url_for("pages.trainings"), 303)
    return redirect(url_for("pages.training", training_id=training_id), 303)
