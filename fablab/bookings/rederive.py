"""Bookings keep their wall time: what is done when new data about time zones put it at another instant.

A decree moves a country's clocks at short notice, and the zone data follow. Who booked Thursday 18:00 comes
on Thursday at 18:00, so the instants that were stored are derived anew from the wall times beside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, bindparam, select, text
from sqlalchemy.orm import Session

from fablab.bookings import letters
from fablab.bookings.astray import astray
from fablab.bookings.changes import CLOCK, Turned, note, tell_viewers
from fablab.bookings.claims import claims_of_each, give_back, lock_units
from fablab.bookings.facts import Policy
from fablab.bookings.freed import freed
from fablab.bookings.gathering import lock_bookings
from fablab.bookings.holds import drop_expired
from fablab.bookings.models import BookingChange
from fablab.bookings.rederive_plan import Claimed, Mover, who_stays
from fablab.machines.models import Lab
from fablab.machines.rules import Span
from fablab.members import audit
from fablab.members.models import Role

MOVED = "The clock is moved otherwise than was known: the wall time is the same."
STAYS = "The clock is moved otherwise than was known, and the machine is taken at that wall time: not moved."
# Plain bookings may come between; then all is looked at again, so many times.
_ATTEMPTS = 5
# Longer than anybody sets up or cleans up.
_MARGIN = timedelta(days=1)
_AT = DateTime(timezone=True)

_CLAIMED = text(
    "SELECT booking_id, unit_id, starts_at, ends_at FROM occupancy WHERE booking_id = ANY(:ids) ORDER BY id"
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))
_TAKE = text(
    """
    INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, booking_id)
    SELECT lab_id, unit_id, starts_at, ends_at, 'booking', booking_id
    FROM unnest(:labs, :units, :starts, :ends, :ids)
         AS wanted(lab_id, unit_id, starts_at, ends_at, booking_id)
    ORDER BY unit_id, starts_at
    ON CONFLICT DO NOTHING
    RETURNING booking_id
    """
).bindparams(
    bindparam("labs", type_=ARRAY(Integer)),
    bindparam("units", type_=ARRAY(BigInteger)),
    bindparam("starts", type_=ARRAY(_AT)),
    bindparam("ends", type_=ARRAY(_AT)),
    bindparam("ids", type_=ARRAY(BigInteger)),
)
_MOVE = text(
    """
    UPDATE booking SET starts_at = moved.starts_at, ends_at = moved.ends_at, version = version + 1,
                       reminded_at = NULL
    FROM unnest(:ids, :starts, :ends) AS moved(id, starts_at, ends_at)
    WHERE booking.id = moved.id
    """
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("starts", type_=ARRAY(_AT)),
    bindparam("ends", type_=ARRAY(_AT)),
)


@dataclass(frozen=True)
class Report:
    """Numbers of bookings: those that ``moved``; those that ``stay``, because their new time is taken; and
    those of them that were told of for the first time."""

    moved: tuple[int, ...] = ()
    stay: tuple[int, ...] = ()
    newly: tuple[int, ...] = ()


def rederive(session: Session, now: datetime, policy: Policy | None) -> Report:
    """Move every coming booking, with its claims, to where its wall time is by now.

    1. find what is astray, lock it and the units it claims;
    2. see what can move: others' claims are in the way of some, and those that stay in the way of more;
    3. move the rest at once, so that none stands in another's way;
    4. write down each one's change and tell viewers; give on what came free;
    5. tell the labs' managers, and the audit, how many moved and which stay; of what stays only once.

    A second run changes nothing. The number of statements grows with the labs that are concerned, not with
    the bookings.
    """
    found = astray(session, now)
    if not found:
        return Report()
    lock_bookings(session, [each.id for each in found])
    lock_units(session, {each.machine_id for each in found})
    # Somebody may have cancelled or moved one while this waited.
    movers = _with_claims(session, astray(session, now))
    _drop_expired_holds(session, movers, now)
    for _ in range(_ATTEMPTS):
        staying = who_stays(movers, _blocked(session, movers, now))
        moving = [each for each in movers if each.group not in staying]
        if _move(session, moving):
            break
    else:
        # Bookings kept coming between. The next run finds all of it again.
        return Report()
    gone = {each.id for each in moving}
    stay = [each for each in movers if each.id not in gone]
    _write_down(session, moving, now)
    newly = _write_down_stays(session, stay, now)
    freed(session, [(each.machine_id, claim.span) for each in moving for claim in each.claimed], now, policy)
    _report(session, moving, newly, now)
    return Report(tuple(sorted(gone)), tuple(each.id for each in stay), tuple(each.id for each in newly))


def _with_claims(session: Session, movers: Sequence[Mover]) -> list[Mover]:
    claims: dict[int, list[Claimed]] = defaultdict(list)
    for booking_id, unit_id, *span in session.execute(_CLAIMED, {"ids": [each.id for each in movers]}):
        claims[booking_id].append(Claimed(unit_id, Span(*span)))
    return [replace(each, claimed=tuple(claims[each.id])) for each in movers]


def _drop_expired_holds(session: Session, movers: Sequence[Mover], now: datetime) -> None:
    """What was held too long is in nobody's way, but its rows are."""
    units = {claim.unit_id for each in movers for claim in each.claimed}
    if units:
        first, last = min(each.new for each in movers), max(each.new.ends_at for each in movers)
        drop_expired(session, sorted(units), first.starts_at - _MARGIN, last + _MARGIN, now)


