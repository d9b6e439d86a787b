"""Booking in an organisation's name, for a project, and within its quotas, also when many book at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.facts import BookingRequest
from fablab.bookings.models import Booking
from fablab.bookings.queries import BookingView, bookings
from fablab.bookings.rules import Policy
from fablab.bookings.rules_people import Part
from fablab.bookings.service import cancel_booking, create_booking, preview_booking
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import DomainError
from fablab.machines.models import Machine
from fablab.organisations.models import Organisation
from tests.fixtures_cast import CASABLANCA, Cast
from tests.support.clients import at_once
from tests.support.groups import add_organisation, add_project, add_quota

# The quota's weeks are those of this Wednesday, whenever the tests run: nothing crosses Monday by accident.
TODAY = datetime.now(CASABLANCA)
WEDNESDAY = (TODAY + timedelta(days=9 - TODAY.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
MONDAY = WEDNESDAY + timedelta(days=5)


def at(
    hour: float, hours: float = 1, machine: str = "tanger-prusa-1", day: datetime = WEDNESDAY
) -> BookingRequest:
    starts = day + timedelta(hours=hour)
    return BookingRequest(machine, starts, starts + timedelta(hours=hours), organisation="club")


def book(
    session: Session, cast: Cast, policy: Policy, request: BookingRequest, who: str = "amina"
) -> BookingView:
    return create_booking(session, cast.actors[who], request, utc_now(), policy)


def refusals(
    session: Session, cast: Cast, policy: Policy, request: BookingRequest, who: str = "amina"
) -> list[tuple[str, str]]:
    seen = preview_booking(session, cast.actors[who], request, utc_now(), policy)
    with pytest.raises(DomainError) as error:
        book(session, cast, policy, request, who)
    assert seen.refusals == error.value.refusals
    return [(each.code, each.message) for each in seen.refusals]


@pytest.fixture
def club(session: Session, cast: Cast) -> int:
    return add_organisation(session, cast, "club", "amina", "youssef")


def test_only_members_book_in_its_name_and_outsiders_learn_nothing(
    session: Session, cast: Cast, policy: Policy, club: int
) -> None:
    """Karim is in no club: one that exists, one that does not and one that closed are the same to him."""
    session.get_one(Organisation, add_organisation(session, cast, "closed", "karim")).closed_at = utc_now()
    session.flush()
    told = set()
    for slug in ("club", "no-such-club", "closed"):
        request = replace(at(10), organisation=slug)
        ((code, message),) = refusals(session, cast, policy, request, "karim")
        told.add((code, message.replace(slug, "...")))
    assert len(told) == 1
    assert told.pop()[0] == "not_member_of_organisation"


def test_a_manager_books_in_the_name_of_the_members_organisation(
    session: Session, cast: Cast, policy: Policy, club: int
) -> None:
    """Salma is in no club, Amina is: what counts is whom it is for."""
    assert refusals(session, cast, policy, at(10), "salma")[0][0] == "not_member_of_organisation"
    made = book(session, cast, policy, replace(at(10), for_member="amina@example.org"), "salma")
    assert made.organisation_slug == "club"


def test_a_project_of_ones_own_or_of_ones_organisation(
    session: Session, cast: Cast, policy: Policy, club: int
) -> None:
    own = add_project(session, cast.members["amina"])
    made = book(session, cast, policy, replace(at(10), organisation=None, project=own.id))
    assert (made.project_name, made.organisation_id) == ("Lamp", None)
    clubs = add_project(session, cast.members["youssef"], "Robot", club)
    made = book(session, cast, policy, replace(at(11), project=clubs.id))
    assert (made.project_name, made.organisation_id) == ("Robot", club)


def test_an_organisations_project_is_booked_for_in_its_name_said_or_not(
    session: Session, cast: Cast, policy: Policy, club: int
) -> None:
    add_quota(session, club, hours=1)
    clubs = add_project(session, cast.members["youssef"], "Robot", club)
    made = book(session, cast, policy, replace(at(10), organisation=None, project=clubs.id))
    assert (made.organisation_id, made.organisation_slug) == (club, "club")
    unsaid = replace(at(11), organisation=None, project=clubs.id)
    assert refusals(session, cast, policy, unsaid)[0][0] == "organisation_quota"


def test_a_project_that_is_not_theirs_or_closed_or_of_another_organisation(
    session: Session, cast: Cast, policy: Policy, club: int
) -> None:
    other = add_organisation(session, cast, "other", "amina")
    of_youssef = add_project(session, cast.members["youssef"])
    closed = add_project(session, cast.members["amina"])
    closed.closed_at = utc_now()
    of_other = add_project(session, cast.members["amina"], "Chair", other)
    for project in (of_youssef.id, closed.id, of_other.id, 2**63 - 1):
        ((code, _),) = refusals(session, cast, policy, replace(at(10), project=project))
        assert code == "unknown_project"


def test_what_fits_the_quota_is_booked_and_not_an_hour_more(
    session: Session, cast: Cast, policy: Policy, club: int
) -> None:
    add_quota(session, club, hours=3)
    book(session, cast, policy, at(10, hours=2))
    ((code, message),) = refusals(session, cast, policy, at(14, hours=2), "youssef")
    assert code == "organisation_quota"
    assert "may book 3 hours of machine time a week" in message
    first, last = WEDNESDAY.date() - timedelta(days=2), WEDNESDAY.date() + timedelta(days=4)
    assert f"From {first:%-d %B %Y} to {last:%-d %B %Y}" in message
    assert "it has booked 2 hours, which leaves 1 hour; this booking takes 2 hours" in message
    book(session, cast, policy, at(14, hours=1), "youssef")
    book(session, cast, policy, at(14, hours=2, day=MONDAY))
    book(session, cast, policy, replace(at(16), organisation=None))


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        *((state, True) for state in ("requested", "confirmed", "started", "completed", "missed")),
        *((state, False) for state in ("cancelled", "rejected")),
    ],
)
def test_time_that_was_given_back_does_not_count(
    session: Session, cast: Cast, policy: Policy, club: int, state: str, counts: bool
) -> None:
    add_quota(session, club, hours=2)
    made = book(session, cast, policy, at(10, hours=2))
    session.get_one(Booking, made.id).state = state
    session.flush()
    seen = preview_booking(session, cast.actors["youssef"], at(14), utc_now(), policy)
    assert bool(seen.refusals) is counts


def test_a_cancelled_booking_leaves_room(session: Session, cast: Cast, policy: Policy, club: int) -> None:
    add_quota(session, club, hours=2)
    made = book(session, cast, policy, at(10, hours=2))
    cancel_booking(session, cast.actors["amina"], made.id, utc_now(), policy)
    book(session, cast, policy, at(14, hours=2), "youssef")


def test_a_night_over_sunday_counts_in_both_weeks(
    session: Session, cast: Cast, policy: Policy, club: int
) -> None:
    add_quota(session, club, hours=4)
    book(session, cast, policy, at(-2, hours=6, day=MONDAY))
    assert refusals(session, cast, policy, at(14, hours=1, day=MONDAY))[0][0] == "organisation_quota"
    book(session, cast, policy, at(10, hours=2))
    assert refusals(session, cast, policy, at(16, hours=1))[0][0] == "organisation_quota"


def test_a_quota_of_one_kind_counts_that_kind_only(
    session: Session, cast: Cast, policy: Policy, club: int
) -> None:
    laser = session.get_one(Machine, cast.machines["tanger-laser-1"])
    add_quota(session, club, hours=1, kind_id=laser.kind_id)
    add_quota(session, club, hours=3, period="month")
    book(session, cast, policy, at(10, hours=1))
    book(session, cast, policy, at(10, hours=1, machine="tanger-laser-1"))
    ((_, message),) = refusals(session, cast, policy, at(12, machine="tanger-laser-1"))
    assert "machine time (Laser Cutter) a week" in message
    book(session, cast, policy, at(12, hours=1))
    codes = [message for _, message in refusals(session, cast, policy, at(13, machine="tanger-laser-1"))]
    assert len(codes) == 2
    assert sorted(("a week" in each, "a month" in each) for each in codes) == [(False, True), (True, False)]


def test_no_quota_is_no_limit(session: Session, cast: Cast, policy: Policy, club: int) -> None:
    book(session, cast, policy, at(0, hours=24))


def test_its_owners_see_what_was_booked_in_its_name_its_members_their_own(
    session: Session, cast: Cast, policy: Policy, club: int
) -> None:
    mine = book(session, cast, policy, replace(at(8), organisation=None), "youssef")
    made = book(session, cast, policy, at(10), "youssef")
    amina, youssef, karim = (cast.actors[name] for name in ("amina", "youssef", "karim"))
    assert bookings(session, actor=amina) == []
    (seen,) = bookings(session, actor=amina, organisation_id=club)
    assert (seen.id, seen.part(amina)) == (made.id, Part.OWNER)
    assert [each.id for each in bookings(session, actor=youssef)] == [mine.id, made.id]
    book(session, cast, policy, at(12))
    assert [each.id for each in bookings(session, actor=youssef, organisation_id=club)] == [made.id]
    assert bookings(session, actor=karim, organisation_id=club) == []


CLIENTS, ROUNDS = 8, 12


def test_of_many_at_once_as_many_pass_as_the_quota_allows(
    sessions: sessionmaker[Session], cast: Cast, policy: Policy
) -> None:
    """Each on a connection of its own, for another time: nothing but the quota stands between them."""
    with transaction(sessions) as session:
        club = add_organisation(session, cast, "club", "amina", "youssef", "salma", "karim")
        add_quota(session, club, hours=3)
    who = ["amina", "youssef", "salma", "karim"]

    def try_it(number: int, week: datetime) -> str:
        request = at(number, day=week)
        try:
            with transaction(sessions) as session:
                book(session, cast, policy, request, who[number % len(who)])
        except DomainError as error:
            return error.refusals[0].code
        return "booked"

    for n in range(ROUNDS):
        week = WEDNESDAY + timedelta(days=7 * (n % 6), hours=CLIENTS * (n // 6))
        with transaction(sessions) as session:
            session.query(Booking).update({"state": "cancelled"})
        answers = Counter(at_once([partial(try_it, number, week) for number in range(CLIENTS)]))
        assert answers == {"booked": 3, "organisation_quota": CLIENTS - 3}, n
    with transaction(sessions) as session:
        booked = select(func.sum(Booking.ends_at - Booking.starts_at)).where(Booking.state == "confirmed")
        assert session.scalar(booked) == timedelta(hours=3)
