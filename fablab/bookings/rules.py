"""Whether a booking may be made: facts in, every refusal out. Nothing here knows a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from fablab.bookings.facts import LONGEST_DAYS, BookingFacts, BookingRequest, Claim, Policy
from fablab.bookings.rulebook import Ruling
from fablab.bookings.rules_member import member_refusals
from fablab.bookings.rules_people import people_refusals, when_staff_are_there
from fablab.bookings.rules_quota import quota_refusals
from fablab.bookings.wording import Days, local, minutes, refusal, wall_span
from fablab.errors import Refusal
from fablab.machines.rules import Span, covers

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
    "Ruling",
    "cancellable",
    "decide",
    "minutes",
    "too_late_to_cancel",
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


Rule = Callable[[BookingRequest, BookingFacts, Ruling], Refusal | None]

# Every code a booking can be refused with, and what it means. The API's document is made from it.
REFUSAL_CODES = {
    "ends_before_start": "The end is not after the start.",
    "in_the_past": "The start lies in the past.",
    "too_soon": "The start is nearer than the notice that is asked for.",
    "too_short": "The booking is shorter than the shortest allowed.",
    "too_long": "The booking is longer than the longest allowed.",
    "beyond_horizon": "The start lies further ahead than bookings are taken.",
    "off_grid": "The start or the end is not on the grid of the lab's clock.",
    "machine_inactive": "The machine is not bookable at present.",
    "outside_hours": "The lab is not open during the whole booking, and the machine may not run unattended.",
    "not_supervised": "Staff are not in the lab during the whole booking, as the machine asks for.",
    "machine_booked": "Somebody else has claimed the machine for part of that time.",
    "unknown_machine": "There is no such machine.",
    "already_over": "The booking is over, cancelled or running and cannot be cancelled.",
    "too_late_to_cancel": "The time in which members cancel or move a booking is over.",
    "not_certified": "The member is not certified on the machine or its kind at the level asked for.",
    "suspended": "The member has missed too many bookings and may not book for a while.",
    "too_many_ahead": "The member has as many bookings still to come as are allowed.",
    "quota_used": "The member's machine time in that day, week or month is used up.",
    "one_of_kind": "The member has another machine of the kind at that time.",
    "unknown_member": "There is no member with that address.",
    "minor_unsupervised": "Under 18 one books only while staff are in the lab, or comes with a group.",
    "minor_without_consent": "Under 18 nobody comes without a guardian's consent on record.",
    "leader_is_minor": "A group is booked by an adult.",
    "participants_mismatch": "Somebody is listed twice, or the head count is smaller than the list.",
    "not_member_of_organisation": "There is no such organisation among those the member belongs to.",
    "unknown_project": "There is no such open project among those the member may book for.",
    "unknown_rule": "There is no rule of that name.",
    "rule_value": "The rule does not take that value.",
    "rule_place": "What a rule is narrowed to does not exist, or does not go together.",
    "organisation_quota": "The organisation's quota of machine time is used up in that week or month.",
    "too_many_keys": "The member has as many calendar addresses as one may have.",
}


def decide(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> list[Refusal]:
    """Every rule that says no to this request; empty when it may be booked.

    ValueError where a rule in force asks for the member's record and the facts lack it.
    """
    if nothing := ends_before_start(request, facts, ruling):
        # Nothing else can be said of a span that is none.
        return [nothing]
    return [
        *_refusals(request, facts, ruling),
        *member_refusals(request, facts, ruling),
        *people_refusals(request, facts),
        *quota_refusals(facts.quotas),
    ]


def cancellable(state: str, ends_at: datetime, now: datetime) -> bool:
    """Whether a booking's time can still be given back: not used, not over."""
    return state in CANCELLABLE_STATES and ends_at > now


def too_late_to_cancel(starts_at: datetime, state: str, now: datetime, ruling: Ruling) -> Refusal | None:
    """What speaks against giving a booking's time back so late; not asked where the lab's staff do it.

    A request claims nothing yet, and may be withdrawn at any time.
    """
    before = timedelta(seconds=ruling.cancel_before_s)
    if state == "requested" or now <= starts_at - before:
        return None
    return refusal("too_late_to_cancel", "state", before=before, origin=ruling.origin("cancel_before_s"))


