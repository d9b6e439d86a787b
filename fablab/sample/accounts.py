"""The accounts of the sample's people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy.orm import Session

from fablab.members.consent import current_words
from fablab.members.models import GuardianConsent, Member, Role
from fablab.sample.people import CAST, LOGINS, MAKERS, MINORS, PASSWORD
from fablab.signin.hashing import hash_password


def add_people(
    session: Session, labs: Mapping[str, int], joined_at: datetime, now: datetime
) -> dict[str, int]:
    """Write everybody; returns ids by e-mail. Only LOGINS have a password.

    ``labs`` are ids by slug.
    """
    # One hash for all: it protects a password that the README tells everybody, and each costs a good while.
    published = hash_password(PASSWORD)
    made = {
        person: Member(
            email=person.email,
            name=person.name,
            created_at=joined_at,
            email_verified_at=joined_at,
            password_hash=published if person in LOGINS else None,
            birth_on=None if person.age is None else date(now.year - person.age, 1, 15),
            roles=[Role(role=person.role, lab_id=labs[person.lab] if person.lab else None)],
        )
        for person in (*CAST, *MAKERS, *MINORS)
    }
    session.add_all(made.values())
    session.flush()
    ids = {person.email: member.id for person, member in made.items()}
    session.add_all(
        GuardianConsent(
            member_id=ids[person.email],
            guardian_name=person.guardian,
            words=current_words()["fr"],
            given_on=joined_at.date(),
            recorded_at=joined_at,
            recorded_by_id=ids["salma@example.org"],
        )
        for person in MINORS
        if person.guardian
    )
    session.flush()
    return ids
