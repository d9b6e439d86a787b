"""The pages on which rules of bookings are set, taken away and explained."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.rule_changes import RuleWish, set_rule
from fablab.bookings.rule_queries import rules
from fablab.clock import utc_now
from fablab.db import transaction
from tests.fixtures_cast import Cast
from tests.support.pages import Visit, words

LASER = "tanger-laser-1"


def put(sessions: sessionmaker[Session], cast: Cast, name: str, value: Any, **where: str) -> int:
    with transaction(sessions) as session:
        return set_rule(session, cast.actors["admin"], RuleWish(name, value, **where), utc_now(), ()).row.id


def stored(sessions: sessionmaker[Session]) -> list[tuple[str, Any, str]]:
    with sessions() as session:
        return [(each.row.name, each.row.value, str(each.origin)) for each in rules(session)]


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("min_s", {"value": "x", "unit": "minutes"}, "Please give a number."),
        ("min_s", {"value": "30"}, "Please give a number."),
        ("min_s", {"value": "0.001", "unit": "minutes"}, "Please give a number."),
        (
            "min_s",
            {"value": "0", "unit": "minutes"},
            "Shortest booking takes a whole number, between 1 minute",
        ),
        ("max_ahead", {"value": "2.5"}, "Please give a number."),
        ("max_ahead", {"value": "9" * 30}, "Bookings ahead takes a whole number, between 1 and 1000, or 0"),
        ("max_ahead", {"value": "NaN"}, "Please give a number."),
        ("one_of_kind", {"value": "perhaps"}, "One of a kind at a time is true or false."),
        ("max_ahead", {"value": "3", "machine": LASER}, "give neither with it"),
        ("max_ahead", {"value": "3", "organisation": "nobody"}, "There is no nobody."),
    ],
)
def test_what_is_wrong_stands_beside_the_field(
    visit: Visit, sessions: sessionmaker[Session], name: str, fields: dict[str, str], says: str
) -> None:
    salma = visit("salma")
    salma.get(f"/staff/rules/{name}/value")
    answer = salma.post(f"/staff/rules/{name}/value", **{"lab": "tanger", **fields})
    assert answer.status_code == 422
    assert says in words(answer)
    assert stored(sessions) == []


@pytest.mark.parametrize(
    ("name", "fields", "value", "origin"),
    [
        ("min_s", {"value": "1,5", "unit": "hours", "lab": "tanger"}, 5400, "lab Tanger"),
        ("max_ahead", {"value": "3", "machine": LASER}, 3, "machine Tanger Laser 1"),
        (
            "one_of_kind",
            {"value": "true", "lab": "tanger", "kind": "3d-printer"},
            True,
            "3D Printer in Tanger",
        ),
        (
            "horizon_days",
            {"value": "30", "lab": "tanger", "category": "school"},
            30,
            "lab Tanger, category school",
        ),
    ],
)
def test_a_manager_sets_a_rule(
    visit: Visit, sessions: sessionmaker[Session], name: str, fields: dict[str, str], value: Any, origin: str
) -> None:
    salma = visit("salma")
    salma.get(f"/staff/rules/{name}/value")
    assert salma.post(f"/staff/rules/{name}/value", **fields).status_code == 303
    ((_, held, where),) = stored(sessions)
    assert (held, where.lower()) == (value, origin.lower())
    page = words(salma.get("/staff/rules"))
    assert where in page


def test_a_rule_comes_back_in_its_form_as_it_was_typed(
    visit: Visit, sessions: sessionmaker[Session], cast: Cast
) -> None:
    rule_id = put(sessions, cast, "cancel_before_s", 5400, lab="tanger", kind="3d-printer")
    page = visit("salma").get(f"/staff/rules/cancel_before_s/value?rule={rule_id}").text
    assert 'value="90"' in page
    assert "<option selected>minutes" in page
    assert 'value="tanger" selected' in page
    assert 'value="3d-printer" selected' in page


def test_a_rule_is_taken_away_after_a_question(
    visit: Visit, sessions: sessionmaker[Session], cast: Cast
) -> None:
    rule_id = put(sessions, cast, "max_ahead", 3, lab="tanger")
    salma = visit("salma")
    assert "Bookings ahead, lab Tanger" in words(salma.get(f"/staff/rules/{rule_id}/removal"))
    assert salma.post(f"/staff/rules/{rule_id}/removal").status_code == 303
    assert stored(sessions) == []


def test_others_only_read(visit: Visit, sessions: sessionmaker[Session], cast: Cast) -> None:
    put(sessions, cast, "max_ahead", 3)
    page = visit("nadia").get("/staff/rules")
    assert "at most 3" in words(page)
    assert "/value" not in page.text
    page = visit("salma").get("/staff/rules").text
    assert "/removal" not in page, "beyond her lab admins set rules"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "Choose a machine"),
        ("?machine=nowhere", "Please choose one of the list."),
        ("?machine=rabat-prusa-1", "Please choose one of the list."),
        (f"?machine={LASER}&member=nobody@example.org", "Nobody has this address."),
        (f"?machine={LASER}&member=999999", "There is no such member"),
        (f"?machine={LASER}&member=amina@example.org&organisation=x", "There is no such organisation"),
    ],
)
def test_what_cannot_be_explained_is_said(visit: Visit, query: str, says: str) -> None:
    assert says in words(visit("salma").get(f"/staff/rules/explained{query}"))


def test_rules_are_explained_for_a_member(visit: Visit, sessions: sessionmaker[Session], cast: Cast) -> None:
    put(sessions, cast, "max_ahead", 3, lab="tanger")
    put(sessions, cast, "certification_level", 1, kind="laser-cutter")
    page = words(visit("salma").get(f"/staff/rules/explained?machine={LASER}&member=amina@example.org"))
    assert "Amina at Tanger Laser 1" in page
    assert "Bookings still to come at once: at most 3. At present: 0. lab Tanger" in page
    assert "No valid certification. Laser Cutter everywhere" in page
