"""Trainings: list, plan, change, enrol, cancel, close."""

from __future__ import annotations

from typing import Any

from flask import Response

from fablab.certifications import enrolments
from fablab.certifications import trainings as verbs
from fablab.certifications.rules import may_see_enrolments
from fablab.certifications.training_queries import TrainingView, training, trainings
from fablab.certifications.training_queries import enrolments as list_of
from fablab.clock import utc_now
from fablab.errors import not_found
from fablab.web.api.base import Blueprint, session, the_lab
from fablab.web.api.certifications import the_thing
from fablab.web.auth import current_actor
from fablab.web.idempotency import writes
from fablab.web.schemas import trainings as shape
from fablab.web.schemas.base import page
from fablab.web.settings import base_url, certification_policy

blueprint = Blueprint("trainings", "Trainings that lead to certifications")


@blueprint.get("/trainings")
@blueprint.arguments(shape.TrainingsQuery, location="query")
@blueprint.response(200, shape.TrainingPage)
def list_trainings(query: dict[str, Any]) -> dict[str, Any]:
    """Trainings by start, from now on unless `from` says otherwise; with the places left and one's own."""
    actor, now = current_actor(), utc_now()
    kind = the_thing({"kind": query.get("kind")})
    found = trainings(
        session(),
        actor.member_id,
        since=query.get("since", now),
        until=query.get("until"),
        lab_id=the_lab(query["lab"]).id if "lab" in query else None,
        kind_id=kind.kind_id if kind else None,
        mine=query["mine"],
        after=query.get("cursor"),
        limit=query["limit"] + 1,
    )
    return page(
        found,
        query["limit"],
        lambda each: shape.training_json(each, actor, now),
        lambda each: [each.starts_at, each.id],
    )


@blueprint.post("/trainings")
@writes
@blueprint.arguments(shape.TrainingIn)
@blueprint.response(201, shape.TrainingOut)
def post_training(body: dict[str, Any]) -> dict[str, Any]:
    """Announce a training, given by oneself, in a lab one is trainer or manager of."""
    on = the_thing(body)
    assert on is not None, "the schema wants one"
    made = verbs.plan_training(
        session(),
        current_actor(),
        the_lab(body["lab"]).id,
        on,
        body["level"],
        body["title"],
        body["starts_at"],
        body["ends_at"],
        body["places"],
        utc_now(),
        notes=body["notes"],
    )
    return _json(made)


@blueprint.get("/trainings/<id:training_id>")
@blueprint.response(200, shape.TrainingOut)
def get_training(training_id: int) -> dict[str, Any]:
    """One training."""
    return _json(_found(training_id))


@blueprint.patch("/trainings/<id:training_id>")
@writes
@blueprint.arguments(shape.TrainingPatch)
@blueprint.response(200, shape.TrainingOut)
def patch_training(body: dict[str, Any], training_id: int) -> dict[str, Any]:
    """Change title, notes, time or places. A new time is told to everybody on the list."""
    return _json(verbs.change_training(session(), current_actor(), training_id, body, utc_now(), base_url()))


@blueprint.post("/trainings/<id:training_id>/enrolment")
@writes
@blueprint.arguments(shape.EnrolmentIn)
@blueprint.response(201, shape.TrainingOut)
def post_enrolment(body: dict[str, Any], training_id: int) -> dict[str, Any]:
    """Take a place, or one in the line when there is none left; staff also for a member."""
    return _json(
        enrolments.enrol(
            session(),
            current_actor(),
            training_id,
            utc_now(),
            base_url(),
            member_id=body["member"],
        )
    )


@blueprint.delete("/trainings/<id:training_id>/enrolment")
@writes
@blueprint.arguments(shape.EnrolmentQuery, location="query")
@blueprint.response(204)
def delete_enrolment(query: dict[str, Any], training_id: int) -> Response:
    """Give the place back, or leave the line; the first who waits moves up."""
    enrolments.leave(
        session(), current_actor(), training_id, utc_now(), base_url(), member_id=query["member"]
    )
    return Response(status=204)


@blueprint.get("/trainings/<id:training_id>/enrolments")
@blueprint.response(200, shape.EnrolmentPage)
def list_enrolments(training_id: int) -> dict[str, Any]:
    """Who comes and who waits, for the lab's staff."""
    found = _found(training_id)
    if not may_see_enrolments(current_actor(), found.lab_id):
        raise not_found("training")
    people = list_of(session(), training_id)
    return {"items": [shape.enrolment_json(each, found.zone) for each in people], "next": None}


@blueprint.post("/trainings/<id:training_id>/cancellation")
@writes
@blueprint.response(201, shape.TrainingOut)
def post_training_cancellation(training_id: int) -> dict[str, Any]:
    """Call a training off; everybody on the list is told."""
    return _json(verbs.cancel_training(session(), current_actor(), training_id, utc_now(), base_url()))


@blueprint.post("/trainings/<id:training_id>/closure")
@writes
@blueprint.arguments(shape.ClosureIn)
@blueprint.response(201, shape.TrainingOut)
def post_closure(body: dict[str, Any], training_id: int) -> dict[str, Any]:
    """Note who came and certify all of them in one act. Closing once more changes nothing."""
    return _json(
        verbs.close_training(
            session(),
            current_actor(),
            training_id,
            body["attended"],
            utc_now(),
            certification_policy(),
            base_url(),
        )
    )


def _found(training_id: int) -> TrainingView:
    found = training(session(), training_id, current_actor().member_id)
    if found is None:
        raise not_found("training")
    return found


def _json(training: TrainingView) -> dict[str, Any]:
    return shape.training_json(training, current_actor(), utc_now())
