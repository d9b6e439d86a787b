"""The second factor: codes that work once, recovery codes, taking it away, and the key behind it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.members.models import Audit
from fablab.members.rules import Actor
from fablab.signin import authenticator, recovery, second_factor
from fablab.signin.models import Authenticator, RecoveryCode
from tests.fixtures_cast import SECRET, Cast

KEY = authenticator.key_from(SECRET)
NOW = datetime(2027, 1, 20, 10, 0, 7, tzinfo=UTC)


def code_at(secret: str, at: datetime = NOW) -> str:
    return pyotp.TOTP(secret).at(at)


def enrol(session: Session, actor: Actor, at: datetime = NOW) -> tuple[str, list[str]]:
    """The secret and the recovery codes of an app set up ten minutes before ``at``."""
    before = at - timedelta(minutes=10)
    authenticator.begin(session, actor, KEY, before)
    secret = authenticator.pending_secret(session, actor, KEY)
    assert secret is not None
    codes = second_factor.confirm(session, actor, KEY, code_at(secret, before), before)
    assert codes is not None
    session.commit()
    return secret, codes


def acts(session: Session) -> list[str]:
    return list(session.scalars(select(Audit.action).where(Audit.action != "member.add").order_by(Audit.id)))


def test_without_an_app_no_code_is_right_and_none_is_asked_for(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    assert not second_factor.required(session, amina)
    assert not second_factor.check(session, amina, KEY, "000000", NOW)


def test_an_app_that_was_never_confirmed_is_not_asked_for(session: Session, cast: Cast) -> None:
    actor = cast.actors["amina"]
    authenticator.begin(session, actor, KEY, NOW)
    first = authenticator.pending_secret(session, actor, KEY)
    assert first
    assert not second_factor.required(session, actor.member_id)
    assert not second_factor.check(session, actor.member_id, KEY, code_at(first), NOW)
    authenticator.begin(session, actor, KEY, NOW)
    assert authenticator.pending_secret(session, actor, KEY) != first, "begun again: another secret"
    assert second_factor.confirm(session, actor, KEY, code_at(first), NOW) is None, "the first one is gone"


@pytest.mark.parametrize("steps", [-2, 2])
def test_a_code_of_another_time_is_wrong(session: Session, cast: Cast, steps: int) -> None:
    secret, _ = enrol(session, cast.actors["amina"])
    at = NOW + timedelta(seconds=30 * steps)
    assert not second_factor.check(session, cast.members["amina"], KEY, code_at(secret, at), NOW)


@pytest.mark.parametrize("given", ["", "0", "00000", "0000000", "٠٠٠٠٠٠", "\0" * 6, "\ud800" * 6, "x" * 300])
def test_what_is_no_code_is_wrong(session: Session, cast: Cast, given: str) -> None:
    enrol(session, cast.actors["amina"])
    assert not second_factor.check(session, cast.members["amina"], KEY, given, NOW)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_near_now_is_right_once(session: Session, cast: Cast, steps: int) -> None:
    amina = cast.members["amina"]
    secret, _ = enrol(session, cast.actors["amina"])
    code = code_at(secret, NOW + timedelta(seconds=30 * steps))
    assert second_factor.check(session, amina, KEY, f"{code[:3]} {code[3:]}", NOW)
    assert not second_factor.check(session, amina, KEY, code, NOW)


def test_a_code_may_be_typed_in_arabic_digits(session: Session, cast: Cast) -> None:
    secret, _ = enrol(session, cast.actors["amina"])
    code = code_at(secret).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert second_factor.check(session, cast.members["amina"], KEY, code, NOW)


def test_after_a_code_no_earlier_one_is_right(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    secret, _ = enrol(session, cast.actors["amina"])
    assert second_factor.check(session, amina, KEY, code_at(secret), NOW)
    assert not second_factor.check(session, amina, KEY, code_at(secret, NOW - timedelta(seconds=30)), NOW)


def test_the_code_that_confirmed_the_app_does_not_sign_in(session: Session, cast: Cast) -> None:
    actor = cast.actors["amina"]
    authenticator.begin(session, actor, KEY, NOW)
    secret = authenticator.pending_secret(session, actor, KEY)
    assert secret
    assert second_factor.confirm(session, actor, KEY, code_at(secret), NOW)
    assert not second_factor.check(session, actor.member_id, KEY, code_at(secret), NOW)


@pytest.mark.parametrize("recovered", [False, True])
def test_of_two_at_once_with_one_code_exactly_one_passes(
    session: Session, sessions: sessionmaker[Session], cast: Cast, recovered: bool
) -> None:
    amina = cast.members["amina"]
    secret, codes = enrol(session, cast.actors["amina"])
    code = codes[0] if recovered else code_at(secret)
    together, passed = threading.Barrier(8), []

    def show() -> None:
        with transaction(sessions) as own:
            together.wait(30)
            passed.append(second_factor.check(own, amina, KEY, code, NOW))

    threads = [threading.Thread(target=show) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(passed) == [False] * 7 + [True]


def test_another_members_code_is_wrong(session: Session, cast: Cast) -> None:
    enrol(session, cast.actors["amina"])
    secret, codes = enrol(session, cast.actors["youssef"])
    assert not second_factor.check(session, cast.members["amina"], KEY, code_at(secret), NOW)
    assert not second_factor.check(session, cast.members["amina"], KEY, codes[0], NOW)


def test_the_secret_is_encrypted_and_bound_to_its_member(session: Session, cast: Cast) -> None:
    secret, _ = enrol(session, cast.actors["amina"])
    enrol(session, cast.actors["youssef"])
    amina = session.get_one(Authenticator, cast.members["amina"])
    youssef = session.get_one(Authenticator, cast.members["youssef"])
    assert secret.encode() not in amina.secret
    youssef.secret = amina.secret
    session.commit()
    with pytest.raises(DomainError, match="can no longer be checked"):
        second_factor.check(session, youssef.member_id, KEY, code_at(secret), NOW)


def test_with_another_secret_key_recovery_codes_still_work(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    secret, codes = enrol(session, cast.actors["amina"])
    other = authenticator.key_from("another-" + "1" * 32)
    with pytest.raises(DomainError) as refused:
        second_factor.check(session, amina, other, code_at(secret), NOW)
    assert refused.value.code is Code.REFUSED
    assert second_factor.check(session, amina, other, codes[3], NOW)


def test_recovery_codes_are_ten_hashed_and_each_works_once(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    _, codes = enrol(session, cast.actors["amina"])
    assert len(set(codes)) == 10
    kept = session.scalars(select(RecoveryCode.digest)).all()
    assert not {code.encode() for code in codes} & set(kept)
    assert second_factor.check(session, amina, KEY, codes[0].upper().replace("-", " "), NOW)
    assert not second_factor.check(session, amina, KEY, codes[0], NOW)
    assert recovery.left(session, amina) == 9
    assert acts(session) == ["authenticator.add", "recovery_code.use"]


def test_renewed_codes_replace_the_old_ones(session: Session, cast: Cast) -> None:
    actor = cast.actors["amina"]
    with pytest.raises(DomainError, match="recovery codes stand in for it"):
        second_factor.renew_codes(session, actor, NOW)
    _, codes = enrol(session, actor)
    new = second_factor.renew_codes(session, actor, NOW)
    assert not second_factor.check(session, actor.member_id, KEY, codes[1], NOW)
    assert second_factor.check(session, actor.member_id, KEY, new[1], NOW)
    assert recovery.left(session, actor.member_id) == 9


def test_a_confirmed_app_is_not_replaced(session: Session, cast: Cast) -> None:
    actor = cast.actors["amina"]
    secret, _ = enrol(session, actor)
    with pytest.raises(DomainError, match="already"):
        authenticator.begin(session, actor, KEY, NOW)
    session.rollback()
    with pytest.raises(DomainError, match="already"):
        second_factor.confirm(session, actor, KEY, code_at(secret), NOW)
    session.rollback()
    assert authenticator.pending_secret(session, actor, KEY) is None, "it is never shown again"


@pytest.mark.parametrize("name", ["youssef", "salma", "karim", "nadia", "amina"])
def test_only_an_admin_takes_it_away_from_others(session: Session, cast: Cast, name: str) -> None:
    enrol(session, cast.actors["amina"])
    with pytest.raises(DomainError) as refused:
        second_factor.remove(session, cast.actors[name], cast.members["amina"], NOW)
    assert refused.value.code is Code.NOT_FOUND
    assert second_factor.required(session, cast.members["amina"])


def test_an_admin_gives_proof_for_the_own_one(session: Session, cast: Cast) -> None:
    enrol(session, cast.actors["admin"])
    with pytest.raises(DomainError):
        second_factor.remove(session, cast.actors["admin"], cast.members["admin"], NOW)
    second_factor.remove_own(session, cast.actors["admin"], NOW)
    assert not second_factor.required(session, cast.members["admin"])


def test_an_admin_lets_somebody_locked_out_in_again(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    enrol(session, cast.actors["amina"])
    second_factor.remove(session, cast.actors["admin"], amina, NOW)
    session.commit()
    assert not second_factor.required(session, amina)
    assert session.scalar(select(func.count()).select_from(RecoveryCode)) == 0
    row = session.scalars(select(Audit).where(Audit.action == "authenticator.remove")).one()
    assert (row.actor_id, row.on_member_id) == (cast.members["admin"], amina)
    with pytest.raises(DomainError) as refused:
        second_factor.remove(session, cast.actors["admin"], amina, NOW)
    assert refused.value.code is Code.NOT_FOUND
    with pytest.raises(DomainError):
        second_factor.remove(session, cast.actors["admin"], 999_999, NOW)


@pytest.mark.parametrize(
    ("name", "policy", "shown", "due"),
    [
        ("amina", "required", False, False),
        ("salma", "optional", False, False),
        ("salma", "required", True, False),
        ("salma", "required", False, True),
        ("nadia", "required", False, True),
        ("admin", "required", False, True),
    ],
)
def test_who_must_set_one_up(cast: Cast, name: str, policy: str, shown: bool, due: bool) -> None:
    assert second_factor.enrolment_due(cast.actors[name], policy, shown) is due
