"""What is done with a training: taking places, giving them back, calling it off, closing it."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.certifications.enrolments import enrol, leave
from fablab.certifications.models import PLACES_MAX
from fablab.certifications.training_queries import TrainingView, enrolments
from fablab.certifications.trainings import cancel_training, close_training
from fablab.clock import utc_now
from fablab.errors import DomainError, not_found
from fablab.members.rules import Actor
from fablab.web.database import writing
from fablab.web.pages import words
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.certification_words import LEVELS_OF_OTHERS
from fablab.web.pages.context import reading
from fablab.web.pages.forms import number, told
from fablab.web.pages.training import for_its_staff
from fablab.web.settings import base_url, certification_policy


@blueprint.post("/trainings/<id:training_id>/enrolment")
def place_taken(training_id: int) -> Response:
    """Take a place, or one in the line."""
    _, actor = reading()
    return _do(
        training_id,
        lambda session: enrol(session, actor, training_id, utc_now(), base_url()),
        lambda done: (
            "You have a place. We sent you the details."
            if done.own_state == "enrolled"
            else "It is full. You are in the line, and we write to you when there is a place."
        ),
    )


@blueprint.post("/trainings/<id:training_id>/leaving")
def place_given_back(training_id: int) -> Response:
    """Give the place back."""
    _, actor = reading()
    return _do(
        training_id,
        lambda session: leave(session, actor, training_id, utc_now(), base_url()),
        "You are off the list. Thank you, somebody else gets the place.",
    )


@blueprint.post("/trainings/<id:training_id>/people")
def put_on_the_list(training_id: int) -> Response:
    """Put a member on the list, for staff."""
    _, actor = reading()
    member_id = _member_id(request.form.get("member", ""))
    return _do(
        training_id,
        lambda session: enrol(session, actor, training_id, utc_now(), base_url(), member_id=member_id),
        "They are on the list.",
    )


@blueprint.post("/trainings/<id:training_id>/people/<id:member_id>/removal")
def taken_off_the_list(training_id: int, member_id: int) -> Response:
    """Take a member off the list, for staff."""
    _, actor = reading()
    return _do(
        training_id,
        lambda session: leave(session, actor, training_id, utc_now(), base_url(), member_id=member_id),
        "They are off the list.",
    )


@blueprint.get("/trainings/<id:training_id>/cancellation")
def training_cancellation(training_id: int) -> str:
    """Ask before a training is called off."""
    found = for_its_staff(*reading(), training_id)
    people = found.enrolled + found.waiting
    return render_template(
        "sure.html",
        title="Cancel this training?",
        thing=found.title,
        when=words.span(found.starts_at, found.ends_at, found.zone, utc_now()),
        quiet="Nobody is on its list."
        if not people
        else "One person is on its list and gets a mail."
        if people == 1
        else f"{people} people are on its list and get a mail.",
        action=url_for("pages.training_cancelled", training_id=training_id),
        button="Yes, cancel it",
        picture="calendar-x",
        back=url_for("pages.training", training_id=training_id),
        keep="Keep it",
    )


@blueprint.post("/trainings/<id:training_id>/cancellation")
def training_cancelled(training_id: int) -> Response:
    """Call it off and tell everybody."""
    _, actor = reading()
    return _do(
        training_id,
        lambda session: cancel_training(session, actor, training_id, utc_now(), base_url()),
        "The training is cancelled, and everybody on its list is told.",
    )


@blueprint.post("/trainings/<id:training_id>/closure")
def training_closed(training_id: int) -> Response | str:
    """Note who came and certify them; asks once more first, as it cannot be undone."""
    session, actor = reading()
    came = [_member_id(text) for text in request.form.getlist("attended")[:PLACES_MAX]]
    if request.form.get("sure") != "1":
        return _closure_question(session, actor, training_id, set(came))
    many = len(set(came))
    certified = f"{many} {'person is' if many == 1 else 'people are'} certified."
    return _do(
        training_id,
        lambda session: close_training(
            session, actor, training_id, came, utc_now(), certification_policy(), base_url()
        ),
        f"Done. {certified if many else 'Nobody came, so nobody is certified.'}",
    )


def _closure_question(session: Session, actor: Actor, training_id: int, came: set[int]) -> str:
    found = for_its_staff(session, actor, training_id)
    listed = [each for each in enrolments(session, training_id) if each.member_id in came]
    now = utc_now()
    level = LEVELS_OF_OTHERS[found.level].lower()
    certified = f"These are certified at {level}:" if listed else "Nobody is ticked, so nobody is certified."
    return render_template(
        "sure.html",
        title="Close this training?",
        thing=found.title,
        when=words.span(found.starts_at, found.ends_at, found.zone, now),
        text=f"It is still going on. {certified}" if now < found.ends_at else certified,
        listed=[each.member_name for each in listed],
        quiet="This cannot be undone.",
        action=url_for("pages.training_closed", training_id=training_id),
        fields=[("sure", 1), *(("attended", each.member_id) for each in listed)],
        button="Yes, close it",
        picture="certificate",
        harmless=True,
        back=url_for("pages.training", training_id=training_id),
        keep="Not yet",
    )


def _do(
    training_id: int, act: Callable[[Session], TrainingView], said: str | Callable[[TrainingView], str]
) -> Response:
    """Act in one transaction; the page it leads back to says what came of it, a rule's no as well."""
    back = url_for("pages.training", training_id=training_id)
    if request.form.get("back") == "list":
        back = url_for("pages.trainings")
    try:
        with writing() as session:
            done = act(session)
    except DomainError as error:
        return told(error, back)
    flash(said if isinstance(said, str) else said(done), "good")
    return redirect(back, 303)


def _member_id(text: str) -> int:
    """A member's number as a form sends it."""
    found = number(text)
    if found is None:
        raise not_found("member")
    return found
