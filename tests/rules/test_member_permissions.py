"""Who may do what with members: every act, every kind of person."""

from __future__ import annotations

from datetime import date

import pytest

from fablab.members import rules
from fablab.members.rules import Actor

TANGER, RABAT = 1, 2
AMINA = Actor(1, "Amina", maker=True)
TRAINER = Actor(2, "Trainer", trained_labs=frozenset({TANGER}))
SALMA = Actor(3, "Salma", managed_labs=frozenset({TANGER}))
KARIM = Actor(4, "Karim", managed_labs=frozenset({RABAT}))
NADIA = Actor(5, "Nadia", operator=True)
ADMIN = Actor(6, "Admin", admin=True)
PEOPLE = (AMINA, TRAINER, SALMA, KARIM, NADIA, ADMIN)
TODAY = date(2026, 11, 22)
SOMEBODY = 99


def may(act: object, *what: object) -> str:
    """The initials of those who may."""
    return "".join(each.name[0] for each in PEOPLE if act(each, *what))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("act", "what", "who"),
    [
        (rules.may_look_up_members, (), "TSKNA"),
        (rules.may_see_member_details, (), "SKA"),
        (rules.may_add_members, (), "SKA"),
        (rules.may_deactivate, (SOMEBODY,), "A"),
        (rules.may_record_consent, (SOMEBODY,), "SKA"),
        (rules.may_change_member, (SOMEBODY, [("maker", None)]), "SKA"),
        (rules.may_change_member, (SOMEBODY, []), "SKA"),
        (rules.may_change_member, (SOMEBODY, [("maker", None), ("trainer", TANGER)]), "A"),
        (rules.may_change_birth_date, (SOMEBODY, None, date(2010, 1, 1), TODAY), "SKA"),
        (rules.may_change_birth_date, (SOMEBODY, date(2010, 1, 1), date(2011, 1, 1), TODAY), "SKA"),
        (rules.may_change_birth_date, (SOMEBODY, date(1990, 1, 1), date(1991, 1, 1), TODAY), "SKA"),
        (rules.may_change_birth_date, (SOMEBODY, date(2010, 1, 1), date(1990, 1, 1), TODAY), "A"),
        (rules.may_change_birth_date, (SOMEBODY, date(2010, 1, 1), None, TODAY), "A"),
        (rules.may_change_birth_date, (SOMEBODY, date(1990, 1, 1), None, TODAY), "A"),
        (rules.may_grant_role, (SOMEBODY, "trainer", TANGER), "SA"),
        (rules.may_grant_role, (SOMEBODY, "trainer", RABAT), "KA"),
        (rules.may_grant_role, (SOMEBODY, "manager", TANGER), "A"),
        (rules.may_grant_role, (SOMEBODY, "maker", None), "A"),
        (rules.may_grant_role, (SOMEBODY, "operator", None), "A"),
        (rules.may_grant_role, (SOMEBODY, "admin", None), "A"),
        (rules.may_remove_role, ("trainer", TANGER), "SA"),
        (rules.may_remove_role, ("manager", TANGER), "A"),
        (rules.may_remove_role, ("admin", None), "A"),
    ],
)
def test_acts_on_others(act: object, what: tuple[object, ...], who: str) -> None:
    # Admin and Amina share an initial: Amina comes first and may nothing of this.
    assert not act(AMINA, *what)  # type: ignore[operator]
    assert may(act, *what) == who


def test_nobody_raises_shuts_or_vouches_for_oneself() -> None:
    for actor in PEOPLE:
        assert not rules.may_grant_role(actor, actor.member_id, "trainer", TANGER)
        assert not rules.may_deactivate(actor, actor.member_id)
        assert not rules.may_record_consent(actor, actor.member_id)


def test_oneself_one_may_describe_but_not_come_of_age_by_typing() -> None:
    assert all(rules.may_change_member(each, each.member_id, [("maker", None)]) for each in PEOPLE)
    born = date(2010, 1, 1)
    assert all(rules.may_change_birth_date(each, each.member_id, None, born, TODAY) for each in PEOPLE)
    for wanted in (None, date(1990, 1, 1)):
        known = [
            each.name
            for each in PEOPLE
            if rules.may_change_birth_date(each, each.member_id, born, wanted, TODAY)
        ]
        assert known == ["Admin"]


def test_a_manager_acts_for_the_only_lab() -> None:
    assert rules.acting_lab(SALMA) == TANGER
    assert rules.acting_lab(ADMIN) is None
    assert rules.acting_lab(Actor(3, "Salma", managed_labs=frozenset({TANGER, RABAT}))) is None
