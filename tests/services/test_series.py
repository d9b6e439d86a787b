"""Bookings that come again: all or nothing, or what can be; each occurrence's verdict; wall time kept."""

# ruff: noqa: DTZ001 - wall times have no zone

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from fablab.bookings.facts import BookingRequest, Guest, Policy
from fablab.bookings.models import Booking, Occupancy
from fablab.bookings.models_series import Series, Skip
from fablab.bookings.queries import history
from fablab.bookings.series import Outlook, create_series, preview_series
from fablab.bookings.series_changes import SeriesChange, add_occurrence, cancel_series, change_series
from fablab.bookings.series_plan import SeriesRequest
from fablab.bookings.series_queries import bookings_in, outcome, series, skips_of
from fablab.bookings.service import cancel_booking, create_booking
from fablab.errors import Code, DomainError
from fablab.members.models import Audit
from fablab.members.rules import Actor
from tests.fixtures_cast import Cast
from tests.support.claims import claim_outage
from tests.support.zones import MOROCCO_WITH_RAMADAN, zone_data

ZONE = "Africa/Casablanca"
NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
# A Monday.
FIRST = datetime(2027, 1, 4, 18)


@pytest.fixture
def policy(policy: Policy) -> Policy:
    return replace(policy, horizon_days=400, max_s=12 * 3600)


@pytest.fixture
def ramadan(tmp_path: Path) -> Iterator[None]:
    """Zone data in which Morocco goes back an hour from 7 February to 14 March 2027."""
    with zone_data(tmp_path, ZONE, MOROCCO_WITH_RAMADAN):
        yield


@pytest.fixture
def amina(cast: Cast) -> Actor:
    return cast.actors["amina"]


def at(wall: datetime) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(ZONE))


def weekly(
    count: int = 10,
    first: datetime = FIRST,
    hours: float = 2,
    machine: str = "tanger-prusa-1",
    rrule: str = "",
    skip: bool = False,
    **more: Any,
) -> SeriesRequest:
    request = BookingRequest(machine, at(first), at(first + timedelta(hours=hours)), **more)
    return SeriesRequest(request, rrule or f"FREQ=WEEKLY;COUNT={count}", skip)


def book(session: Session, actor: Actor, policy: Policy, wall: datetime, hours: float = 2) -> int:
    request = BookingRequest("tanger-prusa-1", at(wall), at(wall + timedelta(hours=hours)))
    return create_booking(session, actor, request, NOW, policy).id


def refusals(caught: pytest.ExceptionInfo[DomainError]) -> dict[str, str]:
    return {each.field: each.code for each in caught.value.refusals}


def verdicts_of(outlook: Outlook) -> list[str]:
    return [each.verdict for each in outlook.occurrences]


