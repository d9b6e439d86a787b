"""What is asked for, and what must be known to decide on it. Plain records; nothing here knows a database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fablab.machines.rules import Span

# Spans longer than this are never looked at in detail, and never booked.
LONGEST_DAYS = 60
LISTED_MOST = 60
HEADS_MOST = 500


@dataclass(frozen=True)
class Guest:
    """Somebody who comes along, as the leader wrote it: an e-mail address or a name."""

    email: str = ""
    name: str = ""

    @property
    def written(self) -> str:
        return self.email or self.name


@dataclass(frozen=True)
class BookingRequest:
    """What a member asks for: a machine (slug) for the half-open span [starts_at, ends_at).

    ``for_member`` is the e-mail address of the person it is for, when that is somebody else.
    ``organisation`` (slug) and ``project`` (id) say in whose name and for what. ``participants`` come along,
    and ``head_count`` is how many there are, the person it is for included; None: as many as are listed.
    """

    machine: str
    starts_at: datetime
    ends_at: datetime
    purpose: str = ""
    for_member: str | None = None
    organisation: str | None = None
    project: int | None = None
    participants: tuple[Guest, ...] = ()
    head_count: int | None = None

    @property
    def heads(self) -> int:
        """How many come, the member included."""
        return 1 + len(self.participants) if self.head_count is None else self.head_count

    @property
    def in_a_group(self) -> bool:
        return self.heads > 1 or bool(self.participants)

    @property
    def sane(self) -> bool:
        """Whether the span is one that anybody asks for in earnest."""
        return timedelta() < self.ends_at - self.starts_at <= timedelta(days=LONGEST_DAYS)

    def in_whole_seconds(self) -> BookingRequest:
        """The same request with fractions of a second cut off: claims are stored in whole seconds."""
        return replace(
            self,
            starts_at=self.starts_at.replace(microsecond=0),
            ends_at=self.ends_at.replace(microsecond=0),
        )


@dataclass(frozen=True)
class Policy:
    """The limits in force. The field names are those of the settings' [bookings]."""

    min_s: int
    max_s: int
    horizon_days: int
    late_start_s: int
    alternatives: int


@dataclass(frozen=True)
class Claim:
    """A claimed span of one unit, with the set-up and clean-up of whoever claims it."""

    unit_id: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Person:
    """Whom a booking is for, on the local day on which it starts."""

    email: str = ""
    name: str = ""
    minor: bool = False
    # A guardian's consent is on record.
    consent: bool = False


ANY_ADULT = Person()


@dataclass(frozen=True)
class QuotaUse:
    """A quota in one of its periods: the limit, what is booked in it already, and what the request adds.

    ``kind`` is a kind of machine in words, None where the quota counts all kinds together; ``zone`` is the
    one whose weeks and months are meant.
    """

    organisation: str
    period: str
    kind: str | None
    span: Span
    zone: str
    limit_s: int
    used_s: int
    asked_s: int


@dataclass(frozen=True)
class BookingFacts:
    """What must be known to decide. ``claims`` are those the request would touch with its own buffers."""

    now: datetime
    zone: str
    active: bool
    open_throughout: bool
    unit_ids: tuple[int, ...]
    claims: tuple[Claim, ...]
    # None: there is no such member.
    person: Person | None = ANY_ADULT
    # When staff are in the lab, around the wanted span. Only gathered where it matters.
    supervised: tuple[Span, ...] = ()
    # Participants under 18 without a guardian's consent, as they were written.
    without_consent: tuple[str, ...] = ()
    belongs_to_organisation: bool = True
    project_known: bool = True
    quotas: tuple[QuotaUse, ...] = ()

    def free_units(self) -> list[int]:
        """Units nobody has claimed, ascending."""
        taken = {claim.unit_id for claim in self.claims}
        return [unit for unit in self.unit_ids if unit not in taken]
