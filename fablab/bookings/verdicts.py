"""Deciding on several requests of one person at once, as if they were made one after the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fablab.bookings.facts import BookingRequest, Claim, QuotaUse
from fablab.bookings.gathering import Gathered
from fablab.bookings.record import TOGETHER, Own
from fablab.bookings.rules import decide
from fablab.bookings.rules_quota import seconds_within
from fablab.errors import Refusal
from fablab.machines.queries import MachineView
from fablab.machines.rules import Span


@dataclass(frozen=True)
class Verdict:
    """What rules say to one of several requests, and the units it would claim where they allow it."""

    refusals: tuple[Refusal, ...]
    units: tuple[int, ...]


def verdicts(wanted: Sequence[tuple[Gathered, BookingRequest]], *, as_one: bool = False) -> list[Verdict]:
    """Decide on requests of one person, one after the other: each counts those before it that are allowed.

    Their claims, what they take of quotas, and how many they are, unless they are booked ``as_one``. Pure.
    """
    found: list[Verdict] = []
    claimed: list[Claim] = []
    own: list[Own] = []
    for gathered, request in wanted:
        span = gathered.span(request)
        facts = gathered.facts
        clashing = [each for each in claimed if _touch(each, span)]
        facts = replace(
            facts,
            claims=(*facts.claims, *clashing),
            record=None if facts.record is None else facts.record.plus(*own),
            quotas=tuple(_with(quota, own, gathered.machine) for quota in facts.quotas),
        )
        refusals = tuple(decide(request, facts, gathered.ruling))
        units = facts.choice() or ()
        found.append(Verdict(refusals, units))
        if not refusals:
            claimed += [Claim(unit, span.starts_at, span.ends_at) for unit in units]
            mine = as_own(gathered, request)
            own.append(replace(mine, bundle_id=TOGETHER) if as_one else mine)
    return found


def as_own(gathered: Gathered, request: BookingRequest) -> Own:
    """The request as one of the member's bookings that is not stored yet."""
    machine = gathered.machine
    return Own(
        machine_id=machine.id,
        machine_slug=machine.slug,
        lab_id=machine.lab_id,
        kind_id=machine.kind_id,
        starts_at=request.starts_at,
        ends_at=request.ends_at,
        organisation_id=gathered.in_name.organisation_id,
    )


def _touch(claim: Claim, span: Span) -> bool:
    return claim.starts_at < span.ends_at and span.starts_at < claim.ends_at


def _with(quota: QuotaUse, own: Sequence[Own], machine: MachineView) -> QuotaUse:
    """The quota with what these take of it. Its kind is that of the machine it was asked for."""
    more = sum(
        seconds_within(each.span, quota.span)
        for each in own
        if quota.kind is None or each.kind_id == machine.kind_id
    )
    return replace(quota, used_s=quota.used_s + more)
