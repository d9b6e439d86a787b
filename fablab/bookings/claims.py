"""Reads and writes of claimed time: what is taken, what is free instead, and the one claiming statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.orm import Session

from fablab.bookings.facts import LONGEST_DAYS, BookingRequest, Claim, Policy
from fablab.bookings.free import Room, first_free
from fablab.errors import Alternative
from fablab.machines.queries import MachineView, machines
from fablab.machines.rules import Span, open_spans, supervised_spans

# Alternatives are looked for this far beyond the wanted start.
SEARCH_DAYS = 14

_CLAIMS = text(
    """
    SELECT occupancy.unit_id, occupancy.starts_at, occupancy.ends_at
    FROM unnest(CAST(:units AS bigint[])) AS wanted(unit_id)
    JOIN occupancy ON occupancy.slot && occupancy_slot(wanted.unit_id, :since, :until)
    ORDER BY occupancy.unit_id, occupancy.starts_at
    """
).bindparams(
    bindparam("since", type_=DateTime(timezone=True)), bindparam("until", type_=DateTime(timezone=True))
)


# In SQL, because every booking waits for this one, and building it anew costs more than running it.
_CLAIM_UNIT = text(
    """
    WITH claim AS (
        INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, booking_id)
        VALUES (:lab, :unit, :claim_starts, :claim_ends, 'booking',
                nextval(pg_get_serial_sequence('booking', 'id')))
        ON CONFLICT DO NOTHING
        RETURNING booking_id
    ), stored AS (
        INSERT INTO booking (id, machine_id, lab_id, member_id, created_by_id, starts_at, ends_at, zone,
                             local_starts, local_ends, state, purpose, created_at,
                             organisation_id, project_id, head_count)
        SELECT booking_id, :machine, :lab, :member, :actor, :starts, :ends, :zone,
               :local_starts, :local_ends, 'confirmed', :purpose, :now,
               CAST(:organisation AS bigint), CAST(:project AS bigint), :heads
        FROM claim
    )
    INSERT INTO booking_change (booking_id, at, made_by, member_id, to_state, reason)
    SELECT booking_id, :now, 'member', :actor, 'confirmed', '' FROM claim
    RETURNING booking_id
    """
)


_LIST = text(
    """
    INSERT INTO participant (booking_id, name, member_id)
    SELECT :booking, name, member_id
    FROM unnest(CAST(:names AS text[]), CAST(:members AS bigint[])) AS listed(name, member_id)
    """
)


@dataclass(frozen=True)
class Party:
    """Whom a booking is for, who makes it, and in whose name: members', organisation's and project's ids."""

    member_id: int
    actor_id: int
    organisation_id: int | None = None
    project_id: int | None = None
    head_count: int = 1


def clashes(session: Session, machine: MachineView, starts_at: datetime, ends_at: datetime) -> list[Claim]:
    """Claims that a booking of this span, with the machine's buffers, would touch."""
    before, after = timedelta(seconds=machine.setup_s), timedelta(seconds=machine.cleanup_s)
    return claims(session, machine.unit_ids, starts_at - before, ends_at + after)


def claims(session: Session, unit_ids: Collection[int], since: datetime, until: datetime) -> list[Claim]:
    """Every claim on these units that overlaps [since, until), by unit and start."""
    rows = session.execute(_CLAIMS, {"units": list(unit_ids), "since": since, "until": until})
    return [Claim(*row) for row in rows]


def claim_unit(
    session: Session,
    machine: MachineView,
    unit_id: int,
    request: BookingRequest,
    party: Party,
    now: datetime,
) -> int | None:
    """Store the booking, its claim and its first change in one statement; None when somebody else was faster.

    The claim goes first, with ON CONFLICT DO NOTHING: of several at once one wins, and the others wait for it
    without the deadlocks that a violated exclusion constraint brings, and find nothing stored.
    """
    zone = ZoneInfo(machine.zone)
    values = {
        "machine": machine.id,
        "lab": machine.lab_id,
        "unit": unit_id,
        "member": party.member_id,
        "actor": party.actor_id,
        "organisation": party.organisation_id,
        "project": party.project_id,
        "heads": party.head_count,
        "claim_starts": request.starts_at - timedelta(seconds=machine.setup_s),
        "claim_ends": request.ends_at + timedelta(seconds=machine.cleanup_s),
        "starts": request.starts_at,
        "ends": request.ends_at,
        "zone": machine.zone,
        "local_starts": request.starts_at.astimezone(zone).replace(tzinfo=None),
        "local_ends": request.ends_at.astimezone(zone).replace(tzinfo=None),
        "purpose": request.purpose,
        "now": now,
    }
    booking_id: int | None = session.scalar(_CLAIM_UNIT, values)
    return booking_id


