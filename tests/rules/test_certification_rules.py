"""What a certification is worth on a day, months on the calendar, who certifies whom, and who has a place."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.certifications.rules import (
    add_months,
    closing_refusals,
    lab_of_grant,
    may_certify,
    may_certify_member,
    may_enrol,
    may_see_certifications,
    may_see_enrolments,
    place,
    standing,
    training_refusals,
    unused_since,
)
from fablab.certifications.words import least_name
from fablab.members.rules import Actor

TANGER, RABAT = 1, 2
MAKER = Actor(10, "Amina", maker=True)
TRAINER = Actor(11, "Tarik", trained_labs=frozenset({TANGER}))
MANAGER = Actor(12, "Salma", managed_labs=frozenset({TANGER}))
OPERATOR = Actor(13, "Nadia", operator=True)
ADMIN = Actor(14, "Admin", admin=True)
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
TODAY = NOW.date()


@dataclass(frozen=True)
class Held:
    expires_on: date | None = None
    suspended_at: datetime | None = None
    revoked_at: datetime | None = None


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (Held(), "valid"),
        (Held(expires_on=TODAY), "valid"),
        (Held(expires_on=TODAY + timedelta(days=1)), "valid"),
        (Held(expires_on=TODAY - timedelta(days=1)), "expired"),
        (Held(suspended_at=NOW), "suspended"),
        (Held(suspended_at=NOW, expires_on=TODAY), "suspended"),
        (Held(suspended_at=NOW, expires_on=TODAY - timedelta(days=1)), "expired"),
        (Held(revoked_at=NOW), "revoked"),
        (Held(TODAY - timedelta(days=1), NOW, NOW), "revoked"),
    ],
)
def test_what_a_certification_is_worth(held: Held, expected: str) -> None:
    assert standing(held, TODAY) == expected


@pytest.mark.parametrize(
    ("on", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
        (date(2026, 11, 22), 0, date(2026, 11, 22)),
    ],
)
def test_months_on_the_calendar(on: date, months: int, expected: date) -> None:
    assert add_months(on, months) == expected


days = st.dates(date(2000, 1, 1), date(2199, 12, 31))
months = st.integers(-120, 120)


@given(days, months)
def test_so_many_months_later_is_that_month_and_the_same_or_its_last_day(on: date, count: int) -> None:
    later = add_months(on, count)
    assert (later.year * 12 + later.month) - (on.year * 12 + on.month) == count
    last = calendar.monthrange(later.year, later.month)[1]
    assert later.day == min(on.day, last)


@given(days, days, months)
def test_whoever_begins_later_never_ends_earlier(one: date, other: date, count: int) -> None:
    first, second = sorted((one, other))
    assert add_months(first, count) <= add_months(second, count)


@given(days, months)
def test_back_again_loses_at_most_the_days_a_month_lacks(on: date, count: int) -> None:
    back = add_months(add_months(on, count), -count)
    assert timedelta() <= on - back <= timedelta(days=3)


@given(days, st.times(), st.integers(1, 120))
def test_unused_since_keeps_the_time_of_day(on: date, time_of_day: time, count: int) -> None:
    at = datetime.combine(on, time_of_day, UTC)
    since = unused_since(at, count)
    assert since.timetz() == at.timetz()
    assert since.date() == add_months(at.date(), -count)


def test_only_the_labs_own_people_certify_on_its_machines() -> None:
    assert [may_certify(each, TANGER) for each in (MAKER, OPERATOR)] == [False, False]
    assert [may_certify(each, RABAT) for each in (TRAINER, MANAGER)] == [False, False]
    assert all(may_certify(each, TANGER) for each in (TRAINER, MANAGER, ADMIN))


def test_the_trainer_of_any_lab_certifies_on_a_kind() -> None:
    assert all(may_certify(each, None) for each in (TRAINER, MANAGER, ADMIN))
    assert not any(may_certify(each, None) for each in (MAKER, OPERATOR))


@pytest.mark.parametrize("who", [MAKER, TRAINER, MANAGER, OPERATOR, ADMIN])
def test_nobody_certifies_oneself(who: Actor) -> None:
    assert not may_certify_member(who, TANGER, who.member_id)
    assert not may_certify_member(who, None, who.member_id)


def test_makers_see_their_own_only() -> None:
    assert may_see_certifications(MAKER, MAKER.member_id)
    assert not may_see_certifications(MAKER, TRAINER.member_id)
    assert all(may_see_certifications(each, 99) for each in (TRAINER, MANAGER, OPERATOR, ADMIN))


def test_who_comes_to_a_training_is_for_its_labs_people() -> None:
    assert not may_see_enrolments(MAKER, TANGER)
    assert not may_see_enrolments(TRAINER, RABAT)
    assert all(may_see_enrolments(each, TANGER) for each in (TRAINER, MANAGER, OPERATOR, ADMIN))


def test_who_only_reads_takes_no_place() -> None:
    assert not may_enrol(OPERATOR)
    assert all(may_enrol(each) for each in (MAKER, TRAINER, MANAGER, ADMIN))


def test_in_whose_name_a_certification_is_granted() -> None:
    assert lab_of_grant(TRAINER, RABAT, TANGER) == RABAT, "a machine is its own lab's"
    assert lab_of_grant(TRAINER, None, None) == TANGER
    assert lab_of_grant(TRAINER, None, RABAT) == RABAT, "which may_certify then refuses"
    assert lab_of_grant(ADMIN, None, None) is None
    both = Actor(15, "Both", trained_labs=frozenset({TANGER}), managed_labs=frozenset({RABAT}))
    assert lab_of_grant(both, None, None) is None


@given(st.integers(1, 500), st.integers(0, 500))
def test_a_place_is_given_while_there_is_one(places: int, enrolled: int) -> None:
    assert (place(places, enrolled) == "enrolled") == (enrolled < places)


def codes(found: list) -> list[tuple[str, str]]:  # type: ignore[type-arg]
    return [(each.code, each.field) for each in found]


def test_a_training_needs_a_future_a_length_and_places() -> None:
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=3)
    assert training_refusals(soon, later, 8, 0, NOW, moved=True) == []
    assert codes(training_refusals(later, soon, 8, 0, NOW, moved=True)) == [("invalid", "ends_at")]
    long = soon + timedelta(days=14, seconds=1)
    assert codes(training_refusals(soon, long, 8, 0, NOW, moved=True)) == [("invalid", "ends_at")]
    past = NOW - timedelta(hours=1)
    assert codes(training_refusals(past, later, 8, 0, NOW, moved=True)) == [("invalid", "starts_at")]
    assert training_refusals(past, later, 8, 0, NOW, moved=False) == []
    assert codes(training_refusals(soon, later, 8, 9, NOW, moved=False)) == [("places_taken", "places")]


def test_a_training_is_closed_after_it_began_with_people_of_its_list() -> None:
    assert closing_refusals(NOW, NOW, 11, {1, 2}, {1, 2, 3}) == []
    assert codes(closing_refusals(NOW + timedelta(1), NOW, 11, {1}, {1})) == [("not_begun", "attended")]
    assert codes(closing_refusals(NOW, NOW, 11, {4}, {1})) == [("not_enrolled", "attended")]
    assert codes(closing_refusals(NOW, NOW, 11, {11}, {11})) == [("own_certification", "attended")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Amina Benali", "Amina B."),
        ("Fatima Zahra Oubella", "Fatima O."),
        ("  Youssef   El Idrissi ", "Youssef I."),
        ("Administration", "Administration"),
        ("أمينة بنعلي", "أمينة ب."),
    ],
)
def test_least_name(name: str, expected: str) -> None:
    assert least_name(name) == expected
