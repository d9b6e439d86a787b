"""A new way into an account needs proof that it is its owner, and its owner hears of it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pyotp
import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.mail.models import Mail
from fablab.members.models import Audit
from fablab.signin import authenticator, links, second_factor
from fablab.signin.hashing import hash_password
from fablab.signin.joining import account_to_be
from fablab.signin.models import Authenticator, Passkey, ProviderIdentity, SignInSession, Token
from fablab.signin.rules import LIMITS
from tests.fixtures_cast import PASSWORD, SECRET, Apis, Cast
from tests.support.pages import Reader, Visit, words

SURE = "/account/security/sure"
NEW = "violet tram sugar"
TOKENS = "/account/security/tokens"
TOKEN = {"name": "laptop", "scope": "write", "days": "30"}


def later(session: Session) -> None:
    """Everybody signed in eleven minutes ago."""
    then = utc_now() - timedelta(minutes=11)
    session.execute(update(SignInSession).values(created_at=then))
    session.commit()


def has_passkey_and_account_elsewhere(session: Session, member_id: int) -> tuple[int, int]:
    owner = {"member_id": member_id, "created_at": utc_now()}
    passkey = Passkey(**owner, name="Phone", credential_id=b"of amina", public_key=b"-")
    identity = ProviderIdentity(**owner, provider="nowhere", subject="1")
    session.add_all([passkey, identity])
    session.commit()
    return passkey.id, identity.id


def test_a_token_makes_no_other_token(api: Apis, session: Session) -> None:
    program = api("amina")
    refused = program.post("/me/tokens", {"name": "for ever", "scope": "write"})
    assert (refused.status_code, refused.json["code"]) == (403, "not_allowed")
    page = program._client.post(TOKENS, data=TOKEN, headers=program.headers)
    assert (page.status_code, page.location) == (302, "/sign-in?next=%2F")
    assert session.scalar(select(func.count()).select_from(Token)) == 1


def test_a_browser_left_open_makes_no_token(visit: Visit, session: Session) -> None:
    amina = visit("amina")
    amina.get("/")
    later(session)
    refused = amina.rest("POST", "/me/tokens", {"name": "laptop"})
    assert (refused.status_code, refused.json["code"]) == (403, "not_allowed")
    assert session.scalar(select(Token.id)) is None
    shown = amina.get(TOKENS)
    assert "we ask first whether it is you" in words(shown)
    assert 'name="scope"' not in shown.text


def test_without_proof_no_way_in_is_added_or_taken_away(visit: Visit, session: Session, cast: Cast) -> None:
    amina_id = cast.members["amina"]
    passkey, identity = has_passkey_and_account_elsewhere(session, amina_id)
    amina = visit("amina")
    amina.get("/account")
    later(session)
    for path, form in (
        (TOKENS, TOKEN),
        ("/account/security/authenticator", {}),
        ("/account/security/authenticator/confirmation", {"code": "000000"}),
        (f"/account/security/passkeys/{passkey}/removal", {}),
        (f"/account/security/providers/{identity}/removal", {}),
    ):
        answer = amina.post(path, **form)
        assert answer.status_code == 303, path
        assert answer.location.startswith(SURE), path
    for kind in (Token, Authenticator):
        assert session.scalar(select(func.count()).select_from(kind)) == 0
    for kind in (Passkey, ProviderIdentity):
        assert session.scalar(select(func.count()).select_from(kind)) == 1


def test_wrong_proof_changes_nothing_and_is_a_guess(visit: Visit, session: Session) -> None:
    amina = visit("amina")
    amina.get(SURE)
    later(session)
    for wrong in ("", "nonsense", "000000"):
        answer = amina.post(SURE, proof=wrong, next=TOKENS)
        assert answer.status_code == 422
        assert "neither your password nor a code" in words(answer)
    assert amina.post(TOKENS, **TOKEN).location.startswith(SURE)
    seen = [amina.post(SURE, proof="wrong", next=TOKENS).status_code for _ in range(4)]
    assert seen[-1] == 429


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example/", "\\\\evil.example"])
def test_proof_leads_nowhere_else(visit: Visit, elsewhere: str) -> None:
    amina = visit("amina")
    amina.get(SURE)
    assert amina.post(SURE, proof=PASSWORD, next=elsewhere).location == "/"


def test_proof_is_good_for_ten_minutes_in_its_browser(
    visit: Visit, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    amina, open_one = visit("amina"), visit("amina")
    for each in (amina, open_one):
        each.get(SURE)
    later(session)
    assert amina.post(SURE, proof=PASSWORD, next=TOKENS).location == TOKENS
    amina.get(TOKENS)
    assert "laptop is ready" in words(amina.post(TOKENS, **TOKEN))
    assert amina.rest("POST", "/me/tokens", {"name": "other"}).status_code == 201
    assert open_one.post(TOKENS, **TOKEN).location.startswith(SURE)
    soon = utc_now() + timedelta(minutes=11)
    monkeypatch.setattr("fablab.web.proof.utc_now", lambda: soon)
    assert amina.post(TOKENS, **TOKEN).location.startswith(SURE)


def test_the_owner_hears_of_a_new_way_in(visit: Visit, session: Session, cast: Cast) -> None:
    amina = visit("amina")
    amina.get(TOKENS)
    assert amina.post(TOKENS, **TOKEN).status_code == 200
    mail = session.scalars(select(Mail)).one()
    assert (mail.template, mail.address) == ("way_in_added", "amina@example.org")


def test_one_has_so_many_tokens_and_none_for_ever(visit: Visit) -> None:
    amina, youssef = visit("amina"), visit("youssef")
    for each in (amina, youssef):
        each.get("/")

    def make(reader: Reader, **more: int):  # type: ignore[no-untyped-def]
        return reader.rest("POST", "/me/tokens", {"name": "laptop", **more})

    assert make(amina).json["expires_at"] is not None
    assert make(amina, days=367).status_code == 422
    assert {make(amina).status_code for _ in range(19)} == {201}
    refused = make(amina)
    assert (refused.status_code, refused.json["refusals"][0]["code"]) == (422, "too_many_tokens")
    assert make(youssef).status_code == 201


def test_what_strangers_do_by_links_carries_their_address(app: Flask, session: Session, cast: Cast) -> None:
    now, amina = utc_now(), cast.members["amina"]
    pending = account_to_be("Hind", "hind@example.org", NEW, "fr", now)
    pending["password_hash"] = hash_password(NEW)
    to_join = links.make(session, None, "join", "hind@example.org", now, pending=pending)
    to_reset = links.make(session, cast.members["youssef"], "reset", "youssef@example.org", now)
    to_move = links.make(session, amina, "address", "amina@new.example.org", now)
    session.commit()
    reader = Reader(app)
    reader.get("/sign-in")
    assert reader.post("/reset", link=to_reset, password=NEW).status_code == 303
    assert reader.post("/confirm", link=to_move).status_code == 303
    assert reader.post("/confirm", link=to_join, password=NEW).status_code == 303
    found = session.execute(select(Audit.action, Audit.address)).all()
    for action in ("member.set_password", "member.change_email", "member.join"):
        assert (action, "127.0.0.1") in found


def test_a_used_recovery_code_carries_an_address(app: Flask, session: Session, cast: Cast) -> None:
    key, then = authenticator.key_from(SECRET), utc_now() - timedelta(minutes=10)
    authenticator.begin(session, cast.actors["amina"], key, then)
    secret = authenticator.pending_secret(session, cast.actors["amina"], key)
    assert secret
    codes = second_factor.confirm(session, cast.actors["amina"], key, pyotp.TOTP(secret).at(then), then)
    assert codes
    session.commit()
    reader = Reader(app)
    assert reader.sign_in("amina").location == "/sign-in/second-step"
    reader.get("/sign-in/second-step")
    assert reader.post("/sign-in/second-step", code=codes[0]).status_code == 303
    row = session.execute(select(Audit.address).where(Audit.action == "recovery_code.use")).one()
    assert row.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/join", {"name": "Hind", "email": "hind@example.org", "language": "fr"}),
        ("/reset", {"link": "nonsense"}),
    ],
)
def test_a_strangers_passwords_are_counted_before_they_are_judged(
    app: Flask, monkeypatch: pytest.MonkeyPatch, path: str, form: dict[str, str]
) -> None:
    judged: list[str] = []

    def strength(password: str, known: list[str]) -> int:
        judged.append(password)
        return 0

    monkeypatch.setattr("fablab.signin.passwords._strength", strength)
    monkeypatch.setitem(LIMITS, "address", dataclasses.replace(LIMITS["address"], free=3))
    reader = Reader(app)
    reader.get("/sign-in")
    seen = [reader.post(path, **form, password=f"velvet {n} trumpet").status_code for n in range(5)]
    assert seen == [422] * 3 + [429] * 2
    assert len(judged) <= 3
