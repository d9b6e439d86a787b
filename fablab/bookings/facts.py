"""What is asked for, and what must be known to decide on it. Plain records; nothing here knows a database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fablab.bookings.record import Record
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
    """The settings' [bookings], by the same names: what holds where no row says otherwise."""

    min_s: int
    max_s: int
    grid_s: int
    min_notice_s: int
    horizon_days: int
    max_ahead: int
    quota_day_s: int
    quota_week_s: int
    quota_month_s: int
    quota_evening_week_s: int
    quota_weekend_month_s: int
    one_of_kind: bool
    certification_level: int
    supervised_only: bool
    approvals: int
    decide_within_s: int
    cancel_before_s: int
    check_in_before_s: int
    no_show_after_s: int
    strikes: int
    strike_window_days: int
    suspension_days: int
    hold_minutes: int
    remind_before_s: int
    late_start_s: int
    alternatives: int


@dataclass(frozen=True)
class Place:
    """Where a booking is: the machine with its own set-up and clean-up, its lab and its kind."""

    machine_id: int
    lab_id: int
    kind_id: int
    setup_s: int = 0
    cleanup_s: int = 0


NOWHERE = Place(0, 0, 0)


@dataclass(frozen=True)
class Who:
    """Of whom rules may speak: a member's category, and the organisation in whose name it is booked."""

    category: str = ""
    organisation_id: int | None = None


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
class Needed:
    """A machine that is claimed along with the one asked for, and its units, ascending."""

    slug: str
    unit_ids: tuple[int, ...]


@dataclass(frozen=True)
class BookingFacts:
    """What must be known to decide.

    ``claims`` are those the request would touch with its own buffers, on the machine and on all it ``needs``.
    ``moved_from`` is when the booking is now that is asked to be moved: where its start stands, nothing is
    said against the start.
    """

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
    place: Place = NOWHERE
    # What the member has booked, missed and is certified for. Gathered where a rule asks.
    record: Record | None = None
    # When it was until now, for a booking that is moved or made longer.
    moved_from: Span | None = None
    needs: tuple[Needed, ...] = ()

    def choice(self) -> tuple[int, ...] | None:
        """The first free unit of the machine and of each it needs; None where one of them has none."""
        taken = {claim.unit_id for claim in self.claims}
        groups = (self.unit_ids, *(need.unit_ids for need in self.needs))
        chosen = [next((unit for unit in group if unit not in taken), None) for group in groups]
        return None if None in chosen else tuple(unit for unit in chosen if unit is not None)

    def fully_taken(self) -> str | None:
        """Of the machines needed, the first (slug) that has no free unit; None where each has one."""
        taken = {claim.unit_id for claim in self.claims}
        full = (need.slug for need in self.needs if taken.issuperset(need.unit_ids))
        return next(full, None)

    def free_units(self) -> list[int]:
        """Units nobody has claimed, ascending."""
        taken = {claim.unit_id for claim in self.claims}
        return [unit for unit in self.unit_ids if unit not in taken]
