"""Passkeys: what is refused, what is kept, and what counts as a copy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fablab.errors import Code, DomainError
from fablab.members.models import Audit, Member
from fablab.signin import passkeys
from fablab.signin.models import Passkey, SpentChallenge
from tests.fixtures_cast import Cast
from tests.support.soft_passkey import SoftPasskey

NOW = datetime(2027, 1, 20, 10, tzinfo=UTC)
PLACE = passkeys.Place("https://fablab.example.org", "fablab.example.org")
FIRST, SECOND, THIRD = (bytes([number]) * 32 for number in (1, 2, 3))


def soft(**more: object) -> SoftPasskey:
    return SoftPasskey(PLACE.origin, PLACE.host, **more)  # type: ignore[arg-type]


def added(session: Session, cast: Cast, key: SoftPasskey, name: str = "amina") -> int:
    made = key.made(FIRST)
    passkey_id = passkeys.add(session, cast.actors[name], "Phone", made, FIRST, PLACE, NOW)
    session.commit()
    return passkey_id


@pytest.mark.parametrize(
    ("base_url", "place"),
    [
        ("http://127.0.0.1:8000", None),
        ("https://192.168.1.7", None),
        ("https://[::1]:8443", None),
        ("http://fablab.example.org", None),
        ("", None),
        ("http://localhost:8000", passkeys.Place("http://localhost:8000", "localhost")),
        ("https://Fablab.example.org/", PLACE),
    ],
)
def test_where_passkeys_are_good_for(base_url: str, place: passkeys.Place | None) -> None:
    assert passkeys.place_of(base_url) == place


@pytest.mark.parametrize(
    "key",
    [
        SoftPasskey("https://evil.example", PLACE.host),
        SoftPasskey(PLACE.origin, "evil.example"),
        soft(verified=False),
    ],
    ids=["origin", "host", "unverified"],
)
def test_a_passkey_of_elsewhere_or_unverified_is_neither_kept_nor_let_in(
    session: Session, cast: Cast, key: SoftPasskey
) -> None:
    with pytest.raises(DomainError) as refused:
        passkeys.add(session, cast.actors["amina"], "", key.made(FIRST), FIRST, PLACE, NOW)
    assert refused.value.code is Code.REFUSED
    good = soft(id=key.id, _key=key._key)
    added(session, cast, good)
    key.count = 2
    assert passkeys.sign_in_with(session, key.shown(SECOND), SECOND, PLACE, NOW) is None
    good.count = 2
    assert passkeys.sign_in_with(session, good.shown(SECOND), SECOND, PLACE, NOW) == cast.members["amina"]


def test_the_answer_to_another_challenge_is_refused(session: Session, cast: Cast) -> None:
    key = soft()
    with pytest.raises(DomainError):
        passkeys.add(session, cast.actors["amina"], "", key.made(SECOND), FIRST, PLACE, NOW)
    added(session, cast, key)
    key.count = 2
    assert passkeys.sign_in_with(session, key.shown(THIRD), SECOND, PLACE, NOW) is None


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{}",
        "[]",
        "null",
        "7",
        "{" * 500,
        '{"id":"AA","rawId":"AA","type":"public-key","response":{}}',
        '{"id":"AA","rawId":"AA","type":"public-key","response":7}',
        '{"id":7,"rawId":[],"type":{},"response":null}',
        json.dumps(
            {
                "id": "AA",
                "rawId": "AA",
                "type": "public-key",
                "response": {
                    "clientDataJSON": "AA",
                    "attestationObject": "AA",
                    "authenticatorData": "AA",
                    "signature": "AA",
                },
            }
        ),
        '{"id":"\\ud800","rawId":"\\u0000","type":"public-key","response":{"clientDataJSON":"é"}}',
    ],
)
def test_garbage_is_refused(session: Session, cast: Cast, said: str) -> None:
    with pytest.raises(DomainError) as refused:
        passkeys.add(session, cast.actors["amina"], "", said, FIRST, PLACE, NOW)
    assert refused.value.code is Code.REFUSED
    assert passkeys.sign_in_with(session, said, FIRST, PLACE, NOW) is None


def test_a_signature_of_another_key_is_refused(session: Session, cast: Cast) -> None:
    key = soft()
    added(session, cast, key)
    assert passkeys.sign_in_with(session, soft(id=key.id, count=2).shown(SECOND), SECOND, PLACE, NOW) is None
    assert not session.scalars(select(Audit).where(Audit.action == "passkey.refuse")).all()


def test_a_passkey_nobody_has_added_is_refused(session: Session, cast: Cast) -> None:
    assert passkeys.sign_in_with(session, soft().shown(FIRST), FIRST, PLACE, NOW) is None


def test_an_answer_works_once(session: Session, cast: Cast) -> None:
    key = soft(count=0)
    made = key.made(FIRST)
    added(session, cast, key)
    with pytest.raises(DomainError, match="used already"):
        passkeys.add(session, cast.actors["youssef"], "", made, FIRST, PLACE, NOW)
    session.rollback()
    shown = key.shown(SECOND)
    assert passkeys.sign_in_with(session, shown, SECOND, PLACE, NOW) == cast.members["amina"]
    assert passkeys.sign_in_with(session, shown, SECOND, PLACE, NOW) is None


def test_spent_challenges_are_forgotten_once_they_are_too_old_anyway(session: Session, cast: Cast) -> None:
    key = soft()
    added(session, cast, key)
    key.count, later = 2, NOW + 3 * passkeys.CHALLENGE_TTL
    assert passkeys.sign_in_with(session, key.shown(SECOND), SECOND, PLACE, later)
    assert session.scalar(select(func.count()).select_from(SpentChallenge)) == 1


@pytest.mark.parametrize("count", [5, 4, 0])
def test_a_counter_that_does_not_grow_tells_of_a_copy(session: Session, cast: Cast, count: int) -> None:
    key = soft(count=5)
    passkey_id = added(session, cast, key)
    key.count = count
    assert passkeys.sign_in_with(session, key.shown(SECOND), SECOND, PLACE, NOW) is None
    session.commit()
    row = session.scalars(select(Audit).where(Audit.action == "passkey.refuse")).one()
    assert (row.on_member_id, row.subject) == (cast.members["amina"], f"passkey {passkey_id}")
    assert row.detail == f"counter {count} after 5"
    key.count = 6
    assert passkeys.sign_in_with(session, key.shown(THIRD), THIRD, PLACE, NOW) == cast.members["amina"]


def test_another_persons_handle_is_refused(session: Session, cast: Cast) -> None:
    key = soft(handle=cast.members["youssef"].to_bytes(8, "big"))
    added(session, cast, key)
    key.count = 2
    assert passkeys.sign_in_with(session, key.shown(SECOND), SECOND, PLACE, NOW) is None


@pytest.mark.parametrize("closed", [{"active": False}, {"erased_at": NOW}])
def test_a_closed_account_stays_closed(session: Session, cast: Cast, closed: dict[str, object]) -> None:
    key = soft()
    added(session, cast, key)
    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(**closed))
    key.count = 2
    assert passkeys.sign_in_with(session, key.shown(SECOND), SECOND, PLACE, NOW) is None


def test_a_passkey_signs_in_and_its_use_is_noted(session: Session, cast: Cast) -> None:
    key = soft(handle=cast.members["amina"].to_bytes(8, "big"))
    added(session, cast, key)
    key.count, later = 2, NOW + timedelta(days=1)
    assert passkeys.sign_in_with(session, key.shown(SECOND), SECOND, PLACE, later) == cast.members["amina"]
    [seen] = passkeys.passkeys_of(session, cast.members["amina"])
    assert (seen.name, seen.created_at, seen.last_used_at) == ("Phone", NOW, later)


def test_a_passkey_has_one_owner_and_nobody_has_too_many(session: Session, cast: Cast) -> None:
    key = soft()
    added(session, cast, key)
    with pytest.raises(DomainError, match="in use already"):
        passkeys.add(session, cast.actors["youssef"], "", key.made(SECOND), SECOND, PLACE, NOW)
    session.rollback()
    for number in range(passkeys.MOST_OF_ONE - 1):
        challenge = bytes([100 + number]) * 32
        passkeys.add(session, cast.actors["amina"], "", soft().made(challenge), challenge, PLACE, NOW)
    session.commit()
    with pytest.raises(DomainError, match="You have 20 passkeys"):
        passkeys.add(session, cast.actors["amina"], "", soft().made(THIRD), THIRD, PLACE, NOW)


def test_removing_ones_own_but_not_anothers_nor_the_last_way_in(session: Session, cast: Cast) -> None:
    passkey_id = added(session, cast, soft())
    with pytest.raises(DomainError) as refused:
        passkeys.remove(session, cast.actors["admin"], passkey_id, [], NOW)
    assert refused.value.code is Code.NOT_FOUND
    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(password_hash=None))
    with pytest.raises(DomainError, match="only way in"):
        passkeys.remove(session, cast.actors["amina"], passkey_id, [], NOW)
    session.rollback()
    passkeys.remove(session, cast.actors["amina"], passkey_id, [], NOW)
    assert session.scalar(select(func.count()).select_from(Passkey)) == 0


def test_the_options_name_nobody_at_the_door_and_exclude_what_one_has(session: Session, cast: Cast) -> None:
    asked = json.loads(passkeys.options_to_sign_in(PLACE, FIRST))
    assert (asked["rpId"], asked["userVerification"], asked["allowCredentials"]) == (
        PLACE.host,
        "required",
        [],
    )
    added(session, cast, soft())
    options = json.loads(
        passkeys.options_to_add(session, cast.actors["amina"], "amina@example.org", PLACE, SECOND)
    )
    assert len(options["excludeCredentials"]) == 1
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
