"""Another release of the time zone data, as one that is installed while bookings stand."""

from __future__ import annotations

import struct
import zoneinfo
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

HOUR = timedelta(hours=1)
# Ramadan 1447 and 1448 as earlier releases of the zone data have them: at 02:00 UTC from +01 to +00 and back.
MOROCCO_WITH_RAMADAN = (
    (datetime(2018, 10, 28, 2, tzinfo=UTC), HOUR),
    (datetime(2026, 2, 15, 2, tzinfo=UTC), 0 * HOUR),
    (datetime(2026, 3, 22, 2, tzinfo=UTC), HOUR),
    (datetime(2027, 2, 7, 2, tzinfo=UTC), 0 * HOUR),
    (datetime(2027, 3, 14, 2, tzinfo=UTC), HOUR),
)


@contextmanager
def zone_data(folder: Path, zone: str, changes: Sequence[tuple[datetime, timedelta]]) -> Iterator[None]:
    """While it lasts, the zone's clocks follow these changes: (from when on, offset from UTC)."""
    path = folder / "zoneinfo" / zone
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_tzif(changes))
    before = zoneinfo.TZPATH
    _use([str(folder / "zoneinfo"), *before])
    try:
        yield
    finally:
        _use(before)


def _use(folders: Sequence[str]) -> None:
    zoneinfo.reset_tzpath(to=folders)
    zoneinfo.ZoneInfo.clear_cache()


def _tzif(changes: Sequence[tuple[datetime, timedelta]]) -> bytes:
    """RFC 8536, version 1: local time is UTC before the first change."""
    offsets = sorted({timedelta(), *(offset for _, offset in changes)})
    kinds = [offsets.index(offset) for _, offset in changes]
    # The first kind holds before any change.
    kinds_of_time = [struct.pack(">lBB", int(each.total_seconds()), 0, 0) for each in offsets]
    names = b"LMT\0"
    counts = struct.pack(">6l", 0, 0, 0, len(changes), len(offsets), len(names))
    times = b"".join(struct.pack(">l", int(at.timestamp())) for at, _ in changes)
    return b"TZif\0" + bytes(15) + counts + times + bytes(kinds) + b"".join(kinds_of_time) + names
