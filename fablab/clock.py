"""The one place that asks the machine what time it is, and what a zone's clocks do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_HOUR = timedelta(hours=1)


def utc_now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)


def offsets(zone: str, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The spans of [since, until) in which the zone keeps one offset from UTC: (from, to, offset).

    Clocks are moved on whole hours of UTC; a span's borders are found to the hour.
    """
    tz = ZoneInfo(zone)
    start = at = since.astimezone(UTC)
    while start < until:
        offset = _offset(start, tz)
        # By days, then by hours within the day in which it changed.
        while at < until and _offset(at, tz) == offset:
            at += timedelta(days=1)
        if at > start:
            at -= timedelta(days=1)
        while at < until and _offset(at, tz) == offset:
            at = at.replace(minute=0, second=0, microsecond=0) + _HOUR
        yield start, min(at, until), offset
        start = at


def _offset(at: datetime, tz: ZoneInfo) -> timedelta:
    return at.astimezone(tz).utcoffset() or timedelta()
