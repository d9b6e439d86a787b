"""Signing in with a provider: a real one, started here, with PKCE enforced and codes that work once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from flask import Flask
from joserfc.jwk import RSAKey
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from fablab.app import create_app
from fablab.members.models import Audit, Member, Role
from fablab.settings import Settings, load_settings
from fablab.signin.models import Authenticator, ProviderIdentity, SignInSession
from fablab.web.database import db
from tests.fixtures_cast import SECRET, Cast
from tests.support.oidc_provider import Provider, oidc_provider
from tests.support.pages import Reader, words

BEGIN = "/sign-in/with/university"
BACK = f"{BEGIN}/back"
AMINA = {"sub": "u-17", "email": "Amina@example.org", "email_verified": True, "name": "Amina B."}
NEW = {"sub": "u-99", "email": "hind@example.org", "email_verified": True, "name": "Hind\n\tO."}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with oidc_provider() as provider:
        provider.person = AMINA
        yield provider


@pytest.fixture
def settings(database_url: str, provider: Provider) -> Settings:
    given = {"DATABASE_URL": database_url, "FABLAB_SECRET_KEY": SECRET, "FABLAB_BASE_URL": "http://localhost"}
    return load_settings({**given, **provider.settings()})


@pytest.fixture(autouse=True)
def _verified(session: Session, cast: Cast) -> None:
    """The cast has confirmed its addresses, but Youssef has not."""
    verified = update(Member).where(Member.email != "youssef@example.org")
    session.execute(verified.values(email_verified_at=func.now()))
    session.execute(
        update(Member).where(Member.email == "youssef@example.org").values(email_verified_at=None)
    )
    session.commit()


def there(answer: TestResponse) -> str:
    """Where the provider sends the browser after it was sent there."""
    assert answer.status_code == 302, answer.text
    back = requests.get(answer.location, allow_redirects=False, timeout=10)
    assert back.status_code == 302, back.text
    return back.headers["Location"].removeprefix("http://localhost")


def come_in(reader: Reader, begin: str = BEGIN) -> TestResponse:
    return reader.get(there(reader.get(begin)))


def signed_in(reader: Reader) -> bool:
    return reader.get("/bookings").status_code == 200


def nobody_new(session: Session, cast: Cast) -> bool:
    """Whether nothing was stored: no member, no identity, no session."""
    counts = [session.scalar(select(func.count()).select_from(each)) for each in (Member, ProviderIdentity)]
    return counts == [len(cast.members), 0] and session.scalar(select(SignInSession.id)) is None


def test_a_provider_nobody_has_set_up_does_not_exist(app: Flask) -> None:
    assert Reader(app).get("/sign-in/with/elsewhere").status_code == 404
    assert Reader(app).get("/sign-in/with/elsewhere/back?state=1&code=2").status_code == 404


@pytest.mark.parametrize(
    "change",
    [{"state": "forged"}, {"state": ""}, {"state": None}, {"state": "\ud800é"}],
    ids=["forged", "empty", "missing", "odd"],
)
def test_a_forged_or_missing_state_goes_no_further(
    app: Flask, session: Session, cast: Cast, provider: Provider, change: dict[str, str | None]
) -> None:
    reader = Reader(app)
    back = urlsplit(there(reader.get(BEGIN)))
    args = {name: values[0] for name, values in parse_qs(back.query).items()} | change
    kept = {name: value for name, value in args.items() if value is not None}
    answer = reader.get(f"{BACK}?{urlencode(kept, errors='surrogatepass')}")
    assert answer.status_code == 400
    assert "did not begin in this browser" in words(answer)
    assert not signed_in(reader)
    assert nobody_new(session, cast)
    assert provider.exchanged == 0, "the code was not even shown to the provider"


def test_another_browser_cannot_finish_what_this_one_began(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    address = there(Reader(app).get(BEGIN))
    other = Reader(app)
    other.get(BEGIN)
    assert other.get(address).status_code == 400
    assert nobody_new(session, cast)


def test_coming_back_twice_is_refused(app: Flask, provider: Provider) -> None:
    reader = Reader(app)
    address = there(reader.get(BEGIN))
    assert reader.get(address).status_code == 302
    assert provider.exchanged == 1
    assert reader.get(address).status_code == 400
    assert provider.exchanged == 1


def test_a_replayed_code_is_refused_by_the_provider(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    first = Reader(app)
    code = parse_qs(urlsplit(address := there(first.get(BEGIN))).query)["code"][0]
    assert first.get(address).status_code == 302
    thief = Reader(app)
    state = parse_qs(urlsplit(thief.get(BEGIN).location).query)["state"][0]
    answer = thief.get(f"{BACK}?{urlencode({'state': state, 'code': code})}")
    assert answer.status_code == 400
    assert provider.exchanged == 2
    assert not signed_in(thief)


def test_a_stolen_code_needs_the_verifier_of_its_browser(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    code = parse_qs(urlsplit(there(Reader(app).get(BEGIN))).query)["code"][0]
    thief = Reader(app)
    state = parse_qs(urlsplit(thief.get(BEGIN).location).query)["state"][0]
    answer = thief.get(f"{BACK}?{urlencode({'state': state, 'code': code})}")
    assert (answer.status_code, provider.exchanged) == (400, 1)
    assert nobody_new(session, cast)


HOUR = 3600


UNFIT_CLAIMS = [
    {"nonce": "another"},
    {"nonce": None},
    {"aud": ["somebody else"]},
    {"aud": ["somebody else"], "azp": "fablab"},
    {"aud": ["fablab", "somebody else"], "azp": "somebody else"},
    {"iss": "https://evil.example"},
    {"exp": int(time.time()) - HOUR},
    {"exp": None},
    {"iat": int(time.time()) + HOUR},
    {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    {"sub": None},
    {"sub": ""},
    {"sub": 17},
    {"sub": "x" * 256},
]


def test_an_id_token_that_does_not_fit_is_refused(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    for claims in UNFIT_CLAIMS:
        provider.claims = claims
        reader = Reader(app)
        answer = come_in(reader)
        assert answer.status_code in (400, 422)
        assert "University: that did not work" in words(answer)
        assert not signed_in(reader)
        assert nobody_new(session, cast)


def test_a_signature_of_another_key_is_refused(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    reader = Reader(app)
    address = there(reader.get(BEGIN))
    # The published key stays the old one: it has the same name and other numbers.
    stranger = RSAKey.generate_key(2048).as_dict(private=True) | {"kid": provider.key.kid}
    published, provider.key = provider.key, type(provider.key).import_key(stranger)
    provider.discovery = {}
    app_keys = published.as_dict(private=False)
    known = app.extensions["fablab.providers"]["university"]._client
    known.load_server_metadata()["jwks"] = {"keys": [app_keys]}
    assert reader.get(address).status_code == 400
    assert nobody_new(session, cast)


NO_ANSWERS = [
    ("not json", 200),
    ("[]", 200),
    ("{}", 200),
    ('{"access_token":"a","token_type":"bearer"}', 200),
    ('{"access_token":"a","id_token":"x.y.z"}', 200),
    ('{"access_token":"a","id_token":7}', 200),
    ('{"error":"invalid_client"}', 401),
    ("gone", 503),
]


def test_what_is_no_answer_signs_nobody_in(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    for answer in NO_ANSWERS:
        provider.token_answer = answer
        page = come_in(Reader(app))
        assert page.status_code == (503 if answer[1] == 503 else 400)
        assert "University: that did not work" in words(page)
        assert nobody_new(session, cast)


UNFIT_DISCOVERY = [
    {"issuer": "https://evil.example"},
    {"token_endpoint": "http://evil.example/token"},
    {"jwks_uri": None},
    {"authorization_endpoint": "javascript:alert(1)"},
    {"id_token_signing_alg_values_supported": ["none", "HS256"]},
]


def test_a_discovery_document_that_does_not_fit_is_refused(app: Flask, provider: Provider) -> None:
    for discovery in UNFIT_DISCOVERY:
        provider.discovery = discovery
        answer = Reader(app).get(BEGIN)
        assert answer.status_code == 400
        assert "an answer we cannot trust" in words(answer)


def test_a_provider_that_is_down_is_said_so(database_url: str, cast: Cast) -> None:
    with oidc_provider() as gone:
        known = gone.settings()
    app = create_app(load_settings({"DATABASE_URL": database_url, "FABLAB_SECRET_KEY": SECRET, **known}))
    answer = Reader(app).get(BEGIN)
    assert answer.status_code == 503
    assert "University does not answer just now" in words(answer)
    with app.app_context():
        db.engine.dispose()


def test_who_turns_back_there_is_told_so(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    provider.turned_back = True
    answer = come_in(Reader(app))
    assert answer.status_code == 400
    assert "you turned back there" in words(answer)
    assert nobody_new(session, cast)


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


def test_the_address_may_come_by_userinfo(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    provider.discovery = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
    reader = Reader(app)
    address = there(reader.get(BEGIN))
    for code in provider.codes.values():
        code.person = {"sub": "u-17"}
    assert reader.get(address).status_code == 302
    assert signed_in(reader)


def test_userinfo_about_somebody_else_is_refused(
    app: Flask, session: Session, cast: Cast, provider: Provider
) -> None:
    provider.discovery = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
    reader = Reader(app)
    address = there(reader.get(BEGIN))
    for code in provider.codes.values():
        code.person = {"sub": "u-18"}
    assert reader.get(address).status_code == 400
    assert nobody_new(session, cast)


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_it_never_leads_to_another_host(app: Flask, elsewhere: str) -> None:
    assert come_in(Reader(app), f"{BEGIN}?{urlencode({'next': elsewhere})}").location == "/"


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
