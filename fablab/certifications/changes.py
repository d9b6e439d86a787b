"""Renewing, suspending, resuming and revoking a certification that was granted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.certifications.grants import check_expiry
from fablab.certifications.letters import people, tell_of_certification
from fablab.certifications.models import Certification, CertificationChange
from fablab.certifications.queries import CertificationView, certification
from fablab.certifications.rules import (
    Policy,
    add_months,
    may_certify_member,
    may_see_certifications,
)
from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.mail.words import format_day
from fablab.members import audit
from fablab.members.rules import Actor


def renew(
    session: Session,
    actor: Actor,
    certification_id: int,
    now: datetime,
    policy: Policy,
    *,
    expires_on: date | None = None,
    reason: str = "",
) -> CertificationView:
    """Make a certification good for another period from today, whatever had ended or suspended it.

    A revoked one is refused: it has to be granted anew.
    """
    before = _changing(session, actor, certification_id)
    if before.revoked_at is not None:
        raise refused(Refusal("not_in_force", "", "It was revoked. Grant it anew instead."))
    today = now.astimezone(ZoneInfo(before.zone)).date()
    check_expiry(expires_on, today)
    ends = expires_on or add_months(today, policy.valid_months)
    values = {"renewed_at": now, "suspended_at": None, "expires_on": ends}
    return _change(session, actor, before, "renewed", now, values, reason)


def suspend(
    session: Session, actor: Actor, certification_id: int, now: datetime, reason: str = ""
) -> CertificationView:
    """Make a certification worthless until it is resumed or renewed; the holder is told why."""
    before = _changing(session, actor, certification_id)
    if before.revoked_at is not None or before.suspended_at is not None:
        raise refused(Refusal("not_in_force", "", "It is suspended or revoked already."))
    return _change(session, actor, before, "suspended", now, {"suspended_at": now}, reason)


def resume(
    session: Session, actor: Actor, certification_id: int, now: datetime, reason: str = ""
) -> CertificationView:
    """End a suspension. Its end stays as it was, and the months unused begin anew."""
    before = _changing(session, actor, certification_id)
    if before.revoked_at is not None or before.suspended_at is None:
        raise refused(Refusal("not_in_force", "", "It is not suspended."))
    values = {"suspended_at": None, "renewed_at": now}
    return _change(session, actor, before, "resumed", now, values, reason)


def revoke(
    session: Session, actor: Actor, certification_id: int, now: datetime, reason: str = ""
) -> CertificationView:
    """Take a certification back for good. Revoking it once more changes nothing."""
    before = _changing(session, actor, certification_id)
    if before.revoked_at is not None:
        return before
    return _change(session, actor, before, "revoked", now, {"revoked_at": now}, reason)


def _changing(session: Session, actor: Actor, certification_id: int) -> CertificationView:
    """The certification as it is now, locked. Raises for who may not see or change it."""
    session.execute(select(Certification.id).where(Certification.id == certification_id).with_for_update())
    found = certification(session, certification_id)
    if found is None or not may_see_certifications(actor, found.member_id):
        raise not_found("certification")
    if not may_certify_member(actor, found.thing.machine_lab_id, found.member_id):
        own = found.member_id == actor.member_id
        text = "Nobody certifies oneself." if own else "Only the lab's trainers and managers certify."
        raise not_allowed(text, Refusal("own_certification" if own else "not_allowed", "", text))
    return found


def _change(
    session: Session,
    actor: Actor,
    before: CertificationView,
    change: str,
    now: datetime,
    values: Mapping[str, datetime | date | None],
    reason: str,
) -> CertificationView:
    session.execute(update(Certification).where(Certification.id == before.id).values(**values))
    session.add(
        CertificationChange(
            certification_id=before.id,
            at=now,
            member_id=actor.member_id,
            change=change,
            level=before.level,
            reason=reason,
        )
    )
    verb = {"renewed": "renew", "suspended": "suspend", "resumed": "resume", "revoked": "revoke"}[change]
    audit.record(
        session,
        actor,
        f"certification.{verb}",
        f"certification {before.id}",
        now,
        f"level {before.level} on {before.thing.slug}",
        on_member_id=before.member_id,
        lab_id=before.lab_id,
    )
    session.flush()
    after = certification(session, before.id)
    assert after is not None
    _tell(session, after, change, now, reason)
    return after


def _tell(session: Session, after: CertificationView, change: str, now: datetime, reason: str) -> None:
    for person in people(session, [after.member_id]).values():
        if change in ("suspended", "revoked"):
            tell_of_certification(
                session, person, "certification_stopped", after.thing, now, reason=reason or "–"
            )
        elif after.expires_on is not None:
            on = format_day(after.expires_on, person.language)
            tell_of_certification(session, person, "certification_renewed", after.thing, now, on=on)
