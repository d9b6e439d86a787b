"""Bookings from a file, each made by the same verb as any other."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, BigInteger, CollectionAggregate, String, any_, func, literal, select, update
from sqlalchemy.orm import Session

from fablab.bookings.claims import lock_units
from fablab.bookings.facts import HEADS_MOST, BookingRequest, Guest, Policy
from fablab.bookings.models import PURPOSE_MAX, Booking
from fablab.bookings.models_notices import Notice
from fablab.bookings.rule_facts import lock_members
from fablab.bookings.rules import HOLDING_STATES
from fablab.bookings.service import create_booking
from fablab.errors import Refusal, refused
from fablab.imports.reading import Line
from fablab.imports.rules import Column, Unreadable, a_moment, a_number, a_slug, a_text
from fablab.machines.models import Lab, Machine
from fablab.members.models import Member
from fablab.members.rules import Actor
from fablab.organisations.models import Organisation
from fablab.organisations.service import lock_quotas

LISTED_MOST = 60


def _guests(cell: str) -> tuple[Guest, ...]:
    """Names or addresses with | between them."""
    found = [each.strip() for each in re.split(r"[|\n]", cell) if each.strip()]
    if len(found) > LISTED_MOST or any(len(each) > 120 or not each.isprintable() for each in found):
        raise Unreadable(f"At most {LISTED_MOST} names or addresses, with | between them.")
    return tuple(Guest(email=each) if "@" in each else Guest(name=each) for each in found)


class BookingsImport:
    """A member's booking of the machine that starts at this time already stays as it is."""

    key = "machine, member and starts_at"
    columns: Mapping[str, Column] = {
        each.name: each
        for each in (
            Column("machine", "The machine's slug.", a_slug, needed=True),
            Column(
                "starts_at",
                "When it starts, on the lab's clock: 2027-01-31 10:00 or 31/01/2027 10:00.",
                a_moment,
                needed=True,
                also=("start", "from", "debut", "starts"),
            ),
            Column(
                "ends_at",
                "When it ends, on the lab's clock: 2027-01-31 12:00 or 31/01/2027 12:00.",
                a_moment,
                needed=True,
                also=("end", "to", "fin", "ends"),
            ),
            Column(
                "member",
                "The e-mail address of whom it is for.",
                a_text(254),
                needed=True,
                also=("email", "e-mail", "for_member", "membre", "courriel"),
            ),
            Column("purpose", "What it is for.", a_text(PURPOSE_MAX), empty="", also=("objet", "motif")),
            Column("organisation", "In whose name: its slug.", a_slug, also=("organization",)),
            Column(
                "people",
                "How many come, the member included.",
                a_number(1, HEADS_MOST),
                also=("head_count", "personnes"),
            ),
            Column(
                "participants",
                "Who comes along: names or addresses with | between them.",
                _guests,
                empty=(),
            ),
        )
    }
    fields: Mapping[str, str] = {"for_member": "member", "head_count": "people"}

    def __init__(self, actor: Actor, now: datetime, policy: Policy, *, override: bool) -> None:
        self._actor, self._now, self._policy, self._override = actor, now, policy, override
        self._machines: dict[str, tuple[int, str]] = {}
        self._members: dict[str, int] = {}
        self._made: list[int] = []

    def key_of(self, values: Mapping[str, Any]) -> Hashable:
        return values["machine"], values["member"].casefold(), values["starts_at"]

    def prepare(self, session: Session, lines: Iterable[Line]) -> None:
        """Look up whom and what the lines name, and hold it in the order in which everybody does.

        Members, organisations, units: whoever books one of these machines at the same time holds nothing that
        we wait for.
        """
        machines, members, organisations = set(), set(), set()
        for line in lines:
            if not line.problems:
                machines.add(line.values["machine"])
                members.add(line.values["member"].lower())
                organisations.add(line.values["organisation"] or "")
        self._machines = {
            slug: (machine_id, zone)
            for slug, machine_id, zone in session.execute(
                select(Machine.slug, Machine.id, Lab.zone)
                .join(Lab, Lab.id == Machine.lab_id)
                .where(Machine.slug == _any_of(sorted(machines)))
            )
        }
        known = session.execute(
            select(func.lower(Member.email).label("email"), Member.id).where(
                func.lower(Member.email) == _any_of(sorted(members))
            )
        )
        self._members = {row.email: row.id for row in known}
        lock_members(session, sorted(self._members.values()))
        for organisation_id in session.scalars(
            select(Organisation.id)
            .where(Organisation.slug == _any_of(sorted(organisations)))
            .order_by(Organisation.id)
        ).all():
            lock_quotas(session, organisation_id)
        lock_units(session, [machine_id for machine_id, _ in self._machines.values()])

    def take(self, session: Session, values: Mapping[str, Any]) -> bool:
        machine_id, zone = self._machines.get(values["machine"], (0, "UTC"))
        request = BookingRequest(
            machine=values["machine"],
            starts_at=_instant(values["starts_at"], zone, "starts_at"),
            ends_at=_instant(values["ends_at"], zone, "ends_at"),
            purpose=values["purpose"],
            for_member=values["member"],
            organisation=values["organisation"],
            participants=values["participants"],
            head_count=values["people"],
        )
        if self._there(session, machine_id, request):
            return False
        # Nobody overrides the past: nobody could come to such a booking any more.
        override = self._override and request.ends_at > self._now
        made = create_booking(session, self._actor, request, self._now, self._policy, override=override)
        self._made.append(made.id)
        return True

    def finish(self, session: Session) -> None:
        """Who has several bookings in the file gets one mail about them."""
        session.execute(
            update(Notice)
            .where(Notice.booking_id == any_(literal(self._made, ARRAY(BigInteger))))
            .values(batch=uuid4())
            .execution_options(synchronize_session=False)
        )
        self._made = []

    def _there(self, session: Session, machine_id: int, request: BookingRequest) -> bool:
        member_id = self._members.get((request.for_member or "").lower(), 0)
        found = session.scalar(
            select(Booking.id).where(
                Booking.member_id == member_id,
                Booking.starts_at == request.starts_at,
                Booking.machine_id == machine_id,
                Booking.state.in_(HOLDING_STATES),
            )
        )
        return found is not None


def _any_of(texts: Sequence[str]) -> CollectionAggregate[Any]:
    """One array, however many there are: a list of arguments has an end."""
    return any_(literal(texts, ARRAY(String)))


def _instant(said: datetime, zone: str, column: str) -> datetime:
    """The instant of what was written; wall time is the lab's. Of an hour that comes twice, the first."""
    if said.tzinfo is not None:
        return said.astimezone(UTC)
    wall = said.replace(tzinfo=ZoneInfo(zone))
    found = wall.astimezone(UTC)
    if found.astimezone(wall.tzinfo).replace(tzinfo=None) != said:
        text = f"The lab's clocks skip {said:%Y-%m-%d %H:%M}. Choose an hour earlier or later."
        raise refused(Refusal("unreadable_cell", column, text))
    return found
