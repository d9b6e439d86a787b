"""Bookings as calendar entries (RFC 5545), alone in a mail (RFC 5546) or many in a feed. Pure.

Written here and not by the library that reads other people's calendars: the library then is the second
implementation by which the tests judge what we write, and a feed of a lab is built many times an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

PRODUCT = "-//fablab//bookings//EN"
# Octets in a line, its end not counted.
_LINE = 75
_REQUEST, _CANCEL, _PUBLISH = "REQUEST", "CANCEL", "PUBLISH"


@dataclass(frozen=True)
class Person:
    """Somebody a calendar knows by the address."""

    name: str
    address: str


@dataclass(frozen=True)
class Entry:
    """One event. ``sequence`` grows with every change; the one ``uid`` stays for life.

    ``status`` is CONFIRMED, TENTATIVE or CANCELLED. ``stamped_at`` is when it came to be as it is.
    """

    uid: str
    sequence: int
    stamped_at: datetime
    starts_at: datetime
    ends_at: datetime
    zone: str
    summary: str
    status: str = "CONFIRMED"
    location: str = ""
    description: str = ""
    url: str = ""
    position: tuple[float, float] | None = None


def booking_uid(booking_id: int, host: str) -> str:
    """The name of a booking's entry in every calendar, for as long as it lives. ``host`` is the service's."""
    return f"booking-{booking_id}@{host}"


def message(entries: Sequence[Entry], organizer: Person, attendee: Person) -> str:
    """What a mail program is told about bookings of the attendee: the METHOD makes it an act.

    One entry is an invitation (REQUEST) or its withdrawal (CANCEL), which a calendar takes over by itself. A
    message of that kind may speak of one UID only (RFC 5546, 3.2.2). So several are published in one file,
    each with its own UID and SEQUENCE, and may be changed or cancelled one by one later.
    """
    about_one = _CANCEL if entries[0].status == "CANCELLED" else _REQUEST
    method = about_one if len(entries) == 1 else _PUBLISH
    people = [_person("ORGANIZER", organizer)]
    if method != _PUBLISH:
        accepted = "CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE"
        people.append(_person(f"ATTENDEE;{accepted}", attendee))
    return _calendar([f"METHOD:{method}"], entries, people)


def feed(name: str, entries: Sequence[Entry]) -> str:
    """Entries that a calendar program subscribes to, asking again every hour."""
    about = [
        f"NAME:{_text(name)}",
        f"X-WR-CALNAME:{_text(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]
    return _calendar(about, entries, [])


def _calendar(about: Sequence[str], entries: Sequence[Entry], people: Sequence[str]) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN", *about]
    for zone in sorted({each.zone for each in entries}):
        within = [each for each in entries if each.zone == zone]
        first = min(each.starts_at for each in within).year
        # A year more: until then the feed stays right, even in a program that no longer reads it.
        last = max(each.ends_at for each in within).year + 1
        lines += _time_zone(ZoneInfo(zone), first, last)
    for each in entries:
        lines += _event(each, people)
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) for line in lines)


def _event(entry: Entry, people: Sequence[str]) -> Iterator[str]:
    zone = ZoneInfo(entry.zone)
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(entry.uid)}"
    yield f"SEQUENCE:{entry.sequence}"
    yield f"DTSTAMP:{entry.stamped_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    yield f"DTSTART;TZID={entry.zone}:{_wall(entry.starts_at, zone)}"
    yield f"DTEND;TZID={entry.zone}:{_wall(entry.ends_at, zone)}"
    yield f"SUMMARY:{_text(entry.summary)}"
    yield f"STATUS:{entry.status}"
    if entry.status == "CANCELLED":
        yield "TRANSP:TRANSPARENT"
    if entry.location:
        yield f"LOCATION:{_text(entry.location)}"
    if entry.position:
        yield f"GEO:{entry.position[0]:.6f};{entry.position[1]:.6f}"
    if entry.description:
        yield f"DESCRIPTION:{_text(entry.description)}"
    if entry.url:
        yield f"URL:{_line(entry.url)}"
    yield from people
    yield "END:VEVENT"


def _person(label: str, person: Person) -> str:
    """A quoted parameter can hold neither quotes nor line ends, and knows no escape for them."""
    name = _line(person.name).replace('"', "'")
    return f'{label};CN="{name}":mailto:{_line(person.address)}'


def _wall(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y%m%dT%H%M%S}"


@lru_cache(maxsize=64)
def _time_zone(tz: ZoneInfo, first_year: int, last_year: int) -> tuple[str, ...]:
    """The VTIMEZONE of these years: every change of the clock by its date, as no rule gives Ramadan's.

    Each observance begins at the wall time of the old offset (TZOFFSETFROM), as RFC 5545 has it.
    """
    begin = datetime(first_year, 1, 1, tzinfo=UTC) - timedelta(days=1)
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC) + timedelta(days=1)
    start = begin.astimezone(tz)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{tz.key}"]
    lines += _observance(start, start, [start.replace(tzinfo=None)])
    alike: dict[tuple[str, str, str], list[tuple[datetime, datetime, datetime]]] = {}
    for before, after in _changes(tz, begin, end):
        key = (_offset(before), _offset(after), after.tzname() or "")
        wall = after.astimezone(UTC) + (before.utcoffset() or timedelta())
        alike.setdefault(key, []).append((before, after, wall.replace(tzinfo=None)))
    for group in alike.values():
        lines += _observance(group[0][0], group[0][1], [wall for _, _, wall in group])
    lines.append("END:VTIMEZONE")
    return tuple(lines)


def _observance(before: datetime, after: datetime, walls: Sequence[datetime]) -> Iterator[str]:
    kind = "DAYLIGHT" if after.dst() else "STANDARD"
    yield f"BEGIN:{kind}"
    yield f"DTSTART:{walls[0]:%Y%m%dT%H%M%S}"
    for wall in walls[1:]:
        yield f"RDATE:{wall:%Y%m%dT%H%M%S}"
    yield f"TZOFFSETFROM:{_offset(before)}"
    yield f"TZOFFSETTO:{_offset(after)}"
    yield f"TZNAME:{_text(after.tzname() or '')}"
    yield f"END:{kind}"


def _changes(tz: ZoneInfo, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """(just before, just after) each change of the offset, found day by day and then to the second."""
    day = timedelta(days=1)
    at = begin
    while at < end:
        if at.astimezone(tz).utcoffset() != (at + day).astimezone(tz).utcoffset():
            low, high = at, at + day
            old = low.astimezone(tz).utcoffset()
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                if middle.astimezone(tz).utcoffset() == old:
                    low = middle
                else:
                    high = middle
            yield low.astimezone(tz), high.astimezone(tz)
        at += day


def _offset(at: datetime) -> str:
    seconds = int((at.utcoffset() or timedelta()).total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    minutes, odd = divmod(rest, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}{minutes:02}" + (f"{odd:02}" if odd else "")


def _line(text: str) -> str:
    """Without control characters, which no value may hold."""
    return "".join(each if each.isprintable() else " " for each in text)


def _text(text: str) -> str:
    """A TEXT value: its own separators and line ends escaped."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\\n".join(_line(each) for each in escaped.splitlines())


def _folded(line: str) -> str:
    """The line with its end, folded so that none is longer than 75 octets, and no letter is torn."""
    octets = line.encode("utf-8", "replace")
    if len(octets) <= _LINE:
        return octets.decode() + "\r\n"
    parts, room = [], _LINE
    while octets:
        cut = min(room, len(octets))
        while cut < len(octets) and octets[cut] & 0xC0 == 0x80:
            cut -= 1
        parts.append(octets[:cut].decode())
        octets = octets[cut:]
        # The blank that begins a continued line counts.
        room = _LINE - 1
    return "\r\n ".join(parts) + "\r\n"
