"""What rules ask of a member, read in one statement, however many machines and spans it is wanted for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, bindparam, select, text
from sqlalchemy.orm import Session

from fablab.bookings.facts import LONGEST_DAYS
from fablab.bookings.record import Certificate, Own, Record
from fablab.bookings.rules import HOLDING_STATES
from fablab.machines.rules import Span
from fablab.members.models import Member

# The local month around any instant lies within so many days of it.
_A_MONTH = timedelta(days=32)
# Strikes count within a year at most, and suspend for another at most.
_STRIKES = timedelta(days=732)

# A booking that reaches into the time began at most the longest span before it: the index stops there.
_RECORDS = text(
    f"""
    SELECT booking.member_id, booking.machine_id, machine.slug, booking.lab_id, machine.kind_id,
           booking.starts_at, booking.ends_at, booking.state, booking.id, booking.bundle_id,
           booking.organisation_id, booking.forgiven,
           NULL AS level, NULL AS zone, NULL::date AS expires_on,
           NULL::timestamptz AS suspended_at, NULL::timestamptz AS revoked_at
    FROM booking JOIN machine ON machine.id = booking.machine_id
    WHERE booking.member_id = ANY(:members) AND (
        (booking.state = ANY(:holding) AND booking.starts_at < :until AND booking.ends_at > :since
         AND booking.starts_at > CAST(:since AS timestamptz) - interval '{LONGEST_DAYS} days')
        OR (booking.state IN ('requested', 'confirmed') AND booking.starts_at > :now)
        OR (booking.state = 'missed' AND NOT booking.forgiven AND booking.starts_at > :strikes)
    )
    UNION ALL
    SELECT certification.member_id, certification.machine_id, NULL, NULL, certification.kind_id,
           NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           certification.level, lab.zone, certification.expires_on,
           certification.suspended_at, certification.revoked_at
    FROM certification JOIN lab ON lab.id = certification.lab_id
    WHERE certification.member_id = ANY(:members) AND certification.revoked_at IS NULL
    """  # noqa: S608 - a number of ours
).bindparams(
    *(bindparam(name, type_=DateTime(timezone=True)) for name in ("since", "until", "now", "strikes"))
)


def record_of(session: Session, member_id: int, around: Span, now: datetime) -> Record:
    """One member's `Record` for bookings within ``around``. One statement."""
    return records_of(session, [member_id], around, now)[member_id]


def records_of(
    session: Session, member_ids: Collection[int], around: Span, now: datetime
) -> dict[int, Record]:
    """The same for many members: an entry for each, of whoever has nothing an empty one. One statement."""
    rows = session.execute(
        _RECORDS,
        {
            "members": list(member_ids),
            "holding": list(HOLDING_STATES),
            "since": around.starts_at - _A_MONTH,
            "until": around.ends_at + _A_MONTH,
            "now": now,
            "strikes": now - _STRIKES,
        },
    )
    bookings: dict[int, list[Own]] = defaultdict(list)
    certificates: dict[int, list[Certificate]] = defaultdict(list)
    for row in rows:
        if row.level is None:
            bookings[row.member_id].append(_own(row))
        else:
            certificates[row.member_id].append(_certificate(row))
    return {each: Record(tuple(bookings[each]), tuple(certificates[each])) for each in member_ids}


def lock_members(session: Session, member_ids: Collection[int]) -> None:
    """Let no other request of these members be decided on until this transaction ends.

    Before `record_of`, where a rule counts: of two bookings at once the second counts the first. In ascending
    order, before organisations, bookings and units. Nobody who only refers to the member waits for it.
    """
    if member_ids:
        session.execute(
            select(Member.id)
            .where(Member.id.in_(tuple(member_ids)))
            .order_by(Member.id)
            .with_for_update(key_share=True)
        )


def _own(row: Any) -> Own:
    return Own(
        machine_id=row.machine_id,
        machine_slug=row.slug,
        lab_id=row.lab_id,
        kind_id=row.kind_id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        state=row.state,
        id=row.id,
        bundle_id=row.bundle_id,
        organisation_id=row.organisation_id,
        forgiven=row.forgiven,
    )


def _certificate(row: Any) -> Certificate:
    return Certificate(
        kind_id=row.kind_id,
        machine_id=row.machine_id,
        level=row.level,
        zone=row.zone,
        expires_on=row.expires_on,
        suspended_at=row.suspended_at,
        revoked_at=row.revoked_at,
    )
