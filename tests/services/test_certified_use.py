"""Certifications learn from measured sessions when their holders last used what they are for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.certifications.queries import CertificationView, certification
from fablab.settings import Settings
from fablab.usage.models import UsageSession
from fablab.usage.tasks import note_certified_use
from tests.fixtures_cast import ZONE, Cast
from tests.services.certification_case import Case

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def case(session: Session, cast: Cast, settings: Settings) -> Case:
    return Case(session, cast, settings, NOW)


def used(
    case: Case,
    who: str,
    machine: str,
    at: datetime,
    *,
    busy_s: float = 600,
    booked: bool = True,
    open_: bool = False,
) -> None:
    """A session of half an hour, in a booking of that member."""
    machine_id, lab_id = case.cast.machines[machine], case.cast.labs[machine.split("-")[0]]
    ends = at + HOUR / 2
    member_id = case.cast.members[who]
    booking = Booking(
        machine_id=machine_id,
        lab_id=lab_id,
        member_id=member_id,
        created_by_id=member_id,
        starts_at=at,
        ends_at=ends,
        zone=ZONE,
        local_starts=at.replace(tzinfo=None),
        local_ends=ends.replace(tzinfo=None),
        state="completed",
        created_at=at,
    )
    case.session.add(booking)
    case.session.flush()
    case.session.add(
        UsageSession(
            machine_id=machine_id,
            lab_id=lab_id,
            booking_id=booking.id if booked else None,
            started_at=at,
            ended_at=None if open_ else ends,
            counted_at=ends,
            busy_s=busy_s,
        )
    )
    case.session.flush()


def last_use(case: Case, held: CertificationView) -> datetime | None:
    case.session.expire_all()
    found = certification(case.session, held.id)
    assert found is not None
    return found.last_used_at


def test_use_counts_for_the_kind_and_for_the_machine_and_for_whose_booking_it_was(case: Case) -> None:
    kind = case.grant("salma", "amina", "3d-printer")
    machine = case.grant("salma", "amina", "tanger-prusa-1")
    laser = case.grant("salma", "amina", "laser-cutter")
    other = case.grant("salma", "youssef", "3d-printer")
    used(case, "amina", "tanger-prusa-2", NOW - 3 * HOUR)
    assert note_certified_use(case.session, NOW, case.settings) == 1
    assert [last_use(case, each) for each in (kind, machine, laser, other)] == [
        NOW - 2.5 * HOUR, None, None, None,
    ]  # fmt: skip
    used(case, "amina", "tanger-prusa-1", NOW - 5 * HOUR)
    assert note_certified_use(case.session, NOW, case.settings) == 1
    assert last_use(case, kind) == NOW - 2.5 * HOUR, "never set back"
    assert last_use(case, machine) == NOW - 4.5 * HOUR
    assert note_certified_use(case.session, NOW, case.settings) == 0


def test_a_machine_that_only_stood_there_or_was_not_booked_was_not_used(case: Case) -> None:
    held = case.grant("salma", "amina", "3d-printer")
    used(case, "amina", "tanger-prusa-1", NOW - 9 * HOUR, busy_s=0)
    used(case, "amina", "tanger-prusa-1", NOW - 7 * HOUR, booked=False)
    assert note_certified_use(case.session, NOW, case.settings) == 0
    assert last_use(case, held) is None


def test_a_session_that_still_runs_counts_as_far_as_it_is_counted(case: Case) -> None:
    held = case.grant("salma", "amina", "3d-printer")
    used(case, "amina", "tanger-prusa-1", NOW - HOUR, open_=True)
    assert note_certified_use(case.session, NOW, case.settings) == 1
    assert last_use(case, held) == NOW - HOUR / 2


def test_a_bridge_cut_off_for_weeks_still_tells_of_use(case: Case) -> None:
    held = case.grant("salma", "amina", "3d-printer", now=NOW - timedelta(days=400))
    used(case, "amina", "rabat-prusa-1", NOW - timedelta(days=80))
    assert note_certified_use(case.session, NOW, case.settings) == 1
    from fablab.certifications.tasks import suspend_unused

    assert suspend_unused(case.session, NOW, case.settings) == 0
    assert last_use(case, held) is not None
