"""Where the built styles and scripts are: names with a content hash, found in Vite's manifest."""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, url_for
from markupsafe import Markup, escape

DIST = Path(__file__).resolve().parents[1] / "static" / "dist"
FOR_EVER = "public, max-age=31536000, immutable"


def init_assets(app: Flask) -> None:
    """Give templates `asset`, `asset_styles` and `icon`, and let browsers keep hashed files."""
    app.jinja_env.globals.update(asset=asset, asset_styles=asset_styles, icon=icon)
    app.after_request(_keep_hashed_files)


def asset(source: str) -> str:
    """The address of the file built from ``source``, such as ``src/main.ts``; empty when nothing is built."""
    entry = _manifest().get(source)
    return "" if entry is None else url_for("static", filename=f"dist/{entry['file']}")


def asset_styles(source: str) -> list[str]:
    """The addresses of the stylesheets that ``source`` brings along."""
    entry = _manifest().get(source, {})
    return [url_for("static", filename=f"dist/{name}") for name in entry.get("css", [])]


def asset_files(folder: str) -> dict[str, Path]:
    """Built files that the server itself reads, by the names they have below ``folder``."""
    return {
        source.removeprefix(f"{folder}/"): DIST / entry["file"]
        for source, entry in _manifest().items()
        if source.startswith(f"{folder}/")
    }


def icon(name: str, classes: str = "") -> Markup:
    """One icon of the sprite (client/icons.json lists them). It is decoration: the words stand beside it."""
    sprite = asset("icons.svg")
    return Markup(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>'
    ).format(classes, escape(sprite), name)


def _manifest() -> dict[str, Any]:
    path = DIST / "manifest.json"
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        _warn_once()
        return {}
    return _read(path, changed)


@lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return entries


@lru_cache(maxsize=1)
def _warn_once() -> None:
    logging.getLogger(__name__).warning(
        "The pages' styles and scripts are not built; run `npm ci && npm run build` in fablab/web/client."
    )


def _keep_hashed_files(response: Response) -> Response:
    if request.path.startswith("/static/dist/assets/") and response.status_code in (200, 304):
        response.headers["Cache-Control"] = FOR_EVER
    return response
