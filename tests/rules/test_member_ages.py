"""Ages and birth dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.members.rules import age_on, birth_date_refusal, is_minor, not_yet

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
BIRTHS = st.dates(date(1900, 1, 1), date(2026, 11, 22))


@pytest.mark.parametrize(
    ("birth_on", "on", "age"),
    [
        (date(2008, 11, 22), date(2026, 11, 21), 17),
        (date(2008, 11, 22), date(2026, 11, 22), 18),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 28), 19),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2008, 12, 31), date(2009, 1, 1), 0),
    ],
)
def test_years_are_full_on_the_birthday(birth_on: date, on: date, age: int) -> None:
    assert age_on(birth_on, on) == age
    assert is_minor(birth_on, on) is (age < 18)


def test_without_a_birth_date_one_is_of_age() -> None:
    assert not is_minor(None, NOW.date())


@given(BIRTHS, st.integers(0, 40000))
def test_age_grows_by_one_a_year_and_never_falls(birth_on: date, days: int) -> None:
    on = birth_on + timedelta(days=days)
    assert 0 <= age_on(birth_on, on + timedelta(days=1)) - age_on(birth_on, on) <= 1
    assert age_on(birth_on, on) <= days / 365 + 1e-9
    assert age_on(birth_on, on) >= days / 366 - 1


@given(BIRTHS)
def test_one_comes_of_age_once_and_stays_so(birth_on: date) -> None:
    eighteenth = next(
        birth_on.replace(year=birth_on.year + 18, day=1, month=birth_on.month) + timedelta(days=each)
        for each in range(62)
        if not is_minor(
            birth_on,
            birth_on.replace(year=birth_on.year + 18, day=1, month=birth_on.month) + timedelta(days=each),
        )
    )
    assert is_minor(birth_on, eighteenth - timedelta(days=1))
    assert not is_minor(birth_on, eighteenth + timedelta(days=1))


@pytest.mark.parametrize(
    ("birth_on", "under_18", "says"),
    [
        (None, True, "needed"),
        (date(2026, 11, 24), False, "future"),
        (date(9999, 12, 31), False, "future"),
        (date(1899, 12, 31), False, "after 1900"),
        (date(1, 1, 1), False, "after 1900"),
        (date(2008, 11, 22), True, "18 or older"),
    ],
)
def test_impossible_birth_dates_are_refused(birth_on: date | None, under_18: bool, says: str) -> None:
    refusal = birth_date_refusal(birth_on, NOW, under_18=under_18)
    assert refusal is not None
    assert says in refusal


@pytest.mark.parametrize(
    ("birth_on", "under_18"),
    [
        (None, False),
        (date(1990, 5, 1), False),
        (date(2010, 5, 1), False),
        (date(2010, 5, 1), True),
        (date(2008, 11, 23), True),
    ],
)
def test_possible_ones_are_taken(birth_on: date | None, under_18: bool) -> None:
    assert birth_date_refusal(birth_on, NOW, under_18=under_18) is None


def test_a_day_that_has_begun_anywhere_is_not_in_the_future() -> None:
    assert not_yet(date(2026, 11, 23), datetime(2026, 11, 22, 9, 59, tzinfo=UTC))
    assert not not_yet(date(2026, 11, 23), datetime(2026, 11, 22, 10, tzinfo=UTC))