def _blocked(session: Session, movers: Sequence[Mover], now: datetime) -> set[int]:
    """The groups that others' claims are in the way of. One statement."""
    wanted = [(each, claim) for each in movers for claim in each.claimed]
    found = claims_of_each(
        session,
        [([claim.unit_id], each.at(claim)) for each, claim in wanted],
        now,
        but=[each.id for each in movers],
    )
    return {each.group for (each, _), clashing in zip(wanted, found, strict=True) if clashing}


def _move(session: Session, movers: Sequence[Mover]) -> bool:
    """Give back all claims and take them at their new time; False, and nothing done, where one is lost."""
    if not movers:
        return True
    ids = [each.id for each in movers]
    claims = [(each, claim.unit_id, each.at(claim)) for each in movers for claim in each.claimed]
    nested = session.begin_nested()
    give_back(session, ids)
    taken = session.execute(
        _TAKE,
        {
            "labs": [each.lab_id for each, _, _ in claims],
            "units": [unit_id for _, unit_id, _ in claims],
            "starts": [span.starts_at for *_, span in claims],
            "ends": [span.ends_at for *_, span in claims],
            "ids": [each.id for each, _, _ in claims],
        },
    ).all()
    if len(taken) < len(claims):
        nested.rollback()
        return False
    starts, ends = [each.new.starts_at for each in movers], [each.new.ends_at for each in movers]
    session.execute(_MOVE, {"ids": ids, "starts": starts, "ends": ends})
    nested.commit()
    return True


def _write_down(session: Session, moved: Sequence[Mover], now: datetime) -> None:
    changes = [
        {
            "booking_id": each.id,
            "from_state": each.state,
            "to_state": each.state,
            "from_starts_at": each.old.starts_at,
            "from_ends_at": each.old.ends_at,
            "to_starts_at": each.new.starts_at,
            "to_ends_at": each.new.ends_at,
        }
        for each in moved
    ]
    note(session, changes, now, CLOCK, MOVED)
    tell_viewers(session, [Turned(each.id, each.machine_id, each.lab_id) for each in moved])


def _write_down_stays(session: Session, stay: Sequence[Mover], now: datetime) -> list[Mover]:
    """Write it into the history of those where it does not stand yet; these."""
    if not stay:
        return []
    known = set(
        session.scalars(
            select(BookingChange.booking_id).where(
                BookingChange.booking_id.in_([each.id for each in stay]), BookingChange.reason == STAYS
            )
        )
    )
    newly = [each for each in stay if each.id not in known]
    rows = [{"booking_id": each.id, "from_state": each.state, "to_state": each.state} for each in newly]
    note(session, rows, now, CLOCK, STAYS)
    return newly


def _report(session: Session, moved: Sequence[Mover], newly: Sequence[Mover], now: datetime) -> None:
    """Tell each lab's managers and the audit."""
    lab_ids = {each.lab_id for each in (*moved, *newly)}
    if not lab_ids:
        return
    rows = session.execute(
        select(Lab.id, Lab.slug, Role.member_id)
        .outerjoin(Role, (Role.lab_id == Lab.id) & (Role.role == "manager"))
        .where(Lab.id.in_(lab_ids))
        .order_by(Lab.id)
    )
    slugs: dict[int, str] = {}
    managers: dict[int, set[int]] = defaultdict(set)
    for row in rows:
        slugs[row.id] = row.slug
        if row.member_id is not None:
            managers[row.id].add(row.member_id)
    for lab_id, slug in slugs.items():
        count = sum(each.lab_id == lab_id for each in moved)
        stay = [each for each in newly if each.lab_id == lab_id]
        letters.send(
            session,
            managers[lab_id],
            "clock_changed",
            now,
            machine_id=next(each.machine_id for each in (*stay, *moved) if each.lab_id == lab_id),
            link=f"/labs/{slug}",
            moved=str(count),
            stay=str(len(stay)),
        )
        numbers = ", ".join(str(each.id) for each in stay)
        detail = f"{count} moved, {len(stay)} not{': bookings ' + numbers if stay else ''}"
        audit.record(session, None, "booking.rederive", f"lab {lab_id}", now, detail, lab_id=lab_id)
