"""Rows of the pages about certifications and trainings; `certifications` makes the things."""

from __future__ import annotations

from tests.web.permissions import Row
from tests.web.permissions.certifications import BEGUN, HOLDING, LASER, PLANNED

# For makers there is no such page. Operators look; Karim is of another lab than Tanger's laser.
LOOKING = {"amina": 404, "youssef": 404}
CERTIFYING = {**LOOKING, "nadia": 403}
TOUCHING = {**CERTIFYING, "karim": 403}
HOLDING_ANY = {"amina": 403, "youssef": 403, "nadia": 403}
TRAINING_FORM = {
    "title": "First cuts",
    "notes": "",
    "day": "$next_week_day",
    "starts": "10:00",
    "ends": "12:00",
    "places": "6",
}

ROWS = {
    "GET /certifications": Row(200),
    "GET /certifications/<id:certification_id>/certificate.pdf": Row(200, youssef=404, at=LASER),
    "GET /certificates/<code>": Row(200, anonymous=200, at={"code": "$laser_code"}),
    "GET /staff/certifications": Row(200, **LOOKING),
    "GET /staff/certifications/new": Row(200, **CERTIFYING, query={"member": "$youssef"}),
    "POST /staff/certifications/new": Row(
        303, **TOUCHING, form={"member": "$youssef", "on": "machine:tanger-laser-1", "level": "1"}
    ),
    "GET /staff/certifications/<id:certification_id>": Row(200, **LOOKING, at=LASER),
    "POST /staff/certifications/<id:certification_id>/"
    "<any(renewal, suspension, resumption, revocation):act>": Row(
        303, **TOUCHING, at={**LASER, "act": "suspension"}, form={"reason": "A refresher is due"}
    ),
    "GET /trainings": Row(200),
    # Karim may announce one, in Rabat: the form offers his labs, and refuses others.
    "GET /trainings/new": Row(200, **HOLDING_ANY),
    "POST /trainings/new": Row(
        303,
        **HOLDING_ANY,
        karim=422,
        form={**TRAINING_FORM, "lab": "tanger", "on": "kind:laser-cutter", "level": "1"},
    ),
    "GET /trainings/<id:training_id>": Row(200, at=PLANNED),
    "GET /trainings/<id:training_id>/edit": Row(200, **HOLDING, at=PLANNED),
    "POST /trainings/<id:training_id>/edit": Row(303, **HOLDING, at=PLANNED, form=TRAINING_FORM),
    # A refusal (the trainer's) is said on the page it leads back to.
    "POST /trainings/<id:training_id>/enrolment": Row(303, nadia=403, at=PLANNED),
    "POST /trainings/<id:training_id>/leaving": Row(404, amina=303, at=PLANNED),
    "POST /trainings/<id:training_id>/people": Row(303, **HOLDING, at=PLANNED, form={"member": "$minor"}),
    "POST /trainings/<id:training_id>/people/<id:member_id>/removal": Row(
        303, **{**HOLDING, "amina": 303}, at={**PLANNED, "member_id": "$amina"}
    ),
    "GET /trainings/<id:training_id>/cancellation": Row(200, **HOLDING, at=PLANNED),
    "POST /trainings/<id:training_id>/cancellation": Row(303, **HOLDING, at=PLANNED),
    "POST /trainings/<id:training_id>/closure": Row(
        303, **HOLDING, at=BEGUN, form={"attended": "$amina", "sure": "1"}
    ),
}
