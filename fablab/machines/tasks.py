"""What the clock does about hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy.orm import Session

from fablab.settings import Settings

# Proposals are made so far ahead.
PROPOSE_AHEAD = timedelta(days=425)
CALENDAR_BYTES = 1024 * 1024
# Seconds one calendar may take, and seconds after which a run begins no other: the clock's other tasks wait.
CALENDAR_S, RUN_S = 8.0, 8.0
_BATCH = 20


def propose_hours(session: Session, now: datetime, settings: Settings) -> int:
    """Propose the coming public holidays and Ramadan to every lab; returns how many proposals are new."""
    # Here, because whoever only stands by never needs what they load.
    from fablab.machines.holidays_known import public_holidays, ramadans
    from fablab.machines.proposals import propose_holidays, propose_ramadan

    limits, today = settings.hours, now.date()
    until = today + PROPOSE_AHEAD
    made = 0
    if limits.holidays:
        found = public_holidays(limits.holidays, limits.holidays_language, today, until)
        made += propose_holidays(session, limits.holidays, found, today, until)
    if limits.ramadan:
        made += sum(propose_ramadan(session, each) for each in ramadans(today, until))
    return made


def read_calendars(session: Session, now: datetime, settings: Settings) -> int:
    """Read the calendars elsewhere that are due, for some seconds; returns how many closures changed."""
    from fablab.machines.external_calendars import due_sources, read_source
    from fablab.machines.ics_busy import busy_times
    from fablab.outbound import Answer, ask

    limits = settings.hours

    def fetch(url: str, etag: str | None) -> Answer:
        headers = {"Accept": "text/calendar", "User-Agent": "fablab"}
        return ask(
            "GET",
            url,
            headers=headers | ({"If-None-Match": etag} if etag else {}),
            timeout_s=CALENDAR_S,
            most_bytes=CALENDAR_BYTES,
            private=limits.private_calendars,
        )

    begun, changed = monotonic(), 0
    for source_id in due_sources(session, now, timedelta(seconds=limits.calendars_every_s), _BATCH):
        if monotonic() - begun > RUN_S:
            break
        changed += read_source(session, source_id, now, fetch, busy_times)
    return changed
