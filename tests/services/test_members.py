"""Accounts, passwords and tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.members.models import Audit, Member
from fablab.members.queries import member_by_email
from fablab.members.service import add_member
from fablab.signin.models import Token
from fablab.signin.passwords import right, set_password
from fablab.signin.queries import credentials, find_token, tokens_of
from fablab.signin.tokens import add_token, revoke_token
from tests.fixtures_cast import PASSWORD, Cast
from tests.support.actors import actor_of


@pytest.mark.parametrize(
    ("email", "name", "role", "lab", "field"),
    [
        ("nobody", "N", "maker", None, "email"),
        ("x@" + "y" * 260, "N", "maker", None, "email"),
        ("n@example.org", " ", "maker", None, "name"),
        ("n@example.org", "N", "king", None, "role"),
        ("n@example.org", "N", "manager", None, "lab"),
        ("n@example.org", "N", "maker", 1, "lab"),
    ],
)
def test_a_wrong_account_is_refused(
    session: Session, email: str, name: str, role: str, lab: int | None, field: str
) -> None:
    with pytest.raises(DomainError) as refused:
        add_member(session, email, name, role, utc_now(), lab_id=lab)
    assert [each.field for each in refused.value.refusals] == [field]
    assert session.scalars(select(Member)).all() == []


def test_an_account_gets_its_role_and_can_sign_in(session: Session, cast: Cast) -> None:
    made = add_member(
        session,
        "Hind@example.org",
        "Hind",
        "manager",
        utc_now(),
        lab_id=cast.labs["rabat"],
    )
    set_password(session, None, made, "violet tram sugar", utc_now())
    actor = actor_of(session, made)
    assert actor is not None
    assert actor.managed_labs == {cast.labs["rabat"]}
    found = credentials(session, "hind@EXAMPLE.org")
    assert found is not None
    assert found.member_id == made
    assert right(found, "violet tram sugar")
    assert "member.add" in session.scalars(select(Audit.action)).all()


def test_an_address_has_one_account_in_any_case(session: Session, cast: Cast) -> None:
    with pytest.raises(DomainError) as refused:
        add_member(session, "amina@EXAMPLE.org", "A", "operator", utc_now())
    assert [(each.code, each.field) for each in refused.value.refusals] == [("address_taken", "email")]
    actor = actor_of(session, cast.members["amina"])
    assert actor is not None
    assert (actor.operator, actor.name) == (False, "Amina")
    assert session.scalars(select(Audit)).all() == []


def test_who_makes_the_account_oneself_joins(session: Session, cast: Cast) -> None:
    made = add_member(session, "n@example.org", "N", "maker", utc_now(), joins=True, address="192.0.2.7")
    line = session.scalars(select(Audit)).one()
    assert (line.action, line.on_member_id, line.address) == ("member.join", made, "192.0.2.7")


@pytest.mark.parametrize(
    ("email", "password"),
    [("amina@example.org", "wrong"), ("amina@example.org", ""), ("nobody@example.org", PASSWORD)],
)
def test_a_wrong_password_and_an_unknown_account_get_the_same_answer(
    session: Session, cast: Cast, email: str, password: str
) -> None:
    assert not right(credentials(session, email), password)


def test_an_account_without_password_or_not_active_cannot_sign_in(session: Session, cast: Cast) -> None:
    member = session.get_one(Member, cast.members["amina"])
    member.active = False
    session.flush()
    assert not right(credentials(session, "amina@example.org"), PASSWORD)
    member.active, member.password_hash = True, None
    session.flush()
    assert not right(credentials(session, "amina@example.org"), "nobody has this password")


@pytest.mark.parametrize("password", ["short", "x" * 201])
def test_a_password_has_bounds(session: Session, cast: Cast, password: str) -> None:
    with pytest.raises(DomainError) as refused:
        set_password(session, None, cast.members["amina"], password, utc_now())
    assert refused.value.refusals[0].field == "password"


def test_a_token_is_found_by_its_text_and_stored_only_as_digest(session: Session, cast: Cast) -> None:
    now = utc_now()
    made, plain = add_token(session, cast.members["amina"], "laptop", "read", now, days=30)
    found = find_token(session, plain, now)
    assert found is not None
    assert (found.actor.name, found.actor.read_only) == ("Amina", True)
    assert plain.encode() not in session.get_one(Token, made.id).digest
    assert [each.name for each in tokens_of(session, cast.members["amina"], now)] == ["laptop"]


def test_a_token_ends_by_time_by_revocation_and_with_its_member(session: Session, cast: Cast) -> None:
    now = utc_now()
    made, plain = add_token(session, cast.members["amina"], "laptop", "write", now, days=1)
    assert find_token(session, plain, now + timedelta(days=1)) is None
    assert find_token(session, plain + "x", now) is None
    with pytest.raises(DomainError) as refused:
        revoke_token(session, cast.actors["youssef"], made.id, now)
    assert refused.value.code is Code.NOT_FOUND
    assert find_token(session, plain, now) is not None
    revoke_token(session, cast.actors["amina"], made.id, now)
    assert find_token(session, plain, now) is None
    _, other = add_token(session, cast.members["amina"], "phone", "write", now)
    session.get_one(Member, cast.members["amina"]).active = False
    session.flush()
    assert find_token(session, other, now) is None


def test_members_are_found_in_any_case(session: Session, cast: Cast) -> None:
    found = member_by_email(session, " AMINA@example.org ")
    assert found is not None
    assert found.id == cast.members["amina"]
