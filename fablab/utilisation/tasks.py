"""What the clock starts for statistics."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from fablab.settings import Settings
from fablab.utilisation.queries import late_changes
from fablab.utilisation.rules import chunks
from fablab.utilisation.service import roll_up

RECENT = timedelta(hours=2)
# A change is looked for this long after it was made; the nightly count finds what a longer pause missed.
LOOK_BACK = timedelta(minutes=15)
FURTHEST = timedelta(days=35)


def roll_up_recent(session: Session, now: datetime, settings: Settings) -> int:
    """Count the last two hours of all machines, and the hours before that where something reached back.

    Returns how many machine hours changed.
    """
    changed = roll_up(session, None, now - RECENT, now)
    late = late_changes(session, now - LOOK_BACK, now - RECENT)
    for machine_id, earliest in sorted(late.items()):
        changed += roll_up(session, [machine_id], max(earliest, now - FURTHEST), now - RECENT)
    return changed


def roll_up_days(session: Session, now: datetime, settings: Settings) -> int:
    """Count the last three days of all machines; returns how many machine hours changed."""
    return sum(
        roll_up(session, None, since, until)
        for since, until in chunks(now - timedelta(days=3), now, timedelta(days=1))
    )
