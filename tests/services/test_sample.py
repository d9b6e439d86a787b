"""The sample network: there after one load, plausible, and never mixed with a network of people's own."""

import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange, Occupancy
from fablab.bookings.models_claims import Waiting
from fablab.bookings.models_series import Preset
from fablab.errors import DomainError
from fablab.machines.models import Closure, Lab, Machine, Need, Season
from fablab.members.models import Member, Role
from fablab.organisations.models import Organisation
from fablab.sample.arrangements import ASKED, DRAWN, EXTRACTOR
from fablab.sample.load import load
from fablab.sample.network import LABS, MACHINES
from fablab.sample.organisations import ORGANISATIONS
from fablab.sample.people import LOGINS, PASSWORD
from fablab.signin.passwords import right, set_password
from fablab.signin.queries import credentials
from fablab.telemetry.models import Bridge
from fablab.usage.consumption import consumption, quota_use
from fablab.usage.models import Job, UsageSession
from fablab.utilisation.queries import utilisation
from fablab.utilisation.service import roll_up
from tests.support.network import Network

NOW = datetime(2026, 11, 18, 10, 20, tzinfo=UTC)


def test_a_database_with_labs_of_its_own_is_refused(session: Session) -> None:
    Network(session, NOW).lab("oujda")
    with pytest.raises(DomainError, match="labs of its own"):
        load(session, NOW)
    assert session.scalar(select(func.count()).select_from(Machine)) == 0


def test_the_sample_is_loaded_once_quickly_and_as_promised(session: Session) -> None:
    lines: list[str] = []
    begun = time.monotonic()
    assert load(session, NOW, lines.append)
    assert time.monotonic() - begun < 30  # 3 s on a quiet machine
    assert len(lines) >= 3

    bookings = session.scalar(select(func.count()).select_from(Booking))
    assert not load(session, NOW + timedelta(days=3)), "a second load must say that it is there"
    assert session.scalar(select(func.count()).select_from(Booking)) == bookings

    _places_people_and_bridges(session)
    _history_is_plausible(session)
    _figures_are_counted(session)
    _two_machines_stay_free(session)
    _organisations_have_life(session)
    _staff_have_laid_something_down(session)


def _places_people_and_bridges(session: Session) -> None:
    assert set(session.scalars(select(Lab.slug))) == {
        "tanger", "rabat", "casablanca", "agadir", "al-hoceima"
    }  # fmt: skip
    assert len(MACHINES) == 24
    assert set(session.scalars(select(Machine.slug))) == {EXTRACTOR, *(machine.slug for machine in MACHINES)}
    assert session.scalar(select(func.count()).select_from(Bridge)) == len(LABS)
    roles = {
        (email.partition("@")[0], role, lab)
        for email, role, lab in session.execute(
            select(Member.email, Role.role, Lab.slug)
            .join(Role, Role.member_id == Member.id)
            .outerjoin(Lab, Lab.id == Role.lab_id)
            .where(Member.password_hash.is_not(None))
        )
    }
    assert roles == {
        ("amina", "maker", None),
        ("youssef", "maker", None),
        ("trainer", "trainer", "tanger"),
        ("salma", "manager", "tanger"),
        ("karim", "manager", "rabat"),
        ("nadia", "operator", None),
        ("admin", "admin", None),
        ("yasmine.amrani", "maker", None),
    }
    for person in LOGINS:
        assert right(credentials(session, person.email), PASSWORD)
    assert not right(credentials(session, "hamza.bouzidi@example.org"), PASSWORD)


def _history_is_plausible(session: Session) -> None:
    states = Counter(session.scalars(select(Booking.state)))
    past = states["completed"] + states["missed"] + states["cancelled"]
    assert past > 1500
    assert 0.03 < states["missed"] / past < 0.15
    assert 0.03 < states["cancelled"] / past < 0.15
    assert states["confirmed"] > 50
    assert not session.scalar(
        select(func.count()).where(Booking.state == "confirmed", Booking.starts_at <= NOW)
    )
    assert not session.scalar(select(func.count()).where(UsageSession.ended_at > NOW))
    outcomes = Counter(session.scalars(select(Job.outcome)))
    assert set(outcomes) == {"finished", "failed", "cancelled", "interrupted"}
    assert outcomes["finished"] > 0.7 * outcomes.total()
    overlaps = text(
        "SELECT count(*) FROM usage_session a JOIN usage_session b ON a.machine_id = b.machine_id"
        " AND a.id < b.id AND a.started_at < b.ended_at AND b.started_at < a.ended_at"
    )
    assert session.scalar(overlaps) == 0
    live = session.scalar(select(func.count()).where(Booking.state.not_in(("cancelled", "requested"))))
    claimed = select(func.count(Occupancy.booking_id.distinct())).where(Occupancy.kind == "booking")
    assert session.scalar(claimed) == live
    # Every booking's last change is the state it is in.
    latest = select(func.max(BookingChange.id)).group_by(BookingChange.booking_id)
    differ = (
        select(func.count())
        .select_from(BookingChange)
        .join(Booking, Booking.id == BookingChange.booking_id)
        .where(BookingChange.id.in_(latest), BookingChange.to_state != Booking.state)
    )
    assert session.scalar(differ) == 0
    evening = session.scalar(
        select(func.count()).where(func.extract("hour", Booking.local_starts).between(17, 18))
    )
    noon = session.scalar(
        select(func.count()).where(func.extract("hour", Booking.local_starts).between(12, 13))
    )
    assert evening > 2 * noon


