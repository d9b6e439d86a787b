"""Pictures of every page at a phone's and a desktop's width: `python -m tests.look` (or `make screenshots`).

Needs a running server with the sample network; takes its address from FABLAB_BASE_URL, or from
DATA_DIR/run.json of `make run`. Also tells of anything the browser complained about.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.chromium import launch

SIZES = {"phone": (390, 844), "desktop": (1440, 900)}
PASSWORD = "fablab-demo"
# Picture's name, address, and who looks. None: nobody has signed in.
PAGES = (
    ("sign-in", "/sign-in", None),
    ("home", "/", "amina"),
    ("lab", "/labs/tanger", "amina"),
    ("lab-closed", "/labs/al-hoceima", "amina"),
    ("lab-staff", "/labs/tanger", "salma"),
    ("machine", "/machines/tanger-prusa-1", "amina"),
    ("machine-laser", "/machines/tanger-laser-1", "amina"),
    ("bookings", "/bookings", "amina"),
    ("bookings-none", "/bookings", "nadia"),
    ("utilisation-network", "/utilisation", "nadia"),
    ("utilisation-lab", "/utilisation?period=7", "salma"),
    ("not-allowed", "/utilisation", "amina"),
    ("not-found", "/labs/atlantis", "amina"),
    ("api-docs", "/api/docs", None),
)


@contextmanager
def visitor(browser: Browser, base: str, size: tuple[int, int], who: str | None, dark: bool) -> Iterator[Page]:
    """A page of a browser of its own, signed in as ``who``."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=2 if size[0] < 500 else 1,
        is_mobile=size[0] < 500,
        has_touch=size[0] < 500,
        locale="en-GB",
        timezone_id="Africa/Casablanca",
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.on("console", lambda said: said.type == "error" and print(f"    console: {said.text}"))
    page.on("pageerror", lambda error: print(f"    error: {error}"))
    if who is not None:
        page.goto(f"{base}/sign-in")
        page.fill("#email", f"{who}@example.org")
        page.fill("#password", PASSWORD)
        page.click("button.btn-primary")
        page.wait_for_url(f"{base}/")
    yield page
    context.close()


def look(base: str, out: Path, only: str, dark: bool) -> None:
    """Take every picture whose name contains ``only``."""
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for size_name, size in SIZES.items():
            for who in dict.fromkeys(who for _, _, who in PAGES):
                wanted = [(name, path) for name, path, viewer in PAGES if viewer == who and only in name]
                if not wanted:
                    continue
                with visitor(browser, base, size, who, dark) as page:
                    for name, path in wanted:
                        page.goto(base + path)
                        page.wait_for_timeout(900)
                        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                        target = out / f"{name}-{size_name}{'-dark' if dark else ''}.png"
                        page.screenshot(path=target, full_page=True)
                        print(f"{target}{f'  OVERFLOWS by {wide}px' if wide > 0 else ''}")
        browser.close()


def address() -> str:
    """Where the server answers."""
    if given := os.environ.get("FABLAB_BASE_URL"):
        return given.rstrip("/")
    run = Path(os.environ.get("DATA_DIR", "data")) / "run.json"
    if not run.exists():
        sys.exit(f"No server: start one with `make run` (there is no {run}), or set FABLAB_BASE_URL.")
    return str(json.loads(run.read_text(encoding="utf-8"))["base_url"]).rstrip("/")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--only", default="", help="part of a picture's name")
    parser.add_argument("--dark", action="store_true")
    chosen = parser.parse_args()
    look(address(), chosen.out, chosen.only, chosen.dark)
