"""New zone data: bookings keep their wall time, and what cannot is reported."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert, select, text
from sqlalchemy.orm import Session

from fablab.bookings.astray import unresolved
from fablab.bookings.bundles import Together, book_together
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.models import Booking, Occupancy
from fablab.bookings.preset_queries import Step
from fablab.bookings.queries import history
from fablab.bookings.rederive import MOVED, STAYS, rederive
from fablab.bookings.rederive_plan import Claimed, Mover, who_stays
from fablab.bookings.series import create_series
from fablab.bookings.series_plan import SeriesRequest
from fablab.bookings.service import cancel_booking, create_booking
from fablab.machines.models import Machine
from fablab.machines.rules import Span
from fablab.mail.models import Mail
from fablab.members.models import Audit
from tests.fixtures_cast import Cast
from tests.support.claims import claim_outage
from tests.support.zones import HOUR, zone_data

ZONE = "Africa/Casablanca"
NOW = datetime(2027, 1, 20, 12, tzinfo=UTC)
# Two releases of the zone data: the earlier one knows of no Ramadan, the later one does.
STANDING = [(datetime(2018, 10, 28, 2, tzinfo=UTC), HOUR)]
DECREED = [
    *STANDING,
    (datetime(2027, 2, 7, 2, tzinfo=UTC), 0 * HOUR),
    (datetime(2027, 3, 14, 2, tzinfo=UTC), HOUR),
]
PRINTER = "tanger-prusa-1"


@pytest.fixture
def before(tmp_path: Path) -> Iterator[None]:
    with zone_data(tmp_path / "old", ZONE, STANDING):
        yield


@pytest.fixture
def policy(policy: Policy) -> Policy:
    return replace(policy, horizon_days=400)


def utc(day: int, hour: int, minute: int = 0) -> datetime:
    """In February 2027."""
    return datetime(2027, 2, day, hour, minute, tzinfo=UTC)


def book(
    session: Session, cast: Cast, policy: Policy, starts: datetime, ends: datetime, machine: str = PRINTER
) -> int:
    return create_booking(
        session, cast.actors["amina"], BookingRequest(machine, starts, ends), NOW, policy
    ).id


def spans(session: Session) -> dict[int, tuple[datetime, datetime]]:
    rows = session.execute(select(Booking.id, Booking.starts_at, Booking.ends_at).order_by(Booking.id))
    return {row.id: (row.starts_at, row.ends_at) for row in rows}


def claimed(session: Session) -> dict[int, tuple[datetime, datetime]]:
    rows = session.execute(
        select(Occupancy.booking_id, Occupancy.starts_at, Occupancy.ends_at).where(
            Occupancy.booking_id.is_not(None)
        )
    )
    return {row.booking_id: (row.starts_at, row.ends_at) for row in rows}


def test_nothing_to_do_while_the_data_are_the_same(
    before: None, session: Session, cast: Cast, policy: Policy
) -> None:
    book(session, cast, policy, utc(10, 9), utc(10, 11))
    with _counted(session) as statements:
        assert rederive(session, NOW, policy).moved == ()
    assert len(statements) == 2


def test_bookings_keep_their_wall_time(
    before: None, tmp_path: Path, session: Session, cast: Cast, policy: Policy
) -> None:
    """10:00 at UTC+1 becomes 10:00 at UTC+0: an hour later; what touched it moves along, at any order."""
    early = book(session, cast, policy, utc(3, 9), utc(3, 11))
    first = book(session, cast, policy, utc(10, 9), utc(10, 11))
    second = book(session, cast, policy, utc(10, 11), utc(10, 12))
    third = book(session, cast, policy, utc(10, 12), utc(10, 13))
    walls = session.execute(select(Booking.id, Booking.local_starts, Booking.local_ends)).all()
    with zone_data(tmp_path / "new", ZONE, DECREED):
        report = rederive(session, NOW, policy)
        assert report.moved == (first, second, third)
        assert report.stay == ()
        assert rederive(session, NOW, policy).moved == ()
        assert unresolved(session, cast.labs["tanger"], NOW) == []
    session.expire_all()
    assert spans(session) == {
        early: (utc(3, 9), utc(3, 11)),
        first: (utc(10, 10), utc(10, 12)),
        second: (utc(10, 12), utc(10, 13)),
        third: (utc(10, 13), utc(10, 14)),
    }
    assert claimed(session) == spans(session)
    assert session.execute(select(Booking.id, Booking.local_starts, Booking.local_ends)).all() == walls
    last = history(session, first)[-1]
    assert (last.made_by, last.reason, last.from_state, last.to_state) == (
        "clock",
        MOVED,
        "confirmed",
        "confirmed",
    )
    assert session.get_one(Booking, first).version == 2
    [act] = session.scalars(select(Audit).where(Audit.action == "booking.rederive"))
    assert (act.lab_id, act.detail) == (cast.labs["tanger"], "3 moved, 0 not")
    [mail] = session.scalars(select(Mail).where(Mail.template == "clock_changed"))
    assert mail.member_id == cast.members["salma"]
    assert (mail.filling["moved"], mail.filling["stay"]) == ("3", "0")


def test_a_night_over_the_change_becomes_longer(
    before: None, tmp_path: Path, session: Session, cast: Cast, policy: Policy
) -> None:
    night = book(session, cast, policy, utc(6, 21), utc(7, 5))
    with zone_data(tmp_path / "new", ZONE, DECREED):
        rederive(session, NOW, policy)
    session.expire_all()
    assert spans(session)[night] == (utc(6, 21), utc(7, 6))
    assert claimed(session) == spans(session)


def test_a_series_keeps_its_wall_time(
    before: None, tmp_path: Path, session: Session, cast: Cast, policy: Policy
) -> None:
    first = BookingRequest(PRINTER, utc(1, 17), utc(1, 19))
    create_series(session, cast.actors["amina"], SeriesRequest(first, "FREQ=WEEKLY;COUNT=8"), NOW, policy)
    assert {starts.hour for starts, _ in spans(session).values()} == {17}
    with zone_data(tmp_path / "new", ZONE, DECREED):
        assert len(rederive(session, NOW, policy).moved) == 5
    session.expire_all()
    assert [starts.hour for starts, _ in spans(session).values()] == [17] + [18] * 5 + [17] * 2


def test_what_is_in_the_way_keeps_a_booking_where_it_is_and_staff_hear_of_it_once(
    before: None, tmp_path: Path, session: Session, cast: Cast, policy: Policy
) -> None:
    """An outage stands where the third would be; so the third stays, and in turn the second."""
    first = book(session, cast, policy, utc(10, 8), utc(10, 9))
    second = book(session, cast, policy, utc(10, 10), utc(10, 11))
    third = book(session, cast, policy, utc(10, 11), utc(10, 12))
    claim_outage(session, cast.units[PRINTER], utc(10, 12, 30), utc(10, 13))
    with zone_data(tmp_path / "new", ZONE, DECREED):
        report = rederive(session, NOW, policy)
        assert (report.moved, report.stay, report.newly) == ((first,), (second, third), (second, third))
        again = rederive(session, NOW, policy)
        assert (again.moved, again.stay, again.newly) == ((), (second, third), ())
        listed = unresolved(session, cast.labs["tanger"], NOW)
        assert [(each.id, each.new) for each in listed] == [
            (second, Span(utc(10, 11), utc(10, 12))),
            (third, Span(utc(10, 12), utc(10, 13))),
        ]
        assert unresolved(session, cast.labs["rabat"], NOW) == []
        session.expire_all()
        assert spans(session)[third] == (utc(10, 11), utc(10, 12))
        assert claimed(session) == spans(session)
        assert history(session, third)[-1].reason == STAYS
        [mail] = session.scalars(select(Mail).where(Mail.template == "clock_changed"))
        assert (mail.filling["moved"], mail.filling["stay"]) == ("1", "2")
        # Once the way is free they follow.
        cancel_booking(session, cast.actors["amina"], third, NOW, policy)
        assert rederive(session, NOW, policy).moved == (second,)


def test_machines_booked_together_move_together_or_not(
    before: None, tmp_path: Path, session: Session, cast: Cast, policy: Policy
) -> None:
    first = BookingRequest(PRINTER, utc(10, 9), utc(10, 10))
    together = Together(first, (Step(3600, 3600, machine="tanger-prusa-2"),))
    made = book_together(session, cast.actors["amina"], together, NOW, policy)
    claim_outage(session, cast.units["tanger-prusa-2"], utc(10, 11, 30), utc(10, 12))
    with zone_data(tmp_path / "new", ZONE, DECREED):
        report = rederive(session, NOW, policy)
    assert (report.moved, report.stay) == ((), tuple(each.id for each in made))


def test_what_has_begun_or_would_have_stays(
    before: None, tmp_path: Path, session: Session, cast: Cast, policy: Policy
) -> None:
    book(session, cast, policy, utc(10, 9), utc(10, 11))
    with zone_data(tmp_path / "new", ZONE, DECREED):
        assert rederive(session, utc(10, 9), policy).moved == ()


def test_buffers_keep_their_length(
    before: None, tmp_path: Path, session: Session, cast: Cast, policy: Policy
) -> None:
    session.get_one(Machine, cast.machines[PRINTER]).setup_s = 600
    session.get_one(Machine, cast.machines[PRINTER]).cleanup_s = 1200
    session.flush()
    book(session, cast, policy, utc(10, 9), utc(10, 11))
    with zone_data(tmp_path / "new", ZONE, DECREED):
        rederive(session, NOW, policy)
    assert list(claimed(session).values()) == [(utc(10, 9, 50), utc(10, 12, 20))]


def test_the_second_of_two_hours_that_look_alike_is_left_alone(
    tmp_path: Path, session: Session, cast: Cast, policy: Policy
) -> None:
    with zone_data(tmp_path, ZONE, DECREED):
        # 02:30 on the wall, for the second time that night.
        book(session, cast, policy, utc(7, 2, 30), utc(7, 4))
        assert rederive(session, NOW, policy).moved == ()


def test_many_bookings_take_no_more_statements(
    before: None, tmp_path: Path, session: Session, cast: Cast, policy: Policy
) -> None:
    taken = []
    for count in (3, 200):
        rows = [_row(cast, NOW + timedelta(days=30, hours=2 * n)) for n in range(count)]
        with session.begin_nested() as savepoint:
            ids = session.scalars(insert(Booking).returning(Booking.id), rows).all()
            session.execute(
                text(
                    "INSERT INTO occupancy (lab_id, unit_id, starts_at, ends_at, kind, booking_id)"
                    " SELECT lab_id, :unit, starts_at, ends_at, 'booking', id FROM booking"
                    " WHERE id = ANY(:ids)"
                ),
                {"unit": cast.units[PRINTER], "ids": list(ids)},
            )
            with zone_data(tmp_path / f"new{count}", ZONE, DECREED), _counted(session) as statements:
                assert len(rederive(session, NOW, policy).moved) == count
            taken.append(len(statements))
            savepoint.rollback()
    assert taken[0] == taken[1]
    assert taken[0] < 25


def _row(cast: Cast, starts: datetime) -> dict[str, Any]:
    """A booking of an hour, its wall time an hour ahead of UTC."""
    wall = (starts + HOUR).replace(tzinfo=None)
    return {
        "machine_id": cast.machines[PRINTER],
        "lab_id": cast.labs["tanger"],
        "member_id": cast.members["amina"],
        "created_by_id": cast.members["amina"],
        "starts_at": starts,
        "ends_at": starts + HOUR,
        "zone": ZONE,
        "local_starts": wall,
        "local_ends": wall + HOUR,
        "state": "confirmed",
        "created_at": NOW,
    }


@given(seed=st.integers(0, 10**6), count=st.integers(1, 25))
def test_whoever_moves_meets_nobody(seed: int, count: int) -> None:
    """Bookings laid end to end with gaps, each to move by -1, 0, +1 or +2 hours, others' claims between."""
    dice = random.Random(seed)
    at, movers = utc(1, 0), []
    for number in range(1, count + 1):
        at += timedelta(minutes=dice.choice((0, 0, 30, 90)))
        old = Span(at, at + timedelta(minutes=dice.choice((30, 60, 120))))
        shift = timedelta(hours=dice.choice((-1, 0, 1, 1, 2)))
        new = Span(old.starts_at + shift, old.ends_at + shift)
        group = number if dice.random() < 0.8 else max(1, number - 1)
        unit = dice.choice((1, 2))
        movers.append(Mover(number, group, 1, 1, "confirmed", old, new, (Claimed(unit, old),)))
        at = old.ends_at
    blocked = {each.group for each in movers if dice.random() < 0.1}
    staying = who_stays(movers, blocked)
    assert blocked <= staying
    for unit in (1, 2):
        after = sorted(
            each.old if each.group in staying else each.new
            for each in movers
            if each.claimed[0].unit_id == unit
        )
        assert all(one.ends_at <= two.starts_at for one, two in pairwise(after))


class _counted:
    """The statements that a session sends while it lasts."""

    def __init__(self, session: Session) -> None:
        self._bind = session.get_bind()
        self._sent: list[str] = []

    def __enter__(self) -> list[str]:
        event.listen(self._bind, "before_cursor_execute", self._count)
        return self._sent

    def __exit__(self, *_: object) -> None:
        event.remove(self._bind, "before_cursor_execute", self._count)

    def _count(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        self._sent.append(statement)
