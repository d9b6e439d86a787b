"""Browsers in which an account was signed in to before: their tries at its password are counted apart.

Otherwise whoever sends a wrong password each time a wait ends could keep an account's owner out for ever. The
cookie holds random texts, each bound to an account by the service's key: it says nothing to whoever reads it,
opens nothing, and buys its browser as many tries as a stranger has.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from flask import Response, g, request

from fablab.signin.rules import known_key, same_email
from fablab.web.settings import settings

LASTS_S = 400 * 86400
# Accounts one browser is known for: a lab's computer forgets the ones used longest ago.
MOST = 8


def cookie_name() -> str:
    """Over https a name that browsers take only from this very host."""
    return f"{'__Host-' if settings().web.over_https else ''}fablab_known"


def guess_key(email: str) -> str | None:
    """Under which tries at this account's password are counted in this browser; None in an unknown one."""
    for entry in _entries():
        if _fits(entry, email):
            return known_key(entry)
    return None


def remember(email: str) -> None:
    """Somebody is in, with all that was asked for: this browser is known for the account from now on."""
    known = _entries()
    own = [each for each in known if _fits(each, email)] or [_new(email)]
    g.known_browser = [*own, *(each for each in known if each not in own)][:MOST]


def set_cookie(answer: Response) -> Response:
    """Let the browser keep what was remembered in this request."""
    if "known_browser" in g:
        answer.set_cookie(
            cookie_name(),
            ".".join(g.known_browser),
            max_age=LASTS_S,
            path="/",
            secure=settings().web.over_https,
            httponly=True,
            samesite="Lax",
        )
    return answer


def _entries() -> list[str]:
    return [each for each in request.cookies.get(cookie_name(), "").split(".")[:MOST] if each]


def _new(email: str) -> str:
    plain = secrets.token_urlsafe(16)
    return f"{plain}~{_seal(plain, email)}"


def _fits(entry: str, email: str) -> bool:
    plain, _, seal = entry.partition("~")
    return hmac.compare_digest(_seal(plain, email).encode(), seal.encode("utf-8", "replace"))


def _seal(plain: str, email: str) -> str:
    said = f"known browser\0{plain}\0{same_email(email)}".encode("utf-8", "surrogatepass")
    return hmac.new(settings().web.secret_key.encode(), said, hashlib.sha256).hexdigest()[:32]
