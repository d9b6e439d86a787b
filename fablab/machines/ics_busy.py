"""Reading the busy times of a calendar that somebody else wrote: measured first, then believed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

# What one calendar may hold: entries, those of them that are repeated, and busy times in the end.
EVENTS_MOST = 3000
REPEATED_MOST = 200
BUSY_MOST = 5000
# Parts of a rule of repetition by which one entry becomes a million within a year.
_TOO_FINE = ("BYHOUR", "BYMINUTE", "BYSECOND")
_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
# What the two libraries raise on text that is no calendar; there is no end to what nonsense can look like.
_NONSENSE = (ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, RecursionError)

# Naive wall times, [begin, end).
Busy = tuple[datetime, datetime]


class BadCalendar(ValueError):
    """It cannot be read as a calendar; one sentence that says why."""


def busy_times(body: bytes, zone: str, since: date, until: date) -> list[Busy]:
    """When somebody is busy between two days, in the wall time of ``zone``: sorted, joined where they touch.

    Entries that are cancelled, or marked as free (TRANSP:TRANSPARENT), take no time. Raises BadCalendar.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCalendar(f"It is not text in UTF-8 (byte {error.start + 1}).") from error
    if "BEGIN:VCALENDAR" not in text[:2000].upper():
        raise BadCalendar("It is no iCalendar file: it does not begin with BEGIN:VCALENDAR.")
    try:
        calendar = icalendar.Calendar.from_ical(text)
        assert isinstance(calendar, icalendar.Component)
        _measure(calendar)
        found = recurring_ical_events.of(calendar).between(since, until)
        spans = [_wall_span(event, ZoneInfo(zone)) for event in found if _takes_time(event)]
    except BadCalendar:
        raise
    except _NONSENSE as error:
        said = " ".join(str(error).split())[:120]
        raise BadCalendar(f"It cannot be read as a calendar ({said or type(error).__name__}).") from error
    busy = _joined(_cut(spans, since, until))
    if len(busy) > BUSY_MOST:
        raise BadCalendar(f"It has more than {BUSY_MOST} busy times; choose a smaller calendar.")
    return busy


def _measure(calendar: icalendar.Component) -> None:
    events = calendar.walk("VEVENT")
    if len(events) > EVENTS_MOST:
        raise BadCalendar(f"It has more than {EVENTS_MOST} entries; choose a smaller calendar.")
    if any("DTEND" in each and _when(each, "DTEND") < _when(each, "DTSTART") for each in events):
        raise BadCalendar("An entry ends before it begins.")
    repeated = [event for event in events if "RRULE" in event or "RDATE" in event]
    if len(repeated) > REPEATED_MOST:
        raise BadCalendar(f"It has more than {REPEATED_MOST} repeated entries; choose a smaller calendar.")
    for event in repeated:
        rules = event.get("RRULE", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            frequency = {str(each).upper() for each in rule.get("FREQ", ())}
            if not frequency <= _FREQUENCIES or any(part in rule for part in _TOO_FINE):
                raise BadCalendar("An entry is repeated more often than daily.")


def _takes_time(event: icalendar.Component) -> bool:
    free = str(event.get("TRANSP", "")).upper() == "TRANSPARENT"
    return not free and str(event.get("STATUS", "")).upper() != "CANCELLED"


def _wall_span(event: icalendar.Component, zone: ZoneInfo) -> Busy:
    return _wall(_when(event, "DTSTART"), zone), _wall(_when(event, "DTEND"), zone)


def _when(event: icalendar.Component, name: str) -> date | datetime:
    found = event.decoded(name)
    if not isinstance(found, date):
        raise BadCalendar(f"The {name} of an entry is no day and no time.")
    return found


def _wall(value: date | datetime, zone: ZoneInfo) -> datetime:
    """A day is its midnight; a time without a zone means the wall clock wherever one is."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time(0))
    return (value if value.tzinfo is None else value.astimezone(zone)).replace(tzinfo=None, microsecond=0)


def _cut(spans: Iterable[Busy], since: date, until: date) -> Iterable[Busy]:
    first, last = datetime.combine(since, time(0)), datetime.combine(until, time(0))
    for starts, ends in spans:
        if max(starts, first) < min(ends, last):
            yield max(starts, first), min(ends, last)


def _joined(spans: Iterable[Busy]) -> list[Busy]:
    found: list[Busy] = []
    for starts, ends in sorted(spans):
        if found and starts <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ends))
        else:
            found.append((starts, ends))
    return found
