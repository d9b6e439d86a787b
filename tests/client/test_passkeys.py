"""Passkeys in a real browser, with the authenticator Chromium has for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import CDPSession, expect
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.members.models import Audit
from fablab.signin.models import Passkey, SignInSession
from tests.client.conftest import PHONE, Visitor
from tests.fixtures_cast import Cast
from tests.support.web import serving

Visit = Callable[..., Visitor]
PAGE = "/account/security/passkeys"


@pytest.fixture
def site(database_url: str, cast: Cast, tmp_path: Path) -> Iterator[str]:
    """At localhost: browsers bind passkeys to names, and 127.0.0.1 is none."""
    with serving(database_url, tmp_path, host="localhost") as address:
        yield address


class Device:
    """The authenticator in somebody's phone: it verifies its user, unless told otherwise."""

    def __init__(self, visitor: Visitor) -> None:
        self._line: CDPSession = visitor.context.new_cdp_session(visitor.page)
        self._line.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = self._line.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._id = {"authenticatorId": made["authenticatorId"]}

    def keys(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._line.send("WebAuthn.getCredentials", self._id)["credentials"]
        return found

    def take(self, keys: list[dict[str, Any]]) -> None:
        """Hold copies of these keys."""
        for key in keys:
            self._line.send("WebAuthn.addCredential", {**self._id, "credential": key})

    def knows_its_user(self, verified: bool) -> None:
        self._line.send("WebAuthn.setUserVerified", {**self._id, "isUserVerified": verified})


def add(visitor: Visitor, name: str = "My phone") -> Device:
    device = Device(visitor)
    page = visitor.open(PAGE)
    page.fill("#name", name)
    page.click("text=Add a passkey")
    expect(page.get_by_text("Your passkey works from now on.")).to_be_visible()
    return device


def sign_out(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.click("account-menu summary")
    page.click("text=Sign out")
    page.wait_for_url(f"{visitor.site}/sign-in")


def test_a_passkey_is_added_signs_in_and_is_removed(visitor: Visit, session: Session, cast: Cast) -> None:
    amina = visitor("amina", viewport=PHONE, has_touch=True, is_mobile=True)
    device = add(amina)
    [key] = device.keys()
    assert key["isResidentCredential"]
    sign_out(amina)
    page = amina.open("/sign-in?next=/bookings")
    page.click("text=Sign in with a passkey")
    page.wait_for_url(f"{amina.site}/bookings")
    row = session.scalars(select(SignInSession).order_by(SignInSession.id.desc())).first()
    assert row is not None
    assert (row.member_id, row.method, row.second_factor) == (cast.members["amina"], "passkey", True)
    page = amina.open(PAGE)
    expect(page.get_by_text("My phone")).to_be_visible()
    expect(page.get_by_text("last used")).to_be_visible()
    page.click("confirm-sheet a")
    page.click("dialog button.btn-danger")
    expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    sign_out(amina)
    page.click("text=Sign in with a passkey")
    expect(page.get_by_text("does not open an account here")).to_be_visible()


def test_a_device_that_does_not_know_its_user_neither_adds_nor_signs_in(
    visitor: Visit, session: Session
) -> None:
    amina = visitor("amina")
    device = add(amina)
    sign_out(amina)
    device.knows_its_user(False)
    amina.page.click("text=Sign in with a passkey")
    expect(amina.page.get_by_role("alert")).to_contain_text("No passkey was chosen")
    assert amina.page.url.endswith("/sign-in")


def test_the_same_device_is_not_added_twice(visitor: Visit, session: Session) -> None:
    amina = visitor("amina")
    add(amina)
    page = amina.page
    page.fill("#name", "Again")
    page.click("text=Add a passkey")
    expect(page.get_by_role("alert")).to_contain_text("has a passkey for you already")
    assert len(session.scalars(select(Passkey)).all()) == 1


def test_a_copy_that_lags_behind_is_refused_and_written_down(
    visitor: Visit, session: Session, cast: Cast
) -> None:
    amina = visitor("amina")
    device = add(amina)
    thief = visitor()
    copy = Device(thief)
    thief.open("/sign-in")
    copy.take(device.keys())
    session.execute(update(Passkey).values(sign_count=Passkey.sign_count + 50))
    session.commit()
    thief.page.click("text=Sign in with a passkey")
    expect(thief.page.get_by_text("does not open an account here")).to_be_visible()
    row = session.scalars(select(Audit).where(Audit.action == "passkey.refuse")).one()
    assert row.on_member_id == cast.members["amina"]


def test_an_answer_sent_twice_opens_once(visitor: Visit, session: Session, site: str) -> None:
    amina = visitor("amina")
    add(amina)
    sign_out(amina)
    page = amina.page
    # What the browser was asked, answered and sent, once more: with the same cookie and the same form.
    with page.expect_request("**/sign-in/passkey") as sent:
        page.click("text=Sign in with a passkey")
    page.wait_for_url(f"{site}/")
    before = session.scalar(select(SignInSession.id).order_by(SignInSession.id.desc()).limit(1))
    request = sent.value
    again = amina.context.request.post(
        request.url,
        headers={**request.all_headers(), "cookie": request.all_headers()["cookie"]},
        data=request.post_data_buffer,
        max_redirects=0,
    )
    assert again.status == 303
    assert "/sign-in" in again.headers["location"], (
        "the cookie and the form are right, the challenge is spent"
    )
    session.expire_all()
    newest = session.scalar(select(SignInSession.id).order_by(SignInSession.id.desc()).limit(1))
    assert newest == before


def test_without_scripts_the_password_is_the_way_in(visitor: Visit) -> None:
    stranger = visitor(java_script_enabled=False)
    page = stranger.open("/sign-in")
    expect(page.get_by_text("Sign in with a passkey")).to_be_hidden()
    expect(page.locator(".sign-in-ways")).to_be_hidden()
