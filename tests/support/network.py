"""A small network for tests of figures: one lab, machines, and facts put straight into the tables."""

from __future__ import annotations

import uuid
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

import fablab.models  # noqa: F401  (every table must be known before the first insert)
from fablab.bookings.models import Booking, Occupancy
from fablab.machines.models import Kind, Lab, Machine, Opening, Region, Unit
from fablab.members.models import Member
from fablab.usage.models import Job, UsageSession
from tests.support.claims import claim_outage

ZONE = "Africa/Casablanca"


def named(slug: str) -> dict[str, str]:
    return {"slug": slug, "name_fr": slug, "name_ar": slug, "name_en": slug}


class Network:
    """Builds rows in one session; every method flushes, none commits."""

    def __init__(self, session: Session, at: datetime) -> None:
        self.session = session
        self.at = at
        self.kind = self._add(Kind(**named("3d-printer")))
        self.region = self._add(Region(**named("tanger-tetouan-al-hoceima")))
        self.member = self._add(Member(email="amina@example.org", name="Amina", created_at=at))

    def lab(self, slug: str = "tanger", opens: time = time(9), closes: time = time(18), **more: Any) -> Lab:
        more = {"region_id": self.region.id, "zone": ZONE, **more}
        lab = self._add(Lab(**named(slug), **more))
        for weekday in range(7):
            self._add(Opening(lab_id=lab.id, weekday=weekday, opens=opens, closes=closes))
        return lab

    def machine(self, lab: Lab, slug: str = "tanger-laser-1", units: int = 1, **more: Any) -> Machine:
        more = {"kind_id": self.kind.id, "unattended": False, **more}
        machine = self._add(Machine(slug=slug, name=slug, lab_id=lab.id, **more))
        for number in range(1, units + 1):
            self._add(Unit(machine_id=machine.id, number=number))
        self.session.refresh(machine)
        return machine

    def booking(
        self, machine: Machine, starts_at: datetime, ends_at: datetime, state: str = "confirmed"
    ) -> Booking:
        zone = ZoneInfo(machine.lab.zone)
        return self._add(
            Booking(
                machine_id=machine.id,
                lab_id=machine.lab_id,
                member_id=self.member.id,
                created_by_id=self.member.id,
                starts_at=starts_at,
                ends_at=ends_at,
                zone=machine.lab.zone,
                local_starts=starts_at.astimezone(zone).replace(tzinfo=None),
                local_ends=ends_at.astimezone(zone).replace(tzinfo=None),
                state=state,
                created_at=self.at,
            )
        )

    def usage(
        self, machine: Machine, started_at: datetime, ended_at: datetime | None, **more: Any
    ) -> UsageSession:
        return self._add(
            UsageSession(
                machine_id=machine.id,
                lab_id=machine.lab_id,
                started_at=started_at,
                ended_at=ended_at,
                counted_at=ended_at or started_at,
                **more,
            )
        )

    def job(self, machine: Machine, started_at: datetime, ended_at: datetime, outcome: str) -> Job:
        return self._add(
            Job(
                id=uuid.uuid4(),
                machine_id=machine.id,
                lab_id=machine.lab_id,
                started_at=started_at,
                ended_at=ended_at,
                outcome=outcome,
            )
        )

    def outage(self, machine: Machine, starts_at: datetime, ends_at: datetime, unit: int = 1) -> Occupancy:
        return claim_outage(self.session, machine.units[unit - 1].id, starts_at, ends_at)

    def _add(self, row: Any) -> Any:
        self.session.add(row)
        self.session.flush()
        return row
