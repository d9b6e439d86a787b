"""Sessions: begun, seen, over, ended by their owner and by nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.members.models import Audit, Member
from fablab.signin import sessions
from fablab.signin.models import SignInSession
from fablab.signin.passwords import set_password
from fablab.signin.queries import present, sessions_of
from fablab.signin.rules import Lengths
from tests.fixtures_cast import Cast

HOUR = timedelta(hours=1)
LENGTHS = Lengths(session_s=12 * 3600, idle_s=4 * 3600, remembered_s=90 * 86400, remembered_idle_s=30 * 86400)
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0"


def begin(session: Session, member_id: int, **more: object) -> str:
    options = {
        "second_factor": False,
        "remember": False,
        "address": "192.0.2.7",
        "browser": FIREFOX,
        "lengths": LENGTHS,
        **more,
    }
    return sessions.begin(session, member_id, "password", utc_now(), **options)  # type: ignore[arg-type]


def test_what_the_cookie_holds_is_not_kept(session: Session, cast: Cast) -> None:
    plain = begin(session, cast.members["amina"])
    row = session.scalars(select(SignInSession)).one()
    assert plain.encode() not in row.digest
    assert len(plain) >= 40
    assert (row.browser, row.address) == ("Firefox on Android", "192.0.2.7")


def test_a_wrong_secret_is_nobody(session: Session, cast: Cast) -> None:
    plain = begin(session, cast.members["amina"])
    for wrong in ("", plain[:-1], plain + "x", "\ud800", "x" * 5000):
        assert present(session, wrong, utc_now()) is None
    found = present(session, plain, utc_now())
    assert found is not None
    assert found.actor.name == "Amina"


@pytest.mark.parametrize(("remember", "idle"), [(False, 4 * HOUR), (True, timedelta(days=30))])
def test_a_session_ends_unseen(session: Session, cast: Cast, remember: bool, idle: timedelta) -> None:
    plain = begin(session, cast.members["amina"], remember=remember)
    now = utc_now()
    assert present(session, plain, now + idle - HOUR) is not None
    assert present(session, plain, now + idle) is None
    assert sessions_of(session, cast.members["amina"], now + idle) == []
    assert sessions.forget_over(session, now) == 0
    assert sessions.forget_over(session, now + idle) == 1


def test_a_session_ends_however_often_it_is_seen(session: Session, cast: Cast) -> None:
    plain = begin(session, cast.members["amina"])
    now = utc_now()
    for hours in range(1, 12):
        found = present(session, plain, now + hours * HOUR)
        assert found is not None
        sessions.seen(session, found.session_id, "198.51.100.9", now + hours * HOUR)
    assert present(session, plain, now + 12 * HOUR) is None


def test_an_inactive_member_has_none(session: Session, cast: Cast) -> None:
    plain = begin(session, cast.members["amina"])
    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(active=False))
    assert present(session, plain, utc_now()) is None


def test_somebody_elses_session_does_not_exist(session: Session, cast: Cast) -> None:
    plain = begin(session, cast.members["amina"])
    found = present(session, plain, utc_now())
    assert found is not None
    for name in ("youssef", "admin"):
        with pytest.raises(DomainError) as refused:
            sessions.end(session, cast.actors[name], found.session_id, utc_now())
        assert refused.value.code is Code.NOT_FOUND
    sessions.end(session, cast.actors["amina"], found.session_id, utc_now())
    assert present(session, plain, utc_now()) is None
    assert "session.end" in session.scalars(select(Audit.action)).all()


def test_everywhere_else_is_not_here_and_not_others(session: Session, cast: Cast) -> None:
    plains = [begin(session, cast.members["amina"]) for _ in range(3)]
    others = begin(session, cast.members["youssef"])
    here = present(session, plains[1], utc_now())
    assert here is not None
    assert sessions.end_all(session, cast.members["amina"], utc_now(), but=here.session_id) == 2
    assert [present(session, each, utc_now()) is None for each in plains] == [True, False, True]
    assert present(session, others, utc_now()) is not None


def test_a_new_password_ends_all_but_the_one_it_was_typed_in(session: Session, cast: Cast) -> None:
    first, second = (begin(session, cast.members["amina"]) for _ in range(2))
    here = present(session, second, utc_now())
    assert here is not None
    amina = cast.actors["amina"]
    set_password(
        session, amina, amina.member_id, "violet tram sugar", utc_now(), keep_session=here.session_id
    )
    assert present(session, first, utc_now()) is None
    assert present(session, second, utc_now()) is not None
