"""What staff of the sample's labs have laid down, and what its people wait for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import insert, literal, select, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange, Occupancy
from fablab.bookings.models_claims import Waiting
from fablab.bookings.models_rules import RuleRow
from fablab.bookings.models_series import Preset
from fablab.machines.holidays_known import public_holidays, ramadans
from fablab.machines.models import Closure, Kind, Lab, Machine, Need, Season, Unit
from fablab.machines.proposals import propose_holidays, propose_ramadan
from fablab.sample.network import ZONE

# Draws the smoke of both of Rabat's lasers: one place for each, and when it stands still, so do they.
EXTRACTOR = "rabat-extracteur"
DRAWN = ("rabat-laser-1", "rabat-laser-2")
# Somebody must say yes first.
ASKED = "casablanca-laser-2"
YEAR = timedelta(days=366)
HOUR = timedelta(hours=1)


def add_hours(session: Session, now: datetime) -> None:
    """The next Ramadan and a year's holidays are proposed; Tanger has confirmed its hours and takes stock."""
    today = now.astimezone(ZoneInfo(ZONE)).date()
    for found in ramadans(today, today + YEAR)[:1]:
        propose_ramadan(session, found)
    holidays = public_holidays("MA", "fr", today, today + YEAR)
    propose_holidays(session, "MA", holidays, today, today + YEAR)
    tanger = session.scalars(select(Lab.id).where(Lab.slug == "tanger")).one()
    session.execute(update(Season).where(Season.lab_id == tanger).values(state="confirmed"))
    day = today + timedelta(days=18 - today.weekday() if today.weekday() < 5 else 25 - today.weekday())
    session.add(
        Closure(
            lab_id=tanger,
            label="Inventaire",
            local_starts=datetime.combine(day, time(9)),
            local_ends=datetime.combine(day, time(13)),
        )
    )
    session.flush()


def add_arrangements(
    session: Session, member_ids: Mapping[str, int], now: datetime, *, history: bool
) -> None:
    """Requests that wait for a decision, machines that are booked together, and somebody in line."""
    machines = {
        row.slug: row for row in session.execute(select(Machine.slug, Machine.id, Machine.lab_id)).all()
    }
    _claim_extractor(session, now)
    session.add_all(
        [
            RuleRow(
                name="approvals",
                value=1,
                machine_id=machines[ASKED].id,
                note="100 W : l'équipe regarde d'abord le dessin",
                changed_at=now,
            ),
            RuleRow(
                name="no_show_after_s",
                value=1800,
                lab_id=machines["tanger-prusa-1"].lab_id,
                note="Une demi-heure, puis la machine est à qui la veut",
                changed_at=now,
            ),
            Preset(
                lab_id=machines["tanger-laser-1"].lab_id,
                name="Boîtier : découpe, puis impression",
                steps=[
                    {"machine": machines["tanger-laser-1"].id, "offset_s": 0, "duration_s": 3600},
                    {"machine": machines["tanger-prusa-4"].id, "offset_s": 3600, "duration_s": 7200},
                ],
            ),
        ]
    )
    if history:
        _requests(session, machines[ASKED].id, machines[ASKED].lab_id, member_ids, now)
    _in_line(session, machines["tanger-prusa-3"].id, member_ids, now)
    session.flush()


def add_extractor(session: Session) -> None:
    """Before anything is booked, and counted."""
    lab_id = session.scalars(select(Machine.lab_id).where(Machine.slug == DRAWN[0])).one()
    kind = Kind(
        slug="extractor", name_fr="Extracteur de fumées", name_ar="شفاط الأدخنة", name_en="Fume extractor"
    )
    session.add(kind)
    session.flush()
    made = Machine(
        slug=EXTRACTOR,
        name="Extracteur BOFA",
        lab_id=lab_id,
        kind_id=kind.id,
        capabilities={},
        bookable=False,
        units=[Unit(number=number) for number, _ in enumerate(DRAWN, 1)],
    )
    session.add(made)
    session.flush()
    lasers = session.scalars(select(Machine.id).where(Machine.slug.in_(DRAWN)))
    session.add_all([Need(machine_id=laser_id, needs_id=made.id) for laser_id in lasers])
    session.flush()


def _claim_extractor(session: Session, now: datetime) -> None:
    """A place for every booking to come of a laser that it draws the smoke of."""
    units = session.scalars(
        select(Unit.id).join(Machine).where(Machine.slug == EXTRACTOR).order_by(Unit.number)
    ).all()
    columns = ["lab_id", "unit_id", "starts_at", "ends_at", "kind", "booking_id"]
    for laser, unit_id in zip(DRAWN, units, strict=True):
        claimed = (
            select(
                Occupancy.lab_id,
                literal(unit_id),
                Occupancy.starts_at,
                Occupancy.ends_at,
                Occupancy.kind,
                Occupancy.booking_id,
            )
            .join(Unit, Unit.id == Occupancy.unit_id)
            .join(Machine, Machine.id == Unit.machine_id)
            .where(Machine.slug == laser, Occupancy.kind == "booking", Occupancy.ends_at > now)
        )
        session.execute(insert(Occupancy).from_select(columns, claimed))


def _requests(
    session: Session, machine_id: int, lab_id: int, member_ids: Mapping[str, int], now: datetime
) -> None:
    """Two for the same morning: staff see that they collide."""
    zone = ZoneInfo(ZONE)
    day = now.astimezone(zone).date() + timedelta(days=12)
    day += timedelta(days=1 if day.weekday() == 6 else 0)
    for who, hour, purpose in (
        ("nizar.filali", 10, "Enseigne du festival"),
        ("ghita.berrada", 11, "Maquette de fin d'études"),
    ):
        starts_at = datetime.combine(day, time(hour), zone)
        member_id = member_ids[f"{who}@example.org"]
        row = Booking(
            machine_id=machine_id,
            lab_id=lab_id,
            member_id=member_id,
            created_by_id=member_id,
            starts_at=starts_at,
            ends_at=starts_at + 2 * HOUR,
            zone=ZONE,
            local_starts=starts_at.replace(tzinfo=None),
            local_ends=(starts_at + 2 * HOUR).replace(tzinfo=None),
            state="requested",
            purpose=purpose,
            created_at=now - 5 * HOUR,
            decide_by=starts_at,
        )
        session.add(row)
        session.flush()
        session.add(
            BookingChange(
                booking_id=row.id,
                at=row.created_at,
                made_by="member",
                member_id=member_id,
                to_state="requested",
            )
        )


def _in_line(session: Session, machine_id: int, member_ids: Mapping[str, int], now: datetime) -> None:
    """Youssef waits for just the time that Amina has tomorrow."""
    hers = session.execute(
        select(Booking.starts_at, Booking.ends_at)
        .where(Booking.machine_id == machine_id, Booking.member_id == member_ids["amina@example.org"])
        .where(Booking.state == "confirmed", Booking.starts_at > now)
        .order_by(Booking.starts_at)
        .limit(1)
    ).one_or_none()
    if hers is not None:
        session.add(
            Waiting(
                member_id=member_ids["youssef@example.org"],
                machine_id=machine_id,
                duration_s=int((hers.ends_at - hers.starts_at).total_seconds()),
                after=hers.starts_at,
                before=hers.ends_at,
                created_at=now - 3 * HOUR,
            )
        )
