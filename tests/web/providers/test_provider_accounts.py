"""Whose account a provider opens: one linked, one with the same verified address, or a new one."""

from __future__ import annotations

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fablab.app import create_app
from fablab.members.models import Audit, Member, Role
from fablab.settings import load_settings
from fablab.signin.models import Authenticator, ProviderIdentity, SignInSession
from fablab.web.database import db
from tests.fixtures_cast import SECRET, Cast
from tests.support.oidc_provider import Provider
from tests.support.pages import Reader, words
from tests.web.providers.coming_in import AMINA, BEGIN, NEW, come_in, nobody_new, signed_in


@pytest.mark.parametrize("verified", [False, None, "true", 1])
@pytest.mark.parametrize("person", [AMINA, NEW], ids=["known", "new"])
def test_an_unverified_address_links_and_makes_nobody(
    app: Flask, session: Session, cast: Cast, provider: Provider, person: dict[str, object], verified: object
) -> None:
    provider.person = {**person, "email_verified": verified}
    answer = come_in(Reader(app))
    assert answer.status_code == 422
    assert "have not verified your e-mail address" in words(answer)
    assert nobody_new(session, cast)


@pytest.mark.parametrize("email", [None, "", "no address", 7, "a@b\0.org"])
def test_an_address_that_is_none_makes_nobody(
    app: Flask, session: Session, cast: Cast, provider: Provider, email: object
) -> None:
    provider.person = {**NEW, "email": email}
    assert come_in(Reader(app)).status_code == 422
    assert nobody_new(session, cast)


def test_an_account_whose_address_nobody_confirmed_here_is_not_linked(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    provider.person = {**AMINA, "email": "youssef@example.org"}
    answer = come_in(Reader(app))
    assert answer.status_code == 422
    assert "confirm the address" in words(answer)
    assert nobody_new(session, cast)


@pytest.mark.parametrize("closed", [{"active": False}, {"erased_at": func.now()}])
@pytest.mark.parametrize("linked", [False, True])
def test_a_closed_account_stays_closed(
    app: Flask, session: Session, cast: Cast, provider: Provider, closed: dict[str, object], linked: bool
) -> None:
    if linked:
        assert come_in(Reader(app)).status_code == 302
    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(**closed))
    session.commit()
    reader = Reader(app)
    answer = come_in(reader)
    assert answer.status_code == 422
    assert "Your account here is closed" in words(answer)
    assert not signed_in(reader)


def test_where_people_may_not_register_nobody_new_is_made(
    database_url: str, session: Session, cast: Cast, provider: Provider
) -> None:
    provider.person = NEW
    given = {"DATABASE_URL": database_url, "FABLAB_SECRET_KEY": SECRET, "FABLAB_BASE_URL": "http://localhost"}
    app = create_app(load_settings({**given, **provider.settings(), "FABLAB_SIGNIN__REGISTRATION": "false"}))
    answer = come_in(Reader(app))
    assert answer.status_code == 422
    assert "You have no account here yet" in words(answer)
    assert nobody_new(session, cast)
    with app.app_context():
        db.engine.dispose()


def test_a_member_with_the_same_verified_address_is_linked_and_in(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    reader = Reader(app)
    answer = come_in(reader, f"{BEGIN}?next=/bookings")
    assert (answer.status_code, answer.location) == (302, "/bookings")
    assert signed_in(reader)
    identity = session.scalars(select(ProviderIdentity)).one()
    assert (identity.member_id, identity.subject) == (cast.members["amina"], "u-17")
    assert session.scalars(select(SignInSession.method)).one() == "oidc:university"
    row = session.scalars(select(Audit).where(Audit.action == "provider.link")).one()
    assert (row.on_member_id, row.detail) == (cast.members["amina"], "university")
    provider.person = {"sub": "u-17", "email": "another@example.org", "email_verified": False}
    assert signed_in(again := Reader(app)) is False
    assert come_in(again).status_code == 302
    assert signed_in(again), "known by the provider's number now, whatever the address"


def test_somebody_new_gets_a_verified_account_as_maker(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    provider.person = NEW
    reader = Reader(app)
    assert come_in(reader).status_code == 302
    assert signed_in(reader)
    member = session.scalars(select(Member).where(Member.email == "hind@example.org")).one()
    assert (member.name, member.password_hash) == ("Hind O.", None)
    assert member.email_verified_at is not None
    roles = session.scalars(select(Role.role).where(Role.member_id == member.id)).all()
    assert roles == ["maker"]


def test_a_member_with_an_app_is_still_asked_for_its_code(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    session.add(
        Authenticator(
            member_id=cast.members["amina"], secret=b"-", created_at=func.now(), confirmed_at=func.now()
        )
    )
    session.commit()
    reader = Reader(app)
    assert come_in(reader).location == "/sign-in/second-step"
    assert not signed_in(reader)


def test_linking_needs_its_form_and_belongs_to_who_began_it(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    provider.person = {"sub": "u-5", "email": "amina.private@example.org", "email_verified": False}
    reader = Reader(app)
    reader.sign_in("amina")
    reader.get("/account/security")
    bare = reader.client.post("/account/security/providers/university")
    assert bare.status_code == 400, "no form of ours"
    page = reader.post("/account/security/providers/university")
    assert page.status_code == 200
    address = page.text.partition("0;url=")[2].partition('"')[0].replace("&amp;", "&")
    back = requests.get(address, allow_redirects=False, timeout=10).headers["Location"]
    reader.get("/")
    reader.post("/sign-out")
    assert reader.get(back.removeprefix("http://localhost")).status_code == 400
    assert session.scalar(select(ProviderIdentity.id)) is None


def test_a_member_links_and_unlinks(app: Flask, session: Session, cast: Cast, provider: Provider) -> None:
    provider.person = {"sub": "u-5"}
    reader = Reader(app)
    reader.sign_in("amina")
    reader.get("/account/security")
    address = reader.post("/account/security/providers/university").text
    address = address.partition("0;url=")[2].partition('"')[0].replace("&amp;", "&")
    back = requests.get(address, allow_redirects=False, timeout=10).headers["Location"]
    answer = reader.get(back.removeprefix("http://localhost"))
    assert (answer.status_code, answer.location) == (302, "/account/security")
    identity = session.scalars(select(ProviderIdentity)).one()
    assert (identity.member_id, identity.subject) == (cast.members["amina"], "u-5")
    assert "University opens your account" in words(reader.get("/account/security"))

    thief = Reader(app)
    thief.sign_in("karim")
    thief.get("/account/security")
    removal = f"/account/security/providers/{identity.id}/removal"
    assert thief.get(removal).status_code == 404
    assert thief.post(removal).status_code == 404
    text = thief.post("/account/security/providers/university").text
    text = text.partition("0;url=")[2].partition('"')[0].replace("&amp;", "&")
    back = requests.get(text, allow_redirects=False, timeout=10).headers["Location"]
    refused = thief.get(back.removeprefix("http://localhost"))
    assert refused.status_code == 422
    assert "somebody else" in words(refused)

    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(password_hash=None))
    session.commit()
    reader.get(removal)
    last = reader.post(removal)
    assert last.status_code == 422
    assert "your only way in" in words(last)
    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(password_hash="-"))
    session.commit()
    assert reader.post(removal).status_code == 303
    session.expire_all()
    assert session.scalar(select(ProviderIdentity.id)) is None


def test_the_door_shows_the_way_to_the_provider(app: Flask) -> None:
    page = Reader(app).get("/sign-in?next=/bookings")
    assert "Continue with University" in words(page)
    assert f'href="{BEGIN}?next=/bookings"' in page.text
