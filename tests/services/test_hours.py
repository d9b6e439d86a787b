"""Setting hours: weeks, seasons and closures, all or nothing, and what every process knows afterwards."""

# ruff: noqa: DTZ001 - wall times have no zone

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.models import Booking
from fablab.bookings.outside_hours import left_outside, outside_hours
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.machines import closures, known_hours, seasons, weeks
from fablab.machines.models import Closure, Lab, Opening, Season
from fablab.machines.queries import lab_by_slug, machine_by_slug, machines
from fablab.machines.rules import OpenHours
from fablab.members.models import Audit
from tests.fixtures_cast import ZONE, Cast, tomorrow

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
MORNINGS = [OpenHours(weekday, time(8), time(12)) for weekday in range(7)]
JANUARY, FEBRUARY = date(2027, 1, 1), date(2027, 2, 1)


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """What is said to the database meanwhile."""
    said: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        said.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


def week_of(session: Session, lab: str = "tanger") -> list[tuple[int, str]]:
    found = session.execute(
        select(Opening.weekday, Opening.opens)
        .join(Lab, Lab.id == Opening.lab_id)
        .where(Lab.slug == lab, Opening.machine_id.is_(None), Opening.season_id.is_(None))
        .order_by(Opening.weekday, Opening.opens)
    )
    return [(weekday, f"{opens:%H:%M}") for weekday, opens in found]


def refusals(error: pytest.ExceptionInfo[DomainError]) -> list[tuple[str, str]]:
    return [(each.code, each.field) for each in error.value.refusals]


@pytest.mark.parametrize("who", ["amina", "youssef", "trainer", "karim", "nadia"])
def test_only_managers_of_the_lab_set_its_hours(cast: Cast, session: Session, who: str) -> None:
    actor = cast.actors[who]
    verbs: list[Callable[[], Any]] = [
        lambda: weeks.replace_week(session, actor, "tanger", MORNINGS, NOW),
        lambda: seasons.add_season(session, actor, "tanger", "S", JANUARY, FEBRUARY, [], NOW),
        lambda: closures.add_closure(
            session, actor, "tanger", "C", datetime(2027, 1, 1), datetime(2027, 1, 2), NOW
        ),
    ]
    for verb in verbs:
        with pytest.raises(DomainError) as error:
            verb()
        assert error.value.code is Code.NOT_ALLOWED
    assert session.scalar(select(func.count()).select_from(Season)) == 0


def test_hours_that_overlap_are_refused_and_nothing_is_stored(
    cast: Cast, sessions: sessionmaker[Session]
) -> None:
    week = [*MORNINGS, OpenHours(2, time(11), time(15)), OpenHours(4, time(8), time(9))]
    with sessions() as session:
        before = week_of(session)
    with pytest.raises(DomainError) as error, transaction(sessions) as session:
        weeks.replace_week(session, cast.actors["salma"], "tanger", week, NOW)
    assert refusals(error) == [("hours_overlap", "openings.7.opens"), ("hours_overlap", "openings.8.opens")]
    with sessions() as session:
        assert week_of(session) == before


def test_a_machine_of_another_lab_is_not_found(cast: Cast, session: Session) -> None:
    with pytest.raises(DomainError) as error:
        weeks.replace_week(session, cast.actors["salma"], "tanger", [], NOW, machine="rabat-prusa-1")
    assert error.value.code is Code.NOT_FOUND


def test_a_week_takes_the_place_of_the_one_before(cast: Cast, session: Session) -> None:
    weeks.replace_week(session, cast.actors["salma"], "tanger", MORNINGS, NOW)
    assert week_of(session) == [(weekday, "08:00") for weekday in range(7)]
    assert [day for day, _ in week_of(session, "rabat")] == list(range(6))
    [act] = session.execute(select(Audit.action, Audit.lab_id, Audit.detail)).all()
    assert act[:2] == ("hours.change", cast.labs["tanger"])
    assert "Monday 08:00-12:00" in act.detail


def test_a_machine_keeps_hours_of_its_own_until_they_are_taken_away(cast: Cast, session: Session) -> None:
    salma = cast.actors["salma"]
    weeks.replace_week(session, salma, "tanger", MORNINGS, NOW, machine="tanger-laser-1")
    assert _opens(session, "tanger-laser-1") == {"08:00"}
    weeks.replace_week(session, salma, "tanger", [], NOW, machine="tanger-laser-1")
    assert _opens(session, "tanger-laser-1") == {"09:00"}


