"""What the clock starts for usage."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from fablab.bookings.models import Booking
from fablab.certifications.models import Certification
from fablab.machines.models import Machine
from fablab.settings import Settings
from fablab.usage.models import UsageSession


def note_certified_use(session: Session, now: datetime, settings: Settings) -> int:
    """Tell certifications when their holders last used what they are for; returns how many changed.

    Use is a session in which the machine was at work, attributed to a booking of the holder. It looks as far
    back as bridges may still report: one that was cut off for weeks tells of use long past. One statement.
    """
    since = now - timedelta(days=settings.telemetry.oldest_message_days)
    ended_at = func.coalesce(UsageSession.ended_at, UsageSession.counted_at)
    held = aliased(Certification)
    used = (
        select(held.id, func.max(ended_at).label("at"))
        .select_from(UsageSession)
        .join(Booking, Booking.id == UsageSession.booking_id)
        .join(Machine, Machine.id == UsageSession.machine_id)
        .join(
            held,
            and_(
                held.member_id == Booking.member_id,
                or_(held.machine_id == Machine.id, held.kind_id == Machine.kind_id),
            ),
        )
        .where(ended_at >= since, UsageSession.busy_s > 0)
        .group_by(held.id)
        .subquery()
    )
    changed = session.execute(
        update(Certification)
        .where(
            Certification.id == used.c.id,
            or_(Certification.last_used_at.is_(None), Certification.last_used_at < used.c.at),
        )
        .values(last_used_at=used.c.at)
        .execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]
