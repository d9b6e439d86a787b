"""The directory is for staff: trainers and the operator look; managers add and record; admins do the rest."""

from __future__ import annotations

from datetime import date
from typing import Any

from fablab.members.consent import current_words
from fablab.members.models import GuardianConsent, Member, Role
from fablab.signin.models import Authenticator
from tests.web.permissions import Row
from tests.web.permissions.world import World

MAKERS = {"amina": 404, "youssef": 404}
# Details: managers of any lab, and the admin.
DETAILS = {**MAKERS, "trainer": 404, "nadia": 404}
MANAGERS = {**MAKERS, "trainer": 403, "nadia": 403}
ADMINS = {**MANAGERS, "salma": 403, "karim": 403}
# Hind is 15; Idris trains in Tanger.
HIND, IDRIS = {"member_id": "$minor"}, {"member_id": "$other_trainer"}
CONSENT = {"guardian_name": "Guardian", "words": current_words()["fr"], "given_on": "2026-01-05"}
TRAINER = {"role": "trainer", "lab": "tanger"}
CHOSEN = {"role": "trainer:tanger"}
IN_TANGER = {**MANAGERS, "karim": 403}

ROWS: dict[str, Row] = {
    "GET /api/v1/members": Row(200, **MAKERS, query={"q": "ami"}),
    "POST /api/v1/members": Row(201, **MANAGERS, json={"email": "new@example.org", "name": "New"}),
    "GET /api/v1/members/<id:member_id>": Row(200, **MAKERS, at=HIND),
    "PATCH /api/v1/members/<id:member_id>": Row(200, **MANAGERS, at=HIND, json={"name": "Hind B"}),
    "POST /api/v1/members/<id:member_id>/roles": Row(201, **IN_TANGER, at=HIND, json=TRAINER),
    "DELETE /api/v1/members/<id:member_id>/roles/<slug:role>": Row(
        204, **IN_TANGER, at={**IDRIS, "role": "trainer"}, query={"lab": "tanger"}
    ),
    "GET /api/v1/consent-words": Row(200),
    "GET /api/v1/members/<id:member_id>/consents": Row(200, **DETAILS, at=HIND),
    "POST /api/v1/members/<id:member_id>/consents": Row(201, **DETAILS, at=HIND, json=CONSENT),
    "DELETE /api/v1/members/<id:member_id>/consents/<id:consent_id>": Row(
        204, **DETAILS, at={**HIND, "consent_id": "$consent"}
    ),
    "GET /staff/members": Row(200, **MAKERS, query={"q": "ami"}),
    "GET /staff/members/new": Row(200, **MANAGERS),
    "POST /staff/members/new": Row(
        303, **MANAGERS, form={"email": "new@example.org", "name": "New", "language": "fr"}
    ),
    "GET /staff/members/<id:member_id>": Row(200, **MAKERS, at=HIND),
    "POST /staff/members/<id:member_id>": Row(
        303, **MANAGERS, at=HIND, form={"name": "Hind B", "language": "fr", "birth_on": "2011-01-01"}
    ),
    "POST /staff/members/<id:member_id>/roles": Row(303, **IN_TANGER, at=HIND, form=CHOSEN),
    "GET /staff/members/<id:member_id>/role-removal": Row(200, **IN_TANGER, at=IDRIS, query=CHOSEN),
    "POST /staff/members/<id:member_id>/role-removal": Row(303, **IN_TANGER, at=IDRIS, form=CHOSEN),
    "GET /staff/members/<id:member_id>/deactivation": Row(200, **ADMINS, at=HIND),
    "POST /staff/members/<id:member_id>/deactivation": Row(303, **ADMINS, at=HIND),
    "POST /staff/members/<id:member_id>/reactivation": Row(303, **ADMINS, at=HIND),
    # Not even others' staff learn of somebody's second factor.
    "GET /staff/members/<id:member_id>/second-factor-removal": Row(404, admin=200, at=IDRIS),
    "POST /staff/members/<id:member_id>/second-factor-removal": Row(404, admin=303, at=IDRIS),
    "GET /staff/members/<id:member_id>/consents/new": Row(200, **DETAILS, at=HIND),
    "POST /staff/members/<id:member_id>/consents": Row(303, **DETAILS, at=HIND, form=CONSENT),
    "GET /staff/members/<id:member_id>/consents/<id:consent_id>/withdrawal": Row(
        200, **DETAILS, at={**HIND, "consent_id": "$consent"}
    ),
    "POST /staff/members/<id:member_id>/consents/<id:consent_id>/withdrawal": Row(
        303, **DETAILS, at={**HIND, "consent_id": "$consent"}
    ),
}


def things(world: World) -> dict[str, Any]:
    session, now = world.session, world.now
    born = date(now.year - 15, 1, 1)
    hind = Member(
        name="Hind", email="hind@example.org", created_at=now, birth_on=born, roles=[Role(role="maker")]
    )
    trains = Role(role="trainer", lab_id=world.cast.labs["tanger"])
    idris = Member(name="Idris", email="idris@example.org", created_at=now, roles=[trains])
    session.add_all([hind, idris])
    session.flush()
    session.add(Authenticator(member_id=idris.id, secret=b"sealed", created_at=now, confirmed_at=now))
    consent = GuardianConsent(
        member_id=hind.id,
        guardian_name="Guardian",
        words=current_words()["fr"],
        given_on=now.date(),
        recorded_at=now,
        recorded_by_id=world.cast.members["salma"],
    )
    session.add(consent)
    session.flush()
    return {"minor": hind.id, "other_trainer": idris.id, "consent": consent.id}
