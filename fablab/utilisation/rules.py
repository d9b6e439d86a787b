"""Arithmetic of utilisation: which hours a span touches, and what follows from counted seconds.

Hours are hours of UTC. Where a zone's offset is a whole number of hours, as in Morocco, they are the
hours of the local day too, also on the two days of the year on which the clock moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)
BY = ("network", "region", "lab", "kind", "machine", "hour_of_week")
BUCKETS = ("hour", "day", "week", "month", "total")


@dataclass(frozen=True)
class Counts:
    """What was counted over some machine hours: seconds, numbers and watt-hours."""

    open_s: float = 0.0
    outage_s: float = 0.0
    booked_s: float = 0.0
    used_s: float = 0.0
    used_booked_s: float = 0.0
    used_unbooked_s: float = 0.0
    overrun_s: float = 0.0
    bookings: int = 0
    missed: int = 0
    jobs_finished: int = 0
    jobs_failed: int = 0
    jobs_cancelled: int = 0
    jobs_interrupted: int = 0
    energy_wh: float = 0.0

    @property
    def available_s(self) -> float:
        """Bookable seconds without outages."""
        return self.open_s - self.outage_s

    @property
    def idle_booked_s(self) -> float:
        """Booked seconds in which the booking's own session did not run."""
        return max(0.0, self.booked_s - self.used_booked_s)

    @property
    def jobs(self) -> int:
        return self.jobs_finished + self.jobs_failed + self.jobs_cancelled + self.jobs_interrupted

    @property
    def utilisation(self) -> float | None:
        """Used seconds / available seconds; above 1 where a machine ran outside its hours."""
        return ratio(self.used_s, self.available_s)

    @property
    def booked_ratio(self) -> float | None:
        """Booked seconds / available seconds."""
        return ratio(self.booked_s, self.available_s)


def ratio(part: float, whole: float) -> float | None:
    """part / whole with four decimals; None where the whole is nothing, because then there is no answer."""
    return round(part / whole, 4) if whole > 0 else None


def floor_hour(at: datetime) -> datetime:
    """The start of the UTC hour that holds ``at``. Raises ValueError for an instant without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"an instant needs a time zone: {at!r}")
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def ceil_hour(at: datetime) -> datetime:
    """The first start of a UTC hour that is not before ``at``."""
    start = floor_hour(at)
    return start if start == at else start + HOUR


def chunks(since: datetime, until: datetime, step: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Cut [since, until) into pieces of at most ``step``."""
    while since < until:
        end = min(since + step, until)
        yield since, end
        since = end
