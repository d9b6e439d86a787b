"""Reports sum machine hours by place, kind and time, in the lab's own days."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.errors import DomainError
from fablab.machines.models import Lab
from fablab.utilisation.models import MachineHour
from fablab.utilisation.queries import utilisation
from fablab.utilisation.service import roll_up
from tests.support.network import Network

# A Monday at 08:00 UTC, 09:00 in Tanger.
START = datetime(2026, 3, 30, 8, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def two_labs(session: Session) -> Network:
    """A laser in Tanger, used for an hour of its two booked ones; a printer in Rabat, never used."""
    network = Network(session, START)
    tanger, rabat = network.lab("tanger"), network.lab("rabat")
    laser = network.machine(tanger, "tanger-laser-1")
    network.machine(rabat, "rabat-prusa-1", unattended=True)
    booking = network.booking(laser, START, START + timedelta(hours=2), "completed")
    network.usage(laser, START, START + timedelta(hours=1), booking_id=booking.id, energy_wh=80)
    network.job(laser, START, START + timedelta(hours=1), "finished")
    roll_up(session, None, START - timedelta(hours=9), START - timedelta(hours=9) + 2 * DAY)
    return network


def test_unknown_groupings_are_refused(session: Session) -> None:
    with pytest.raises(DomainError):
        utilisation(session, START, START + DAY, by="moon")
    with pytest.raises(DomainError):
        utilisation(session, START, START + DAY, bucket="decade")


def test_no_hours_no_rows(session: Session) -> None:
    assert utilisation(session, START, START + DAY) == []


def test_a_machine_s_total(session: Session, two_labs: Network) -> None:
    rows = utilisation(session, START - timedelta(hours=9), START + DAY, by="machine")
    assert [row.key for row in rows] == ["rabat-prusa-1", "tanger-laser-1"]
    laser = rows[1]
    assert (laser.booked_s, laser.used_s, laser.used_booked_s, laser.idle_booked_s) == (
        7200,
        3600,
        3600,
        3600,
    )
    assert (laser.open_s, laser.available_s) == (9 * 3600, 9 * 3600)
    assert (laser.bookings, laser.jobs, laser.jobs_finished, laser.energy_wh) == (1, 1, 1, 80)
    assert (laser.utilisation, laser.booked_ratio) == (0.1111, 0.2222)
    assert laser.starts_on == date(2026, 3, 30)


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("network", ["network"]),
        ("region", ["tanger-tetouan-al-hoceima"]),
        ("lab", ["rabat", "tanger"]),
        ("kind", ["3d-printer"]),
    ],
)
def test_every_grouping_adds_up_to_the_same(
    session: Session, two_labs: Network, by: str, keys: list[str]
) -> None:
    rows = utilisation(session, START - DAY, START + DAY, by=by)
    assert [row.key for row in rows] == keys
    assert sum(row.used_s for row in rows) == 3600
    assert sum(row.booked_s for row in rows) == 7200


def test_days_are_local_days(session: Session, two_labs: Network) -> None:
    """23:00 UTC on Sunday is midnight in Tanger: the rolled span is exactly two local days."""
    rows = utilisation(session, START - DAY, START + 2 * DAY, by="lab", bucket="day")
    assert [(row.key, row.starts_on) for row in rows if row.key == "rabat"] == [
        ("rabat", date(2026, 3, 30)),
        ("rabat", date(2026, 3, 31)),
    ]
    assert {row.open_s for row in rows if row.key == "rabat"} == {24 * 3600}
    weeks = utilisation(session, START - DAY, START + 2 * DAY, by="lab", bucket="week")
    assert {row.starts_on for row in weeks} == {date(2026, 3, 30)}
    months = utilisation(session, START - DAY, START + 2 * DAY, by="network", bucket="month")
    assert [row.starts_on for row in months] == [date(2026, 3, 1)]


def test_a_day_of_25_hours_has_25_hours(session: Session) -> None:
    """On 15 February 2026 the clocks in Morocco go back at 03:00: 02:00 to 03:00 comes twice."""
    network = Network(session, START)
    network.machine(network.lab(), "printer", unattended=True)
    sunday = datetime(2026, 2, 14, 23, tzinfo=UTC)
    roll_up(session, None, sunday, sunday + timedelta(hours=25))
    (day,) = utilisation(session, sunday, sunday + timedelta(hours=25), bucket="day")
    assert (day.starts_on, day.open_s) == (date(2026, 2, 15), 25 * 3600)
    hours = utilisation(session, sunday, sunday + timedelta(hours=25), bucket="hour")
    assert len({row.starts_at for row in hours}) == 25
    week = utilisation(session, sunday, sunday + timedelta(hours=25), by="hour_of_week")
    assert [row.key for row in week] == [str(6 * 24 + hour) for hour in range(24)]
    assert [row.open_s for row in week if row.key == str(6 * 24 + 2)] == [7200]


def test_another_lab_s_figures_stay_out(session: Session, two_labs: Network) -> None:
    rabat = session.scalars(select(Lab.id).where(Lab.slug == "rabat")).one()
    rows = utilisation(session, START - DAY, START + DAY, by="network", lab_ids=[rabat])
    assert sum(row.used_s for row in rows) == 0
    assert utilisation(session, START - DAY, START + DAY, by="network", lab_ids=[]) == []


def test_a_ratio_to_nothing_is_unknown(session: Session) -> None:
    network = Network(session, START)
    network.machine(network.lab(opens=time(20), closes=time(21)))
    roll_up(session, None, START, START + timedelta(hours=1))
    (row,) = utilisation(session, START, START + DAY)
    assert (row.open_s, row.utilisation, row.booked_ratio) == (0, None, None)


def test_reports_read_the_rollup_only(session: Session, two_labs: Network) -> None:
    session.execute(update(MachineHour).values(used_s=1.0))
    (row,) = utilisation(session, START, START + timedelta(hours=1), by="lab")[1:]
    assert row.used_s == 1.0