def ends_before_start(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    if request.ends_at > request.starts_at:
        return None
    return refusal("ends_before_start", "ends_at")


def in_the_past(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    """A start a few minutes ago is forgiven, so that "now" still works when the form was open for a while."""
    if _start_stands(request, facts) or _not_past(request, facts, ruling):
        return None
    return refusal("in_the_past", "starts_at")


def too_soon(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    notice = timedelta(seconds=ruling.min_notice_s)
    if not notice or request.starts_at >= facts.now + notice:
        return None
    if _start_stands(request, facts) or not _not_past(request, facts, ruling):
        return None
    return refusal("too_soon", "starts_at", notice=notice, origin=ruling.origin("min_notice_s"))


def too_short(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    least = timedelta(seconds=ruling.min_s)
    if request.ends_at - request.starts_at >= least:
        return None
    return refusal("too_short", "ends_at", least=least, origin=ruling.origin("min_s"))


def too_long(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    most = timedelta(seconds=min(ruling.max_s, LONGEST_DAYS * 86400))
    if request.ends_at - request.starts_at <= most:
        return None
    return refusal("too_long", "ends_at", most=most, origin=ruling.origin("max_s"))


def beyond_horizon(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    most = timedelta(days=ruling.horizon_days)
    if _start_stands(request, facts) or request.starts_at <= facts.now + most:
        return None
    origin = ruling.origin("horizon_days")
    return refusal("beyond_horizon", "starts_at", ahead=Days(most.days), origin=origin)


def off_grid(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    """Start and end lie on multiples of the grid by the lab's clock, whatever the clock does that day."""
    if not ruling.grid_s:
        return None
    zone = ZoneInfo(facts.zone)
    ends = (("starts_at", request.starts_at), ("ends_at", request.ends_at))
    for field, at in ends[1:] if _start_stands(request, facts) else ends:
        if _seconds_of_day(at.astimezone(zone)) % ruling.grid_s:
            grid = timedelta(seconds=ruling.grid_s)
            return refusal(
                "off_grid", field, grid=grid, at=at.astimezone(zone), origin=ruling.origin("grid_s")
            )
    return None


def machine_inactive(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    if facts.active and facts.unit_ids:
        return None
    return refusal("machine_inactive", "machine", machine=request.machine)


def outside_hours(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    if facts.open_throughout:
        return None
    return refusal("outside_hours", "starts_at")


def not_supervised(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    """A minor who books alone is told so by another rule."""
    span = Span(request.starts_at, request.ends_at)
    alone = facts.person is not None and facts.person.minor and not request.in_a_group
    if alone or not ruling.supervised_only or covers(facts.supervised, span):
        return None
    case, values = when_staff_are_there(facts, span)
    return refusal(
        "not_supervised",
        "starts_at",
        case=case,
        machine=request.machine,
        origin=ruling.origin("supervised_only"),
        **values,
    )


def machine_booked(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Refusal | None:
    """Names the first clashing claim in the lab's own wall time; whose it is stays private."""
    if not facts.claims or not facts.unit_ids or facts.choice() is not None:
        return None
    first = min(facts.claims, key=lambda claim: claim.starts_at)
    machine = request.machine if not facts.free_units() else facts.fully_taken() or request.machine
    span = local(first.starts_at, first.ends_at, facts.zone)
    return refusal("machine_booked", "starts_at", case="taken", machine=machine, span=span)


# In the order in which a person would want to hear them.
RULES: tuple[Rule, ...] = (
    machine_inactive,
    in_the_past,
    too_soon,
    too_short,
    too_long,
    beyond_horizon,
    off_grid,
    outside_hours,
    not_supervised,
    machine_booked,
)


def _refusals(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> Iterator[Refusal]:
    for rule in RULES:
        if no := rule(request, facts, ruling):
            yield no


def _start_stands(request: BookingRequest, facts: BookingFacts) -> bool:
    """Whether the start is the one the booking has already, at which it was allowed."""
    return facts.moved_from is not None and facts.moved_from.starts_at == request.starts_at


def _not_past(request: BookingRequest, facts: BookingFacts, ruling: Ruling) -> bool:
    return request.starts_at >= facts.now - timedelta(seconds=ruling.late_start_s)


def _seconds_of_day(wall: datetime) -> int:
    midnight = datetime.combine(wall.date(), time())
    return int((wall.replace(tzinfo=None) - midnight).total_seconds())
