"""What rules say of starts, as the search for free time needs it: spans, not verdicts. Pure.

`fablab.bookings.rules.decide` has the last word on each start; this spares asking it about all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fablab.bookings.facts import Place
from fablab.bookings.record import Record
from fablab.bookings.rulebook import Ruling
from fablab.bookings.rules_member import GOING_ON, QUOTAS, used_s
from fablab.bookings.rules_quota import bands, periods
from fablab.bookings.slot_search import Pair, WallGrid, joined, too_much
from fablab.clock import offsets
from fablab.machines.rules import Span


def seconds(at: datetime) -> int:
    """An instant as epoch seconds."""
    return int(at.timestamp())


def instant(at: int) -> datetime:
    """Epoch seconds as an instant in UTC."""
    return datetime.fromtimestamp(at, UTC)


def grid_of(ruling: Ruling, zone: ZoneInfo, first: int, last: int) -> WallGrid:
    """The starts that the rule's grid allows by the clock of a zone, whole minutes where there is none."""
    spans = offsets(zone.key, instant(first), instant(last) + timedelta(days=1))
    shifts = [(seconds(since), seconds(until), int(shift.total_seconds())) for since, until, shift in spans]
    return WallGrid(ruling.grid_s, shifts)


def barred_starts(
    ruling: Ruling, record: Record, place: Place, zone: ZoneInfo, length_s: int, first: int, last: int
) -> list[Pair]:
    """Starts in [first, last] at which the member's other bookings leave no room, by quotas and by kind."""
    within = Span(instant(first), instant(last + length_s))
    return joined(
        [
            *_by_quotas(ruling, record, zone.key, length_s, within),
            *(_by_kind(ruling, record, place, length_s) if ruling.one_of_kind else ()),
        ]
    )


def _by_quotas(ruling: Ruling, record: Record, zone: str, length_s: int, within: Span) -> Iterator[Pair]:
    for name, unit, band in QUOTAS:
        limit_s, origin = getattr(ruling, name), ruling.origin(name)
        for period in periods(within, zone, unit) if limit_s else ():
            left_s = max(0, limit_s - used_s(record, origin, period, zone, band))
            hours = [(seconds(each.starts_at), seconds(each.ends_at)) for each in bands(period, zone, band)]
            yield from too_much(hours, length_s, left_s)


def _by_kind(ruling: Ruling, record: Record, place: Place, length_s: int) -> Iterator[Pair]:
    origin = ruling.origin("one_of_kind")
    for own in record.bookings:
        if own.kind_id == place.kind_id and own.state in GOING_ON and origin.covers(own):
            yield seconds(own.starts_at) - length_s + 1, seconds(own.ends_at)
