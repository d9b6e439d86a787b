"""Minors, groups, organisations and projects: each refusal alone, then all at once, then who sees what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fablab.bookings.facts import BookingFacts, BookingRequest, Guest, Person
from fablab.bookings.rules import REFUSAL_CODES, decide
from fablab.bookings.rules_people import (
    Part,
    may_cancel,
    may_see_accounts,
    may_see_history,
    may_see_participants,
    part_in,
)
from fablab.machines.rules import Span
from fablab.members.rules import Actor
from tests.support.rules import ruling

NOW = datetime(2027, 2, 1, 8, tzinfo=UTC)
TEN = NOW.replace(hour=10)
RULING = ruling()
FACTS = BookingFacts(
    now=NOW, zone="Africa/Casablanca", active=True, open_throughout=True, unit_ids=(7,), claims=()
)
PUPIL = Person("pupil@example.org", "Pupil", minor=True, consent=True)
# Staff from ten to twelve; Morocco is on UTC then, all year.
STAFFED = replace(FACTS, person=PUPIL, supervised=(Span(TEN, TEN + timedelta(hours=2)),))
REQUEST = BookingRequest("tanger-prusa-1", TEN, TEN + timedelta(hours=2))
ALI, SARA = Guest(name="Ali"), Guest(name="Sara")


def refused(request: BookingRequest, facts: BookingFacts = FACTS) -> list[tuple[str, str]]:
    return [(each.code, each.field) for each in decide(request, facts, RULING)]


def test_a_minor_books_alone_while_staff_are_there() -> None:
    assert refused(REQUEST, STAFFED) == []


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, starts_at=TEN - timedelta(minutes=30)),
        replace(REQUEST, ends_at=TEN + timedelta(hours=3)),
        replace(REQUEST, starts_at=TEN + timedelta(hours=2), ends_at=TEN + timedelta(hours=3)),
    ],
)
def test_not_one_minute_without_them(request_: BookingRequest) -> None:
    assert refused(request_, STAFFED) == [("minor_unsupervised", "starts_at")]


def test_a_minor_is_told_when_staff_are_there_that_day() -> None:
    late = replace(REQUEST, starts_at=TEN + timedelta(hours=8), ends_at=TEN + timedelta(hours=9))
    (refusal,) = decide(late, STAFFED, RULING)
    assert "You are under 18" in refusal.message
    assert "on 1 February 2027: 10:00–12:00" in refusal.message
    (refusal,) = decide(late, replace(STAFFED, supervised=()), RULING)
    assert "No staff are in the lab on 1 February 2027" in refusal.message


def test_an_open_door_is_no_supervision() -> None:
    assert refused(REQUEST, replace(STAFFED, supervised=())) == [("minor_unsupervised", "starts_at")]


def test_a_minor_needs_consent_also_while_staff_are_there() -> None:
    facts = replace(STAFFED, person=replace(PUPIL, consent=False))
    assert refused(REQUEST, facts) == [("minor_without_consent", "member")]


@pytest.mark.parametrize("group", [{"participants": (ALI,)}, {"head_count": 2}])
def test_a_minor_leads_no_group_at_whatever_hour(group: dict[str, object]) -> None:
    request = replace(REQUEST, **group)  # type: ignore[arg-type]
    assert refused(request, STAFFED) == [("leader_is_minor", "participants")]
    assert refused(request, replace(STAFFED, supervised=())) == [("leader_is_minor", "participants")]


def test_a_manager_who_books_for_a_minor_does_not_lift_the_rules() -> None:
    request = replace(REQUEST, for_member="pupil@example.org")
    facts = replace(STAFFED, supervised=(), person=replace(PUPIL, consent=False))
    assert refused(request, facts) == [
        ("minor_without_consent", "for_member"),
        ("minor_unsupervised", "starts_at"),
    ]
    assert all("They are under 18" in each.message for each in decide(request, facts, RULING))


def test_an_adult_leads_at_any_hour() -> None:
    assert refused(replace(REQUEST, participants=(ALI, SARA), head_count=12), FACTS) == []


def test_a_participant_under_18_needs_consent_too() -> None:
    facts = replace(FACTS, without_consent=("pupil@example.org",))
    request = replace(REQUEST, participants=(Guest(email="pupil@example.org"),))
    assert refused(request, facts) == [("minor_without_consent", "participants")]


@pytest.mark.parametrize(
    ("participants", "heads", "field"),
    [
        ((ALI, SARA), 2, "head_count"),
        ((ALI, Guest(name="ali")), None, "participants"),
        ((Guest(email="a@b.ma"), Guest(email="A@B.ma")), None, "participants"),
        ((Guest(email="AMINA@example.org"),), None, "participants"),
        ((Guest(name="Amina"),), None, "participants"),
    ],
)
def test_the_list_and_the_head_count_must_fit(
    participants: tuple[Guest, ...], heads: int | None, field: str
) -> None:
    facts = replace(FACTS, person=Person("amina@example.org", "Amina"))
    request = replace(REQUEST, participants=participants, head_count=heads)
    assert refused(request, facts) == [("participants_mismatch", field)]


def test_the_list_may_be_shorter_than_the_head_count() -> None:
    assert refused(replace(REQUEST, participants=(ALI,), head_count=30)) == []
    assert replace(REQUEST, participants=(ALI, SARA)).heads == 3
    assert not REQUEST.in_a_group
    assert not replace(REQUEST, head_count=1).in_a_group


def test_whom_it_is_for_must_exist() -> None:
    request = replace(REQUEST, for_member="nobody@example.org", participants=(ALI,))
    assert refused(request, replace(FACTS, person=None)) == [("unknown_member", "for_member")]


def test_an_unknown_organisation_and_anothers_are_refused_in_the_same_words() -> None:
    facts = replace(FACTS, belongs_to_organisation=False)
    request = replace(REQUEST, organisation="other-startup")
    assert refused(request, facts) == [("not_member_of_organisation", "organisation")]
    # Nothing else is known of it, so nothing else can be said.
    assert "other-startup" in decide(request, facts, RULING)[0].message


def test_a_project_must_be_one_to_book_for() -> None:
    assert refused(replace(REQUEST, project=7), replace(FACTS, project_known=False)) == [
        ("unknown_project", "project")
    ]


def test_all_that_speaks_against_it_is_heard_at_once() -> None:
    request = replace(REQUEST, organisation="x", project=7, participants=(ALI, ALI), head_count=1)
    facts = replace(
        STAFFED,
        open_throughout=False,
        person=replace(PUPIL, consent=False),
        belongs_to_organisation=False,
        project_known=False,
    )
    assert [code for code, _ in refused(request, facts)] == [
        "outside_hours",
        "leader_is_minor",
        "minor_without_consent",
        "not_member_of_organisation",
        "unknown_project",
        "participants_mismatch",
        "participants_mismatch",
    ]
    assert {code for code, _ in refused(request, facts)} <= REFUSAL_CODES.keys()


TANGER, RABAT = 1, 2
SOMEBODY = Actor(5, "Somebody", maker=True)


@pytest.mark.parametrize(
    ("actor", "more", "part"),
    [
        (SOMEBODY, {}, None),
        (Actor(3, "Leader"), {"takes_part": True, "owns": True}, Part.LEADER),
        (Actor(6, "Manager", managed_labs=frozenset({TANGER})), {"takes_part": True}, Part.STAFF),
        (Actor(6, "Manager elsewhere", managed_labs=frozenset({RABAT})), {}, None),
        (Actor(6, "Operator", operator=True), {}, Part.STAFF),
        (SOMEBODY, {"takes_part": True, "owns": True}, Part.PARTICIPANT),
        (SOMEBODY, {"owns": True}, Part.OWNER),
    ],
)
def test_the_strongest_part_counts(actor: Actor, more: dict[str, bool], part: Part | None) -> None:
    assert part_in(actor, 3, TANGER, **more) is part


def test_who_comes_along_and_who_owns_the_organisation_only_read() -> None:
    operator, manager = Actor(6, "O", operator=True), Actor(7, "M", managed_labs=frozenset({TANGER}))
    for part in (Part.PARTICIPANT, Part.OWNER, None):
        assert not may_see_participants(part)
        assert not may_see_history(part)
        assert not may_see_accounts(part)
        assert not may_cancel(SOMEBODY, part, TANGER)
    assert may_see_participants(Part.LEADER)
    assert not may_see_accounts(Part.LEADER)
    assert may_cancel(SOMEBODY, Part.LEADER, TANGER)
    assert may_see_accounts(Part.STAFF)
    assert may_cancel(manager, Part.STAFF, TANGER)
    assert not may_cancel(operator, Part.STAFF, TANGER)
