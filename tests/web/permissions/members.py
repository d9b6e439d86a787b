"""The directory is for staff: trainers and the operator look; managers add and record; admins do the rest."""

from __future__ import annotations

from datetime import date
from typing import Any

from fablab.members.consent import current_words
from fablab.members.models import GuardianConsent, Member, Role
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

ROWS: dict[str, Row] = {
    "GET /api/v1/members": Row(200, **MAKERS, query={"q": "ami"}),
    "POST /api/v1/members": Row(201, **MANAGERS, json={"email": "new@example.org", "name": "New"}),
    "GET /api/v1/members/<id:member_id>": Row(200, **MAKERS, at=HIND),
    "PATCH /api/v1/members/<id:member_id>": Row(200, **MANAGERS, at=HIND, json={"name": "Hind B"}),
    "POST /api/v1/members/<id:member_id>/roles": Row(
        201, **{**MANAGERS, "karim": 403}, at=HIND, json=TRAINER
    ),
    "DELETE /api/v1/members/<id:member_id>/roles/<slug:role>": Row(
        204, **{**MANAGERS, "karim": 403}, at={**IDRIS, "role": "trainer"}, query={"lab": "tanger"}
    ),
    "GET /api/v1/consent-words": Row(200),
    "GET /api/v1/members/<id:member_id>/consents": Row(200, **DETAILS, at=HIND),
    "POST /api/v1/members/<id:member_id>/consents": Row(201, **DETAILS, at=HIND, json=CONSENT),
    "DELETE /api/v1/members/<id:member_id>/consents/<id:consent_id>": Row(
        204, **DETAILS, at={**HIND, "consent_id": "$consent"}
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