def _opens(session: Session, slug: str) -> set[str]:
    machine = machine_by_slug(session, slug)
    assert machine is not None
    day = machine.hours.day(date(2027, 1, 4))
    return {f"{span.starts_at.astimezone(tomorrow(9).tzinfo):%H:%M}" for span in day.spans}


def test_hours_are_read_once_and_again_after_they_changed(
    cast: Cast, sessions: sessionmaker[Session]
) -> None:
    def steady(session: Session) -> int:
        with statements(session) as said:
            machines(session)
            lab_by_slug(session, "tanger")
            machine_by_slug(session, "tanger-laser-1")
        return len(said)

    with sessions() as session:
        machines(session)
        assert steady(session) == 3
    with transaction(sessions) as session:
        weeks.replace_week(session, cast.actors["salma"], "tanger", MORNINGS, NOW)
    with sessions() as session:
        assert steady(session) == 4, "the lab's hours are read again"
        assert steady(session) == 3
        assert _opens(session, "tanger-laser-1") == {"08:00"}


def test_what_was_undone_is_not_remembered(cast: Cast, sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        weeks.replace_week(session, cast.actors["salma"], "tanger", MORNINGS, NOW)
        assert _opens(session, "tanger-laser-1") == {"08:00"}
        session.rollback()
        assert _opens(session, "tanger-laser-1") == {"09:00"}


def test_machines_of_a_lab_share_their_hours(cast: Cast, session: Session) -> None:
    prusas = [each for each in machines(session, lab="tanger") if each.unattended]
    assert len(prusas) == 2
    assert prusas[0].hours is prusas[1].hours
    assert known_hours.hours_of_lab(session, cast.labs["tanger"]).of(None) is _lab(session).hours


def _lab(session: Session) -> Any:
    found = lab_by_slug(session, "tanger")
    assert found is not None
    return found


# Seasons.


def test_a_season_that_ends_before_it_begins_is_refused(cast: Cast, session: Session) -> None:
    with pytest.raises(DomainError) as error:
        seasons.add_season(
            session, cast.actors["salma"], "tanger", " ", FEBRUARY, JANUARY, [], NOW, priority=-1
        )
    assert refusals(error) == [
        ("ends_before_it_begins", "ends_on"),
        ("invalid", "label"),
        ("invalid", "priority"),
    ]


def test_a_season_whose_week_overlaps_is_not_stored_at_all(
    cast: Cast, sessions: sessionmaker[Session]
) -> None:
    week = [OpenHours(0, time(9), time(12)), OpenHours(0, time(10), time(11))]
    with pytest.raises(DomainError), transaction(sessions) as session:
        seasons.add_season(session, cast.actors["salma"], "tanger", "S", JANUARY, FEBRUARY, week, NOW)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Season)) == 0


def test_a_season_counts_at_once_and_is_changed_and_taken_away(cast: Cast, session: Session) -> None:
    salma = cast.actors["salma"]
    made = seasons.add_season(session, salma, "tanger", "Exams", JANUARY, FEBRUARY, MORNINGS, NOW)
    assert (_opens(session, "tanger-laser-1"), made.week) == ({"08:00"}, tuple(MORNINGS))
    afternoon = [OpenHours(weekday, time(14), time(18)) for weekday in range(7)]
    seasons.replace_season_week(session, salma, "tanger", made.id, afternoon, NOW, machine="tanger-laser-1")
    assert _opens(session, "tanger-laser-1") == {"14:00"}
    seasons.change_season(session, salma, "tanger", made.id, {"starts_on": date(2027, 1, 5)}, NOW)
    assert _opens(session, "tanger-laser-1") == {"09:00"}
    seasons.remove_season(session, salma, "tanger", made.id, NOW)
    assert session.scalar(select(func.count()).where(Opening.season_id.is_not(None))) == 0
    with pytest.raises(DomainError) as error:
        seasons.season_of(session, cast.labs["tanger"], made.id)
    assert error.value.code is Code.NOT_FOUND


def test_seasons_of_another_lab_are_not_touched(cast: Cast, session: Session) -> None:
    made = seasons.add_season(session, cast.actors["salma"], "tanger", "S", JANUARY, FEBRUARY, [], NOW)
    with pytest.raises(DomainError) as error:
        seasons.remove_season(session, cast.actors["karim"], "rabat", made.id, NOW)
    assert error.value.code is Code.NOT_FOUND


