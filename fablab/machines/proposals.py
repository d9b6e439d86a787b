"""What the clock proposes to the managers of labs: public holidays as closures, Ramadan as a season.

A proposal changes nothing until somebody confirms it. Each is made once: whoever declines one, or takes it
away later, is not asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time

from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.machines.holidays_known import Holiday, Ramadan
from fablab.machines.models import LABEL_MAX

# The hours proposed for Ramadan: what of the usual ones lies between these.
RAMADAN_OPENS, RAMADAN_CLOSES = time(9), time(16)
# Before seasons that staff thought of without giving them a priority.
RAMADAN_PRIORITY = 10

_HOLIDAYS = text(
    """
    INSERT INTO closure (lab_id, label, local_starts, local_ends, unattended_too, state, proposal)
    SELECT lab.id, holiday.label, holiday.day, holiday.day + 1, false, 'proposed', holiday.key
    FROM lab CROSS JOIN unnest(CAST(:keys AS text[]), CAST(:days AS date[]), CAST(:labels AS text[]))
         AS holiday (key, day, label)
    ON CONFLICT (lab_id, proposal) DO NOTHING
    RETURNING id
    """
)
# Days that are counted from the moon move as it is computed better. What was proposed for another day, and
# nobody has looked at, goes.
_MOVED = text(
    """
    DELETE FROM closure
    WHERE state = 'proposed' AND proposal LIKE :prefix AND proposal <> ALL(CAST(:keys AS text[]))
          AND local_starts >= :since AND local_starts < CAST(:until AS date) + 1
    """
)
# A night that closes on the next day counts as open until its midnight.
_RAMADAN = text(
    """
    WITH made AS (
        INSERT INTO season (lab_id, label, starts_on, ends_on, priority, state, proposal)
        SELECT lab.id, :label, :starts_on, :ends_on, :priority, 'proposed', :key FROM lab
        ON CONFLICT (lab_id, proposal) DO NOTHING
        RETURNING id, lab_id
    ), hours AS (
        INSERT INTO opening (lab_id, season_id, weekday, opens, closes, supervised)
        SELECT made.lab_id, made.id, usual.weekday, usual.opens, usual.closes, usual.supervised
        FROM made JOIN (
            SELECT lab_id, weekday, supervised, greatest(opens, :first) AS opens,
                   CASE WHEN closes <= opens THEN :last ELSE least(closes, :last) END AS closes
            FROM opening WHERE machine_id IS NULL AND season_id IS NULL
        ) AS usual ON usual.lab_id = made.lab_id AND usual.opens < usual.closes
    )
    SELECT id FROM made
    """
)


def propose_holidays(
    session: Session, country: str, found: Sequence[Holiday], since: date, until: date
) -> int:
    """Propose to every lab to close on these days. Returns how many proposals are new."""
    keys = [each.key for each in found]
    prefix = f"holiday-{country.lower()}-%"
    session.execute(_MOVED, {"prefix": prefix, "keys": keys, "since": since, "until": until})
    made = session.execute(
        _HOLIDAYS,
        {
            "keys": keys,
            "days": [each.on for each in found],
            "labels": [each.label[:LABEL_MAX] for each in found],
        },
    )
    return len(made.all())


def propose_ramadan(session: Session, found: Ramadan) -> int:
    """Propose a season to every lab, with its usual hours as far as they lie in the day's first half.

    Returns how many proposals are new.
    """
    made = session.execute(
        _RAMADAN,
        {
            "key": found.key,
            "label": found.label,
            "starts_on": found.starts_on,
            "ends_on": found.ends_on,
            "priority": RAMADAN_PRIORITY,
            "first": RAMADAN_OPENS,
            "last": RAMADAN_CLOSES,
        },
    )
    return len(made.all())
