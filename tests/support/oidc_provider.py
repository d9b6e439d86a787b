"""A small OIDC provider on Authlib's server side: PKCE is enforced, a code works once.

It signs everybody in at once, as ``person``. What it says can be twisted: ``claims`` replaces claims of the
next id_tokens (None takes one away), ``discovery`` entries of its discovery document.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, redirect, request
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "fablab", "the provider's secret for us"


@cache
def _key() -> RSAKey:
    """One for all tests of a run: making it takes its time."""
    return RSAKey.generate_key(2048, auto_kid=True)


@dataclass
class Provider:
    """The provider as a test sees it."""

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    # What /token answers instead of tokens, and whether people turn back at the question.
    token_answer: tuple[str, int] | None = None
    turned_back: bool = False
    codes: dict[str, Code] = field(default_factory=dict)
    key: RSAKey = field(default_factory=_key)
    exchanged: int = 0

    def settings(self, name: str = "university") -> dict[str, str]:
        """The service's environment that knows this provider."""
        place = f"FABLAB_OIDC__{name.upper()}__"
        return {
            f"{place}TITLE": "University",
            f"{place}ISSUER": self.issuer,
            f"{place}CLIENT_ID": CLIENT_ID,
            f"{place}CLIENT_SECRET": CLIENT_SECRET,
        }


@dataclass
class Code:
    """An authorization code, and what was asked for with it."""

    code: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    person: dict[str, Any]

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Client:
    """The one client this provider knows: us."""

    client_id = CLIENT_ID
    id_token_signed_response_alg = "RS256"

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, address: str) -> bool:
        return address.endswith("/sign-in/with/university/back")

    def check_client_secret(self, secret: str) -> bool:
        return secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, kind: str) -> bool:
        return kind == "code"

    def check_grant_type(self, kind: str) -> bool:
        return kind == "authorization_code"


@contextmanager
def oidc_provider() -> Iterator[Provider]:
    """A provider on a free port, in a thread of its own."""
    provider = Provider()
    server = make_server("127.0.0.1", 0, _app(provider), threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    # Authlib's server side, which only the tests use, wants to be told that http is meant.
    before = os.environ.get("AUTHLIB_INSECURE_TRANSPORT")
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    thread = threading.Thread(target=server.serve_forever, name="oidc-provider", daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
        if before is None:
            del os.environ["AUTHLIB_INSECURE_TRANSPORT"]


def _app(provider: Provider) -> Flask:
    app = Flask("oidc_provider")
    server = AuthorizationServer(app, lambda _: Client(), lambda token, asked: None)
    server.scopes_supported = ["openid", "email", "profile"]
    server.register_grant(_grant(provider), [_openid(provider), CodeChallenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        known = {
            "issuer": provider.issuer,
            "authorization_endpoint": f"{provider.issuer}/authorize",
            "token_endpoint": f"{provider.issuer}/token",
            "jwks_uri": f"{provider.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
        return jsonify({**known, **provider.discovery})

    @app.get("/keys")
    def keys() -> Response:
        return jsonify(KeySet([provider.key]).as_dict(private=False))

    @app.get("/authorize")
    def authorize() -> Any:
        asked = request.args
        if provider.turned_back:
            return redirect(f"{asked['redirect_uri']}?error=access_denied&state={asked['state']}")
        if asked.get("code_challenge_method") != "S256" or not asked.get("nonce"):
            return "PKCE and a nonce, please", 400
        grant = server.get_consent_grant(end_user=provider.person)
        return server.create_authorization_response(grant_user=provider.person, grant=grant)

    @app.post("/token")
    def token() -> Any:
        provider.exchanged += 1
        return provider.token_answer or server.create_token_response()

    @app.get("/userinfo")
    def userinfo() -> Response:
        return jsonify(provider.person)

    return app


def _grant(provider: Provider) -> type[AuthorizationCodeGrant]:
    class Grant(AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

        def save_authorization_code(self, code: str, asked: Any) -> None:
            data = asked.payload.data
            provider.codes[code] = Code(
                code,
                asked.payload.redirect_uri,
                asked.payload.scope,
                data["nonce"],
                data["code_challenge"],
                data["code_challenge_method"],
                dict(provider.person),
            )

        def query_authorization_code(self, code: str, client: Any) -> Code | None:
            return provider.codes.get(code)

        def delete_authorization_code(self, code: Code) -> None:
            del provider.codes[code.code]

        def authenticate_user(self, code: Code) -> dict[str, Any]:
            return code.person

    return Grant


def _openid(provider: Provider) -> OpenIDCode:
    class OpenID(OpenIDCode):
        def exists_nonce(self, nonce: str, asked: Any) -> bool:
            return any(each.nonce == nonce for each in provider.codes.values())

        def resolve_client_private_key(self, client: Any) -> RSAKey:
            return provider.key

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            return {"iss": provider.issuer, "aud": [CLIENT_ID]}

        def generate_user_info(self, person: dict[str, Any], scope: str) -> UserInfo:
            return UserInfo({**person, **provider.claims})

    return OpenID(require_nonce=True)
