"""Who may do what."""

from __future__ import annotations

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
NOBODY = Actor(7, "Without a role")


@pytest.mark.parametrize(
    ("actor", "details", "manage", "book", "network"),
    [
        (AMINA, False, False, True, False),
        (NOBODY, False, False, False, False),
        (TRAINER, False, False, True, False),
        (SALMA, True, True, True, False),
        (KARIM, False, False, False, False),
        (NADIA, True, False, False, True),
        (ADMIN, True, True, True, True),
    ],
)
def test_roles_in_tanger(actor: Actor, details: bool, manage: bool, book: bool, network: bool) -> None:
    assert rules.may_see_lab_details(actor, TANGER) is details
    assert rules.may_manage_lab(actor, TANGER) is manage
    assert rules.may_book_for_others(actor, TANGER) is manage
    assert rules.may_book(actor, TANGER) is book
    assert rules.may_read_utilisation_of(actor, None) is network
    assert rules.may_read_utilisation_of(actor, TANGER) is (details or network)
    assert rules.may_look_for_work_of(actor, 99, {TANGER}) is details
    assert rules.may_look_for_work_of(actor, 99, {TANGER, RABAT}) is network
    assert rules.may_look_for_work_of(actor, 99, ()) is network
    assert rules.may_look_for_work_of(actor, actor.member_id, ())


def test_what_somebody_may_do_in_any_lab_at_all() -> None:
    people = (AMINA, SALMA, KARIM, NADIA, ADMIN)
    assert [rules.may_book_somewhere(each) for each in people] == [True, True, True, False, True]
    assert rules.may_book_somewhere(TRAINER)
    assert not rules.may_book_somewhere(NOBODY)
    assert rules.may_book_somewhere(Actor(5, "Nadia", operator=True, managed_labs=frozenset({RABAT})))
    assert [rules.may_read_utilisation_somewhere(each) for each in people] == [False, True, True, True, True]


def test_an_operator_who_makes_things_too_may_book() -> None:
    assert rules.may_book(Actor(5, "Nadia", operator=True, maker=True), TANGER)


def test_staff_are_all_who_hold_what_is_others() -> None:
    assert all(rules.is_staff(each) for each in (TRAINER, SALMA, KARIM, NADIA, ADMIN))
    assert not any(rules.is_staff(each) for each in (AMINA, NOBODY))
