"""Who may do what."""

from __future__ import annotations

import pytest

from fablab.members import rules
from fablab.members.rules import Actor

TANGER, RABAT = 1, 2
AMINA = Actor(1, "Amina", maker=True)
SALMA = Actor(3, "Salma", managed_labs=frozenset({TANGER}))
KARIM = Actor(4, "Karim", managed_labs=frozenset({RABAT}))
NADIA = Actor(5, "Nadia", operator=True)
ADMIN = Actor(6, "Admin", admin=True)


@pytest.mark.parametrize(
    ("actor", "details", "manage", "book", "network"),
    [
        (AMINA, False, False, True, False),
        (SALMA, True, True, True, False),
        (KARIM, False, False, True, False),
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


def test_an_operator_who_makes_things_too_may_book() -> None:
    assert rules.may_book(Actor(5, "Nadia", operator=True, maker=True), TANGER)


def test_ones_own_booking_is_ones_own_everywhere() -> None:
    assert rules.may_see_booking(AMINA, 1, RABAT)
    assert rules.may_cancel_booking(AMINA, 1, RABAT)
    assert not rules.may_see_booking(AMINA, 2, RABAT)
    assert not rules.may_cancel_booking(NADIA, 2, RABAT)
