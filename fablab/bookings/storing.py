"""Storing new bookings together with their claims."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.orm import Session

from fablab.bookings.facts import BookingRequest
from fablab.db import LIVE_CHANNEL
from fablab.machines.queries import MachineView
from fablab.machines.rules import Span

_AT = DateTime(timezone=True)

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
    ), told AS (
        INSERT INTO booking_notice (batch, booking_id, what, at, actor_id, reason, version, machine_id,
                                    member_id, starts_at, ends_at)
        SELECT gen_random_uuid(), booking_id, 'confirmed', :now, :actor, '', 1, :machine,
               :member, :starts, :ends
        FROM claim
    )
    INSERT INTO booking_change (booking_id, at, made_by, member_id, to_state, reason, to_starts_at,
                                to_ends_at, to_machine_id, broke)
    SELECT booking_id, :now, 'member', :actor, 'confirmed', '', :starts, :ends, :machine,
           CAST(:broke AS text[])
    FROM claim
    RETURNING booking_id, pg_notify(:channel, CAST(json_build_object(
        'kind', 'booking', 'booking', booking_id, 'machine', to_machine_id, 'lab', CAST(:lab AS integer)
    ) AS text))
    """
)

# A booking one of whose claims was lost is in the answer with fewer claims than it wanted.
_TAKE_ALL = text(
    """
    WITH wanted AS (
        SELECT nextval(pg_get_serial_sequence('booking', 'id')) AS id, each.*
        FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS each (
            number integer, lab integer, machine integer, member bigint, starts timestamptz, ends timestamptz,
            zone text, local_starts timestamp, local_ends timestamp, state text, purpose text,
            organisation bigint, project bigint, heads integer, bundle bigint, series bigint,
            series_at timestamp, decide_by timestamptz, claim_starts timestamptz, claim_ends timestamptz,
            units bigint[], broke text[]
        )
    ), stored AS (
        INSERT INTO booking (id, machine_id, lab_id, member_id, created_by_id, starts_at, ends_at, zone,
                             local_starts, local_ends, state, purpose, created_at, organisation_id,
                             project_id, head_count, bundle_id, series_id, series_at, decide_by)
        SELECT id, machine, lab, member, :actor, starts, ends, zone, local_starts, local_ends, state, purpose,
               :now, organisation, project, heads, bundle, series, series_at, decide_by
        FROM wanted ORDER BY number
    ), told AS (
        INSERT INTO booking_change (booking_id, at, made_by, member_id, to_state, reason, to_starts_at,
                                    to_ends_at, to_machine_id, broke)
        SELECT id, :now, 'member', :actor, state, '', starts, ends, machine, broke FROM wanted ORDER BY number
    ), claimed AS (
        INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, booking_id)
        SELECT lab, unit_id, claim_starts, claim_ends, 'booking', id
        FROM wanted CROSS JOIN LATERAL unnest(units) AS unit_id
        ORDER BY unit_id, number
        ON CONFLICT DO NOTHING
        RETURNING booking_id
    )
    SELECT id, (SELECT count(*) FROM claimed WHERE booking_id = wanted.id) FROM wanted ORDER BY number
    """
).bindparams(bindparam("now", type_=_AT))

