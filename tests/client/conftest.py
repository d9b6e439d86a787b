"""A real browser in front of the real web part, and an ear for everything it complains about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.fixtures_cast import PASSWORD, Cast
from tests.support.web import serving

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}
# Reported by the browser itself, whatever the page's own scripts do.
_NOTE_VIOLATIONS = """
addEventListener('securitypolicyviolation', (event) =>
  console.error(`content policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`))
"""


@pytest.fixture
def site(database_url: str, cast: Cast, tmp_path: Path) -> Iterator[str]:
    """The address of the web part, with the cast in its database."""
    with serving(database_url, tmp_path) as address:
        yield address


@dataclass
class Visitor:
    """One person's browser. ``complaints``: errors, broken rules of the content policy, foreign requests."""

    context: BrowserContext
    page: Page
    site: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.site + path)
        return self.page

    def sign_in(self, name: str) -> None:
        self.open("/sign-in")
        self.page.fill("#email", f"{name}@example.org")
        self.page.fill("#password", PASSWORD)
        self.page.click("button.btn-primary")
        self.page.wait_for_url(f"{self.site}/")

    def listen(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", lambda request: self._request(request.url))

    def _console(self, message) -> None:  # type: ignore[no-untyped-def]
        # That a refused form answers 409 or 422 is how it should be.
        if message.type == "error" and "the server responded with a status of 4" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def _request(self, url: str) -> None:
        if urlsplit(url).scheme in ("http", "https") and not url.startswith(self.site):
            self.complaints.append(f"asked elsewhere: {url}")


@pytest.fixture
def visitor(browser: Browser, site: str) -> Iterator[Callable[..., Visitor]]:
    """`visitor("amina", viewport=PHONE)`: signed in. At the end nobody may have complained."""
    visitors: list[Visitor] = []

    def make(name: str | None = None, **options: object) -> Visitor:
        options = {"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "Africa/Casablanca", **options}
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.add_init_script(_NOTE_VIOLATIONS)
        context.set_default_timeout(15_000)
        visitor = Visitor(context, context.new_page(), site)
        visitor.listen()
        visitors.append(visitor)
        if name is not None:
            visitor.sign_in(name)
        return visitor

    yield make
    for visitor in visitors:
        visitor.context.close()
    assert not [complaint for visitor in visitors for complaint in visitor.complaints]
