"""What the clock proposes: holidays and Ramadan, each once, and never in force by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fablab.errors import DomainError
from fablab.machines import closures, seasons
from fablab.machines.holidays_known import Holiday, public_holidays, ramadans
from fablab.machines.models import Closure, Opening, Season
from fablab.machines.proposals import propose_holidays
from fablab.machines.queries import lab_by_slug
from fablab.machines.rules import OpenHours
from fablab.machines.tasks import propose_hours
from fablab.machines.weeks import replace_week
from fablab.settings import Settings
from tests.fixtures_cast import Cast

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
INDEPENDENCE = date(2027, 1, 11)


def proposed(session: Session, lab_id: int) -> list[tuple[str, date]]:
    return [
        (label, starts.date())
        for label, starts in session.execute(
            select(Closure.label, Closure.local_starts)
            .where(Closure.lab_id == lab_id, Closure.state == "proposed")
            .order_by(Closure.local_starts)
        )
    ]


def proposal_of(session: Session, lab_id: int, on: date) -> int:
    return session.scalars(
        select(Closure.id).where(Closure.lab_id == lab_id, func.date(Closure.local_starts) == on)
    ).one()


def is_closed(session: Session, on: date) -> bool:
    found = lab_by_slug(session, "tanger")
    assert found is not None
    return not found.hours.day(on).spans


def test_nothing_is_proposed_where_the_settings_say_so(
    cast: Cast, session: Session, settings: Settings
) -> None:
    none = replace(settings, hours=replace(settings.hours, holidays="", ramadan=False))
    assert propose_hours(session, NOW, none) == 0


def test_a_country_nobody_knows_has_no_holidays() -> None:
    assert public_holidays("XX", "fr", date(2027, 1, 1), date(2027, 12, 31)) == []


def test_holidays_of_fourteen_months_are_proposed_to_every_lab_and_close_none(
    cast: Cast, session: Session, settings: Settings
) -> None:
    assert propose_hours(session, NOW, settings) > 30
    tanger, rabat = (proposed(session, cast.labs[slug]) for slug in ("tanger", "rabat"))
    assert tanger == rabat
    assert ("Manifeste de l'indépendance", INDEPENDENCE) in tanger
    assert tanger[-1][1] > date(2027, 12, 31)
    assert not is_closed(session, INDEPENDENCE)


def test_nothing_is_proposed_twice_whatever_was_decided(
    cast: Cast, session: Session, settings: Settings
) -> None:
    propose_hours(session, NOW, settings)
    lab, salma = cast.labs["tanger"], cast.actors["salma"]
    confirmed, declined, removed = (
        proposal_of(session, lab, on) for on in (INDEPENDENCE, date(2027, 5, 1), date(2027, 7, 30))
    )
    closures.confirm_closures(session, salma, "tanger", [confirmed, removed], NOW)
    closures.remove_closure(session, salma, "tanger", removed, NOW)
    assert closures.decline_closures(session, salma, "tanger", [declined, confirmed], NOW) == 1
    ramadan = session.scalars(select(Season.id).where(Season.lab_id == lab)).all()
    for season_id in ramadan:
        seasons.remove_season(session, salma, "tanger", season_id, NOW)
    assert propose_hours(session, NOW, settings) == 0
    states = {
        each: session.scalar(select(Closure.state).where(Closure.id == each))
        for each in (confirmed, declined, removed)
    }
    assert states == {confirmed: "confirmed", declined: "declined", removed: "declined"}
    assert is_closed(session, INDEPENDENCE)
    assert not is_closed(session, date(2027, 7, 30))


def test_a_proposal_is_confirmed_once(cast: Cast, session: Session, settings: Settings) -> None:
    propose_hours(session, NOW, settings)
    lab, salma = cast.labs["tanger"], cast.actors["salma"]
    chosen = proposal_of(session, lab, INDEPENDENCE)
    closures.confirm_closures(session, salma, "tanger", [chosen], NOW)
    with pytest.raises(DomainError) as error:
        closures.confirm_closures(session, salma, "tanger", [chosen], NOW)
    assert [each.code for each in error.value.refusals] == ["not_proposed"]


def test_managers_decide_for_their_own_lab_alone(cast: Cast, session: Session, settings: Settings) -> None:
    propose_hours(session, NOW, settings)
    theirs = proposal_of(session, cast.labs["tanger"], INDEPENDENCE)
    with pytest.raises(DomainError):
        closures.confirm_closures(session, cast.actors["karim"], "rabat", [theirs], NOW)
    assert closures.decline_closures(session, cast.actors["karim"], "rabat", [theirs], NOW) == 0
    shown = closures.closures_of(session, cast.actors["karim"], cast.labs["tanger"])
    assert shown == [], "proposals are nobody else's to see"


def test_a_holiday_that_is_computed_anew_is_proposed_on_its_other_day(cast: Cast, session: Session) -> None:
    def propose(on: date) -> int:
        found = [Holiday(f"holiday-ma-{on}", on, "Aïd")]
        return propose_holidays(session, "MA", found, date(2027, 1, 1), date(2027, 12, 31))

    assert propose(date(2027, 3, 9)) == 2
    karim = cast.actors["karim"]
    closures.confirm_closures(
        session, karim, "rabat", [proposal_of(session, cast.labs["rabat"], date(2027, 3, 9))], NOW
    )
    assert propose(date(2027, 3, 10)) == 2
    assert proposed(session, cast.labs["tanger"]) == [("Aïd", date(2027, 3, 10))]
    shown = closures.closures_of(session, karim, cast.labs["rabat"], state="confirmed")
    assert [each.first_day for each in shown] == [date(2027, 3, 9)], "what was confirmed stays"


# Ramadan.


def test_ramadan_is_where_the_calendar_has_it() -> None:
    found = ramadans(date(2026, 11, 22), date(2028, 1, 31))
    assert [(each.key, each.starts_on, each.ends_on) for each in found] == [
        ("ramadan-1448", date(2027, 2, 8), date(2027, 3, 8)),
        ("ramadan-1449", date(2028, 1, 28), date(2028, 2, 25)),
    ]


def test_ramadan_is_proposed_with_the_usual_hours_of_the_first_half_of_the_day(
    cast: Cast, session: Session, settings: Settings
) -> None:
    week = [
        OpenHours(0, time(7), time(8)),
        OpenHours(0, time(8), time(12)),
        OpenHours(0, time(14), time(19), supervised=False),
        OpenHours(1, time(14), time(2)),
        OpenHours(2, time(16), time(20)),
    ]
    salma = cast.actors["salma"]
    replace_week(session, salma, "tanger", week, NOW)
    replace_week(session, salma, "tanger", week[:1], NOW, machine="tanger-laser-1")
    propose_hours(session, NOW, settings)
    found = seasons.seasons_of(session, salma, cast.labs["tanger"])
    assert [(each.label, each.state) for each in found] == [("Ramadan 1448", "proposed")]
    assert dict(found[0].weeks) == {
        None: (
            OpenHours(0, time(9), time(12)),
            OpenHours(0, time(14), time(16), supervised=False),
            OpenHours(1, time(14), time(16)),
        )
    }


def test_ramadan_counts_once_it_is_confirmed(cast: Cast, session: Session, settings: Settings) -> None:
    propose_hours(session, NOW, settings)
    salma, monday = cast.actors["salma"], date(2027, 2, 8)

    def closes() -> int:
        found = lab_by_slug(session, "tanger")
        assert found is not None
        [span] = found.hours.day(monday).spans
        return int((span.ends_at - span.starts_at).total_seconds() // 3600)

    assert closes() == 9
    [ramadan] = seasons.seasons_of(session, salma, cast.labs["tanger"])
    assert seasons.seasons_of(session, cast.actors["amina"], cast.labs["tanger"]) == []
    seasons.confirm_season(session, salma, "tanger", ramadan.id, NOW)
    assert closes() == 7
    assert [
        each.label for each in seasons.seasons_of(session, cast.actors["amina"], cast.labs["tanger"])
    ] == ["Ramadan 1448"]
    with pytest.raises(DomainError) as error:
        seasons.confirm_season(session, salma, "tanger", ramadan.id, NOW)
    assert [each.code for each in error.value.refusals] == ["not_proposed"]
    assert session.scalar(select(func.count()).where(Opening.season_id == ramadan.id)) == 6
