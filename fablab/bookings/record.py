"""What is known of a member when rules are asked: bookings, missed ones and certifications. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fablab.certifications.rules import standing
from fablab.machines.rules import Span

# The bundle of what is to be booked as one with the request that is decided on.
TOGETHER = 0


@dataclass(frozen=True)
class Own:
    """A booking of the member's whose time is, or was, the member's own. ``id`` 0: it is not stored yet."""

    machine_id: int
    machine_slug: str
    lab_id: int
    kind_id: int
    starts_at: datetime
    ends_at: datetime
    state: str = "confirmed"
    id: int = 0
    bundle_id: int | None = None
    organisation_id: int | None = None
    forgiven: bool = False

    @property
    def span(self) -> Span:
        return Span(self.starts_at, self.ends_at)


@dataclass(frozen=True)
class Certificate:
    """A certification on a kind of machine or on one machine. ``zone`` is that of the lab that granted it."""

    kind_id: int | None
    machine_id: int | None
    level: int
    zone: str
    expires_on: date | None = None
    suspended_at: datetime | None = None
    revoked_at: datetime | None = None

    def level_at(self, at: datetime) -> int:
        """What it is worth at an instant, as far as one can say now; 0: nothing."""
        return self.level if standing(self, at.astimezone(ZoneInfo(self.zone)).date()) == "valid" else 0


@dataclass(frozen=True)
class Record:
    """``bookings`` around the time that is asked for, all that are still ahead, and missed ones of two years.

    Read by `fablab.bookings.rule_facts`; an empty one is that of somebody new.
    """

    bookings: tuple[Own, ...] = ()
    certificates: tuple[Certificate, ...] = ()

    @property
    def missed(self) -> list[Own]:
        """Those that count against the member, by start."""
        found = (each for each in self.bookings if each.state == "missed" and not each.forgiven)
        return sorted(found, key=lambda each: each.starts_at)

    def plus(self, *more: Own) -> Record:
        """The same once these are booked, too."""
        return replace(self, bookings=self.bookings + more)

    def without(self, ids: Collection[int]) -> Record:
        """The same as if these had not been booked: what is moved does not stand in its own way."""
        kept = tuple(each for each in self.bookings if each.id not in ids)
        return replace(self, bookings=kept)

    def certified(self, machine_id: int, kind_id: int, at: datetime) -> int:
        """The highest level at which the member may use the machine at an instant; 0 for none."""
        return max(
            (
                each.level_at(at)
                for each in self.certificates
                if each.machine_id == machine_id or each.kind_id == kind_id
            ),
            default=0,
        )
