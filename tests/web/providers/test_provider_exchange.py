"""Coming back from a provider: a real one, started here, with PKCE enforced and codes that work once."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask
from joserfc.jwk import RSAKey
from sqlalchemy.orm import Session

from fablab.app import create_app
from fablab.settings import load_settings
from fablab.web.database import db
from tests.fixtures_cast import SECRET, Cast
from tests.support.oidc_provider import Provider, oidc_provider
from tests.support.pages import Reader, words
from tests.web.providers.coming_in import BACK, BEGIN, come_in, nobody_new, signed_in, there


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
