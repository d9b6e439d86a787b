"""What the clock starts for people's data."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from fablab.data_rights import retention
from fablab.settings import Settings
from fablab.telemetry.partitions import drop_partitions


def forget_old(session: Session, now: datetime, settings: Settings) -> int:
    """Delete or empty what has been kept as long as [retention] says; returns how many rows."""
    return retention.forget_old(session, now, settings.retention)


def forget_readings(session: Session, now: datetime, settings: Settings) -> int:
    """Drop the months of readings that lie wholly in the past; returns how many months.

    Never one that a bridge may still send something for.
    """
    days = settings.retention.readings_days
    if not days:
        return 0
    kept = max(days, settings.telemetry.oldest_message_days)
    return len(drop_partitions(session, now - timedelta(days=kept)))
