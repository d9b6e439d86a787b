"""Each rule that can refuse a booking, alone and together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fablab.bookings.rules import (
    REFUSAL_CODES,
    RULES,
    BookingFacts,
    BookingRequest,
    Claim,
    cancellable,
    decide,
    minutes,
    wall_span,
)
from tests.support.rules import ruling

NOW = datetime(2026, 2, 7, 12, 0, tzinfo=UTC)
RULING = ruling(late_start_s=300)
FACTS = BookingFacts(
    now=NOW, zone="Africa/Casablanca", active=True, open_throughout=True, unit_ids=(7,), claims=()
)


def request(start_in_s: int = 3600, length_s: int = 3600) -> BookingRequest:
    starts = NOW + timedelta(seconds=start_in_s)
    return BookingRequest("tanger-prusa-1", starts, starts + timedelta(seconds=length_s))


def codes(wanted: BookingRequest, facts: BookingFacts = FACTS) -> list[str]:
    return [refusal.code for refusal in decide(wanted, facts, RULING)]


@pytest.mark.parametrize(
    ("state", "left_s", "expected"),
    [
        ("confirmed", 0, False),
        ("confirmed", 1, True),
        ("requested", 1, True),
        *((state, 1, False) for state in ("started", "completed", "cancelled", "missed", "rejected")),
    ],
)
def test_what_is_not_used_and_not_over_can_be_cancelled(state: str, left_s: int, expected: bool) -> None:
    assert cancellable(state, NOW + timedelta(seconds=left_s), NOW) is expected


def test_a_plain_request_is_not_refused() -> None:
    assert decide(request(), FACTS, RULING) == []


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (request(length_s=0), "ends_before_start"),
        (request(length_s=-60), "ends_before_start"),
        (request(start_in_s=-301), "in_the_past"),
        (request(length_s=599), "too_short"),
        (request(length_s=86401), "too_long"),
        (request(start_in_s=60 * 86400 + 1), "beyond_horizon"),
    ],
)
def test_the_request_itself_can_be_wrong(wanted: BookingRequest, code: str) -> None:
    assert codes(wanted) == [code]


@pytest.mark.parametrize(
    "wanted",
    [
        request(start_in_s=-300),
        request(length_s=600),
        request(length_s=86400),
        request(start_in_s=60 * 86400),
    ],
)
def test_the_limit_itself_is_allowed(wanted: BookingRequest) -> None:
    assert codes(wanted) == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(FACTS, active=False), "machine_inactive"),
        (replace(FACTS, unit_ids=()), "machine_inactive"),
        (replace(FACTS, open_throughout=False), "outside_hours"),
        (replace(FACTS, claims=(Claim(7, NOW, NOW + timedelta(hours=2)),)), "machine_booked"),
    ],
)
def test_the_machine_can_be_unavailable(facts: BookingFacts, code: str) -> None:
    assert codes(request(), facts) == [code]


def test_a_machine_with_two_places_is_taken_only_when_both_are() -> None:
    one = Claim(7, NOW, NOW + timedelta(hours=2))
    facts = replace(FACTS, unit_ids=(7, 8), claims=(one,))
    assert codes(request(), facts) == []
    assert facts.free_units() == [8]
    assert codes(request(), replace(facts, claims=(one, replace(one, unit_id=8)))) == ["machine_booked"]


def test_every_rule_that_says_no_is_heard_at_once() -> None:
    claim = Claim(7, NOW - timedelta(days=1), NOW)
    facts = replace(FACTS, active=False, open_throughout=False, claims=(claim,))
    assert codes(request(start_in_s=-3600, length_s=60), facts) == [
        "machine_inactive",
        "in_the_past",
        "too_short",
        "outside_hours",
        "machine_booked",
    ]


def test_a_span_that_is_none_is_judged_no_further() -> None:
    assert codes(request(start_in_s=-7200, length_s=-60), replace(FACTS, active=False)) == [
        "ends_before_start"
    ]


def test_a_clash_is_named_in_the_labs_wall_time() -> None:
    claim = Claim(7, NOW, NOW + timedelta(hours=2))
    (refusal,) = decide(request(), replace(FACTS, claims=(claim,)), RULING)
    assert refusal.message == "tanger-prusa-1 is taken 2026-02-07 13:00 to 15:00."


def test_fractions_of_a_second_are_cut_off() -> None:
    wanted = BookingRequest(
        "m", NOW.replace(microsecond=999_999), NOW.replace(second=9, microsecond=1)
    ).in_whole_seconds()
    assert (wanted.starts_at, wanted.ends_at) == (NOW, NOW.replace(second=9))


def test_every_code_is_declared_with_a_sentence_and_every_rule_has_one() -> None:
    assert all(sentence.endswith(".") for sentence in REFUSAL_CODES.values())
    assert {rule.__name__ for rule in RULES} <= REFUSAL_CODES.keys()


@pytest.mark.parametrize(("seconds", "text"), [(600, "10 minutes"), (3600, "1 hour"), (86400, "24 hours")])
def test_lengths_are_said_as_people_say_them(seconds: int, text: str) -> None:
    assert minutes(seconds) == text


def test_a_span_over_midnight_names_both_days() -> None:
    late = datetime(2026, 2, 7, 22, 30, tzinfo=UTC)
    span = wall_span(late, late + timedelta(hours=2), "Africa/Casablanca")
    assert span == "2026-02-07 23:30 to 2026-02-08 01:30"
