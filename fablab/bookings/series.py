"""Bookings that come again: looking ahead, and making them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlalchemy.orm import Session

from fablab.bookings.checks import bookable, lost
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.gathering import Gathered, gather_all
from fablab.bookings.models_series import Series, Skip
from fablab.bookings.series_plan import (
    REFUSED,
    SKIPPED,
    Occurrence,
    Plan,
    Planned,
    SeriesRequest,
    codes,
    lay_out,
    no_such_time,
    numbered,
)
from fablab.bookings.service import state_of
from fablab.bookings.storing import take_all
from fablab.bookings.together import made, nothing_made, taking
from fablab.bookings.verdicts import Verdict, verdicts
from fablab.errors import Refusal, refused
from fablab.machines.queries import MachineView
from fablab.members.rules import Actor


@dataclass(frozen=True)
class Outlook:
    """What becomes of a series: every occurrence with its verdict. ``rrule`` is the rule as it is kept."""

    machine: MachineView
    rrule: str
    occurrences: tuple[Occurrence, ...]

    @property
    def bookable(self) -> bool:
        """Whether all of it can be booked."""
        return not any(each.refusals for each in self.occurrences)


@dataclass(frozen=True)
class _Judged:
    """An occurrence and what the rules say of it; nothing to gather where the clock skips it."""

    planned: Planned
    found: tuple[BookingRequest, Gathered, Verdict] | None
    state: str = REFUSED

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return (no_such_time(self.planned.at),) if self.found is None else tuple(self.found[2].refusals)

    def occurrence(self, zone: ZoneInfo) -> Occurrence:
        asked = self.planned.request
        return Occurrence(
            self.planned.at,
            None if asked is None else asked.starts_at.astimezone(zone),
            None if asked is None else asked.ends_at.astimezone(zone),
            REFUSED if self.refusals else self.state,
            self.refusals,
        )


def preview_series(
    session: Session, actor: Actor, request: SeriesRequest, now: datetime, policy: Policy
) -> Outlook:
    """Every occurrence with what `create_series` would make of it now; stores nothing.

    A number of statements that does not grow with the occurrences. Raises NOT_FOUND, NOT_ALLOWED, and REFUSED
    for a rule that cannot be used.
    """
    machine, plan, judged = _judge(session, actor, request, now, policy, lock=False)
    return Outlook(machine, plan.rule.text, _occurrences(judged, machine))


def create_series(
    session: Session, actor: Actor, request: SeriesRequest, now: datetime, policy: Policy
) -> tuple[int, Outlook]:
    """Book every occurrence, or, with ``skip``, what can be; the series' number and what became of each.

    1. lay the rule out in wall time; one that cannot be used is refused before anything is gathered;
    2. lock what is claimed and counted, and decide each occurrence as if those before it were booked;
    3. refuse all when one is refused, or, with ``skip``, when none is left;
    4. store what is left in one statement; what somebody else took in that moment is refused as the rest is;
    5. write down what was skipped and why.

    Raises as `preview_series`; REFUSED or CLASH lists every refusal under ``occurrences.N.``, and nothing is
    stored.
    """
    machine, plan, judged = _judge(session, actor, request, now, policy, lock=True)
    done = list(_occurrences(judged, machine))
    if not _may_be_made(done, request):
        raise nothing_made(numbered(done))
    series_id = _store(session, actor, machine, plan, judged, request.first.purpose, now)
    takings = {
        number: taking(actor, gathered, asked, verdict, now, series_id=series_id, series_at=each.planned.at)
        for number, each in enumerate(judged)
        if each.found is not None and not each.refusals
        for asked, gathered, verdict in [each.found]
    }
    ids = dict(zip(takings, take_all(session, list(takings.values()), now), strict=True))
    for number, booking_id in ids.items():
        done[number] = replace(done[number], booking_id=booking_id)
        if booking_id is None:
            gone = lost(takings[number].request)
            done[number] = replace(done[number], verdict=REFUSED, refusals=(gone,))
    if not _may_be_made(done, request):
        raise nothing_made(numbered(done))
    done = [replace(each, verdict=SKIPPED) if each.refusals else each for each in done]
    _write_skips(session, series_id, done)
    stored = [(booking_id, takings[number]) for number, booking_id in ids.items() if booking_id is not None]
    made(session, actor, stored, now, f"series {series_id}, {len(stored)} times")
    return series_id, Outlook(machine, plan.rule.text, tuple(done))


def _judge(
    session: Session, actor: Actor, request: SeriesRequest, now: datetime, policy: Policy, *, lock: bool
) -> tuple[MachineView, Plan, list[_Judged]]:
    """The machine, the plan, and each occurrence judged as if the accepted ones before it stood."""
    machine = bookable(session, actor, request.first)
    plan = lay_out(request, machine.zone)
    if isinstance(plan, Refusal):
        raise refused(plan)
    asked = [each.request for each in plan.planned if each.request is not None]
    gathered = gather_all(session, actor, [(machine, each) for each in asked], now, policy, lock=lock)
    said = verdicts(list(zip(gathered, asked, strict=True)))
    found = iter(zip(asked, gathered, said, strict=True))
    judged = []
    for each in plan.planned:
        if each.request is None:
            judged.append(_Judged(each, None))
            continue
        one = next(found)
        state, _ = state_of(one[1].ruling, one[0], now)
        judged.append(_Judged(each, one, state))
    return machine, plan, judged


def _occurrences(judged: Sequence[_Judged], machine: MachineView) -> tuple[Occurrence, ...]:
    zone = ZoneInfo(machine.zone)
    return tuple(each.occurrence(zone) for each in judged)


def _may_be_made(occurrences: Sequence[Occurrence], request: SeriesRequest) -> bool:
    """All of it, or, where the rest may be skipped, anything."""
    refused = [bool(each.refusals) for each in occurrences]
    return not all(refused) if request.skip else not any(refused)


def _store(
    session: Session,
    actor: Actor,
    machine: MachineView,
    plan: Plan,
    judged: Sequence[_Judged],
    purpose: str,
    now: datetime,
) -> int:
    """The row of the series; its number."""
    member_id = next(each.found[1].member_id for each in judged if each.found is not None)
    row = Series(
        machine_id=machine.id,
        member_id=member_id,
        created_by_id=actor.member_id,
        rrule=plan.rule.text,
        zone=machine.zone,
        local_starts=plan.local_starts,
        local_ends=plan.local_ends,
        purpose=purpose,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row.id


def _write_skips(session: Session, series_id: int, occurrences: Sequence[Occurrence]) -> None:
    """Keep what was not booked and why, so that it can be added later."""
    rows = [
        {"series_id": series_id, "series_at": each.at, "reason": codes(each.refusals)}
        for each in occurrences
        if each.refusals
    ]
    if rows:
        session.execute(insert(Skip), rows)
