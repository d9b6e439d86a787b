"""What may become of a booking that is there: moved, agreed to, rejected; and outages. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from fablab.bookings.rules import LIVE_STATES
from fablab.bookings.wording import refusal
from fablab.errors import Refusal
from fablab.machines.rules import Span

# Every code that changes of bookings and outages are refused with, and what it means.
REFUSAL_CODES = {
    "stale": "It was changed since it was read.",
    "not_movable": "In its state the booking cannot be changed so.",
    "approval_needed": "The machine is booked by request: only staff move what was agreed to.",
    "not_requested": "The booking is not a request any more.",
    "request_over": "The time in which the request could be decided on is over.",
    "own_request": "Nobody agrees to their own request.",
    "agreed_already": "Whoever agrees has agreed before.",
    "outage_span": "The end of the outage is not after its start.",
    "outage_over": "The outage is over and cannot begin at another time.",
    "outage_too_far": "The outage lies too far in the past or the future.",
}


def move_refusals(
    state: str, was: Span, wanted: Span, now: datetime, *, same_machine: bool
) -> Iterator[Refusal]:
    """What a booking's state says against this change of its time; nothing about rules."""
    if state not in LIVE_STATES or was.ends_at <= now:
        yield refusal("not_movable", "state", case="over")
    elif state == "started" and not same_machine:
        yield refusal("not_movable", "machine", case="machine")
    elif state == "started" and wanted.starts_at != was.starts_at:
        yield refusal("not_movable", "starts_at", case="start")
    elif wanted.ends_at <= now:
        yield refusal("not_movable", "ends_at", case="past")


def keeps(was: Span, wanted: Span) -> bool:
    """Whether all of the time there was is among what is wanted."""
    return wanted.starts_at <= was.starts_at and was.ends_at <= wanted.ends_at


def decision_refusals(
    state: str, decide_by: datetime | None, starts_at: datetime, now: datetime
) -> Iterator[Refusal]:
    """Why a booking cannot be decided on at all."""
    if state != "requested":
        yield refusal("not_requested", "state")
    elif (decide_by or starts_at) <= now:
        yield refusal("request_over", "state")


def approval_refusals(
    approver_id: int, requesters: Collection[int], agreed: Collection[int]
) -> Iterator[Refusal]:
    """Why this member cannot agree: it is their request, or they have agreed."""
    if approver_id in requesters:
        yield refusal("own_request", "booking")
    elif approver_id in agreed:
        yield refusal("agreed_already", "booking")


def outage_refusals(
    starts_at: datetime, ends_at: datetime | None, earliest: datetime, latest: datetime
) -> Iterator[Refusal]:
    """What is wrong with the span of an outage; ``ends_at`` None: until somebody says otherwise."""
    if ends_at is not None and ends_at <= starts_at:
        yield refusal("outage_span", "ends_at")
    if not earliest <= starts_at <= latest:
        yield refusal("outage_too_far", "starts_at")
    elif ends_at is not None and ends_at > latest:
        yield refusal("outage_too_far", "ends_at")
