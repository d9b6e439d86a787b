"""Reads about bookings that change hands. Each is one statement and returns plain records."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from fablab.bookings.models import Booking
from fablab.bookings.models_claims import Handover
from fablab.bookings.rules_handover import handable
from fablab.machines.models import Lab, Machine
from fablab.members.models import Member


@dataclass(frozen=True)
class Side:
    """One of the bookings an offer is about, as it is today; ``stale``: not what it was when offered."""

    booking_id: int
    member_id: int
    member_name: str
    machine_id: int
    machine_slug: str
    machine_name: str
    lab_id: int
    lab_slug: str
    lab_names: dict[str, str]
    zone: str
    starts_at: datetime
    ends_at: datetime
    state: str
    stale: bool


@dataclass(frozen=True)
class HandoverView:
    """An offer of ``own`` for nothing, or for ``back``. ``to_email`` is as it was written, or empty."""

    id: int
    own: Side
    back: Side | None
    from_member_id: int
    from_member_name: str
    to_email: str
    to_member_id: int | None
    note: str
    state: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None

    @property
    def stale(self) -> bool:
        return self.own.stale or (self.back is not None and self.back.stale)

    def state_at(self, now: datetime) -> str:
        """Its state as people see it: one whose bookings changed, or whose time is over, has run out."""
        sides = [self.own, *([self.back] if self.back else [])]
        void = self.stale or self.expires_at <= now
        void = void or not all(handable(each.state, each.starts_at, now) for each in sides)
        return "expired" if self.state == "offered" and void else self.state


def handover(session: Session, handover_id: int) -> HandoverView | None:
    row = session.execute(_handovers().where(Handover.id == handover_id)).one_or_none()
    return None if row is None else _view(row)


def handovers_of(
    session: Session,
    member_id: int,
    *,
    state: str | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[HandoverView]:
    """Offers the member made or got, the newest first; ``before`` is the last id read."""
    query = _handovers().where(or_(Handover.from_member_id == member_id, Handover.to_member_id == member_id))
    if state is not None:
        query = query.where(Handover.state == state)
    if before is not None:
        query = query.where(Handover.id < before)
    return [_view(row) for row in session.execute(query.order_by(Handover.id.desc()).limit(limit))]


def open_for_bookings(session: Session, booking_ids: Collection[int]) -> list[HandoverView]:
    """Open offers that any of these bookings is offered in."""
    query = _handovers().where(Handover.booking_id.in_(tuple(booking_ids)), Handover.state == "offered")
    return [_view(row) for row in session.execute(query.order_by(Handover.id))]


def offers_since(session: Session, member_id: int, since: datetime) -> int:
    """How many offers a member has made since then."""
    return (
        session.scalar(
            select(func.count()).where(Handover.from_member_id == member_id, Handover.created_at > since)
        )
        or 0
    )


def booked_then(session: Session, machine_id: int, at: datetime) -> list[int]:
    """The bookings whose time on the machine it is at that moment; one for each of its units at most."""
    return list(
        session.scalars(
            select(Booking.id)
            .where(
                Booking.machine_id == machine_id,
                Booking.state == "confirmed",
                Booking.starts_at <= at,
                Booking.ends_at > at,
            )
            .order_by(Booking.id)
        )
    )


_own, _back = aliased(Booking, name="own"), aliased(Booking, name="back")
_own_machine, _back_machine = aliased(Machine, name="own_machine"), aliased(Machine, name="back_machine")
_own_lab, _back_lab = aliased(Lab, name="own_lab"), aliased(Lab, name="back_lab")
_own_member, _back_member = aliased(Member, name="own_member"), aliased(Member, name="back_member")
_from = aliased(Member, name="from_member")


def _handovers() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Handover,
            _from.name.label("from_name"),
            *_columns("own", _own, _own_machine, _own_lab, _own_member),
            *_columns("back", _back, _back_machine, _back_lab, _back_member),
        )
        .join(_from, _from.id == Handover.from_member_id)
        .join(_own, _own.id == Handover.booking_id)
        .join(_own_machine, _own_machine.id == _own.machine_id)
        .join(_own_lab, _own_lab.id == _own.lab_id)
        .join(_own_member, _own_member.id == _own.member_id)
        .outerjoin(_back, _back.id == Handover.for_booking_id)
        .outerjoin(_back_machine, _back_machine.id == _back.machine_id)
        .outerjoin(_back_lab, _back_lab.id == _back.lab_id)
        .outerjoin(_back_member, _back_member.id == _back.member_id)
        .execution_options(populate_existing=True)
    )


def _columns(side: str, booking: Any, machine: Any, lab: Any, member: Any) -> Iterable[Any]:
    named = {
        "id": booking.id,
        "member_id": booking.member_id,
        "member_name": member.name,
        "machine_id": machine.id,
        "machine_slug": machine.slug,
        "machine_name": machine.name,
        "lab_id": lab.id,
        "lab_slug": lab.slug,
        "fr": lab.name_fr,
        "ar": lab.name_ar,
        "en": lab.name_en,
        "zone": booking.zone,
        "starts_at": booking.starts_at,
        "ends_at": booking.ends_at,
        "state": booking.state,
        "version": booking.version,
    }
    return [column.label(f"{side}_{name}") for name, column in named.items()]


def _view(row: Any) -> HandoverView:
    offer: Handover = row[0]
    values = row._mapping
    return HandoverView(
        offer.id,
        _side(values, "own", offer.version),
        None if offer.for_booking_id is None else _side(values, "back", offer.for_version),
        offer.from_member_id,
        values["from_name"],
        offer.to_email,
        offer.to_member_id,
        offer.note,
        offer.state,
        offer.created_at,
        offer.expires_at,
        offer.decided_at,
    )


def _side(values: Any, side: str, version: int | None) -> Side:
    def value(name: str) -> Any:
        return values[f"{side}_{name}"]

    return Side(
        value("id"),
        value("member_id"),
        value("member_name"),
        value("machine_id"),
        value("machine_slug"),
        value("machine_name"),
        value("lab_id"),
        value("lab_slug"),
        {"fr": value("fr"), "ar": value("ar"), "en": value("en")},
        value("zone"),
        value("starts_at"),
        value("ends_at"),
        value("state"),
        value("version") != version,
    )