# Closures.


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"local_ends": datetime(2027, 1, 4)}, ("ends_before_it_begins", "local_ends")),
        ({"local_ends": datetime(2029, 1, 4)}, ("too_long", "local_ends")),
        ({"rrule": "FREQ=SECONDLY"}, ("bad_rrule", "rrule")),
        ({"rrule": "every Monday"}, ("bad_rrule", "rrule")),
        ({"label": "  "}, ("invalid", "label")),
    ],
)
def test_a_closure_that_cannot_be_is_refused(
    cast: Cast, session: Session, values: dict[str, Any], refused: tuple[str, str]
) -> None:
    usual: dict[str, Any] = {
        "label": "Inventory",
        "local_starts": datetime(2027, 1, 4, 10),
        "local_ends": datetime(2027, 1, 4, 12),
    }
    with pytest.raises(DomainError) as error:
        closures.add_closure(session, cast.actors["salma"], "tanger", now=NOW, **(usual | values))
    assert refusals(error) == [refused]
    assert session.scalar(select(func.count()).select_from(Closure)) == 0


def test_a_closure_without_end_is_repeated_for_years(cast: Cast, session: Session) -> None:
    made = closures.add_closure(
        session,
        cast.actors["salma"],
        "tanger",
        "Throne Day",
        datetime(2027, 7, 30),
        datetime(2027, 7, 31),
        NOW,
        rrule="freq=yearly",
    )
    assert made.rrule == "FREQ=YEARLY"
    hours = _lab(session).hours
    closed = [year for year in (2026, 2027, 2030, 2041) if not hours.day(date(year, 7, 30)).spans]
    assert closed == [2027, 2030, 2041]
    assert hours.day(date(2041, 7, 30)).closure == "Throne Day"


def test_a_closure_is_changed_and_taken_away(cast: Cast, session: Session) -> None:
    salma = cast.actors["salma"]
    starts, ends = datetime(2027, 1, 4), datetime(2027, 1, 5)
    made = closures.add_closure(session, salma, "tanger", "C", starts, ends, NOW, machine="tanger-laser-1")
    assert _opens(session, "tanger-laser-1") == set()
    changed = closures.change_closure(session, salma, "tanger", made.id, {"machine": None, "label": "D"}, NOW)
    assert (changed.machine, changed.label, _lab(session).hours.day(date(2027, 1, 4)).closure) == (
        None,
        "D",
        "D",
    )
    closures.remove_closure(session, salma, "tanger", made.id, NOW)
    assert _opens(session, "tanger-laser-1") == {"09:00"}
    acts = session.scalars(select(Audit.action).order_by(Audit.id)).all()
    assert acts == ["closure.add", "closure.change", "closure.remove"]


# What was booked before.


def test_bookings_that_a_closure_leaves_outside_are_told_and_stay(cast: Cast, session: Session) -> None:
    now = tomorrow(6)
    kept, left = tomorrow(10), tomorrow(15)
    for starts in (kept, left):
        _book(session, cast, starts, starts + timedelta(hours=1))
    day = now.astimezone(left.tzinfo).date()
    made, outside = left_outside(
        session,
        "tanger",
        now,
        lambda: closures.add_closure(
            session,
            cast.actors["salma"],
            "tanger",
            "Fair",
            datetime.combine(day, time(14)),
            datetime.combine(day, time(18)),
            now,
        ),
    )
    assert made.label == "Fair"
    assert [(each.starts_at, each.member_name) for each in outside] == [(left.astimezone(UTC), "Amina")]
    assert [each.starts_at for each in outside_hours(session, "tanger", now)] == [left.astimezone(UTC)]
    _, again = left_outside(session, "tanger", now, lambda: None)
    assert again == [], "only what this change did"


def _book(session: Session, cast: Cast, starts_at: datetime, ends_at: datetime) -> None:
    """Amina's, on the laser."""
    session.add(
        Booking(
            machine_id=cast.machines["tanger-laser-1"],
            lab_id=cast.labs["tanger"],
            member_id=cast.members["amina"],
            created_by_id=cast.members["amina"],
            starts_at=starts_at,
            ends_at=ends_at,
            zone=ZONE,
            local_starts=starts_at.replace(tzinfo=None),
            local_ends=ends_at.replace(tzinfo=None),
            state="confirmed",
            created_at=NOW,
        )
    )
    session.flush()
