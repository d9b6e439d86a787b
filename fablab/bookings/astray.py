"""Bookings whose stored instants do not show their wall time by the zone data in use today."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, DateTime, Integer, String, bindparam, func, select, text
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.bookings.rederive_plan import Mover
from fablab.bookings.rules import CANCELLABLE_STATES
from fablab.clock import offsets
from fablab.machines.recurrence import instants, shows
from fablab.machines.rules import Span

_AT = DateTime(timezone=True)

# Compared by the offsets that the zones keep, so that only what is astray leaves the database.
_ASTRAY = text(
    """
    WITH kept AS (
        SELECT * FROM unnest(:zones, :since, :until, :seconds) AS kept(zone, since, until, seconds)
    )
    SELECT booking.id, coalesce(booking.bundle_id, booking.id) AS together, booking.machine_id,
           booking.lab_id, booking.state, booking.starts_at, booking.ends_at, booking.zone,
           booking.local_starts, booking.local_ends
    FROM booking
    JOIN kept AS first ON first.zone = booking.zone
         AND booking.starts_at >= first.since AND booking.starts_at < first.until
    JOIN kept AS last ON last.zone = booking.zone
         AND booking.ends_at >= last.since AND booking.ends_at < last.until
    WHERE booking.state = ANY(:states) AND booking.starts_at > :now
      AND (CAST(:lab AS integer) IS NULL OR booking.lab_id = :lab)
      AND (booking.local_starts - make_interval(secs => first.seconds) <> booking.starts_at AT TIME ZONE 'UTC'
        OR booking.local_ends - make_interval(secs => last.seconds) <> booking.ends_at AT TIME ZONE 'UTC')
    ORDER BY booking.id
    """
).bindparams(
    bindparam("zones", type_=ARRAY(String)),
    bindparam("since", type_=ARRAY(_AT)),
    bindparam("until", type_=ARRAY(_AT)),
    bindparam("seconds", type_=ARRAY(Integer)),
    bindparam("states", type_=ARRAY(String)),
    bindparam("now", type_=_AT),
)


def astray(session: Session, now: datetime, lab_id: int | None = None) -> list[Mover]:
    """Coming bookings that stand elsewhere than their wall time says, by number, without their claims.

    Not those that would begin before ``now``, by the old instant or the new one: their people are there or on
    their way. Nor those whose wall time comes twice or never, which are where they can be. Two statements.
    """
    zones = session.execute(
        select(Booking.zone, func.max(Booking.ends_at))
        .where(Booking.state.in_(CANCELLABLE_STATES), Booking.starts_at > now)
        .group_by(Booking.zone)
    )
    kept = [(zone, *each) for zone, last in zones for each in offsets(zone, now, last + timedelta(hours=1))]
    if not kept:
        return []
    values: dict[str, Any] = {
        "zones": [zone for zone, *_ in kept],
        "since": [since for _, since, _, _ in kept],
        "until": [until for _, _, until, _ in kept],
        "seconds": [int(offset.total_seconds()) for *_, offset in kept],
        "states": list(CANCELLABLE_STATES),
        "now": now,
        "lab": lab_id,
    }
    found = []
    for row in session.execute(_ASTRAY, values):
        new = _where_it_belongs(row)
        if new is not None and new.starts_at > now:
            old = Span(row.starts_at, row.ends_at)
            found.append(Mover(row.id, row.together, row.machine_id, row.lab_id, row.state, old, new))
    return found


def unresolved(session: Session, lab_id: int, now: datetime) -> list[Mover]:
    """A lab's coming bookings that do not stand where their wall time is, by start. Two statements."""
    return sorted(astray(session, now, lab_id), key=lambda each: each.old)


def _where_it_belongs(row: Any) -> Span | None:
    """The instants of the wall times; None where the booking is there already, or the clock skips them."""
    new = instants(row.local_starts, row.local_ends, row.zone)
    if new is None:
        return None
    # What shows its wall time stays, also in the second of two hours that look alike.
    starts_at = row.starts_at if shows(row.starts_at, row.local_starts, row.zone) else new.starts_at
    ends_at = row.ends_at if shows(row.ends_at, row.local_ends, row.zone) else new.ends_at
    if starts_at >= ends_at or (starts_at, ends_at) == (row.starts_at, row.ends_at):
        return None
    return Span(starts_at, ends_at)
