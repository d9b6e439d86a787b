"""Quotas and other rules that count hold also when one member asks for several bookings at the same moment.

FABLAB_ROUNDS says how often (6); FABLAB_CLIENTS how many ask at once (8).
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.models import Booking
from fablab.bookings.rule_changes import RuleWish, set_rule
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import DomainError
from fablab.machines.models import Machine, Unit
from tests.fixtures_cast import Cast, tomorrow
from tests.support.clients import at_once

ROUNDS = int(os.environ.get("FABLAB_ROUNDS", "6"))
CLIENTS = int(os.environ.get("FABLAB_CLIENTS", "8"))


def add_machines(session: Session, cast: Cast) -> list[str]:
    """A printer for each client: whoever is refused is refused by a rule, not by a claim."""
    like = session.get_one(Machine, cast.machines["tanger-prusa-1"])
    for number in range(CLIENTS):
        machine = Machine(
            slug=f"tanger-extra-{number}",
            name=f"Extra {number}",
            lab_id=like.lab_id,
            kind_id=like.kind_id,
            capabilities={},
            unattended=True,
            units=[Unit()],
        )
        session.add(machine)
    return [f"tanger-extra-{number}" for number in range(CLIENTS)]


@pytest.mark.parametrize(
    ("name", "value", "code", "fit"),
    [
        ("max_ahead", 2, "too_many_ahead", 2),
        ("quota_day_s", 3 * 3600, "quota_used", 3),
        ("one_of_kind", True, "one_of_kind", 1),
    ],
)
def test_of_many_at_once_as_many_book_as_the_rule_allows(
    sessions: sessionmaker[Session],
    cast: Cast,
    policy: Policy,
    name: str,
    value: int,
    code: str,
    fit: int,
) -> None:
    with transaction(sessions) as session:
        machines = add_machines(session, cast)
        set_rule(session, cast.actors["admin"], RuleWish(name, value), utc_now(), ())

    def ask(machine: str, days: int) -> str:
        starts = tomorrow(10, days=days)
        request = BookingRequest(machine, starts, starts + timedelta(hours=1))
        try:
            with transaction(sessions) as session:
                create_booking(session, cast.actors["amina"], request, utc_now(), policy)
        except DomainError as error:
            return error.refusals[0].code
        return "booked"

    for number in range(ROUNDS):
        answers = at_once([partial(ask, machine, 1 + number % 20) for machine in machines])
        assert Counter(answers) == {"booked": fit, code: CLIENTS - fit}, number
        with transaction(sessions) as session:
            session.execute(delete(Booking))
