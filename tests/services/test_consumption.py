"""What an organisation's owners see: bookings in its name, what they came to, and what quotas leave."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from fablab.bookings.in_name import coming_of_member, organisation_bookings
from fablab.bookings.models import STATES, Booking
from fablab.organisations.catalogue import catalogue
from fablab.organisations.models import Membership
from fablab.organisations.projects import begin_project
from fablab.organisations.quotas import set_quota
from fablab.organisations.service import found, remove
from fablab.usage.consumption import (
    consumption,
    quota_use,
)
from fablab.usage.models import Job, UsageSession
from tests.fixtures_cast import CASABLANCA, ZONE, Cast

# A Wednesday; its week began on Monday the 15th, its month on the 1st.
NOW = datetime(2026, 6, 17, 12, tzinfo=UTC)
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
HOUR = timedelta(hours=1)


class Club:
    """Amina's organisation, with Youssef in it, and bookings put straight into the table."""

    def __init__(self, session: Session, cast: Cast) -> None:
        self.session, self.cast = session, cast
        made = found(session, cast.actors["amina"], "Club", "school_club", catalogue(), NOW)
        self.id, self.slug = made.id, made.slug
        session.add(
            Membership(organisation_id=self.id, member_id=cast.members["youssef"], owner=False, since=NOW)
        )
        session.flush()

    def book(
        self,
        starts_at: datetime,
        hours: float,
        who: str = "youssef",
        machine: str = "tanger-prusa-1",
        state: str = "completed",
        private: bool = False,
        project_id: int | None = None,
    ) -> Booking:
        ends_at = starts_at + timedelta(hours=hours)
        row = Booking(
            machine_id=self.cast.machines[machine],
            lab_id=self.cast.labs[machine.split("-")[0]],
            member_id=self.cast.members[who],
            created_by_id=self.cast.members[who],
            starts_at=starts_at,
            ends_at=ends_at,
            zone=ZONE,
            local_starts=starts_at.astimezone(CASABLANCA).replace(tzinfo=None),
            local_ends=ends_at.astimezone(CASABLANCA).replace(tzinfo=None),
            state=state,
            created_at=NOW,
            organisation_id=None if private else self.id,
            project_id=project_id,
        )
        self.session.add(row)
        self.session.flush()
        return row

    def use(self, booking: Booking, minutes: float, energy_wh: float | None, outcome: str | None) -> None:
        ended_at = booking.starts_at + timedelta(minutes=minutes)
        place = {"machine_id": booking.machine_id, "lab_id": booking.lab_id, "booking_id": booking.id}
        self.session.add(
            UsageSession(
                **place,
                started_at=booking.starts_at,
                ended_at=ended_at,
                counted_at=ended_at,
                energy_wh=energy_wh,
            )
        )
        if outcome is not None:
            self.session.add(
                Job(
                    **place, id=uuid.uuid4(), started_at=booking.starts_at, ended_at=ended_at, outcome=outcome
                )
            )
        self.session.flush()


@pytest.fixture
def club(session: Session, cast: Cast) -> Club:
    return Club(session, cast)


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(*args: object) -> None:
        statements.append(str(args[2]))

    event.listen(session.get_bind(), "before_cursor_execute", note)
    yield statements
    event.remove(session.get_bind(), "before_cursor_execute", note)


def test_nothing_booked_is_nothing_consumed(session: Session, club: Club) -> None:
    club.book(NOW, 2, private=True)
    seen = consumption(session, club.id, FIRST, LAST)
    assert (seen.total.bookings, seen.total.booked_s, seen.total.energy_wh) == (0, 0, None)
    assert (seen.by_month, seen.by_kind, seen.by_member) == ([], [], [])


def test_the_same_bookings_are_summed_four_ways(session: Session, club: Club) -> None:
    may, june = NOW - timedelta(days=30), NOW
    first = club.book(may, 2)
    second = club.book(june, 1, who="amina", machine="tanger-laser-1")
    club.book(june + 2 * HOUR, 3, state="missed")
    for state in ("cancelled", "rejected", "requested"):
        club.book(june, 5, state=state)
    club.book(june, 7, private=True)
    # Two sessions and two jobs in one booking must not count its hours twice.
    club.use(first, 30, 40.0, "finished")
    club.use(first, 60, None, "failed")
    club.use(second, 45, 100.0, None)
    seen = consumption(session, club.id, FIRST, LAST)
    assert vars(seen.total) == {
        "bookings": 3,
        "missed": 1,
        "booked_s": 6 * 3600,
        "used_s": 135 * 60,
        "energy_wh": 140.0,
        "jobs": 2,
        "jobs_finished": 1,
        "jobs_failed": 1,
    }
    assert [(month, each.booked_s) for month, each in seen.by_month] == [
        (date(2026, 5, 1), 7200),
        (date(2026, 6, 1), 4 * 3600),
    ]
    assert [(kind, each.used_s, each.energy_wh) for kind, _, each in seen.by_kind] == [
        ("3d-printer", 5400, 40.0),
        ("laser-cutter", 2700, 100.0),
    ]
    assert [(name, each.bookings) for _, name, each in seen.by_member] == [("Amina", 1), ("Youssef", 2)]


