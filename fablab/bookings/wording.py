"""Spans and lengths as refusals say them to people."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def wall_span(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """A span for people, in wall time: "2027-01-31 10:00 to 12:00"; the second day only when it differs."""
    starts, ends = (instant.astimezone(ZoneInfo(zone)) for instant in (starts_at, ends_at))
    end_format = "%H:%M" if starts.date() == ends.date() else "%Y-%m-%d %H:%M"
    return f"{starts:%Y-%m-%d %H:%M} to {ends.strftime(end_format)}"


def minutes(seconds: int) -> str:
    """A length for people: whole hours where they are whole, minutes otherwise."""
    if seconds % 3600 == 0:
        hours = seconds // 3600
        return f"{hours} hour{'s' if hours != 1 else ''}"
    return f"{seconds / 60:g} minutes"


def hours(seconds: int) -> str:
    """A longer length for people, in hours and minutes: "7 hours 30 minutes"."""
    whole, rest = divmod(max(0, seconds) // 60, 60)
    if not rest:
        return minutes(whole * 3600)
    return f"{minutes(whole * 3600)} {rest} minutes" if whole else f"{rest} minutes"
