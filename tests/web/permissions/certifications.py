"""Rows of certifications and trainings over REST."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

from fablab.certifications import changes, enrolments, grants, trainings
from fablab.certifications.queries import Thing, thing
from fablab.certifications.rules import Policy
from fablab.certifications.training_queries import TrainingView
from tests.web.permissions import Row
from tests.web.permissions.world import World

# Of Tanger's laser, Amina's: only Tanger's trainers and managers may touch it, everybody's staff may look.
LASER = {"certification_id": "$laser_certification"}
STOPPED = {"certification_id": "$stopped_certification"}
PLANNED = {"training_id": "$planned_training"}
BEGUN = {"training_id": "$begun_training"}


def things(world: World) -> dict[str, Any]:
    """Amina's certifications on Tanger's laser and (suspended) its printer; two trainings in Tanger."""
    laser = _grant(world, "tanger-laser-1")
    stopped = _grant(world, "tanger-prusa-1")
    changes.suspend(world.session, world.cast.actors["salma"], stopped.id, world.now)
    planned = _plan(world, world.now + timedelta(days=3))
    begun = _plan(world, world.now + timedelta(minutes=1))
    base = world.settings.web.base_url
    for training in (planned, begun):
        enrolments.enrol(world.session, world.cast.actors["amina"], training.id, world.now, base)
    world.session.flush()
    _begin(world, begun)
    return {
        "laser_certification": laser.id,
        "laser_code": laser.code,
        "stopped_certification": stopped.id,
        "planned_training": planned.id,
        "begun_training": begun.id,
        "next_week": (world.now + timedelta(days=7)).isoformat(),
        "next_week_later": (world.now + timedelta(days=7, hours=2)).isoformat(),
        "next_week_day": f"{world.now + timedelta(days=7):%Y-%m-%d}",
    }


def _policy(world: World) -> Policy:
    return Policy(**dataclasses.asdict(world.settings.certifications))


def _thing(world: World, machine: str) -> Thing:
    found = thing(world.session, None, machine)
    assert found is not None
    return found


def _grant(world: World, machine: str) -> Any:
    return grants.grant(
        world.session,
        world.cast.actors["trainer"],
        world.cast.members["amina"],
        _thing(world, machine),
        2,
        world.now,
        _policy(world),
        world.settings.web.base_url,
    )


def _plan(world: World, starts_at: Any) -> TrainingView:
    return trainings.plan_training(
        world.session,
        world.cast.actors["trainer"],
        world.cast.labs["tanger"],
        _thing(world, "tanger-laser-1"),
        1,
        "Laser for beginners",
        starts_at,
        starts_at + timedelta(hours=2),
        5,
        world.now,
    )


def _begin(world: World, training: TrainingView) -> None:
    """Let it have begun: a training is planned for the future only."""
    from fablab.certifications.models import Training

    row = world.session.get_one(Training, training.id)
    row.starts_at = world.now - timedelta(hours=3)
    row.ends_at = world.now - timedelta(hours=1)


# A machine's certification: makers do not see another's, the holder may not touch it, nor may other labs.
TOUCHING = {"amina": 403, "youssef": 404, "karim": 403, "nadia": 403}
# A training is there for all to see; only the lab's own people hold it.
HOLDING = {"amina": 403, "youssef": 403, "karim": 403, "nadia": 403}
NEW_TRAINING = {
    "lab": "tanger",
    "kind": "laser-cutter",
    "level": 1,
    "title": "First cuts",
    "starts_at": "$next_week",
    "ends_at": "$next_week_later",
    "places": 6,
}

ROWS = {
    "GET /api/v1/certifications": Row(200, youssef=404, query={"member": "$amina"}),
    "POST /api/v1/certifications": Row(
        201, **HOLDING, json={"member": "$youssef", "machine": "tanger-laser-1", "level": 1}
    ),
    "GET /api/v1/certifications/<id:certification_id>": Row(200, youssef=404, at=LASER),
    "GET /api/v1/certifications/<id:certification_id>/history": Row(200, youssef=404, at=LASER),
    "DELETE /api/v1/certifications/<id:certification_id>": Row(204, **TOUCHING, at=LASER),
    "POST /api/v1/certifications/<id:certification_id>/renewal": Row(201, **TOUCHING, at=LASER),
    "POST /api/v1/certifications/<id:certification_id>/suspension": Row(201, **TOUCHING, at=LASER),
    "DELETE /api/v1/certifications/<id:certification_id>/suspension": Row(204, **TOUCHING, at=STOPPED),
    "GET /api/v1/trainings": Row(200),
    "POST /api/v1/trainings": Row(201, **HOLDING, json=NEW_TRAINING),
    "GET /api/v1/trainings/<id:training_id>": Row(200, at=PLANNED),
    "PATCH /api/v1/trainings/<id:training_id>": Row(200, **HOLDING, at=PLANNED, json={"places": 9}),
    # Whoever gives the training has no place in it.
    "POST /api/v1/trainings/<id:training_id>/enrolment": Row(201, trainer=422, nadia=403, at=PLANNED),
    # Only Amina is enrolled.
    "DELETE /api/v1/trainings/<id:training_id>/enrolment": Row(404, amina=204, at=PLANNED),
    "GET /api/v1/trainings/<id:training_id>/enrolments": Row(
        200, amina=404, youssef=404, karim=404, at=PLANNED
    ),
    "POST /api/v1/trainings/<id:training_id>/cancellation": Row(201, **HOLDING, at=PLANNED),
    "POST /api/v1/trainings/<id:training_id>/closure": Row(
        201, **HOLDING, at=BEGUN, json={"attended": ["$amina"]}
    ),
}
