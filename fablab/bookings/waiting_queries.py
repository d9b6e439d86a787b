"""Reads about waiting lists. Each is one statement and returns plain records."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Select, bindparam, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from fablab.bookings.models_claims import Hold, Waiting
from fablab.bookings.rules_waiting import IN_LINE, Wanted, key_hash
from fablab.machines.models import Kind, Lab, Machine
from fablab.machines.rules import Span


@dataclass(frozen=True)
class HoldView:
    """What is kept for one who waits, and until when. Whether that is over is for whoever knows the time."""

    id: int
    machine_id: int
    machine_slug: str
    machine_name: str
    lab_slug: str
    lab_names: dict[str, str]
    zone: str
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class WaitingView:
    """One who waits. ``machine_*`` or ``kind_*`` is what for; ``lab_*`` None: in any lab.

    ``ahead`` is how many came before who wait for some of the same.
    """

    id: int
    member_id: int
    wanted: Wanted
    machine_slug: str | None
    machine_name: str | None
    kind_slug: str
    kind_names: dict[str, str]
    lab_slug: str | None
    lab_names: dict[str, str] | None
    zone: str
    state: str
    created_at: datetime
    booking_id: int | None
    ahead: int
    hold: HoldView | None

    def held(self, now: datetime) -> HoldView | None:
        """What is kept for them at this moment."""
        return self.hold if self.hold is not None and self.hold.expires_at > now else None


@dataclass(frozen=True)
class Candidate:
    """One in line who could use what came free on a machine."""

    waiting_id: int
    since: datetime
    member_id: int
    machine_id: int
    wanted: Wanted

    @property
    def place(self) -> tuple[datetime, int]:
        """Who has the smaller one came first."""
        return self.since, self.waiting_id


def waitings_of(
    session: Session,
    member_id: int,
    *,
    states: Collection[str] = IN_LINE,
    before: int | None = None,
    limit: int | None = None,
) -> list[WaitingView]:
    """A member's lines, the newest first; ``before`` is the last id read."""
    query = _waitings().where(Waiting.member_id == member_id, Waiting.state.in_(tuple(states)))
    if before is not None:
        query = query.where(Waiting.id < before)
    return [_view(row) for row in session.execute(query.order_by(Waiting.id.desc()).limit(limit))]


def waiting_by_id(session: Session, waiting_id: int) -> WaitingView | None:
    row = session.execute(_waitings().where(Waiting.id == waiting_id)).one_or_none()
    return None if row is None else _view(row)


def waiting_by_key(session: Session, key: str) -> WaitingView | None:
    """Whose hold this secret of a mail is about."""
    row = session.execute(_waitings().where(Hold.key_hash == key_hash(key))).one_or_none()
    return None if row is None else _view(row)


def standing_lines(session: Session, member_id: int) -> list[Wanted]:
    """What a member waits for at present."""
    rows = session.execute(
        select(
            Waiting.machine_id,
            Waiting.kind_id,
            Waiting.lab_id,
            Waiting.duration_s,
            Waiting.after,
            Waiting.before,
        ).where(Waiting.member_id == member_id, Waiting.state.in_(IN_LINE))
    )
    return [Wanted(*row) for row in rows]


_AT = DateTime(timezone=True)

# What came free serves a machine itself, and every machine that runs only together with it.
_AWAITED = text(
    """
    WITH RECURSIVE freed AS (
        SELECT * FROM unnest(CAST(:machines AS bigint[]), CAST(:starts AS timestamptz[]),
                             CAST(:ends AS timestamptz[])) AS freed(machine_id, starts_at, ends_at)
    ), touched AS (
        SELECT machine_id, starts_at, ends_at FROM freed
        UNION
        SELECT need.machine_id, touched.starts_at, touched.ends_at
        FROM touched JOIN machine_need AS need ON need.needs_id = touched.machine_id
    )
    SELECT machine.id, touched.starts_at, touched.ends_at, longest.duration_s
    FROM touched
    JOIN machine ON machine.id = touched.machine_id AND machine.active AND machine.bookable
    CROSS JOIN LATERAL (
        SELECT max(duration_s) AS duration_s FROM (
            SELECT duration_s FROM waiting
            WHERE state = 'waiting' AND machine_id = machine.id AND before > :now
            UNION ALL
            SELECT duration_s FROM waiting
            WHERE state = 'waiting' AND kind_id = machine.kind_id AND before > :now
              AND (lab_id IS NULL OR lab_id = machine.lab_id)
        ) AS own
    ) AS longest
    WHERE longest.duration_s IS NOT NULL
    ORDER BY machine.id, touched.starts_at
    """
).bindparams(bindparam("now", type_=_AT))