def test_each_occurrence_is_a_booking_with_its_claim(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    series_id, made = create_series(session, amina, weekly(purpose="club"), NOW, policy)
    assert verdicts_of(made) == ["confirmed"] * 10
    rows = session.scalars(select(Booking).order_by(Booking.starts_at)).all()
    assert [each.id for each in rows] == [each.booking_id for each in made.occurrences]
    assert {(each.series_id, each.purpose, each.member_id) for each in rows} == {
        (series_id, "club", amina.member_id)
    }
    assert [each.series_at for each in rows] == [FIRST + timedelta(weeks=n) for n in range(10)]
    assert [each.local_starts for each in rows] == [each.series_at for each in rows]
    claims = session.scalars(select(Occupancy).order_by(Occupancy.starts_at)).all()
    assert [(each.booking_id, each.starts_at, each.ends_at) for each in claims] == [
        (each.id, each.starts_at, each.ends_at) for each in rows
    ]
    [kept] = session.scalars(select(Series)).all()
    assert (kept.rrule, kept.local_starts, kept.zone) == ("FREQ=WEEKLY;COUNT=10", FIRST, ZONE)
    assert [each.to_state for each in history(session, rows[3].id)] == ["confirmed"]


def test_over_ramadan_six_oclock_stays_six_oclock(
    ramadan: None, session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    create_series(session, amina, weekly(12), NOW, policy)
    rows = session.scalars(select(Booking).order_by(Booking.starts_at)).all()
    assert {each.local_starts.time() for each in rows} == {time(18)}
    assert [each.starts_at.hour for each in rows] == [17] * 5 + [18] * 5 + [17] * 2
    assert {each.ends_at - each.starts_at for each in rows} == {timedelta(hours=2)}


def test_a_night_over_the_change_is_as_long_as_it_is(
    ramadan: None, session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    nights = weekly(6, datetime(2027, 2, 6, 22), 7, rrule="FREQ=WEEKLY;COUNT=6")
    create_series(session, amina, nights, NOW, policy)
    rows = session.scalars(select(Booking).order_by(Booking.starts_at)).all()
    lengths = [(each.ends_at - each.starts_at) // timedelta(hours=1) for each in rows]
    assert lengths == [8, 7, 7, 7, 7, 6]
    assert {(each.local_starts.time(), each.local_ends.time()) for each in rows} == {(time(22), time(5))}


def test_one_clash_refuses_all_and_names_the_occurrence(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    book(session, cast.actors["youssef"], policy, FIRST + timedelta(weeks=3, hours=1))
    with pytest.raises(DomainError) as caught:
        create_series(session, amina, weekly(), NOW, policy)
    assert caught.value.code is Code.CLASH
    assert refusals(caught) == {"occurrences.3.starts_at": "machine_booked"}
    assert session.scalar(text("SELECT count(*) FROM booking")) == 1
    assert session.scalar(text("SELECT count(*) FROM series")) == 0


def test_skipping_says_what_was_left_out_and_keeps_why(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    book(session, cast.actors["youssef"], policy, FIRST + timedelta(weeks=3))
    series_id, made = create_series(session, amina, weekly(5, skip=True), NOW, policy)
    assert verdicts_of(made) == ["confirmed"] * 3 + ["skipped", "confirmed"]
    assert [each.code for each in made.occurrences[3].refusals] == ["machine_booked"]
    [skip] = session.scalars(select(Skip)).all()
    assert (skip.series_id, skip.series_at, skip.reason) == (
        series_id,
        FIRST + timedelta(weeks=3),
        "machine_booked",
    )
    found = series(session, series_id)
    assert found is not None
    told = outcome(found, bookings_in(session, series_id), skips_of(session, series_id))
    assert [each.verdict for each in told] == verdicts_of(made)
    assert told[3].why == ["machine_booked"]


def test_skipping_everything_is_no_series(session: Session, cast: Cast, amina: Actor, policy: Policy) -> None:
    with pytest.raises(DomainError) as caught:
        create_series(session, amina, weekly(3, machine="tanger-laser-1", skip=True), NOW, policy)
    assert set(refusals(caught).values()) == {"outside_hours"}


def test_the_preview_tells_all_of_it_and_stores_nothing(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    claim_outage(
        session,
        cast.units["tanger-prusa-1"],
        at(FIRST + timedelta(weeks=1)).astimezone(UTC),
        at(FIRST + timedelta(weeks=2, hours=1)).astimezone(UTC),
    )
    seen = preview_series(session, amina, weekly(5), NOW, replace(policy, horizon_days=25))
    assert verdicts_of(seen) == ["confirmed", "refused", "refused", "confirmed", "refused"]
    assert [each.why for each in seen.occurrences] == [
        [],
        ["machine_booked"],
        ["machine_booked"],
        [],
        ["beyond_horizon"],
    ]
    assert not seen.bookable
    assert session.scalar(text("SELECT count(*) FROM booking")) == 0


def test_occurrences_that_overlap_stand_in_one_anothers_way(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    daily = weekly(hours=30, rrule="FREQ=DAILY;COUNT=3")
    seen = preview_series(session, amina, daily, NOW, replace(policy, max_s=48 * 3600))
    assert verdicts_of(seen) == ["confirmed", "refused", "confirmed"]


def test_the_series_counts_on_the_members_own_limits(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    """Four hours a week: of Monday, Wednesday and Friday the third is too much, in every week anew."""
    limited = replace(policy, quota_week_s=4 * 3600)
    request = weekly(rrule="FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=6")
    seen = preview_series(session, amina, request, NOW, limited)
    assert verdicts_of(seen) == ["confirmed", "confirmed", "refused"] * 2
    assert seen.occurrences[2].why == ["quota_used"]
    ahead = preview_series(session, amina, weekly(5), NOW, replace(policy, max_ahead=3))
    assert verdicts_of(ahead) == ["confirmed"] * 3 + ["refused"] * 2


@pytest.mark.parametrize(
    ("rrule", "code"),
    [
        ("FREQ=WEEKLY", "rrule_without_end"),
        ("FREQ=DAILY;COUNT=1000000", "too_many_occurrences"),
        ("FREQ=DAILY;UNTIL=20991231", "too_many_occurrences"),
        ("every week", "bad_rrule"),
        ("FREQ=WEEKLY;BYDAY=TU;COUNT=3", "bad_rrule"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_before_anything_is_gathered(
    session: Session, cast: Cast, amina: Actor, policy: Policy, rrule: str, code: str
) -> None:
    with _counted(session) as statements, pytest.raises(DomainError) as caught:
        create_series(session, amina, weekly(rrule=rrule), NOW, policy)
    assert caught.value.code is Code.REFUSED
    assert refusals(caught) == {"rrule": code}
    assert len(statements) <= 3


def test_who_may_not_book_makes_no_series(session: Session, cast: Cast, amina: Actor, policy: Policy) -> None:
    with pytest.raises(DomainError) as caught:
        create_series(session, cast.actors["nadia"], weekly(), NOW, policy)
    assert caught.value.code is Code.NOT_ALLOWED
    with pytest.raises(DomainError) as caught:
        create_series(session, amina, weekly(for_member="youssef@example.org"), NOW, policy)
    assert caught.value.code is Code.NOT_ALLOWED
    with pytest.raises(DomainError) as caught:
        create_series(session, amina, weekly(machine="nowhere-1"), NOW, policy)
    assert caught.value.code is Code.NOT_FOUND


def test_staff_book_a_series_for_somebody_and_the_audit_says_so(
    session: Session, cast: Cast, policy: Policy
) -> None:
    wanted = weekly(3, for_member="youssef@example.org")
    series_id, _ = create_series(session, cast.actors["salma"], wanted, NOW, policy)
    assert set(session.scalars(select(Booking.member_id))) == {cast.members["youssef"]}
    [act] = session.scalars(select(Audit).where(Audit.action == "booking.create"))
    assert (act.on_member_id, act.detail) == (cast.members["youssef"], f"series {series_id}, 3 times")


def test_requests_claim_nothing(session: Session, cast: Cast, amina: Actor, policy: Policy) -> None:
    _, made = create_series(session, amina, weekly(3), NOW, replace(policy, approvals=1))
    assert verdicts_of(made) == ["requested"] * 3
    assert session.scalar(text("SELECT count(*) FROM occupancy")) == 0


def test_a_longer_series_takes_no_more_statements(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    limited = replace(policy, quota_week_s=100 * 3600, max_ahead=500)
    taken = {}
    for count, hour in ((1, 6), (2, 8), (50, 10), (366, 12)):
        daily = weekly(first=datetime(2027, 1, 4, hour), hours=1, rrule=f"FREQ=DAILY;COUNT={count}")
        with _counted(session) as statements:
            preview_series(session, amina, daily, NOW, limited)
        with _counted(session) as more:
            create_series(session, amina, daily, NOW, limited)
        taken[count] = (len(statements), len(more))
    # Of one alone no units are locked.
    assert taken[2] == taken[50] == taken[366], taken
    assert taken[366][0] <= 8
    assert taken[366][1] <= 16


def test_cancelling_one_these_and_all(session: Session, cast: Cast, amina: Actor, policy: Policy) -> None:
    series_id, made = create_series(session, amina, weekly(6), NOW, policy)
    ids = [each.booking_id for each in made.occurrences]
    third, fifth = made.occurrences[2].at, made.occurrences[4].at
    assert cancel_series(session, amina, series_id, "this", third, NOW, policy) == [ids[2]]
    assert cancel_series(session, amina, series_id, "following", fifth, NOW, policy, "ill") == ids[4:]
    assert (
        _states(session, series_id)
        == ["confirmed", "confirmed", "cancelled", "confirmed"] + ["cancelled"] * 2
    )
    assert session.scalar(text("SELECT count(*) FROM occupancy")) == 3
    later = NOW + timedelta(days=4)
    assert cancel_series(session, amina, series_id, "all", None, later, policy) == [ids[1], ids[3]]
    assert _states(session, series_id)[0] == "confirmed"
    with pytest.raises(DomainError) as caught:
        cancel_series(session, amina, series_id, "all", None, later, policy)
    assert refusals(caught) == {"scope": "series_over"}
    with pytest.raises(DomainError) as caught:
        cancel_series(session, amina, series_id, "this", third, NOW, policy)
    assert refusals(caught) == {"from": "no_such_occurrence"}


def test_a_date_that_was_skipped_or_cancelled_can_be_added(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    other = book(session, cast.actors["youssef"], policy, FIRST + timedelta(weeks=1))
    wanted = weekly(4, skip=True, purpose="club", participants=(Guest(name="Ali"),), head_count=3)
    series_id, made = create_series(session, amina, wanted, NOW, policy)
    on = (FIRST + timedelta(weeks=1)).date()
    with pytest.raises(DomainError) as caught:
        add_occurrence(session, amina, series_id, on, NOW, policy)
    assert caught.value.code is Code.CLASH
    cancel_booking(session, cast.actors["youssef"], other, NOW, policy)
    added = add_occurrence(session, amina, series_id, on, NOW, policy)
    assert (added.series_id, added.series_at, added.purpose, added.head_count) == (
        series_id,
        made.occurrences[1].at,
        "club",
        3,
    )
    assert session.scalar(text("SELECT count(*) FROM series_skip")) == 0
    assert session.scalar(text("SELECT count(*) FROM participant")) == 4
    cancel_series(session, amina, series_id, "this", made.occurrences[2].at, NOW, policy)
    add_occurrence(session, amina, series_id, made.occurrences[2].at.date(), NOW, policy)
    assert _states(session, series_id) == ["confirmed"] * 4
    for day, code in ((on, "occurrence_booked"), (date(2027, 1, 5), "no_such_occurrence")):
        with pytest.raises(DomainError) as caught:
            add_occurrence(session, amina, series_id, day, NOW, policy)
        assert refusals(caught) == {"on": code}


def test_staff_add_a_date_for_whose_series_it_is(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    series_id, made = create_series(session, amina, weekly(3), NOW, policy)
    cancel_series(session, amina, series_id, "this", made.occurrences[1].at, NOW, policy)
    added = add_occurrence(
        session, cast.actors["salma"], series_id, made.occurrences[1].at.date(), NOW, policy
    )
    assert (added.member_id, added.created_by_id) == (amina.member_id, cast.members["salma"])


def test_others_see_no_series_and_change_none(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    series_id, _ = create_series(session, amina, weekly(3), NOW, policy)
    for name, code in (
        ("youssef", Code.NOT_FOUND),
        ("karim", Code.NOT_FOUND),
        ("nadia", Code.NOT_ALLOWED),
    ):
        with pytest.raises(DomainError) as caught:
            cancel_series(session, cast.actors[name], series_id, "all", None, NOW, policy)
        assert caught.value.code is code, name
    assert len(cancel_series(session, cast.actors["salma"], series_id, "all", None, NOW, policy)) == 3


def test_all_get_another_time_of_day(session: Session, cast: Cast, amina: Actor, policy: Policy) -> None:
    series_id, _ = create_series(session, amina, weekly(4), NOW, policy)
    # Half an hour later: each stands in its own way and in nobody else's.
    change = SeriesChange(starts=time(18, 30), purpose="later")
    assert change_series(session, amina, series_id, "all", None, change, NOW, policy) == series_id
    rows = session.scalars(select(Booking).order_by(Booking.starts_at)).all()
    assert {each.local_starts.time() for each in rows} == {time(18, 30)}
    assert {each.local_ends.time() for each in rows} == {time(20, 30)}
    assert [each.series_at for each in rows] == [each.local_starts for each in rows]
    assert {each.purpose for each in rows} == {"later"}
    kept = session.get_one(Series, series_id)
    session.refresh(kept)
    assert (kept.local_starts.time(), kept.local_ends.time(), kept.purpose) == (
        time(18, 30),
        time(20, 30),
        "later",
    )
    assert _occupancy_is_bookings(session)


def test_those_that_follow_become_a_series_of_their_own(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    book(session, cast.actors["youssef"], policy, FIRST + timedelta(weeks=4))
    series_id, made = create_series(session, amina, weekly(6, skip=True), NOW, policy)
    third = made.occurrences[2].at
    change = SeriesChange(starts=time(8), ends=time(9))
    new_id = change_series(session, amina, series_id, "following", third, change, NOW, policy)
    assert new_id != series_id
    before, after = series(session, series_id), series(session, new_id)
    assert before is not None
    assert after is not None
    assert (before.rrule, after.rrule) == ("FREQ=WEEKLY;COUNT=2", "FREQ=WEEKLY;COUNT=4")
    assert _states(session, series_id) == ["confirmed"] * 2
    assert _states(session, new_id) == ["confirmed", "confirmed", "skipped", "confirmed"]
    # The skipped date is at the new time of day now, when the machine is free.
    added = add_occurrence(session, amina, new_id, (FIRST + timedelta(weeks=4)).date(), NOW, policy)
    assert added.starts_at == at(datetime.combine((FIRST + timedelta(weeks=4)).date(), time(8)))
    assert _occupancy_is_bookings(session)


def test_one_that_was_moved_by_itself_keeps_its_time(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    series_id, made = create_series(session, amina, weekly(4), NOW, policy)
    second = made.occurrences[1].at
    own = SeriesChange(starts=time(10), ends=time(11))
    assert change_series(session, amina, series_id, "this", second, own, NOW, policy) == series_id
    change = SeriesChange(starts=time(7), machine="tanger-prusa-2")
    change_series(session, amina, series_id, "all", None, change, NOW, policy)
    rows = session.scalars(select(Booking).order_by(Booking.starts_at)).all()
    assert [each.local_starts.hour for each in rows] == [7, 10, 7, 7]
    assert {each.machine_id for each in rows} == {cast.machines["tanger-prusa-2"]}
    assert [each.verdict for each in _outcome(session, series_id)] == ["confirmed"] * 4
    assert _occupancy_is_bookings(session)


def test_what_is_over_stays_behind(session: Session, cast: Cast, amina: Actor, policy: Policy) -> None:
    series_id, _ = create_series(session, amina, weekly(5), NOW, policy)
    later = at(FIRST + timedelta(weeks=1, hours=1)).astimezone(UTC)
    new_id = change_series(
        session, amina, series_id, "all", None, SeriesChange(starts=time(9)), later, policy
    )
    assert new_id != series_id
    rows = session.scalars(select(Booking).order_by(Booking.starts_at)).all()
    assert [each.local_starts.hour for each in rows] == [18, 18, 9, 9, 9]
    assert [each.series_id for each in rows] == [series_id] * 2 + [new_id] * 3


def test_a_change_that_one_occurrence_forbids_changes_nothing(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    book(session, cast.actors["youssef"], policy, FIRST + timedelta(weeks=2, hours=-8))
    series_id, _ = create_series(session, amina, weekly(4), NOW, policy)
    session.commit()
    with pytest.raises(DomainError) as caught:
        change_series(session, amina, series_id, "all", None, SeriesChange(starts=time(10)), NOW, policy)
    assert caught.value.code is Code.CLASH
    session.rollback()
    rows = session.scalars(select(Booking).where(Booking.series_id == series_id)).all()
    assert {each.local_starts.time() for each in rows} == {time(18)}


def test_another_labs_machine_is_not_the_series_own(
    session: Session, cast: Cast, amina: Actor, policy: Policy
) -> None:
    series_id, _ = create_series(session, amina, weekly(2), NOW, policy)
    with pytest.raises(DomainError) as caught:
        change_series(
            session, amina, series_id, "all", None, SeriesChange(machine="rabat-prusa-1"), NOW, policy
        )
    assert refusals(caught) == {"machine": "not_in_lab"}


def _states(session: Session, series_id: int) -> list[str]:
    return [each.verdict for each in _outcome(session, series_id)]


def _outcome(session: Session, series_id: int) -> Any:
    found = series(session, series_id)
    assert found is not None
    return outcome(found, bookings_in(session, series_id), skips_of(session, series_id))


def _occupancy_is_bookings(session: Session) -> bool:
    """Every booking that holds its machine has exactly its own claim."""
    held = select(Booking.id, Booking.starts_at, Booking.ends_at).where(Booking.state == "confirmed")
    claims = select(Occupancy.booking_id, Occupancy.starts_at, Occupancy.ends_at)
    return sorted(session.execute(held).all()) == sorted(session.execute(claims).all())


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
