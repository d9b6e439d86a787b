"""The statement that counts machine hours against a count by hand, tick by tick, on random facts."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, Occupancy
from fablab.bookings.rules import COUNTED_STATES
from fablab.machines.models import Lab, Machine, Opening
from fablab.usage.models import UsageSession
from fablab.utilisation.models import MachineHour
from fablab.utilisation.service import roll_up
from tests.support.network import ZONE, Network

WALL = ZoneInfo(ZONE)
TICK_S = 150
TICKS_AN_HOUR = 3600 // TICK_S
HOURS = 5
TICKS = HOURS * TICKS_AN_HOUR
SECONDS = ("open_s", "outage_s", "booked_s", "used_s", "used_booked_s", "used_unbooked_s", "overrun_s")
# Five hours with the moment in them at which the clock in Morocco goes back, and an ordinary Monday.
BEGINNINGS = (datetime(2026, 2, 15, 0, tzinfo=UTC), datetime(2026, 3, 30, 6, tzinfo=UTC))


@dataclass(frozen=True)
class Claim:
    start: int
    end: int
    state: str = "confirmed"


@dataclass(frozen=True)
class Use:
    start: int
    end: int
    booking: int | None


@dataclass(frozen=True)
class Facts:
    begins: datetime
    units: int
    opens: int  # local hour
    closes: int
    bookings: list[Claim]
    uses: list[Use]
    outages: list[Claim]  # on unit 1, apart from one another

    def instant(self, tick: int) -> datetime:
        return self.begins + timedelta(seconds=tick * TICK_S)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    def span(longest: int = 40) -> tuple[int, int]:
        start = draw(st.integers(-20, TICKS + 10))
        return start, start + draw(st.integers(1, longest))

    states = ("confirmed", "started", "completed", "missed", "cancelled", "requested")
    bookings = [Claim(*span(), draw(st.sampled_from(states))) for _ in range(draw(st.integers(0, 5)))]
    uses = [Use(*span(60), None) for _ in range(draw(st.integers(0, 3)))]
    # Most sessions lie near their booking: too early, too late, over it, several on one.
    for _ in range(draw(st.integers(1, 5)) if bookings else 0):
        number = draw(st.integers(0, len(bookings) - 1))
        start = bookings[number].start + draw(st.integers(-15, 15))
        uses.append(Use(start, bookings[number].end + draw(st.integers(-10, 20)), number))
    uses = [use for use in uses if use.start < use.end]
    cuts = sorted(draw(st.sets(st.integers(-5, TICKS + 5), max_size=4)))
    outages = [Claim(*pair) for pair in zip(cuts[::2], cuts[1::2], strict=False)]
    opens = draw(st.integers(0, 9))
    return Facts(
        draw(st.sampled_from(BEGINNINGS)),
        draw(st.integers(1, 2)),
        opens,
        draw(st.integers(opens + 1, 12)),
        bookings,
        uses,
        outages,
    )


def count_by_hand(case: Facts) -> list[dict[str, int]]:
    """Every tick on its own: who claims the machine, who uses it, is it open."""
    rows = [dict.fromkeys(SECONDS, 0) for _ in range(HOURS)]
    # The hour that comes twice: open from its first time on, until its last time.
    day = case.begins.astimezone(WALL).replace(hour=0)
    opens = day.replace(hour=case.opens, fold=0).astimezone(UTC)
    closes = day.replace(hour=case.closes, fold=1).astimezone(UTC)
    for tick in range(TICKS):
        row = rows[tick // TICKS_AN_HOUR]
        is_open = opens <= case.instant(tick) < closes
        claims = sum(b.state in COUNTED_STATES and b.start <= tick < b.end for b in case.bookings)
        inside = outside = unbooked = 0
        for use in case.uses:
            if not use.start <= tick < use.end:
                continue
            booking = None if use.booking is None else case.bookings[use.booking]
            if booking is None or booking.state not in COUNTED_STATES:
                unbooked += 1
            elif booking.start <= tick < booking.end:
                inside += 1
            else:
                outside += 1
        used = min(case.units, inside + outside + unbooked)
        attributed = min(case.units, inside + outside)
        booked_use = min(case.units, inside, claims)
        out_of_order = any(outage.start <= tick < outage.end for outage in case.outages)
        row["open_s"] += TICK_S * case.units * is_open
        row["outage_s"] += TICK_S * (is_open and out_of_order)
        row["booked_s"] += TICK_S * min(case.units, claims)
        row["used_s"] += TICK_S * used
        row["used_booked_s"] += TICK_S * booked_use
        row["overrun_s"] += TICK_S * (attributed - booked_use)
        row["used_unbooked_s"] += TICK_S * (used - attributed)
    return rows


@pytest.fixture
def network(session: Session) -> Network:
    network = Network(session, BEGINNINGS[0])
    network.machine(network.lab("tanger"), "1-unit", units=1)
    network.machine(network.lab("rabat"), "2-unit", units=2)
    return network


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=facts(), cut=st.integers(1, HOURS - 1))
def test_the_statement_agrees_with_a_count_by_hand(
    session: Session, network: Network, case: Facts, cut: int
) -> None:
    machine = store(session, network, case)
    until = case.begins + timedelta(hours=HOURS)
    # In two pieces: what crosses the border must not be lost or counted in both.
    middle = case.begins + timedelta(hours=cut)
    roll_up(session, [machine.id], case.begins, middle)
    roll_up(session, [machine.id], middle, until)
    rows = session.execute(
        select(*(getattr(MachineHour, name) for name in SECONDS))
        .where(MachineHour.machine_id == machine.id)
        .order_by(MachineHour.hour)
    )
    counted = [dict(row._mapping) for row in rows]
    assert counted == count_by_hand(case)
    for row in counted:
        assert row["used_s"] == row["used_booked_s"] + row["used_unbooked_s"] + row["overrun_s"]
        assert row["used_booked_s"] <= row["booked_s"]
        assert row["outage_s"] <= row["open_s"]
    assert roll_up(session, [machine.id], case.begins, until) == 0


def store(session: Session, network: Network, case: Facts) -> Machine:
    """Replace the facts of the machine with so many units."""
    for table in (MachineHour, UsageSession, Occupancy, Booking):
        session.execute(delete(table))
    machine = session.scalars(select(Machine).where(Machine.slug == f"{case.units}-unit")).one()
    session.execute(update(Opening).values(opens=time(case.opens), closes=time(case.closes)))
    session.execute(update(Lab).values(hours_version=uuid4()))
    session.expire_all()
    kept = [
        network.booking(machine, case.instant(each.start), case.instant(each.end), each.state)
        for each in case.bookings
    ]
    for use in case.uses:
        booking_id = None if use.booking is None else kept[use.booking].id
        network.usage(machine, case.instant(use.start), case.instant(use.end), booking_id=booking_id)
    for outage in case.outages:
        network.outage(machine, case.instant(outage.start), case.instant(outage.end))
    return machine
