"""Machine hours are counted from facts alone, each second once."""

from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.utilisation.models import MachineHour
from fablab.utilisation.service import roll_up
from tests.support.network import Network

# A Monday at 08:00 UTC, 09:00 in Tanger.
START = datetime(2026, 3, 30, 8, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


@pytest.fixture
def network(session: Session) -> Network:
    return Network(session, START)


def hours(session: Session) -> list[MachineHour]:
    session.expire_all()
    return list(session.scalars(select(MachineHour).order_by(MachineHour.machine_id, MachineHour.hour)))


def plain(row: MachineHour) -> dict[str, object]:
    return {column.name: getattr(row, column.name) for column in MachineHour.__table__.columns}


def test_an_empty_span_and_no_machines_count_nothing(session: Session, network: Network) -> None:
    machine = network.machine(network.lab())
    assert roll_up(session, [machine.id], at(0), at(0)) == 0
    assert roll_up(session, [], at(0), at(60)) == 0
    assert hours(session) == []


def test_a_naive_instant_is_refused(session: Session, network: Network) -> None:
    network.machine(network.lab())
    with pytest.raises((ValueError, TypeError)):
        roll_up(session, None, datetime(2026, 3, 30, 8), at(60))  # noqa: DTZ001


def test_an_hour_without_events_says_how_long_it_was_open(session: Session, network: Network) -> None:
    lab = network.lab(opens=time(9, 30), closes=time(18))
    network.machine(lab, "laser")
    network.machine(lab, "printer", unattended=True)
    roll_up(session, None, at(-60), at(60))
    assert [row.open_s for row in hours(session)] == [0, 1800, 3600, 3600]
    assert all(row.booked_s == row.used_s == row.bookings == 0 for row in hours(session))


def test_a_session_is_split_at_its_booking_and_at_full_hours(session: Session, network: Network) -> None:
    machine = network.machine(network.lab())
    booking = network.booking(machine, at(10), at(70), "completed")
    network.usage(machine, at(5), at(80.5), booking_id=booking.id, energy_wh=75.5)
    network.job(machine, at(5), at(80.5), "finished")
    roll_up(session, [machine.id], at(0), at(120))
    first, second = hours(session)
    assert (first.booked_s, second.booked_s) == (3000, 600)
    assert (first.used_s, second.used_s) == (3300, 1230)
    assert (first.used_booked_s, second.used_booked_s) == (3000, 600)
    assert (first.overrun_s, second.overrun_s) == (300, 630)
    assert (first.used_unbooked_s, second.used_unbooked_s) == (0, 0)
    assert (first.bookings, second.bookings) == (1, 0)
    assert (first.jobs_finished, second.jobs_finished) == (0, 1)
    assert first.energy_wh == pytest.approx(55.0)
    assert second.energy_wh == pytest.approx(20.5)


def test_use_without_a_booking_is_unbooked(session: Session, network: Network) -> None:
    machine = network.machine(network.lab())
    cancelled = network.booking(machine, at(0), at(30), "cancelled")
    network.usage(machine, at(0), at(10))
    network.usage(machine, at(20), at(30), booking_id=cancelled.id)
    roll_up(session, None, at(0), at(60))
    (row,) = hours(session)
    assert (row.booked_s, row.used_s, row.used_unbooked_s, row.used_booked_s) == (0, 1200, 1200, 0)


@pytest.mark.parametrize(
    ("state", "booked", "missed"),
    [
        ("requested", 0, 0),
        ("rejected", 0, 0),
        ("cancelled", 0, 0),
        ("confirmed", 1, 0),
        ("started", 1, 0),
        ("completed", 1, 0),
        ("missed", 1, 1),
    ],
)
def test_which_bookings_count(
    session: Session, network: Network, state: str, booked: int, missed: int
) -> None:
    machine = network.machine(network.lab())
    network.booking(machine, at(0), at(30), state)
    roll_up(session, None, at(0), at(60))
    (row,) = hours(session)
    assert (row.booked_s, row.bookings, row.missed) == (booked * 1800, booked, missed)


def test_jobs_count_by_outcome_where_they_end(session: Session, network: Network) -> None:
    machine = network.machine(network.lab())
    for number, outcome in enumerate(("finished", "finished", "failed", "cancelled", "interrupted")):
        network.job(machine, at(-30), at(number), outcome)
    network.job(machine, at(30), at(60), "finished")
    roll_up(session, None, at(-60), at(60))
    before, row = hours(session)
    assert before.jobs_finished == 0
    assert (row.jobs_finished, row.jobs_failed, row.jobs_cancelled, row.jobs_interrupted) == (2, 1, 1, 1)


def test_an_outage_counts_only_while_the_machine_would_be_open(session: Session, network: Network) -> None:
    machine = network.machine(network.lab(opens=time(9, 30), closes=time(18)))
    network.outage(machine, at(-120), at(45))
    roll_up(session, None, at(-60), at(60))
    closed, row = hours(session)
    assert (closed.open_s, closed.outage_s) == (0, 0)
    assert (row.open_s, row.outage_s) == (1800, 900)


def test_two_claims_on_one_unit_count_once_and_units_add_up(session: Session, network: Network) -> None:
    lab = network.lab()
    single, double = network.machine(lab, "single"), network.machine(lab, "double", units=2)
    for machine in (single, double):
        for _ in range(3):
            network.booking(machine, at(0), at(30))
            network.usage(machine, at(0), at(20))
    network.outage(double, at(0), at(60))
    roll_up(session, None, at(0), at(60))
    one, two = hours(session)
    assert (one.open_s, one.booked_s, one.used_s, one.bookings) == (3600, 1800, 1200, 3)
    assert (two.open_s, two.booked_s, two.used_s, two.outage_s) == (7200, 3600, 2400, 3600)


def test_overlapping_sessions_count_as_booked_use_first(session: Session, network: Network) -> None:
    machine = network.machine(network.lab())
    booking = network.booking(machine, at(10), at(20), "completed")
    network.usage(machine, at(0), at(20), booking_id=booking.id)
    network.usage(machine, at(0), at(30))
    roll_up(session, None, at(0), at(60))
    (row,) = hours(session)
    assert (row.used_s, row.overrun_s, row.used_booked_s, row.used_unbooked_s) == (1800, 600, 600, 600)


def test_an_open_session_counts_up_to_the_last_word_heard(session: Session, network: Network) -> None:
    machine = network.machine(network.lab())
    usage = network.usage(machine, at(50), None, energy_wh=10.0)
    roll_up(session, None, at(0), at(180))
    assert [row.used_s for row in hours(session)] == [0, 0, 0]
    usage.counted_at = at(90)
    roll_up(session, None, at(0), at(180))
    assert [row.used_s for row in hours(session)] == [600, 1800, 0]
    assert sum(row.energy_wh for row in hours(session)) == pytest.approx(10)


def test_a_session_of_no_length_keeps_its_energy(session: Session, network: Network) -> None:
    machine = network.machine(network.lab())
    network.usage(machine, at(60), at(60), energy_wh=1.5)
    roll_up(session, None, at(0), at(120))
    assert [(row.used_s, row.energy_wh) for row in hours(session)] == [(0, 0), (0, 1.5)]


def test_counting_again_changes_nothing_and_corrects_what_changed(session: Session, network: Network) -> None:
    machine = network.machine(network.lab())
    booking = network.booking(machine, at(0), at(50))
    network.usage(machine, at(3), at(77), booking_id=booking.id, energy_wh=33.3)
    assert roll_up(session, None, at(0), at(180)) == 3
    before = [plain(row) for row in hours(session)]
    assert roll_up(session, None, at(0), at(180)) == 0
    for hour in range(3):
        assert roll_up(session, [machine.id], at(hour * 60 + 20), at(hour * 60 + 21)) == 0
    assert [plain(row) for row in hours(session)] == before
    booking.state = "cancelled"
    assert roll_up(session, None, at(0), at(180)) == 2
    assert [row.booked_s for row in hours(session)] == [0, 0, 0]


def test_only_the_machines_named_are_counted(session: Session, network: Network) -> None:
    lab = network.lab()
    asked, other = network.machine(lab, "asked"), network.machine(lab, "other")
    retired = network.machine(lab, "retired", active=False)
    roll_up(session, [asked.id], at(0), at(60))
    assert {row.machine_id for row in hours(session)} == {asked.id}
    roll_up(session, None, at(0), at(60))
    assert {row.machine_id for row in hours(session)} == {asked.id, other.id}
    roll_up(session, [retired.id], at(0), at(60))
    assert retired.id in {row.machine_id for row in hours(session)}


def test_hours_follow_the_lab_when_the_clock_moves(session: Session, network: Network) -> None:
    """Ramadan 2026: from 15 February to 22 March, 09:00 in Tanger is 09:00 UTC instead of 08:00."""
    network.machine(network.lab(opens=time(9), closes=time(10)))
    saturday = datetime(2026, 2, 14, tzinfo=UTC)
    roll_up(session, None, saturday, saturday + timedelta(days=2))
    opened = [row.hour for row in hours(session) if row.open_s]
    assert opened == [saturday + timedelta(hours=8), saturday + timedelta(days=1, hours=9)]


def test_many_machines_and_hours_cost_few_statements(session: Session, network: Network) -> None:
    lab = network.lab()
    for number in range(10):
        network.machine(lab, f"laser-{number}")
    statements = []
    from sqlalchemy import event

    event.listen(session.get_bind(), "before_cursor_execute", lambda *a: statements.append(a[2]))
    assert roll_up(session, None, at(0), at(60 * 24 * 10)) == 10 * 240
    assert len(statements) <= 4
