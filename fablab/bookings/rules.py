"""Whether a booking may be made: facts in, every refusal out. Nothing here knows a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from fablab.bookings.facts import LONGEST_DAYS, BookingFacts, BookingRequest, Claim, Policy
from fablab.bookings.rules_people import people_refusals
from fablab.bookings.rules_quota import quota_refusals
from fablab.bookings.wording import minutes, wall_span
from fablab.errors import Refusal

__all__ = [
    "CANCELLABLE_STATES",
    "COUNTED_STATES",
    "CURRENT_STATES",
    "HOLDING_STATES",
    "LIVE_STATES",
    "REFUSAL_CODES",
    "RULES",
    "BookingFacts",
    "BookingRequest",
    "Claim",
    "Policy",
    "cancellable",
    "decide",
    "minutes",
    "wall_span",
]

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
    "unknown_machine": "There is no such machine.",
    "already_over": "The booking is over, cancelled or running and cannot be cancelled.",
    "unknown_member": "There is no member with that address.",
    "minor_unsupervised": "Under 18 one books only while staff are in the lab, or comes with a group.",
    "minor_without_consent": "Under 18 nobody comes without a guardian's consent on record.",
    "leader_is_minor": "A group is booked by an adult.",
    "participants_mismatch": "Somebody is listed twice, or the head count is smaller than the list.",
    "not_member_of_organisation": "There is no such organisation among those the member belongs to.",
    "unknown_project": "There is no such open project among those the member may book for.",
    "organisation_quota": "The organisation's quota of machine time is used up in that week or month.",
}


def decide(request: BookingRequest, facts: BookingFacts, policy: Policy) -> list[Refusal]:
    """Every rule that says no to this request; empty when it may be booked."""
    if refusal := ends_before_start(request, facts, policy):
        # Nothing else can be said of a span that is none.
        return [refusal]
    return [
        *_refusals(request, facts, policy),
        *people_refusals(request, facts),
        *quota_refusals(facts.quotas),
    ]


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
    longest_s = min(policy.max_s, LONGEST_DAYS * 86400)
    if request.ends_at - request.starts_at <= timedelta(seconds=longest_s):
        return None
    return Refusal("too_long", "ends_at", f"A booking takes at most {minutes(longest_s)}.")


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