def _figures_are_counted(session: Session) -> None:
    since = NOW - timedelta(days=58)
    rows = utilisation(session, since, NOW, by="machine")
    assert len(rows) == 24
    for row in rows:
        assert row.utilisation is not None
        assert 0.01 < row.utilisation < 1
        assert row.used_booked_s > 0
    (total,) = utilisation(session, since, NOW, by="network")
    assert min(total.used_unbooked_s, total.overrun_s, total.idle_booked_s, total.outage_s) > 0
    assert min(total.missed, total.jobs_failed, total.energy_wh) > 0
    assert roll_up(session, None, since, NOW) == 0


def _staff_have_laid_something_down(session: Session) -> None:
    states = dict(session.execute(select(Lab.slug, Season.state).join(Season, Season.lab_id == Lab.id)).all())
    assert len(states) == len(LABS)
    assert (states["tanger"], states["rabat"]) == ("confirmed", "proposed")
    assert {*session.scalars(select(Closure.state))} == {"proposed", "confirmed"}
    needs = session.scalars(select(Machine.slug).join(Need, Need.machine_id == Machine.id))
    assert set(needs) == set(DRAWN)
    # Every booking of a laser to come has its place at the extractor.
    per_booking = select(func.count()).select_from(Occupancy).join(Booking).join(Machine)
    coming = (Booking.state == "confirmed", Machine.slug.in_(DRAWN), Booking.starts_at > NOW)
    bookings = session.scalar(select(func.count()).select_from(Booking).join(Machine).where(*coming))
    assert session.scalar(per_booking.where(*coming)) == 2 * (bookings or 0) > 0
    asked = session.scalars(
        select(Booking).join(Machine).where(Machine.slug == ASKED, Booking.state == "requested")
    )
    assert len(list(asked)) == 2
    assert session.scalars(select(Waiting.state)).all() == ["waiting"]
    assert session.scalars(select(Preset.lab_id)).all()


def _two_machines_stay_free(session: Session) -> None:
    real = select(Machine.id).where(Machine.slug.in_(("tanger-prusa-1", "tanger-prusa-2")))
    soon = select(func.count()).where(
        Booking.machine_id.in_(real),
        Booking.starts_at < NOW + timedelta(days=1),
        Booking.ends_at > NOW,
    )
    assert session.scalar(soon) == 0


def _organisations_have_life(session: Session) -> None:
    for organisation in ORGANISATIONS:
        row = session.scalars(select(Organisation).where(Organisation.slug == organisation.slug)).one()
        total = consumption(session, row.id, date(2026, 1, 1), date(2026, 12, 31)).total
        assert min(total.bookings, total.booked_s, total.used_s, total.jobs_finished) > 0, organisation.name
        # What the sample allows, it does not exceed: its people could book at once.
        assert all(use.left_s for use in quota_use(session, row.id, NOW)), organisation.name


def test_the_same_day_gives_the_same_history(session: Session) -> None:
    from fablab.sample.plan import plan
    from fablab.sample.work import work

    lab, machine = LABS[0], MACHINES[0]
    booked, outages = plan(machine, lab, "seed", NOW)
    assert (booked, outages) == plan(machine, lab, "seed", NOW)
    assert work(machine, lab, booked, outages, "seed", NOW) == work(
        machine, lab, booked, outages, "seed", NOW
    )
    assert plan(machine, lab, "other", NOW)[0] != booked


def test_the_published_password_is_nobody_s_own(session: Session) -> None:
    network = Network(session, NOW)
    with pytest.raises(DomainError, match="Everybody can read that password"):
        set_password(session, None, network.member.id, PASSWORD, NOW)