def test_months_are_those_of_the_labs_clock(session: Session, club: Club) -> None:
    """At 23:30 UTC on 31 May it is June in Morocco, which is an hour ahead then."""
    club.book(datetime(2026, 5, 31, 23, 30, tzinfo=UTC), 1)
    seen = consumption(session, club.id, date(2026, 6, 1), date(2026, 6, 1))
    assert [month for month, _ in seen.by_month] == [date(2026, 6, 1)]
    assert consumption(session, club.id, date(2026, 5, 1), date(2026, 5, 31)).total.bookings == 0


def test_another_organisation_sees_nothing_of_it(session: Session, cast: Cast, club: Club) -> None:
    club.book(NOW, 2)
    other = found(session, cast.actors["youssef"], "Other", "startup", catalogue(), NOW)
    assert consumption(session, other.id, FIRST, LAST).total.bookings == 0
    assert organisation_bookings(session, other.id) == []


def test_owners_see_who_what_and_when_and_no_private_booking(
    session: Session, cast: Cast, club: Club
) -> None:
    of_club = begin_project(
        session, cast.actors["youssef"], "Robot", "design", None, catalogue(), NOW, organisation=club.slug
    )
    own = begin_project(session, cast.actors["youssef"], "Secret gift", "design", None, catalogue(), NOW)
    club.book(NOW, 1, private=True)
    club.book(NOW + HOUR, 1, project_id=of_club.id, state="confirmed")
    club.book(NOW + 2 * HOUR, 1, project_id=own.id, state="cancelled")
    seen = organisation_bookings(session, club.id)
    assert [(each.member_name, each.machine_slug, each.state, each.project) for each in seen] == [
        ("Youssef", "tanger-prusa-1", "cancelled", None),
        ("Youssef", "tanger-prusa-1", "confirmed", "Robot"),
    ]
    (rest,) = organisation_bookings(session, club.id, before=(seen[0].starts_at, seen[0].id))
    assert rest == seen[1]


def test_bookings_of_whoever_left_stay_and_say_so(session: Session, cast: Cast, club: Club) -> None:
    club.book(NOW + HOUR, 1, state="confirmed")
    club.book(NOW - 9 * HOUR, 1)
    youssef = cast.members["youssef"]
    assert coming_of_member(session, club.id, youssef, NOW) == 1
    remove(session, cast.actors["amina"], club.slug, youssef, NOW)
    seen = organisation_bookings(session, club.id)
    assert [(each.state, each.belongs) for each in seen] == [("confirmed", False), ("completed", False)]
    assert consumption(session, club.id, FIRST, LAST).total.bookings == 2


def test_quotas_count_what_holds_time_in_this_week_or_month(session: Session, cast: Cast, club: Club) -> None:
    admin = cast.actors["admin"]
    set_quota(session, admin, club.slug, None, "week", 10 * 3600, NOW)
    set_quota(session, admin, club.slug, "laser-cutter", "month", 3600, NOW)
    for number, state in enumerate(STATES):
        club.book(NOW + number * HOUR, 1, state=state)
    club.book(NOW - timedelta(days=9), 2, machine="tanger-laser-1")
    club.book(NOW - timedelta(days=40), 2, machine="tanger-laser-1")
    club.book(NOW, 5, private=True)
    # From Sunday 22:00 to Monday 02:00 on the wall: two of its hours are this week's.
    monday = datetime(2026, 6, 15, tzinfo=ZoneInfo(ZONE))
    club.book(monday - 2 * HOUR, 4)
    week, month = quota_use(session, club.id, NOW)
    assert (week.since, week.until) == (monday, monday + timedelta(days=7))
    # All states but cancelled and rejected.
    assert week.booked_s == (len(STATES) - 2) * 3600 + 2 * 3600
    assert week.left_s == 10 * 3600 - week.booked_s
    assert (month.quota.kind_slug, month.booked_s, month.left_s) == ("laser-cutter", 7200, 0)
    club.book(monday + timedelta(days=6, hours=22), 4)
    following = quota_use(session, club.id, NOW)[0].following
    assert following is not None
    assert (following.since, following.until) == (week.until, week.until + timedelta(days=7))
    assert (following.booked_s, following.left_s, following.following) == (7200, 8 * 3600, None)


def test_it_takes_as_many_statements_for_many_as_for_one(session: Session, cast: Cast, club: Club) -> None:
    set_quota(session, cast.actors["admin"], club.slug, None, "week", 3600, NOW)
    for number in range(40):
        booking = club.book(NOW + number * HOUR, 1, who="amina" if number % 2 else "youssef")
        club.use(booking, 10, 1.0, "finished")
    with counted(session) as statements:
        consumption(session, club.id, FIRST, LAST)
        organisation_bookings(session, club.id)
        quota_use(session, club.id, NOW)
    assert len(statements) == 4, statements
