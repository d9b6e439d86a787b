"""Giving roles and taking them away; the last admin; shutting accounts."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.members.models import Audit, Member, Role
from fablab.members.roles import grant_role, remove_role
from fablab.signin.accounts import deactivate, reactivate
from fablab.signin.models import SignInSession
from fablab.signin.queries import find_token
from fablab.signin.rules import Lengths
from fablab.signin.sessions import begin
from fablab.signin.tokens import add_token
from tests.fixtures_cast import Cast
from tests.support.actors import actor_of


def refused(act: Callable[[], object]) -> DomainError:
    with pytest.raises(DomainError) as error:
        act()
    return error.value


@pytest.mark.parametrize(
    ("who", "whom", "role", "lab", "code"),
    [
        ("amina", "youssef", "maker", None, Code.NOT_FOUND),
        ("trainer", "youssef", "trainer", "tanger", Code.NOT_ALLOWED),
        ("nadia", "youssef", "maker", None, Code.NOT_ALLOWED),
        ("salma", "youssef", "trainer", "rabat", Code.NOT_ALLOWED),
        ("salma", "youssef", "manager", "tanger", Code.NOT_ALLOWED),
        ("salma", "salma", "trainer", "tanger", Code.NOT_ALLOWED),
        ("admin", "admin", "operator", None, Code.NOT_ALLOWED),
        ("admin", "youssef", "king", None, Code.REFUSED),
        ("admin", "youssef", "trainer", None, Code.REFUSED),
        ("admin", "youssef", "maker", "tanger", Code.REFUSED),
    ],
)
def test_a_role_is_not_given(
    session: Session, cast: Cast, who: str, whom: str, role: str, lab: str | None, code: Code
) -> None:
    before = session.scalars(select(Role.id)).all()
    lab_id = cast.labs[lab] if lab else None
    error = refused(
        lambda: grant_role(session, cast.actors[who], cast.members[whom], role, lab_id, utc_now())
    )
    assert error.code is code
    assert session.scalars(select(Role.id)).all() == before


def test_a_manager_names_a_trainer_and_takes_the_role_away(session: Session, cast: Cast) -> None:
    tanger, amina = cast.labs["tanger"], cast.members["amina"]
    assert grant_role(session, cast.actors["salma"], amina, "trainer", tanger, utc_now())
    assert not grant_role(session, cast.actors["salma"], amina, "trainer", tanger, utc_now()), "she is one"
    actor = actor_of(session, amina)
    assert actor is not None
    assert actor.trained_labs == {tanger}
    error = refused(lambda: remove_role(session, cast.actors["karim"], amina, "trainer", tanger, utc_now()))
    assert error.code is Code.NOT_ALLOWED
    remove_role(session, cast.actors["salma"], amina, "trainer", tanger, utc_now())
    error = refused(lambda: remove_role(session, cast.actors["salma"], amina, "trainer", tanger, utc_now()))
    assert error.code is Code.NOT_FOUND
    lines = session.execute(select(Audit.action, Audit.actor_id, Audit.on_member_id, Audit.lab_id)).all()
    salma = cast.members["salma"]
    assert [tuple(line) for line in lines] == [
        ("role.grant", salma, amina, tanger),
        ("role.remove", salma, amina, tanger),
    ]


def test_the_last_admin_stays(session: Session, cast: Cast) -> None:
    admin, amina = cast.members["admin"], cast.members["amina"]
    error = refused(lambda: remove_role(session, cast.actors["admin"], admin, "admin", None, utc_now()))
    assert error.refusals[0].code == "last_admin"
    assert refused(lambda: deactivate(session, None, admin, utc_now())).refusals[0].code == "last_admin"
    grant_role(session, cast.actors["admin"], amina, "admin", None, utc_now())
    deactivate(session, None, amina, utc_now())
    error = refused(lambda: remove_role(session, None, admin, "admin", None, utc_now()))
    assert error.refusals[0].code == "last_admin", "one that is shut does not count"
    reactivate(session, None, amina, utc_now())
    remove_role(session, cast.actors["admin"], admin, "admin", None, utc_now())


def test_two_admins_who_remove_each_other_at_once_leave_one(
    sessions: sessionmaker[Session], cast: Cast
) -> None:
    with transaction(sessions) as session:
        grant_role(session, None, cast.members["amina"], "admin", None, utc_now())
        amina = actor_of(session, cast.members["amina"])
    meet = threading.Barrier(2)
    refusals: list[DomainError] = []

    def remove(actor: object, member_id: int) -> None:
        try:
            with transaction(sessions) as session:
                meet.wait(30)
                remove_role(session, actor, member_id, "admin", None, utc_now())  # type: ignore[arg-type]
        except DomainError as error:
            refusals.append(error)

    both = [
        threading.Thread(target=remove, args=(amina, cast.members["admin"])),
        threading.Thread(target=remove, args=(cast.actors["admin"], cast.members["amina"])),
    ]
    for each in both:
        each.start()
    for each in both:
        each.join(60)
    with transaction(sessions) as session:
        assert len(session.scalars(select(Role.id).where(Role.role == "admin")).all()) == 1
    assert [error.refusals[0].code for error in refusals] == ["last_admin"]


@pytest.mark.parametrize(
    ("who", "whom", "code"),
    [
        ("youssef", "amina", Code.NOT_FOUND),
        ("salma", "amina", Code.NOT_ALLOWED),
        ("nadia", "amina", Code.NOT_ALLOWED),
        ("admin", "admin", Code.NOT_ALLOWED),
    ],
)
def test_an_account_is_not_shut(session: Session, cast: Cast, who: str, whom: str, code: Code) -> None:
    act = [deactivate, reactivate]
    for each in act:
        error = refused(lambda each=each: each(session, cast.actors[who], cast.members[whom], utc_now()))
        assert error.code is code
    assert session.get_one(Member, cast.members[whom]).active


def test_a_shut_account_has_no_session_and_no_token(session: Session, cast: Cast) -> None:
    now, amina = utc_now(), cast.members["amina"]
    _, plain = add_token(session, amina, "laptop", "read", now)
    begin(
        session,
        amina,
        "password",
        now,
        second_factor=False,
        remember=False,
        address=None,
        browser="",
        lengths=Lengths(3600, 3600, 3600, 3600),
    )
    deactivate(session, cast.actors["admin"], amina, now)
    assert session.scalars(select(SignInSession)).all() == []
    assert actor_of(session, amina) is None
    reactivate(session, cast.actors["admin"], amina, now)
    assert actor_of(session, amina) is not None
    assert find_token(session, plain, now) is None, "what was revoked stays so"
    assert refused(lambda: reactivate(session, None, amina, now)).code is Code.REFUSED
    done = session.scalars(select(Audit.action).where(Audit.on_member_id == amina)).all()
    assert {"member.deactivate", "member.reactivate"} <= set(done)