def list_participants(session: Session, booking_id: int, listed: Sequence[tuple[str, int | None]]) -> None:
    """Write down who comes along: what the leader wrote of each, and the account behind it."""
    if listed:
        names, member_ids = zip(*listed, strict=True)
        session.execute(_LIST, {"booking": booking_id, "names": list(names), "members": list(member_ids)})


def alternatives(
    session: Session,
    machine: MachineView,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    policy: Policy,
    *,
    supervised: bool = False,
) -> list[Alternative]:
    """The next free spans of the same length: this machine's own, then those of its kind, same lab first.

    None that the policy would refuse; with ``supervised`` only while staff are there. Two statements, however
    many machines there are.
    """
    length = ends_at - starts_at
    longest = min(timedelta(seconds=policy.max_s), timedelta(days=LONGEST_DAYS))
    if policy.alternatives <= 0 or not timedelta(seconds=policy.min_s) <= length <= longest:
        return []
    first = max(starts_at, now.replace(microsecond=0))
    last = min(max(starts_at, now) + timedelta(days=SEARCH_DAYS), now + timedelta(days=policy.horizon_days))
    if first > last:
        return []
    same_kind = machines(session, kind=machine.kind_slug)
    margin = timedelta(seconds=max((each.setup_s + each.cleanup_s for each in same_kind), default=0))
    units = [unit for each in same_kind for unit in each.unit_ids]
    taken: dict[int, list[tuple[datetime, datetime]]] = {unit: [] for unit in units}
    for claim in claims(session, units, first - margin, last + length + margin):
        taken[claim.unit_id].append((claim.starts_at, claim.ends_at))
    hours: dict[int, Sequence[tuple[datetime, datetime]]] = {}
    found = []
    for each in same_kind:
        bound = supervised or not each.unattended
        if bound and each.lab_id not in hours:
            hours[each.lab_id] = _hours(each, Span(first, last + length), supervised)
        start = _first_free(each, taken, hours[each.lab_id] if bound else None, length, first, last)
        if start is not None:
            order = (each.id != machine.id, each.lab_id != machine.lab_id, start, each.slug)
            zone = ZoneInfo(each.zone)
            free = Alternative(
                each.slug, each.lab_slug, start.astimezone(zone), (start + length).astimezone(zone)
            )
            found.append((order, free))
    return [free for _, free in sorted(found, key=lambda pair: pair[0])[: policy.alternatives]]


def first_start(
    session: Session,
    machine: MachineView,
    length: timedelta,
    first: datetime,
    last: datetime,
    *,
    supervised: bool = False,
) -> datetime | None:
    """The first whole minute in [first, last] at which the machine has room for this length, or None."""
    margin = timedelta(seconds=machine.setup_s + machine.cleanup_s)
    hours = None
    if supervised or not machine.unattended:
        hours = _hours(machine, day_around(Span(first, last + length)), supervised)
    by_unit: dict[int, list[tuple[datetime, datetime]]] = {unit: [] for unit in machine.unit_ids}
    for claim in claims(session, machine.unit_ids, first - margin, last + length + margin):
        by_unit[claim.unit_id].append((claim.starts_at, claim.ends_at))
    at: datetime | None = first
    while at is not None:
        minute = _whole_minute(at)
        at = _first_free(machine, by_unit, hours, length, minute, last)
        if at == minute:
            return at
    return None


def _whole_minute(at: datetime) -> datetime:
    past = timedelta(seconds=at.second, microseconds=at.microsecond)
    return at - past + timedelta(minutes=1) if past else at


def _first_free(
    machine: MachineView,
    taken: Mapping[int, Sequence[tuple[datetime, datetime]]],
    hours: Sequence[tuple[datetime, datetime]] | None,
    length: timedelta,
    first: datetime,
    last: datetime,
) -> datetime | None:
    """``hours`` None: it may run, and be booked, at any."""
    return first_free(
        [Room(taken[unit], hours) for unit in machine.unit_ids],
        length,
        timedelta(seconds=machine.setup_s),
        timedelta(seconds=machine.cleanup_s),
        first,
        last,
    )


def _hours(machine: MachineView, within: Span, supervised: bool) -> list[tuple[datetime, datetime]]:
    spans = (supervised_spans if supervised else open_spans)(
        machine.openings, machine.zone, within.starts_at, within.ends_at
    )
    return [(span.starts_at, span.ends_at) for span in spans]


def day_around(span: Span) -> Span:
    """A range that holds the span with a margin, so that a joined open span is never cut short of it."""
    return Span(span.starts_at - timedelta(days=1), span.ends_at + timedelta(days=1))
