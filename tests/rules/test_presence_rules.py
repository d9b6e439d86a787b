"""Coming and going: who checks in, from when on, and when nobody is waited for any longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fablab.bookings.rules_people import Part
from fablab.bookings.rules_presence import (
    SHORTEST,
    check_in_refusal,
    check_out_refusal,
    given_up_at,
    may_check_in,
    nobody_came,
    reminder_due,
    shortened_end,
)
from fablab.members.rules import Actor

# One whose clocks no decree moves.
ZONE = "Asia/Kolkata"
TEN = datetime(2027, 4, 1, 10, tzinfo=UTC)
NOON = TEN + timedelta(hours=2)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LAB = 7


@pytest.mark.parametrize(
    ("actor", "part", "may"),
    [
        (Actor(1, "Youssef"), None, False),
        (Actor(1, "Owner"), Part.OWNER, False),
        (Actor(1, "Nadia", operator=True), Part.STAFF, False),
        (Actor(1, "Karim", managed_labs=frozenset({8})), None, False),
        (Actor(1, "Amina"), Part.LEADER, True),
        (Actor(1, "Guest"), Part.PARTICIPANT, True),
        (Actor(1, "Salma", managed_labs=frozenset({LAB})), Part.STAFF, True),
        (Actor(1, "Admin", admin=True), Part.STAFF, True),
    ],
)
def test_who_may_say_that_somebody_came(actor: Actor, part: Part | None, may: bool) -> None:
    assert may_check_in(actor, part, LAB) is may


@pytest.mark.parametrize("state", ["requested", "cancelled", "rejected", "missed", "completed"])
def test_what_nobody_can_check_in_to(state: str) -> None:
    why = check_in_refusal(state, TEN, NOON, ZONE, TEN, 900)
    assert why is not None
    assert (why.code, why.field) == ("not_to_check_in", "state")


def test_it_opens_some_minutes_before_and_closes_at_the_end() -> None:
    def why(now: datetime) -> str | None:
        found = check_in_refusal("confirmed", TEN, NOON, ZONE, now, 900)
        return None if found is None else found.code

    assert why(TEN - 15 * MINUTE - MINUTE) == "check_in_early"
    assert why(TEN - 15 * MINUTE) is None
    assert why(NOON - MINUTE) is None
    assert why(NOON) == "not_to_check_in"


def test_the_refusal_says_when_in_the_lab_s_time() -> None:
    why = check_in_refusal("confirmed", TEN, NOON, ZONE, TEN - DAY, 900)
    assert why is not None
    assert "2027-04-01 15:15" in why.message, "that is 09:45 in UTC"


@pytest.mark.parametrize(
    ("state", "now", "case"),
    [
        ("requested", TEN, "checked in"),
        ("confirmed", TEN, "checked in"),
        ("completed", TEN, "over"),
        ("started", NOON, "over"),
        ("confirmed", NOON, "over"),
    ],
)
def test_what_nobody_can_check_out_of(state: str, now: datetime, case: str) -> None:
    why = check_out_refusal(state, NOON, now)
    assert why is not None
    assert why.code == "not_to_check_out"
    assert case in why.message


def test_only_a_rule_gives_bookings_up() -> None:
    assert given_up_at(TEN, TEN - DAY, 0) is None
    assert not nobody_came("confirmed", TEN, NOON, TEN - DAY, 0, NOON - MINUTE)


def test_who_books_late_gets_as_long_as_others() -> None:
    assert given_up_at(TEN, TEN - DAY, 900) == TEN + 15 * MINUTE
    assert given_up_at(TEN, TEN + 5 * MINUTE, 900) == TEN + 20 * MINUTE


@given(
    state=st.sampled_from(["requested", "confirmed", "started", "completed", "cancelled", "missed"]),
    created=st.integers(-1000, 100),
    length=st.integers(1, 600),
    after_s=st.integers(0, 7200),
    now=st.integers(-100, 700),
)
def test_nobody_came_only_to_what_runs_and_is_confirmed(
    state: str, created: int, length: int, after_s: int, now: int
) -> None:
    at, ends = TEN + now * MINUTE, TEN + length * MINUTE
    if nobody_came(state, TEN, ends, TEN + created * MINUTE, after_s, at):
        assert state == "confirmed"
        assert after_s > 0
        assert TEN + timedelta(seconds=after_s) <= at < ends
        # Once given up it stays given up: whoever looks later finds the same.
        assert at + MINUTE >= ends or nobody_came(
            state, TEN, ends, TEN + created * MINUTE, after_s, at + MINUTE
        )


@given(length=st.integers(1, 600), now=st.integers(-100, 700))
def test_a_shortened_booking_still_has_a_length_and_never_grows(length: int, now: int) -> None:
    ends = TEN + length * MINUTE
    shortened = shortened_end(TEN, ends, TEN + now * MINUTE)
    assert TEN < shortened <= ends
    assert shortened >= min(ends, TEN + SHORTEST)


@given(
    made=st.integers(-5000, -1),
    before_s=st.integers(0, 86400),
    now=st.integers(-5000, 100),
)
def test_a_reminder_comes_before_the_start_and_never_right_after_booking(
    made: int, before_s: int, now: int
) -> None:
    created, at = TEN + made * MINUTE, TEN + now * MINUTE
    if reminder_due(TEN, created, before_s, at):
        assert created <= TEN - timedelta(seconds=before_s) <= at < TEN
