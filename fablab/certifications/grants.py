"""Granting certifications, to one member or to all who came to a training."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.certifications.letters import Person, people, tell_of_certification
from fablab.certifications.models import Certification, CertificationChange
from fablab.certifications.queries import CertificationView, Thing, certification
from fablab.certifications.rules import (
    LEVELS,
    LONGEST_VALIDITY_MONTHS,
    Policy,
    add_months,
    lab_of_grant,
    may_certify,
    may_certify_member,
    standing,
)
from fablab.errors import Refusal, not_allowed, refused
from fablab.machines.models import Lab
from fablab.members import audit
from fablab.members.rules import Actor

# 128 random bits in letters that cannot be taken for one another: nobody guesses one.
CODE_BYTES = 16


def grant(
    session: Session,
    actor: Actor,
    member_id: int,
    thing: Thing,
    level: int,
    now: datetime,
    policy: Policy,
    base_url: str,
    *,
    lab_id: int | None = None,
    expires_on: date | None = None,
) -> CertificationView:
    """Certify a member on a kind or a machine.

    ``lab_id`` says in whose name, where the actor could mean several labs; ``expires_on`` is otherwise
    reckoned from the policy. Refuses what the member has already at this level or a higher one, and oneself.
    """
    lab_id = _granting_lab(actor, thing, lab_id)
    if not may_certify_member(actor, lab_id, member_id):
        text = "Nobody certifies oneself; ask another trainer."
        raise not_allowed(text, Refusal("own_certification", "member", text))
    zone = _zone(session, lab_id)
    today = now.astimezone(ZoneInfo(zone)).date()
    check_expiry(expires_on, today)
    if level not in LEVELS:
        raise refused(Refusal("invalid", "level", "The level is 1, 2 or 3."))
    person = people(session, [member_id], lock=True).get(member_id)
    if person is None or not person.active:
        raise refused(Refusal("invalid", "member", "There is no such member, or the account is closed."))
    has = _existing(session, [member_id], thing).get(member_id)
    if has is not None and standing(has, today) == "valid" and has.level >= level:
        text = f"{person.name} is certified at level {has.level} already. Renew that, or revoke it first."
        raise refused(Refusal("already_certified", "level", text))
    ends = expires_on or add_months(today, policy.valid_months)
    [changed] = _certify(session, actor, [person], thing, level, lab_id, now, today, ends, base_url)
    view = certification(session, changed)
    assert view is not None
    return view


def grant_to_all(
    session: Session,
    actor: Actor,
    member_ids: Collection[int],
    thing: Thing,
    level: int,
    lab_id: int,
    training_id: int,
    now: datetime,
    policy: Policy,
    base_url: str,
) -> int:
    """Certify everybody who came to a training; returns how many certifications changed.

    1. whoever has none, or one that is not valid or lower, is granted this level;
    2. whoever has the same is renewed;
    3. whoever has a higher one keeps it as it is.
    """
    today = now.astimezone(ZoneInfo(_zone(session, lab_id))).date()
    came = [person for person in people(session, member_ids, lock=True).values() if person.active]
    ends = add_months(today, policy.valid_months)
    return len(_certify(session, actor, came, thing, level, lab_id, now, today, ends, base_url, training_id))


def check_expiry(expires_on: date | None, today: date) -> None:
    """Refuse an end that is past, or so far away that it would never be looked at again."""
    if expires_on is None:
        return
    if expires_on <= today:
        raise refused(Refusal("invalid", "expires_on", "It must lie in the future."))
    if expires_on > add_months(today, LONGEST_VALIDITY_MONTHS):
        years = LONGEST_VALIDITY_MONTHS // 12
        raise refused(Refusal("invalid", "expires_on", f"It must lie at most {years} years ahead."))


def new_code() -> str:
    """What a certificate's public page is asked for."""
    return base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().rstrip("=").lower()


def _certify(
    session: Session,
    actor: Actor,
    who: Collection[Person],
    thing: Thing,
    level: int,
    lab_id: int,
    now: datetime,
    today: date,
    ends: date,
    base_url: str,
    training_id: int | None = None,
) -> list[int]:
    """Grant or renew for people whose rows are locked; returns the certifications that changed."""
    existing = _existing(session, [person.member_id for person in who], thing)
    changed: list[tuple[Person, Certification, str]] = []
    for person in who:
        has = existing.get(person.member_id)
        valid = has is not None and standing(has, today) == "valid"
        if has is None:
            has = Certification(
                member_id=person.member_id,
                kind_id=thing.kind_id,
                machine_id=thing.machine_id,
                code=new_code(),
            )
            session.add(has)
        elif valid and has.level > level:
            continue
        change = "renewed" if valid and has.level == level else "granted"
        if change == "granted":
            has.level, has.lab_id, has.granted_at = level, lab_id, now
        has.renewed_at, has.suspended_at, has.revoked_at = now, None, None
        has.expires_on = max(has.expires_on, ends) if valid and has.expires_on else ends
        changed.append((person, has, change))
    session.flush()
    for person, has, change in changed:
        session.add(
            CertificationChange(
                certification_id=has.id,
                at=now,
                member_id=actor.member_id,
                change=change,
                level=level,
                training_id=training_id,
            )
        )
        verb = "grant" if change == "granted" else "renew"
        _record(session, actor, verb, has, thing, now, training_id)
        tell_of_certification(
            session,
            person,
            "certification_granted",
            thing,
            now,
            level=str(level),
            link=f"{base_url}/certifications",
        )
    session.flush()
    return [has.id for _, has, _ in changed]


def _record(
    session: Session,
    actor: Actor,
    verb: str,
    has: Certification,
    thing: Thing,
    now: datetime,
    training_id: int | None,
) -> None:
    what = f"level {has.level} on {thing.slug} until {has.expires_on}"
    audit.record(
        session,
        actor,
        f"certification.{verb}",
        f"certification {has.id}",
        now,
        what if training_id is None else f"{what}, training {training_id}",
        on_member_id=has.member_id,
        lab_id=has.lab_id,
    )


def _granting_lab(actor: Actor, thing: Thing, wanted: int | None) -> int:
    lab_id = lab_of_grant(actor, thing.machine_lab_id, wanted)
    if not may_certify(actor, lab_id):
        raise not_allowed("Only the lab's trainers and managers certify.")
    if lab_id is None:
        raise refused(Refusal("invalid", "lab", "Say which lab certifies."))
    return lab_id


def _existing(session: Session, member_ids: Collection[int], thing: Thing) -> dict[int, Certification]:
    rows = session.scalars(
        select(Certification)
        .where(
            Certification.member_id.in_(member_ids),
            Certification.kind_id.is_not_distinct_from(thing.kind_id),
            Certification.machine_id.is_not_distinct_from(thing.machine_id),
        )
        .order_by(Certification.id)
        .with_for_update()
        # Rows read before the lock may have changed since.
        .execution_options(populate_existing=True)
    )
    return {row.member_id: row for row in rows}


def _zone(session: Session, lab_id: int) -> str:
    return session.scalars(select(Lab.zone).where(Lab.id == lab_id)).one()