_LIST = text(
    """
    INSERT INTO participant (booking_id, name, member_id)
    SELECT booking, name, member
    FROM unnest(CAST(:bookings AS bigint[]), CAST(:names AS text[]), CAST(:members AS bigint[]))
         AS listed(booking, name, member)
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


@dataclass(frozen=True)
class Taking:
    """A booking to be stored with the units it claims for ``span``, which holds set-up and clean-up.

    A ``requested`` one claims nothing. ``listed`` are those who come along, as they were written, each with
    the account behind it; ``broke`` the codes of the rules that staff went over.
    """

    machine: MachineView
    units: tuple[int, ...]
    request: BookingRequest
    party: Party
    span: Span
    state: str = "confirmed"
    bundle_id: int | None = None
    series_id: int | None = None
    series_at: datetime | None = None
    decide_by: datetime | None = None
    listed: tuple[tuple[str, int | None], ...] = ()
    broke: tuple[str, ...] = ()


def claim_unit(
    session: Session,
    machine: MachineView,
    unit_id: int,
    request: BookingRequest,
    party: Party,
    span: Span,
    now: datetime,
    broke: Sequence[str] = (),
) -> int | None:
    """Store the booking, its claim and its first change, and tell it; None when somebody else was faster.

    The claim goes first, with ON CONFLICT DO NOTHING: of several at once one wins, and the others wait for it
    without the deadlocks that a violated exclusion constraint brings, and find nothing stored.
    ``span`` is what is claimed. One statement.
    """
    values = {
        **_columns(machine, request, party),
        "unit": unit_id,
        "actor": party.actor_id,
        "claim_starts": span.starts_at,
        "claim_ends": span.ends_at,
        "broke": list(broke),
        "channel": LIVE_CHANNEL,
        "now": now,
    }
    booking_id: int | None = session.scalar(_CLAIM_UNIT, values)
    return booking_id


def take_all(session: Session, wanted: Sequence[Taking], now: datetime) -> list[int | None]:
    """Store bookings with all their claims; the numbers they got, None where somebody else was faster.

    Whoever made them is the same for all. Call `lock_units` before you look which units are free. One
    statement, one more for those who come along.
    """
    if not wanted:
        return []
    rows = [_row(number, each) for number, each in enumerate(wanted)]
    stored = session.execute(
        _TAKE_ALL,
        {
            "wanted": json.dumps(rows, default=datetime.isoformat),
            "actor": wanted[0].party.actor_id,
            "now": now,
        },
    ).all()
    ids = [
        booking_id if count == len(each.units) else None
        for each, (booking_id, count) in zip(wanted, stored, strict=True)
    ]
    lost = [row[0] for row, kept in zip(stored, ids, strict=True) if kept is None]
    if lost:
        # Their claims and changes go with them.
        session.execute(text("DELETE FROM booking WHERE id = ANY(:ids)"), {"ids": lost})
    list_participants(
        session,
        [
            (booking_id, *guest)
            for booking_id, each in zip(ids, wanted, strict=True)
            if booking_id is not None
            for guest in each.listed
        ],
    )
    return ids


def list_participants(session: Session, listed: Sequence[tuple[int, str, int | None]]) -> None:
    """Write down who comes along: to which booking, what the leader wrote, and the account behind it."""
    if listed:
        booking_ids, names, member_ids = zip(*listed, strict=True)
        session.execute(
            _LIST, {"bookings": list(booking_ids), "names": list(names), "members": list(member_ids)}
        )


def _columns(machine: MachineView, request: BookingRequest, party: Party) -> dict[str, Any]:
    zone = ZoneInfo(machine.zone)
    return {
        "machine": machine.id,
        "lab": machine.lab_id,
        "member": party.member_id,
        "organisation": party.organisation_id,
        "project": party.project_id,
        "heads": party.head_count,
        "starts": request.starts_at,
        "ends": request.ends_at,
        "zone": machine.zone,
        "local_starts": request.starts_at.astimezone(zone).replace(tzinfo=None),
        "local_ends": request.ends_at.astimezone(zone).replace(tzinfo=None),
        "purpose": request.purpose,
    }


def _row(number: int, taking: Taking) -> Mapping[str, Any]:
    return {
        **_columns(taking.machine, taking.request, taking.party),
        "number": number,
        "state": taking.state,
        "bundle": taking.bundle_id,
        "series": taking.series_id,
        "series_at": taking.series_at,
        "decide_by": taking.decide_by,
        "claim_starts": taking.span.starts_at,
        "claim_ends": taking.span.ends_at,
        "units": list(taking.units),
        "broke": list(taking.broke),
    }
