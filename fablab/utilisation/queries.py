"""Reads for reports: machine hours summed by place, kind or time. Nothing but the rollup is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    Interval,
    Select,
    String,
    Values,
    cast,
    column,
    func,
    literal,
    select,
    union_all,
    values,
)
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange
from fablab.bookings.models_claims import Outage
from fablab.clock import offsets
from fablab.errors import Code, DomainError
from fablab.machines.models import Kind, Lab, Machine, Region
from fablab.usage.models import UsageSession
from fablab.utilisation.models import MachineHour
from fablab.utilisation.rules import BUCKETS, BY, Counts


@dataclass(frozen=True)
class UtilisationRow(Counts):
    """What was counted for one key in one bucket.

    ``key`` is a slug, ``network``, or the hour of the week from 0 (Monday 00:00) to 167, in local time.
    ``starts_on`` is the local day on which the bucket begins; ``starts_at`` the instant, for buckets of an
    hour only, because one local hour comes twice when the clock goes back.
    """

    key: str = ""
    starts_on: date = date.min
    starts_at: datetime | None = None


def utilisation(
    session: Session,
    since: datetime,
    until: datetime,
    by: str = "machine",
    bucket: str = "total",
    lab_ids: Sequence[int] | None = None,
) -> list[UtilisationRow]:
    """Sums over the hours that begin in [since, until), by key and bucket, sorted by both.

    Days, weeks (from Monday) and months are those of each lab's own zone; the total begins on the local day
    of ``since``. Without ``lab_ids`` the whole network is summed. Keys and buckets without any machine hour
    have no row. Raises DomainError (unreadable) for an unknown ``by`` or ``bucket``.
    """
    if by not in BY:
        raise DomainError(Code.UNREADABLE, f"`by` must be one of {', '.join(BY)}.")
    if bucket not in BUCKETS:
        raise DomainError(Code.UNREADABLE, f"`bucket` must be one of {', '.join(BUCKETS)}.")
    spans = _clock_spans(session, since, until)
    if not spans:
        return []
    query = _sums(by, bucket, _clocks(spans)).where(MachineHour.hour >= since, MachineHour.hour < until)
    if lab_ids is not None:
        query = query.where(MachineHour.lab_id.in_(tuple(lab_ids)))
    rows = [_row(found) for found in session.execute(query)]
    order = (lambda row: int(row.key)) if by == "hour_of_week" else (lambda row: row.key)
    return sorted(rows, key=lambda row: (order(row), row.starts_on, row.starts_at or since))


def late_changes(session: Session, changed_since: datetime, before: datetime) -> dict[int, datetime]:
    """Machines whose hours before ``before`` may be counted wrongly, with the earliest such instant.

    Those with a session that is still open and began before, those with a booking that began before and was
    changed lately, and those of which it was said lately that they were out of service before.
    """
    open_sessions = select(UsageSession.machine_id, UsageSession.started_at.label("at")).where(
        UsageSession.ended_at.is_(None), UsageSession.started_at < before
    )
    changed_bookings = (
        select(Booking.machine_id, Booking.starts_at)
        .join(BookingChange, BookingChange.booking_id == Booking.id)
        .where(BookingChange.at >= changed_since, Booking.starts_at < before)
    )
    new_outages = select(Outage.machine_id, Outage.starts_at).where(
        Outage.created_at >= changed_since, Outage.starts_at < before
    )
    touched = union_all(open_sessions, changed_bookings, new_outages).subquery()
    rows = session.execute(
        select(touched.c.machine_id, func.min(touched.c.at).label("at")).group_by("machine_id")
    )
    return {row.machine_id: row.at for row in rows}


def _clock_spans(session: Session, since: datetime, until: datetime) -> list[tuple[Any, ...]]:
    """How far the clocks of each lab's zone are from UTC, and on which local day ``since`` falls there.

    Worked out here and not by the database, whose own table of zones may be older than ours.
    """
    return [
        (zone, starts, ends, offset, since.astimezone(ZoneInfo(zone)).date())
        for zone in session.scalars(select(Lab.zone).distinct())
        for starts, ends, offset in offsets(zone, since, until)
    ]


def _clocks(spans: list[tuple[Any, ...]]) -> Values:
    return values(
        column("zone", String),
        column("since", DateTime(timezone=True)),
        column("until", DateTime(timezone=True)),
        column("ahead", Interval),
        column("first_on", Date),
        name="clocks",
    ).data(spans)


def _sums(by: str, bucket: str, clocks: Values) -> Select[Any]:
    local = func.timezone("UTC", MachineHour.hour) + clocks.c.ahead
    key = _key(by, local)
    starts_on, starts_at = _bucket(bucket, local, clocks)
    summed = [func.sum(getattr(MachineHour, name)).label(name) for name in _COUNTED]
    query = (
        select(key.label("key"), starts_on.label("starts_on"), starts_at.label("starts_at"), *summed)
        .select_from(MachineHour)
        .join(Lab, Lab.id == MachineHour.lab_id)
        .join(
            clocks,
            (clocks.c.zone == Lab.zone)
            & (MachineHour.hour >= clocks.c.since)
            & (MachineHour.hour < clocks.c.until),
        )
    )
    if by == "region":
        query = query.join(Region, Region.id == Lab.region_id)
    elif by in {"kind", "machine"}:
        query = query.join(Machine, Machine.id == MachineHour.machine_id)
        if by == "kind":
            query = query.join(Kind, Kind.id == Machine.kind_id)
    return query.group_by("key", "starts_on", "starts_at")


def _key(by: str, local: ColumnElement[Any]) -> ColumnElement[Any]:
    keys: dict[str, ColumnElement[Any]] = {
        "network": literal("network"),
        "region": Region.slug.expression,
        "lab": Lab.slug.expression,
        "kind": Kind.slug.expression,
        "machine": Machine.slug.expression,
        "hour_of_week": (func.extract("isodow", local) - 1) * 24 + func.extract("hour", local),
    }
    return keys[by]


def _bucket(
    bucket: str, local: ColumnElement[Any], clocks: Values
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    if bucket == "total":
        return clocks.c.first_on, literal(None)
    if bucket == "hour":
        return cast(local, Date), MachineHour.hour.expression
    return cast(func.date_trunc(bucket, local), Date), literal(None)


_COUNTED = tuple(field.name for field in fields(Counts))


def _row(found: Any) -> UtilisationRow:
    counts: dict[str, Any] = {
        name: round(value, 3) if isinstance(value := getattr(found, name), float) else int(value)
        for name in _COUNTED
    }
    key = found.key if isinstance(found.key, str) else str(int(found.key))
    return UtilisationRow(key=key, starts_on=found.starts_on, starts_at=found.starts_at, **counts)
