"""What the clock starts for telemetry."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from fablab.settings import Settings
from fablab.telemetry.partitions import make_partitions


def make_reading_partitions(session: Session, now: datetime, settings: Settings) -> int:
    """Make the partitions that are missing; returns how many."""
    return len(make_partitions(session, now, settings.telemetry))
