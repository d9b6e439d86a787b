"""The audit's page: who did what to whom, picked by people and places."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.members import audit
from tests.fixtures_cast import Cast
from tests.support.pages import Reader, Visit, words


@pytest.fixture
def admin(session: Session, cast: Cast, visit: Visit) -> Reader:
    """The admin's browser, after Salma gave Youssef a role in Tanger."""
    audit.record(
        session,
        cast.actors["salma"],
        "role.grant",
        "member 2",
        utc_now(),
        on_member_id=cast.members["youssef"],
        lab_id=cast.labs["tanger"],
    )
    session.commit()
    return visit("admin")


@pytest.mark.parametrize(
    "query", ["to=karim@example.org", "by=youssef@example.org", "lab=rabat", "about=bookings", "before=1"]
)
def test_what_does_not_fit_is_not_shown(admin: Reader, query: str) -> None:
    assert "Nothing here" in words(admin.get(f"/staff/audit?{query}"))


def test_an_address_nobody_has_is_said_to_be_so(admin: Reader) -> None:
    for address in ("nobody@example.org", "nobody%00", "0", "9" * 30):
        assert "Nobody has this address." in words(admin.get(f"/staff/audit?to={address}")), address


def test_it_is_picked_by_whom_to_whom_and_where(admin: Reader) -> None:
    shown = admin.get("/staff/audit?to=youssef@example.org&by=salma@example.org&lab=tanger&about=roles")
    assert "Salma gave a role Youssef" in words(shown)
