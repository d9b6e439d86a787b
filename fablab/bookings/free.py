"""Where there is room: interval arithmetic over claims and open hours. Pure; standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Room:
    """One unit's constraints: claims [start, end) by start, and open spans (None: at any hour)."""

    claims: Sequence[tuple[datetime, datetime]]
    open_spans: Sequence[tuple[datetime, datetime]] | None


def earliest_start(
    room: Room,
    length: timedelta,
    setup: timedelta,
    cleanup: timedelta,
    not_before: datetime,
    not_after: datetime,
) -> datetime | None:
    """The first start in [not_before, not_after] at which a booking fits, or None.

    The booking itself must lie inside one open span; with its set-up and clean-up it must touch no claim.
    Walks every claim and open span once.
    """
    for opens, closes in _windows(room.open_spans, not_before, not_after + length):
        start = _first_gap(room.claims, length, setup, cleanup, max(opens, not_before))
        if start <= not_after and start + length <= closes:
            return start
    return None


def first_free(
    rooms: Iterable[Room],
    length: timedelta,
    setup: timedelta,
    cleanup: timedelta,
    not_before: datetime,
    not_after: datetime,
) -> datetime | None:
    """The first start at which a booking fits on any of these units, or None."""
    starts = (earliest_start(room, length, setup, cleanup, not_before, not_after) for room in rooms)
    return min((start for start in starts if start is not None), default=None)


def fully_claimed(units: Sequence[Sequence[tuple[datetime, datetime]]]) -> list[tuple[datetime, datetime]]:
    """When none of these units is free, by start; the claims of one unit never overlap."""
    changes = sorted(
        (at, step) for claims in units for span in claims for at, step in zip(span, (1, -1), strict=True)
    )
    found = []
    taken, since = 0, None
    for at, step in changes:
        taken += step
        if taken == len(units):
            since = at
        elif since is not None:
            found.append((since, at))
            since = None
    return found


def _windows(
    open_spans: Sequence[tuple[datetime, datetime]] | None, since: datetime, until: datetime
) -> Iterable[tuple[datetime, datetime]]:
    return [(since, until)] if open_spans is None else open_spans


def _first_gap(
    claims: Iterable[tuple[datetime, datetime]],
    length: timedelta,
    setup: timedelta,
    cleanup: timedelta,
    start: datetime,
) -> datetime:
    """The first start at or after ``start`` whose padded span touches no claim."""
    for claimed_from, claimed_until in claims:
        if claimed_until <= start - setup:
            continue
        if start + length + cleanup <= claimed_from:
            break
        start = claimed_until + setup
    return start
