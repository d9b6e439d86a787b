"""OIDC providers over the wire, by Authlib: authorization code with PKCE (S256), state and nonce.

What a provider says is believed only after Authlib has checked signature, issuer, audience, times, nonce and
at_hash of its id_token. Every call has a timeout and follows no redirect.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import BaseApp, OAuth2Mixin, OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, current_app
from joserfc.errors import JoseError

from fablab.logs import logger
from fablab.settings import Oidc, Settings, trusted_address

log = logger("signin")

TIMEOUT_S = (5, 10)
# How long a provider's discovery document is believed; its keys are fetched again when a new one appears.
METADATA_TTL_S = 3600
# How far its clock may be from ours.
LEEWAY_S = 60
# Only signatures that a public key proves: never "none", never one made with our own secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_EXTENSION = "fablab.providers"


class ProviderTrouble(Exception):
    """A provider that cannot be reached ("away") or whose answer does not fit ("unfit")."""

    def __init__(self, kind: Literal["away", "unfit"]) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class Begun:
    """Where to send the browser, and what must be remembered until it comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


class Provider:
    """One provider of the settings. Connects to nothing before it is asked."""

    def __init__(self, oidc: Oidc) -> None:
        self.name = oidc.name
        self.title = oidc.title or oidc.name.capitalize()
        self._client = _Client(oidc)

    def begin(self, redirect_uri: str) -> Begun:
        """The way to the provider for one sign-in. Raises ProviderTrouble."""
        with _Telling(self.name):
            made = self._client.create_authorization_url(redirect_uri)
            return Begun(made["url"], made["state"], made["nonce"], made["code_verifier"])

    def finish(self, code: str, redirect_uri: str, verifier: str, nonce: str) -> Mapping[str, Any]:
        """What the provider says of whoever came back with this code. Raises ProviderTrouble."""
        with _Telling(self.name):
            token = self._client.fetch_access_token(redirect_uri, code=code, code_verifier=verifier)
            metadata = self._client.load_server_metadata()
            said = self._client.parse_id_token(
                token,
                nonce=nonce,
                claims_options={
                    "iss": {"essential": True, "value": metadata["issuer"]},
                    "aud": {"essential": True, "value": self._client.client_id},
                },
                leeway=LEEWAY_S,
            )
            if said is None:
                raise ValueError("no id_token")
            if "email" not in said and "userinfo_endpoint" in metadata:
                more = self._client.userinfo(token=token)
                if more.get("sub") != said["sub"]:
                    raise ValueError("userinfo is about somebody else")
                said = {**more, **said}
            return cast(Mapping[str, Any], said)


def init_app(app: Flask, settings: Settings) -> None:
    """Know the providers of the settings. Raises SettingsError when a secret's file cannot be read."""
    app.extensions[_EXTENSION] = {each.name: Provider(each) for each in settings.oidc}


def providers() -> dict[str, Provider]:
    """The providers people may sign in with, by name, in the order of the settings."""
    return cast(dict[str, Provider], current_app.extensions[_EXTENSION])


class _Session(OAuth2Session):
    """Authlib's session on requests. No provider needs to send us elsewhere, least of all with a code."""

    def request(self, method: str, url: str, **more: Any) -> requests.Response:
        more["allow_redirects"] = False
        answer = cast(requests.Response, super().request(method, url, **more))
        if answer.is_redirect:
            raise ValueError(f"{url} leads elsewhere")
        return answer


class _Client(OAuth2Mixin, OpenIDMixin, BaseApp):
    client_cls = _Session

    def __init__(self, oidc: Oidc) -> None:
        self._issuer = oidc.issuer
        self._public = not oidc.secret
        self._known: dict[str, Any] = {}
        self._known_until = 0.0
        super().__init__(
            framework=None,
            name=oidc.name,
            client_id=oidc.client_id,
            client_secret=oidc.secret or None,
            server_metadata_url=f"{oidc.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": oidc.scopes,
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT_S,
            },
        )

    def load_server_metadata(self) -> dict[str, Any]:
        """The provider's discovery document, as far as it is needed, checked, and for an hour."""
        if time.monotonic() >= self._known_until:
            with self._get_session() as session:
                answer = session.request("GET", self._server_metadata_url, withhold_token=True)
                answer.raise_for_status()
                self._known = self._checked(answer.json())
            self._known_until = time.monotonic() + METADATA_TTL_S
            # fetch_jwk_set keeps the keys beside it.
            self.server_metadata = self._known
        return self._known

    def _checked(self, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict) or found.get("issuer") != self._issuer:
            raise ValueError("the discovery document is another issuer's")
        addresses = {
            name: found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        }
        if "userinfo_endpoint" in found:
            addresses["userinfo_endpoint"] = found["userinfo_endpoint"]
        for name, address in addresses.items():
            if not isinstance(address, str) or not trusted_address(address):
                raise ValueError(f"{name} is no https address")
        offered = found.get("id_token_signing_alg_values_supported") or ["RS256"]
        signing = [each for each in ALGORITHMS if each in offered]
        if not signing:
            raise ValueError("no way of signing that a public key proves")
        return {
            "issuer": found["issuer"],
            **addresses,
            "id_token_signing_alg_values_supported": signing,
            "token_endpoint_auth_method": self._way_to_prove(found),
        }

    def _way_to_prove(self, found: dict[str, Any]) -> str:
        if self._public:
            return "none"
        ways = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"


class _Telling:
    """Turns whatever can go wrong with a provider into one error, and writes it into the log."""

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, requests.RequestException) and not isinstance(error, requests.JSONDecodeError):
            log.warning("provider_away", provider=self._provider, trouble=str(error)[:300])
            raise ProviderTrouble("away") from error
        if isinstance(error, AuthlibBaseError | JoseError | ValueError | KeyError | TypeError):
            log.warning("provider_unfit", provider=self._provider, trouble=str(error)[:300])
            raise ProviderTrouble("unfit") from error
