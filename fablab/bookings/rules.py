"""Whether a booking may be made: facts in, every refusal out. Nothing here knows a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fablab.errors import Refusal

# Sets of states, named by what they mean.
# The time can still be given back.
CANCELLABLE_STATES = ("requested", "confirmed")
# Still to come, or under way.
LIVE_STATES = ("requested", "confirmed", "started")
# The machine is theirs while the booking's time runs.
CURRENT_STATES = ("confirmed", "started")
# Claimed their machine: cancelled and rejected ones never did, requested ones not yet.
COUNTED_STATES = ("confirmed", "started", "completed", "missed")
# Their time is, or was, their own. The others gave it back.
HOLDING_STATES = ("requested", *COUNTED_STATES)


@dataclass(frozen=True)
class BookingRequest:
    """What a member asks for: a machine (slug) for the half-open span [starts_at, ends_at).

    ``for_member`` is the e-mail address of the person it is for, when that is somebody else.
    """

    machine: str
    starts_at: datetime
    ends_at: datetime
    purpose: str = ""
    for_member: str | None = None

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
class BookingFacts:
    """What must be known to decide. ``claims`` are those the request would touch with its own buffers."""

    now: datetime
    zone: str
    active: bool
    open_throughout: bool
    unit_ids: tuple[int, ...]
    claims: tuple[Claim, ...]

    def free_units(self) -> list[int]:
        """Units nobody has claimed, ascending."""
        taken = {claim.unit_id for claim in self.claims}
        return [unit for unit in self.unit_ids if unit not in taken]


Rule = Callable[[BookingRequest, BookingFacts, Policy], Refusal | None]

# Every code a booking can be refused with, and what it means. The API's document is made from it.
REFUSAL_CODES = {
    "ends_before_start": "The end is not after the start.",
    "in_the_past": "The start lies in the past.",
    "too_short": "The booking is shorter than the shortest allowed.",
    "too_long": "The booking is longer than the longest allowed.",
    "beyond_horizon": "The start lies further ahead than bookings are taken.",
    "machine_inactive": "The machine is not bookable at present.",
    "outside_hours": "The lab is not open during the whole booking, and the machine may not run unattended.",
    "machine_booked": "Somebody else has claimed the machine for part of that time.",
    "already_over": "The booking is over, cancelled or running and cannot be cancelled.",
    "unknown_member": "There is no member with that address.",
}


def decide(request: BookingRequest, facts: BookingFacts, policy: Policy) -> list[Refusal]:
    """Every rule that says no to this request; empty when it may be booked."""
    if refusal := ends_before_start(request, facts, policy):
        # Nothing else can be said of a span that is none.
        return [refusal]
    return list(_refusals(request, facts, policy))


def cancellable(state: str, ends_at: datetime, now: datetime) -> bool:
    """Whether a booking's time can still be given back: not used, not over."""
    return state in CANCELLABLE_STATES and ends_at > now


def ends_before_start(request: BookingRequest, facts: BookingFacts, policy: Policy) -> Refusal | None:
    if request.ends_at > request.starts_at:
        return None
    return Refusal("ends_before_start", "ends_at", "The booking must end after it starts.")


def in_the_past(request: BookingRequest, facts: BookingFacts, policy: Policy) -> Refusal | None:
    """A start a few minutes ago is forgiven, so that "now" still works when the form was open for a while."""
    if request.starts_at >= facts.now - timedelta(seconds=policy.late_start_s):
        return None
    return Refusal("in_the_past", "starts_at", "The booking would start in the past.")


def too_short(request: BookingRequest, facts: BookingFacts, policy: Policy) -> Refusal | None:
    if request.ends_at - request.starts_at >= timedelta(seconds=policy.min_s):
        return None
    return Refusal("too_short", "ends_at", f"A booking takes at least {minutes(policy.min_s)}.")


def too_long(request: BookingRequest, facts: BookingFacts, policy: Policy) -> Refusal | None:
    if request.ends_at - request.starts_at <= timedelta(seconds=policy.max_s):
        return None
    return Refusal("too_long", "ends_at", f"A booking takes at most {minutes(policy.max_s)}.")


def beyond_horizon(request: BookingRequest, facts: BookingFacts, policy: Policy) -> Refusal | None:
    if request.starts_at <= facts.now + timedelta(days=policy.horizon_days):
        return None
    return Refusal(
        "beyond_horizon", "starts_at", f"Bookings are taken {policy.horizon_days} days ahead, not further."
    )


def machine_inactive(request: BookingRequest, facts: BookingFacts, policy: Policy) -> Refusal | None:
    if facts.active and facts.unit_ids:
        return None
    return Refusal("machine_inactive", "machine", f"{request.machine} cannot be booked at present.")


def outside_hours(request: BookingRequest, facts: BookingFacts, policy: Policy) -> Refusal | None:
    if facts.open_throughout:
        return None
    return Refusal("outside_hours", "starts_at", "The lab is not open during the whole of that time.")


def machine_booked(request: BookingRequest, facts: BookingFacts, policy: Policy) -> Refusal | None:
    """Names the first clashing claim in the lab's own wall time; whose it is stays private."""
    if not facts.claims or facts.free_units():
        return None
    first = min(facts.claims, key=lambda claim: claim.starts_at)
    span = wall_span(first.starts_at, first.ends_at, facts.zone)
    return Refusal("machine_booked", "starts_at", f"{request.machine} is taken {span}.")


# In the order in which a person would want to hear them.
RULES: tuple[Rule, ...] = (
    machine_inactive,
    in_the_past,
    too_short,
    too_long,
    beyond_horizon,
    outside_hours,
    machine_booked,
)


def _refusals(request: BookingRequest, facts: BookingFacts, policy: Policy) -> Iterator[Refusal]:
    for rule in RULES:
        if refusal := rule(request, facts, policy):
            yield refusal


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
