"""How the pages say things: states, lengths of time, days and hours. Pure; one word for one thing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo


class Word(NamedTuple):
    """A state in a word and an icon, so that colour never stands alone. ``tone`` chooses the colour."""

    text: str
    icon: str
    tone: str = ""


MACHINE_STATES = {
    "unreachable": Word("Unreachable", "wifi-off"),
    "off": Word("Off", "power"),
    "idle": Word("Idle", "circle-check"),
    "running": Word("Running", "player-play"),
    "paused": Word("Paused", "player-pause"),
    "error": Word("Error", "alert-triangle"),
}
BOOKING_STATES = {
    "requested": Word("Waiting for approval", "hourglass", "warn"),
    "confirmed": Word("Confirmed", "check", "good"),
    "started": Word("In use", "player-play", "now"),
    "completed": Word("Done", "circle-check", "good"),
    "cancelled": Word("Cancelled", "calendar-x"),
    "missed": Word("Not used", "user-x", "warn"),
    "rejected": Word("Declined", "ban", "bad"),
}
OUTCOMES = {
    None: Word("Running", "player-play", "now"),
    "finished": Word("Finished", "circle-check", "good"),
    "failed": Word("Failed", "alert-triangle", "bad"),
    "cancelled": Word("Cancelled", "x"),
    "interrupted": Word("Interrupted", "wifi-off", "warn"),
}
UNITS = {"mm": "mm", "w": "W", "c": "°C"}
KIND_ICONS = {"3d-printer": "printer", "laser-cutter": "flame"}


def kind_icon(slug: str) -> str:
    return KIND_ICONS.get(slug, "tool")


def inside(name: str) -> str:
    """A name in the middle of a sentence: "laser cutter", but "3D printer"."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def capabilities(known: Mapping[str, Any]) -> list[str]:
    """What a machine can, in words: {"nozzle_mm": 0.4, "materials": ["PLA"]} gives "nozzle 0.4 mm", "PLA"."""
    texts = []
    for name, value in known.items():
        words, _, unit = name.rpartition("_")
        if isinstance(value, bool):
            texts += [name.replace("_", " ")] if value else []
        elif isinstance(value, int | float):
            is_unit = unit in UNITS and words
            texts.append(
                f"{words.replace('_', ' ')} {value:g} {UNITS[unit]}" if is_unit else f"{name} {value:g}"
            )
        elif isinstance(value, str):
            texts.append(value)
        elif isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
            texts.append(", ".join(value))
        elif isinstance(value, list | tuple) and all(isinstance(each, int | float) for each in value):
            texts.append(
                " × ".join(f"{each:g}" for each in value) + (f" {UNITS[unit]}" if unit in UNITS else "")
            )
    return texts


def length(seconds: float | None) -> str:
    """A length of time in at most two units: "45 s", "12 min", "2 h 05", "3 d 4 h"."""
    if seconds is None:
        return "unknown"
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    minutes = (whole + 30) // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02}" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def hours(seconds: float | None) -> str:
    """Seconds as hours for tables and totals: "0.4 h", "12.5 h", "1,204 h"."""
    value = (seconds or 0) / 3600
    return f"{value:,.0f} h" if value >= 100 else f"{value:.1f} h"


def percent(share: float | None) -> str:
    """A share of one as percent; a dash where there is no answer."""
    return "–" if share is None else f"{share * 100:.0f} %"


def clock(at: datetime, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%H:%M")


def local(at: datetime, zone: str) -> datetime:
    """The same instant on the lab's wall clock, for strftime in templates."""
    return at.astimezone(ZoneInfo(zone))


def day(on: date, today: date) -> str:
    """A day as people say it: "today", "tomorrow", "Tue 24 Nov", with the year when it is another one."""
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((on - today).days)
    if near:
        return near
    return f"{on:%a} {on.day} {on:%b}" + (f" {on.year}" if on.year != today.year else "")


def written(on: date) -> str:
    """A day in full: "22 November 2026"."""
    return f"{on.day} {on:%B %Y}"


def days(since: datetime, until: datetime, zone: str) -> str:
    """The local days of [since, until): "8 – 14 Jun", "29 Jun – 5 Jul"; a whole month is its name, "June"."""
    first, last = local(since, zone).date(), local(until, zone).date() - timedelta(days=1)
    if first.day == 1 and (last + timedelta(days=1)).day == 1 and first.month == last.month:
        return f"{first:%B}"
    begins = f"{first.day}" if first.month == last.month else f"{first.day} {first:%b}"
    return f"{begins} – {last.day} {last:%b}"


def span(starts_at: datetime, ends_at: datetime, zone: str, now: datetime) -> str:
    """A span of time in the lab's wall time: "Today, 14:00 – 16:00"; the second day when it differs."""
    starts, ends, today = (local(at, zone) for at in (starts_at, ends_at, now))
    until = f"{ends:%H:%M}"
    if ends.date() != starts.date() and ends_at > starts_at:
        until = f"{day(ends.date(), today.date())}, {until}"
    text = f"{day(starts.date(), today.date())}, {starts:%H:%M} – {until}"
    return text[0].upper() + text[1:]


def moment(at: datetime, zone: str, now: datetime) -> str:
    """An instant in the lab's wall time: "today at 14:00", "Tue 24 Nov at 09:30"."""
    return f"{day(local(at, zone).date(), local(now, zone).date())} at {clock(at, zone)}"


def until(at: datetime, zone: str, now: datetime) -> str:
    """The same, but only the hour when it is today: "14:00", "tomorrow at 09:30"."""
    same = local(at, zone).date() == local(now, zone).date()
    return clock(at, zone) if same else moment(at, zone, now)


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in one unit: "just now", "2 minutes ago", "3 hours ago"."""
    seconds = max(0.0, (now - at).total_seconds())
    if seconds < 5:
        return "just now"
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return f"{int(seconds)} seconds ago"


def zone_name(zone: str, place: str, now: datetime) -> str:
    """The sentence that says whose clock the times are: stated once on a page."""
    offset = now.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    hours_off, minutes_off = divmod(int(offset.total_seconds()) // 60, 60)
    shown = f"UTC{hours_off:+d}" + (f":{minutes_off:02}" if minutes_off else "")
    return f"Times are those of {place} ({zone}, {shown})."


def iso(at: datetime) -> str:
    """An instant for machines."""
    return at.astimezone(UTC).isoformat()
