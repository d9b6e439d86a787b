"""Reads about series: the rule, and what became of each of its occurrences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from fablab.bookings.models import Booking
from fablab.bookings.models_series import Series, Skip
from fablab.bookings.rules import HOLDING_STATES
from fablab.bookings.rules_people import Part, part_in
from fablab.bookings.series_plan import SKIPPED, Occurrence, span_of
from fablab.machines.models import Lab, Machine
from fablab.machines.recurrence import Recurrence, occurrences, parse
from fablab.members.models import Member
from fablab.members.rules import Actor

_maker = aliased(Member, name="created_by")


@dataclass(frozen=True)
class SeriesView:
    """A series with the names a person needs to read it. The wall times are those of its first occurrence."""

    id: int
    machine_id: int
    machine_slug: str
    machine_name: str
    lab_id: int
    lab_slug: str
    zone: str
    member_id: int
    member_name: str
    created_by_id: int
    created_by_name: str
    rrule: str
    local_starts: datetime
    local_ends: datetime
    purpose: str
    created_at: datetime

    @property
    def rule(self) -> Recurrence:
        return parse(self.rrule, self.zone)

    def visible_to(self, actor: Actor) -> bool:
        """Whose it is, and the lab's staff."""
        return part_in(actor, self.member_id, self.lab_id) in (Part.LEADER, Part.STAFF)


@dataclass(frozen=True)
class InSeries:
    """A booking as an occurrence of its series."""

    id: int
    at: datetime
    starts_at: datetime
    ends_at: datetime
    local_starts: datetime
    local_ends: datetime
    state: str
    machine_id: int
    member_id: int
    version: int

    @property
    def live(self) -> bool:
        return self.state in HOLDING_STATES

    def by_itself(self, series: SeriesView) -> bool:
        """Whether it was moved away from where the rule puts it."""
        lasts = series.local_ends - series.local_starts
        return (self.local_starts, self.local_ends) != (self.at, self.at + lasts)


def series(session: Session, series_id: int, *, lock: bool = False) -> SeriesView | None:
    """The series, whoever's it is; with ``lock`` nobody else changes it until the transaction ends."""
    query: Select[*tuple[Any, ...]] = (
        select(
            Series.id,
            Series.machine_id,
            Machine.slug,
            Machine.name,
            Machine.lab_id,
            Lab.slug,
            Series.zone,
            Series.member_id,
            Member.name,
            Series.created_by_id,
            _maker.name,
            Series.rrule,
            Series.local_starts,
            Series.local_ends,
            Series.purpose,
            Series.created_at,
        )
        .join(Machine, Machine.id == Series.machine_id)
        .join(Lab, Lab.id == Machine.lab_id)
        .join(Member, Member.id == Series.member_id)
        .join(_maker, _maker.id == Series.created_by_id)
        .where(Series.id == series_id)
    )
    if lock:
        query = query.with_for_update(of=Series, key_share=True)
    row = session.execute(query).one_or_none()
    return None if row is None else SeriesView(*row)


def bookings_in(session: Session, series_id: int) -> list[InSeries]:
    """Every booking that was ever made for the series, by occurrence, then number."""
    query: Select[*tuple[Any, ...]] = (
        select(
            Booking.id,
            Booking.series_at,
            Booking.starts_at,
            Booking.ends_at,
            Booking.local_starts,
            Booking.local_ends,
            Booking.state,
            Booking.machine_id,
            Booking.member_id,
            Booking.version,
        )
        .where(Booking.series_id == series_id, Booking.series_at.is_not(None))
        .order_by(Booking.series_at, Booking.id)
    )
    return [InSeries(*row) for row in session.execute(query)]


def skips_of(session: Session, series_id: int) -> dict[datetime, str]:
    """Why occurrences were skipped, by the wall time at which the rule places them."""
    rows = session.execute(select(Skip.series_at, Skip.reason).where(Skip.series_id == series_id))
    return {row.series_at: row.reason for row in rows}


def outcome(
    found: SeriesView, booked: Sequence[InSeries], skipped: Mapping[datetime, str]
) -> list[Occurrence]:
    """What became of every occurrence, in order; of several bookings of one the live, or last, counts."""
    zone = ZoneInfo(found.zone)
    latest: dict[datetime, InSeries] = {}
    for each in booked:
        if each.at not in latest or each.live or not latest[each.at].live:
            latest[each.at] = each
    told = []
    for at in sorted({*occurrences(found.rule, found.local_starts), *latest}):
        if booking := latest.get(at):
            starts, ends, state = booking.starts_at, booking.ends_at, booking.state
            told.append(Occurrence(at, starts.astimezone(zone), ends.astimezone(zone), state, (), booking.id))
            continue
        span = span_of(at, found.local_starts, found.local_ends, found.zone)
        one = Occurrence(at, None, None, SKIPPED, reason=skipped.get(at, ""))
        if span is not None:
            one = replace(
                one, starts_at=span.starts_at.astimezone(zone), ends_at=span.ends_at.astimezone(zone)
            )
        told.append(one)
    return told
