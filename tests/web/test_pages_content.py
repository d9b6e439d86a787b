"""What pages are made of: nothing inline, nothing from elsewhere; errors are pages too."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask import Flask

from fablab.web.pages import assets
from tests.support.missing import missing
from tests.support.pages import Reader, Visit, words
from tests.web.test_pages_booking import made_by, send

ADDRESSES = (
    "/",
    "/labs/tanger",
    "/machines/tanger-prusa-1",
    "/bookings",
    "/utilisation",
    "/labs/atlantis",
    "/api/docs",
    "/account",
    "/account/security",
    "/account/security/tokens",
    "/account/security/sure",
)
# What strangers see.
OUTSIDE = ("/sign-in", "/forgotten", "/join", "/reset/x", "/confirm/x")
ICONS = Path(assets.__file__).parents[1] / "client" / "icons.json"


def built() -> None:
    if not (assets.DIST / "manifest.json").exists():
        missing("the pages' styles and scripts are not built (npm ci && npm run build in fablab/web/client)")


def test_pages_hold_no_script_style_or_handler_of_their_own(visit: Visit) -> None:
    admin = visit("admin")
    pages = [admin.get(address) for address in ADDRESSES]
    pages += [admin.get(made_by(admin)), send(admin)]
    pages += [Reader(admin.client.application).get(address) for address in OUTSIDE]
    for page in pages:
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page.text), page.request.path
        for script in re.findall(r"<script[^>]*>", page.text):
            assert 'src="/static/' in script, (page.request.path, script)
        elsewhere = re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*"', page.text)
        assert not elsewhere, (page.request.path, elsewhere)


def test_every_answer_carries_the_content_policy(app: Flask, visit: Visit) -> None:
    for answer in (visit("amina").get("/"), Reader(app).get("/sign-in"), visit("amina").get("/nothing")):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


def test_every_icon_a_page_asks_for_is_in_the_sprite(visit: Visit) -> None:
    known = set(json.loads(ICONS.read_text(encoding="utf-8")))
    sources = [
        *Path(assets.__file__).parents[1].rglob("templates/**/*.html"),
        *Path(assets.__file__).parent.glob("*.py"),
    ]
    asked = set()
    for source in sources:
        text = source.read_text(encoding="utf-8")
        asked |= set(re.findall(r"icon\('([a-z0-9-]+)'", text))
        asked |= set(re.findall(r'Word\("[^"]+", "([a-z0-9-]+)"', text))
    assert len(asked) > 20
    assert asked <= known, asked - known


def test_built_files_may_be_kept_for_ever_and_the_sprite_is_there(app: Flask, visit: Visit) -> None:
    built()
    page = visit("amina").get("/labs/tanger").text
    files = set(re.findall(r'(?:src|href)="(/static/dist/[^"#]+)', page))
    assert {name.rsplit(".", 1)[1] for name in files} >= {"js", "css", "svg"}
    for name in files:
        answer = Reader(app).get(name)
        assert answer.status_code == 200, name
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_pages_come_without_built_files_too(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "DIST", tmp_path)
    page = visit("amina").get("/labs/tanger")
    assert page.status_code == 200
    assert "<script" not in page.text


def test_an_error_of_ours_is_a_page_with_a_reference(
    app: Flask, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    amina = visit("amina")

    def breaks(*_args: object, **_more: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("fablab.web.pages.labs.tiles", breaks)
    page = amina.get("/labs/tanger")
    assert page.status_code == 500
    assert re.search(r"reference [0-9a-f]{8}", words(page))
    assert "secret detail" not in page.text


def test_a_page_that_is_not_there_is_told_to_members_only(app: Flask, visit: Visit) -> None:
    page = visit("amina").get("/no/such/page")
    assert page.status_code == 404
    assert "We cannot find that" in words(page)
    assert Reader(app).get("/no/such/page").status_code in (302, 404)
