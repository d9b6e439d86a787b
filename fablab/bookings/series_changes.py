"""Series that change: one occurrence, those from it on, or all that are still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import delete, insert, update
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from fablab.bookings.checks import bookable, lost
from fablab.bookings.facts import BookingRequest, Guest, Policy
from fablab.bookings.gathering import gather_all
from fablab.bookings.models_series import Series, Skip
from fablab.bookings.moves import Move
from fablab.bookings.moving import Change, move_all, move_booking
from fablab.bookings.queries import BookingView, booking, participants
from fablab.bookings.rules import CANCELLABLE_STATES
from fablab.bookings.series_plan import cut, no_such_time, span_of
from fablab.bookings.series_queries import InSeries, SeriesView, bookings_in, series
from fablab.bookings.service import cancel_all
from fablab.bookings.storing import take_all
from fablab.bookings.together import made, nothing_made, taking
from fablab.bookings.verdicts import verdicts
from fablab.bookings.wording import refusal
from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.machines.queries import MachineView, machines
from fablab.machines.recurrence import instants, occurrences
from fablab.members.rules import Actor, may_manage_lab

# Before any wall time.
_EVER = datetime(1, 1, 1)  # noqa: DTZ001
SCOPES = THIS, FOLLOWING, ALL = ("this", "following", "all")

_REPLACE = sql(
    """
    WITH skipped AS (
        UPDATE series_skip SET series_id = :new, series_at = date_trunc('day', series_at) + :time
        WHERE series_id = :old AND series_at >= :since
    )
    UPDATE booking SET series_id = :new, series_at = date_trunc('day', series_at) + :time
    WHERE series_id = :old AND series_at >= :since
    """
)


@dataclass(frozen=True)
class SeriesChange:
    """What is to be different; None stays as it is. Times of day are wall time.

    An end at or before the start is on the next day. A new start alone keeps the length.
    """

    starts: time | None = None
    ends: time | None = None
    machine: str | None = None
    purpose: str | None = None


def change_series(
    session: Session,
    actor: Actor,
    series_id: int,
    scope: str,
    at: datetime | None,
    change: SeriesChange,
    now: datetime,
    policy: Policy,
) -> int:
    """Change one occurrence, those from ``at`` on, or all; what is over or under way stays as it was.

    1. one occurrence is moved as any booking is, and keeps its place in the series;
    2. of several, those that stand where the rule puts them get the new time of day; what was moved by itself
       keeps its own; all get the new machine and purpose;
    3. all move at once or none: each is judged with the others where they will be;
    4. what stays behind keeps its series, the changed ones become another from there on.

    Returns the number of the series that the changed ones belong to now. Raises NOT_FOUND, NOT_ALLOWED,
    REFUSED or CLASH, with nothing changed.
    """
    found = _changeable(session, actor, series_id)
    booked = bookings_in(session, series_id)
    if scope == THIS:
        _change_one(session, actor, found, _one(booked, at, now), change, now, policy)
        return series_id
    walls = occurrences(found.rule, found.local_starts)
    since = _since(found, walls, booked, at if scope == FOLLOWING else None, now)
    local_starts, local_ends = _wall_times(found, since, change)
    coming = [each for each in booked if each.at >= since and _still_to_come(each, now)]
    moves = _moves(session, actor, found, coming, change, local_starts, local_ends)
    if moves:
        move_all(session, actor, moves, now, policy)
    machine_id = moves[0].machine.id if moves and change.machine else found.machine_id
    purpose = found.purpose if change.purpose is None else change.purpose
    return _divide(session, actor, found, since, local_starts, local_ends, machine_id, purpose, now)


def cancel_series(
    session: Session,
    actor: Actor,
    series_id: int,
    scope: str,
    at: datetime | None,
    now: datetime,
    policy: Policy,
    reason: str = "",
) -> list[int]:
    """Give back the time of one occurrence, of those from ``at`` on, or of all that are still to come.

    All or nothing; the bookings' numbers. Their dates can be added again. Raises as `cancel_all` does.
    """
    found = _changeable(session, actor, series_id)
    booked = bookings_in(session, series_id)
    if scope == THIS:
        coming = [_one(booked, at, now)]
    else:
        since = _known(found, booked, at) if scope == FOLLOWING else _EVER
        coming = [each for each in booked if each.at >= since and _still_to_come(each, now)]
    if not coming:
        raise refused(refusal("series_over", "scope"))
    ids = [each.id for each in coming]
    cancel_all(session, actor, ids, now, policy, reason)
    return ids


def add_occurrence(
    session: Session, actor: Actor, series_id: int, on: date, now: datetime, policy: Policy
) -> BookingView:
    """Book a date of the rule that was skipped or cancelled, as the others of the series are.

    In the same name, for the same project, with the same people as the last that was booked. Raises REFUSED
    or CLASH as any booking does.
    """
    found = _changeable(session, actor, series_id)
    walls = [each for each in occurrences(found.rule, found.local_starts) if each.date() == on]
    if not walls:
        raise refused(refusal("no_such_occurrence", "on", case="day", day=on))
    booked = bookings_in(session, series_id)
    if any(each.live and each.at in walls for each in booked):
        raise refused(refusal("occurrence_booked", "on", day=on))
    span = span_of(walls[0], found.local_starts, found.local_ends, found.zone)
    if span is None:
        raise refused(replace(no_such_time(walls[0]), field="on"))
    request = replace(
        _like_the_others(session, found, booked), starts_at=span.starts_at, ends_at=span.ends_at
    )
    machine = bookable(session, actor, request)
    [gathered] = gather_all(
        session, actor, [(machine, request)], now, policy, lock=True, leader_id=found.member_id
    )
    [verdict] = verdicts([(gathered, request)])
    if verdict.refusals:
        raise nothing_made(verdict.refusals)
    one = taking(actor, gathered, request, verdict, now, series_id=series_id, series_at=walls[0])
    [booking_id] = take_all(session, [one], now)
    if booking_id is None:
        raise nothing_made([lost(request)])
    session.execute(delete(Skip).where(Skip.series_id == series_id, Skip.series_at == walls[0]))
    made(session, actor, [(booking_id, one)], now, f"series {series_id}")
    view = booking(session, booking_id, actor=actor)
    assert view is not None, "it was just stored"
    return view


def _changeable(session: Session, actor: Actor, series_id: int) -> SeriesView:
    """The series, locked: of two changes at once the second sees what the first did."""
    found = series(session, series_id, lock=True)
    if found is None or not found.visible_to(actor):
        raise not_found("series")
    if found.member_id != actor.member_id and not may_manage_lab(actor, found.lab_id):
        raise not_allowed("You may read this series, but not change it.")
    return found


def _still_to_come(each: InSeries, now: datetime) -> bool:
    return each.state in CANCELLABLE_STATES and each.ends_at > now


def _one(booked: Sequence[InSeries], at: datetime | None, now: datetime) -> InSeries:
    """The booking that stands for an occurrence."""
    coming = [each for each in booked if each.at == at and _still_to_come(each, now)]
    if not coming:
        raise refused(_unknown(at))
    return coming[-1]


def _known(found: SeriesView, booked: Sequence[InSeries], at: datetime | None) -> datetime:
    """``at``, once it is clear that it is an occurrence of the series."""
    if at is None or (
        at not in occurrences(found.rule, found.local_starts) and all(each.at != at for each in booked)
    ):
        raise refused(_unknown(at))
    return at


def _unknown(at: datetime | None) -> Refusal:
    if at is None:
        return refusal("no_such_occurrence", "from", case="which")
    return refusal("no_such_occurrence", "from", case="day", day=at.date())


def _since(
    found: SeriesView,
    walls: Sequence[datetime],
    booked: Sequence[InSeries],
    at: datetime | None,
    now: datetime,
) -> datetime:
    """The first occurrence from which on nothing is over or under way yet. Refused where there is none."""
    wanted = _known(found, booked, at) if at is not None else _EVER
    stays = [each.at for each in booked if each.live and not _still_to_come(each, now)]
    for wall in walls:
        span = span_of(wall, found.local_starts, found.local_ends, found.zone)
        if span is not None and span.starts_at <= now:
            stays.append(wall)
    last = max(stays, default=_EVER)
    coming = [each for each in walls if each >= wanted and each > last]
    if not coming:
        raise refused(refusal("series_over", "scope"))
    return coming[0]


def _wall_times(found: SeriesView, since: datetime, change: SeriesChange) -> tuple[datetime, datetime]:
    """When the first of the changed ones starts and ends."""
    starts = datetime.combine(since.date(), change.starts or since.time())
    if change.ends is None:
        if change.starts is not None:
            return starts, starts + (found.local_ends - found.local_starts)
        return starts, since + (found.local_ends - found.local_starts)
    ends = datetime.combine(starts.date(), change.ends)
    return starts, ends if ends > starts else ends + timedelta(days=1)


def _change_one(
    session: Session,
    actor: Actor,
    found: SeriesView,
    one: InSeries,
    change: SeriesChange,
    now: datetime,
    policy: Policy,
) -> None:
    """Move one occurrence; its day stays that on which it starts now."""
    starts_at = ends_at = None
    if change.starts is not None or change.ends is not None:
        local_starts, local_ends = _wall_times(
            replace(found, local_starts=one.local_starts, local_ends=one.local_ends), one.local_starts, change
        )
        span = instants(local_starts, local_ends, found.zone)
        if span is None:
            raise refused(no_such_time(local_starts))
        starts_at, ends_at = span.starts_at, span.ends_at
    move_booking(
        session,
        actor,
        one.id,
        Change(starts_at, ends_at, change.machine, change.purpose),
        now,
        policy,
    )


def _moves(
    session: Session,
    actor: Actor,
    found: SeriesView,
    coming: Sequence[InSeries],
    change: SeriesChange,
    local_starts: datetime,
    local_ends: datetime,
) -> list[Move]:
    """Where each of the coming ones goes; those that stay where they are left out."""
    if change.machine is not None:
        asked = BookingRequest(change.machine, *_instants_of(coming))
        target: MachineView | None = bookable(session, actor, asked)
        if target is not None and target.lab_id != found.lab_id:
            why = refusal("not_in_lab", "machine", case="machine", name=change.machine, lab=found.lab_slug)
            raise refused(why)
        views = {}
    else:
        target = None
        views = {each.id: each for each in machines(session, ids={each.machine_id for each in coming})}
    lasts = local_ends - local_starts
    moves, refusals = [], []
    for number, each in enumerate(coming):
        starts_at, ends_at = each.starts_at, each.ends_at
        if not each.by_itself(found):
            at = datetime.combine(each.at.date(), local_starts.time())
            span = instants(at, at + lasts, found.zone)
            if span is None:
                refusals.append(replace(no_such_time(at), field=f"occurrences.{number}.starts_at"))
                continue
            starts_at, ends_at = span.starts_at, span.ends_at
        machine = target or views.get(each.machine_id)
        same = (each.machine_id, each.starts_at, each.ends_at)
        if machine is not None and (change.purpose is not None or (machine.id, starts_at, ends_at) != same):
            moves.append(Move(each.id, machine, starts_at, ends_at, change.purpose, each.version))
    if refusals:
        raise nothing_made(refusals)
    return moves


def _instants_of(coming: Sequence[InSeries]) -> tuple[datetime, datetime]:
    return coming[0].starts_at, coming[0].ends_at


def _divide(
    session: Session,
    actor: Actor,
    found: SeriesView,
    since: datetime,
    local_starts: datetime,
    local_ends: datetime,
    machine_id: int,
    purpose: str,
    now: datetime,
) -> int:
    """Give the occurrences from ``since`` on the new rule: a series of their own where others stay behind."""
    before, after = cut(found.rule, found.local_starts, since)
    values = {
        "machine_id": machine_id,
        "rrule": after.text,
        "local_starts": local_starts,
        "local_ends": local_ends,
        "purpose": purpose,
    }
    new_id = found.id
    if before is None:
        session.execute(update(Series).where(Series.id == found.id).values(**values))
    else:
        session.execute(update(Series).where(Series.id == found.id).values(rrule=before.text))
        same = {"member_id": found.member_id, "zone": found.zone, "created_at": now}
        new_id = session.scalars(
            insert(Series).values(**values, **same, created_by_id=actor.member_id).returning(Series.id)
        ).one()
    time_of_day = timedelta(hours=local_starts.hour, minutes=local_starts.minute, seconds=local_starts.second)
    session.execute(_REPLACE, {"new": new_id, "old": found.id, "since": since, "time": time_of_day})
    return new_id


def _like_the_others(session: Session, found: SeriesView, booked: Sequence[InSeries]) -> BookingRequest:
    """What the last booking of the series asked for beside its time."""
    last = booking(session, booked[-1].id) if booked else None
    instant = found.created_at
    if last is None:
        return BookingRequest(found.machine_slug, instant, instant, found.purpose)
    listed = participants(session, [last.id]).get(last.id, []) if last.head_count > 1 else []
    return BookingRequest(
        found.machine_slug,
        instant,
        instant,
        found.purpose,
        organisation=last.organisation_slug,
        project=last.project_id,
        participants=tuple(_guest(each.written) for each in listed),
        head_count=last.head_count,
    )


def _guest(written: str) -> Guest:
    return Guest(email=written) if "@" in written else Guest(name=written)