_LINE = text(
    """
    SELECT waiting.id, waiting.created_at, waiting.member_id, machine.id AS machine_id,
           waiting.machine_id AS wanted_machine_id, waiting.kind_id, waiting.lab_id,
           waiting.duration_s, waiting.after, waiting.before
    FROM unnest(CAST(:machines AS bigint[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
         AS gap(machine_id, starts_at, ends_at)
    JOIN machine ON machine.id = gap.machine_id
    JOIN waiting ON waiting.state = 'waiting'
     AND (waiting.machine_id = machine.id OR waiting.kind_id = machine.kind_id)
     AND (waiting.lab_id IS NULL OR waiting.lab_id = machine.lab_id)
     AND least(waiting.before, gap.ends_at) - greatest(waiting.after, gap.starts_at)
         >= make_interval(secs => waiting.duration_s)
    WHERE (waiting.created_at, waiting.id) > (:after_at, :after_id)
    GROUP BY waiting.id, machine.id
    ORDER BY waiting.created_at, waiting.id, machine.id
    LIMIT :most
    """
).bindparams(bindparam("after_at", type_=_AT))


@dataclass(frozen=True)
class Awaited:
    """Time that came free on a machine somebody waits for, and the longest time any of them wants."""

    machine_id: int
    freed: Span
    longest_s: int


def awaited(session: Session, freed: Sequence[tuple[int, Span]], now: datetime) -> list[Awaited]:
    """Which of this time anybody may wait for, on which bookable machines."""
    rows = session.execute(_AWAITED, {**_arrays(freed), "now": now})
    return [Awaited(row.id, Span(row.starts_at, row.ends_at), row.duration_s) for row in rows]


def in_line(
    session: Session, gaps: Sequence[tuple[int, Span]], most: int, after: tuple[datetime, int]
) -> list[Candidate]:
    """Who waits for something that could lie in these gaps of machines, in the order in which they came.

    ``after`` is (created_at, id) of the last one read, ``most`` rows at most.
    """
    rows = session.execute(_LINE, {**_arrays(gaps), "most": most, "after_at": after[0], "after_id": after[1]})
    return [
        Candidate(
            row.id,
            row.created_at,
            row.member_id,
            row.machine_id,
            Wanted(row.wanted_machine_id, row.kind_id, row.lab_id, row.duration_s, row.after, row.before),
        )
        for row in rows
    ]


def _arrays(spans: Sequence[tuple[int, Span]]) -> dict[str, list[Any]]:
    return {
        "machines": [machine_id for machine_id, _ in spans],
        "starts": [span.starts_at for _, span in spans],
        "ends": [span.ends_at for _, span in spans],
    }


_held_machine, _held_lab = aliased(Machine, name="held_machine"), aliased(Lab, name="held_lab")
_own_lab = aliased(Lab, name="own_lab")
_other = aliased(Waiting, name="other")


def _waitings() -> Select[*tuple[Any, ...]]:
    ahead = (
        select(func.count())
        .where(
            _other.state == "waiting",
            _other.created_at < Waiting.created_at,
            _other.machine_id.is_not_distinct_from(Waiting.machine_id),
            _other.kind_id.is_not_distinct_from(Waiting.kind_id),
            or_(_other.lab_id.is_(None), Waiting.lab_id.is_(None), _other.lab_id == Waiting.lab_id),
            _other.after < Waiting.before,
            _other.before > Waiting.after,
        )
        .correlate(Waiting)
        .scalar_subquery()
    )
    return (
        select(Waiting, Hold, Machine, Kind, Lab, _own_lab, _held_machine, _held_lab, ahead.label("ahead"))
        .outerjoin(Machine, Machine.id == Waiting.machine_id)
        .join(Kind, Kind.id == func.coalesce(Waiting.kind_id, Machine.kind_id))
        .outerjoin(Lab, Lab.id == Waiting.lab_id)
        .outerjoin(_own_lab, _own_lab.id == Machine.lab_id)
        .outerjoin(Hold, Hold.waiting_id == Waiting.id)
        .outerjoin(_held_machine, _held_machine.id == Hold.machine_id)
        .outerjoin(_held_lab, _held_lab.id == _held_machine.lab_id)
        .execution_options(populate_existing=True)
    )


def _view(row: Any) -> WaitingView:
    waiting, hold, machine, kind, lab, own_lab, held_machine, held_lab, ahead = row
    place = own_lab or lab
    return WaitingView(
        id=waiting.id,
        member_id=waiting.member_id,
        wanted=Wanted(
            waiting.machine_id,
            waiting.kind_id,
            waiting.lab_id,
            waiting.duration_s,
            waiting.after,
            waiting.before,
        ),
        machine_slug=machine.slug if machine else None,
        machine_name=machine.name if machine else None,
        kind_slug=kind.slug,
        kind_names=_names(kind),
        lab_slug=place.slug if place else None,
        lab_names=_names(place) if place else None,
        zone=place.zone if place else DEFAULT_ZONE,
        state=waiting.state,
        created_at=waiting.created_at,
        booking_id=waiting.booking_id,
        ahead=ahead,
        hold=None
        if hold is None
        else HoldView(
            hold.id,
            held_machine.id,
            held_machine.slug,
            held_machine.name,
            held_lab.slug,
            _names(held_lab),
            held_lab.zone,
            hold.starts_at,
            hold.ends_at,
            hold.expires_at,
        ),
    )


def _names(row: Any) -> dict[str, str]:
    return {"fr": row.name_fr, "ar": row.name_ar, "en": row.name_en}


# Whose clock a window is shown by that is about no lab in particular: the network is Moroccan.
DEFAULT_ZONE = "Africa/Casablanca"
