"""What the clock starts for certifications."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from fablab.certifications.letters import letter_of_certification, people, tell_all
from fablab.certifications.models import Certification, CertificationChange
from fablab.certifications.queries import THING, thing_of
from fablab.certifications.rules import Policy, unused_since
from fablab.machines.models import Kind, Lab, Machine
from fablab.mail.words import format_day
from fablab.members import audit
from fablab.settings import Settings

# What one run does; the next goes on with the rest.
BATCH = 500


def suspend_unused(session: Session, now: datetime, settings: Settings) -> int:
    """Suspend what nobody has used, nor anybody renewed, for so many months; returns how many.

    Several at once are harmless: each takes rows no other holds. What has ended already is left alone.
    """
    policy = Policy(**dataclasses.asdict(settings.certifications))
    if policy.unused_months == 0:
        return 0
    unused = (
        select(Certification.id)
        .where(
            Certification.revoked_at.is_(None),
            Certification.suspended_at.is_(None),
            func.coalesce(Certification.expires_on >= now.date(), True),
            # A renewal counts like a use; greatest() passes over what is not known.
            func.greatest(Certification.last_used_at, Certification.renewed_at)
            < unused_since(now, policy.unused_months),
        )
        .order_by(Certification.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(
        update(Certification)
        .where(Certification.id.in_(unused.scalar_subquery()))
        .values(suspended_at=now)
        .returning(Certification.id, Certification.member_id, Certification.lab_id, Certification.level)
    ).all()
    if not rows:
        return 0
    reason = f"Not used for {policy.unused_months} months."
    session.execute(
        insert(CertificationChange),
        [
            {
                "certification_id": row.id,
                "at": now,
                "change": "suspended",
                "level": row.level,
                "reason": reason,
            }
            for row in rows
        ],
    )
    for row in rows:
        audit.record(
            session,
            None,
            "certification.suspend",
            f"certification {row.id}",
            now,
            reason,
            on_member_id=row.member_id,
            lab_id=row.lab_id,
        )
    months = str(policy.unused_months)
    _tell(session, [row.id for row in rows], "certification_suspended", now, months=months)
    return len(rows)


def remind_of_expiry(session: Session, now: datetime, settings: Settings) -> int:
    """Remind holders whose certification ends within so many days, once for each end; returns how many."""
    zone_day = now.astimezone(ZoneInfo("UTC")).date()
    until = zone_day + timedelta(days=settings.certifications.remind_days)
    due = (
        select(Certification.id)
        .where(
            Certification.revoked_at.is_(None),
            Certification.suspended_at.is_(None),
            Certification.expires_on.between(zone_day, until),
            Certification.reminded_for.is_distinct_from(Certification.expires_on),
        )
        .order_by(Certification.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    reminded = session.scalars(
        update(Certification)
        .where(Certification.id.in_(due.scalar_subquery()))
        .values(reminded_for=Certification.expires_on)
        .returning(Certification.id)
    ).all()
    if reminded:
        _tell(session, reminded, "certification_expiring", now)
    return len(reminded)


def _tell(
    session: Session, certification_ids: Sequence[int], template: str, now: datetime, **filling: str
) -> None:
    rows: Sequence[Any] = session.execute(
        select(Certification.member_id, Certification.expires_on, *THING)
        .join(Lab, Lab.id == Certification.lab_id)
        .outerjoin(Machine, Machine.id == Certification.machine_id)
        .join(Kind, (Kind.id == Certification.kind_id) | (Kind.id == Machine.kind_id))
        .where(Certification.id.in_(certification_ids))
        .order_by(Certification.id)
    ).all()
    who = people(session, {row.member_id for row in rows})
    letters = []
    for row in rows:
        person = who.get(row.member_id)
        if person is None:
            continue
        more = dict(filling)
        if template == "certification_expiring":
            more["on"] = format_day(row.expires_on, person.language)
        letters.append((person, letter_of_certification(person, template, thing_of(row), **more)))
    tell_all(session, letters, now)
