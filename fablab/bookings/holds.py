"""Spans kept for somebody who waits: let go when they are over, or turned into a booking.

A hold claims its units as a booking does. One that is over has its claims until it is let go: by the clock
within seconds, and by whoever wants that time before. (`offering` makes them.)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.machines.rules import Span

# What one run of the clock lets go; the next goes on with the rest.
BATCH = 200
_AT = DateTime(timezone=True)

# The time of a hold that was let go comes back with its rows: what it was, whose, and what it had claimed.
_LET_GO = """
    WITH over AS (
        {which}
    ), claimed AS (
        SELECT occupancy.hold_id, unit.machine_id, occupancy.starts_at, occupancy.ends_at
        FROM occupancy JOIN unit ON unit.id = occupancy.unit_id
        WHERE occupancy.hold_id IN (SELECT id FROM over)
    ), gone AS (
        DELETE FROM hold WHERE id IN (SELECT id FROM over)
        RETURNING id, waiting_id, machine_id, starts_at, ends_at
    ), ended AS (
        UPDATE waiting SET state = :state FROM gone WHERE waiting.id = gone.waiting_id
        RETURNING waiting.id, waiting.member_id
    )
    SELECT gone.waiting_id, ended.member_id, gone.machine_id, gone.starts_at, gone.ends_at,
           claimed.machine_id AS claimed_machine_id, claimed.starts_at AS claim_starts,
           claimed.ends_at AS claim_ends
    FROM gone JOIN ended ON ended.id = gone.waiting_id LEFT JOIN claimed ON claimed.hold_id = gone.id
    ORDER BY gone.id
"""
_LET_GO_DUE = text(
    _LET_GO.format(
        which="SELECT id FROM hold WHERE expires_at <= :now "
        "ORDER BY expires_at, id LIMIT :most FOR UPDATE SKIP LOCKED"
    )
).bindparams(bindparam("now", type_=_AT))
_LET_GO_THERE = text(
    _LET_GO.format(
        which="""
        SELECT hold.id FROM hold
        WHERE hold.expires_at <= :now AND hold.id IN (
            SELECT occupancy.hold_id FROM unnest(CAST(:units AS bigint[])) AS wanted(unit_id)
            JOIN occupancy ON occupancy.slot && occupancy_slot(wanted.unit_id, :since, :until)
        )
        ORDER BY hold.id FOR UPDATE"""
    )
).bindparams(*(bindparam(name, type_=_AT) for name in ("now", "since", "until")))
_LET_GO_ONE = text(_LET_GO.format(which="SELECT id FROM hold WHERE waiting_id = :waiting FOR UPDATE"))


@dataclass(frozen=True)
class LetGo:
    """A hold that is no more: whose it was, for which span of which machine, and its claims."""

    waiting_id: int
    member_id: int
    machine_id: int
    span: Span
    freed: tuple[tuple[int, Span], ...]


def let_go_due(session: Session, now: datetime) -> list[LetGo]:
    """Let go what is over, wherever; who it was kept for is told. Several at once are harmless."""
    gone = _found(session.execute(_LET_GO_DUE, {"now": now, "most": BATCH, "state": "expired"}).all())
    _tell(session, gone, now)
    return gone


def drop_expired(
    session: Session, unit_ids: Collection[int], since: datetime, until: datetime, now: datetime
) -> bool:
    """Let go what is over on these units and touches [since, until); whether there was any.

    For whoever wants that time now. They go on to claim it, so nobody else in line is offered it first.
    """
    values = {"units": list(unit_ids), "since": since, "until": until, "now": now, "state": "expired"}
    gone = _found(session.execute(_LET_GO_THERE, values).all())
    _tell(session, gone, now)
    return bool(gone)


def let_go(session: Session, waiting_id: int, state: str) -> list[LetGo]:
    """Let go the hold of one who waits, if there is one; ``state`` is what becomes of the waiting."""
    return _found(session.execute(_LET_GO_ONE, {"waiting": waiting_id, "state": state}).all())


def take_over(session: Session, hold_id: int, booking_id: int) -> int:
    """Make a hold's claims those of a booking; how many there were.

    The same rows stay, so there is no moment in which the time is nobody's. The hold goes, and with it the
    place in the line.
    """
    claimed = session.execute(
        text(
            "UPDATE occupancy SET kind = 'booking', booking_id = :booking, hold_id = NULL "
            "WHERE hold_id = :hold RETURNING id"
        ),
        {"hold": hold_id, "booking": booking_id},
    ).all()
    session.execute(
        text(
            "WITH gone AS (DELETE FROM hold WHERE id = :hold RETURNING waiting_id) "
            "UPDATE waiting SET state = 'accepted', booking_id = :booking "
            "FROM gone WHERE waiting.id = gone.waiting_id"
        ),
        {"hold": hold_id, "booking": booking_id},
    )
    return len(claimed)


def freed_by(gone: Collection[LetGo], now: datetime) -> list[tuple[int, Span]]:
    """What came free by them and is still of use."""
    return [(machine, span) for each in gone for machine, span in each.freed if span.ends_at > now]


def expiry(now: datetime, starts_at: datetime, hold_minutes: int) -> datetime:
    """Until when a span is kept: so many minutes, less when it begins before, but never less than one."""
    least = now + timedelta(minutes=1)
    return max(min(now + timedelta(minutes=hold_minutes), starts_at), least)


def _found(rows: Sequence[object]) -> list[LetGo]:
    found: dict[int, LetGo] = {}
    for row in rows:
        values = row._mapping  # type: ignore[attr-defined]
        one = found.get(values["waiting_id"])
        freed = () if one is None else one.freed
        if values["claimed_machine_id"] is not None:
            claimed = Span(values["claim_starts"], values["claim_ends"])
            freed = (*freed, (values["claimed_machine_id"], claimed))
        found[values["waiting_id"]] = LetGo(
            values["waiting_id"],
            values["member_id"],
            values["machine_id"],
            Span(values["starts_at"], values["ends_at"]),
            freed,
        )
    return list(found.values())


def _tell(session: Session, gone: Collection[LetGo], now: datetime) -> None:
    for each in gone:
        letters.send(
            session,
            [each.member_id],
            "waiting_lapsed",
            now,
            machine_id=each.machine_id,
            span=(each.span.starts_at, each.span.ends_at),
        )
