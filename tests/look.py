"""Pictures of every page at a phone's and a desktop's width: `python -m tests.look` (or `make screenshots`).

Needs a running server with the sample network; takes its address from FABLAB_BASE_URL, or from
DATA_DIR/run.json of `make run`. Also tells of anything the browser complained about.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.chromium import launch

SIZES = {"phone": (390, 844), "desktop": (1440, 900)}
PASSWORD = "fablab-demo"
# Picture's name, address, and who looks. None: nobody has signed in.
PAGES = (
    ("sign-in", "/sign-in", None),
    ("forgotten", "/forgotten", None),
    ("join", "/join", None),
    ("link-over", "/confirm/x", None),
    ("account", "/account", "amina"),
    ("security", "/account/security", "amina"),
    ("tokens", "/account/security/tokens", "amina"),
    ("home", "/", "amina"),
    ("lab", "/labs/tanger", "amina"),
    ("lab-closed", "/labs/al-hoceima", "amina"),
    ("lab-staff", "/labs/tanger", "salma"),
    ("machine", "/machines/tanger-prusa-1", "amina"),
    ("machine-laser", "/machines/tanger-laser-1", "amina"),
    ("find-time", "/find", "amina"),
    ("find-time-none", "/find?kind=laser-cutter&duration=1440", "amina"),
    ("bookings", "/bookings", "amina"),
    ("waiting-list", "/waitlist", "amina"),
    ("waiting-list-machine", "/waitlist?machine=tanger-prusa-1", "amina"),
    ("kept-over", "/offers/none", None),
    ("handovers", "/handovers", "amina"),
    ("authenticator", "/account/security/authenticator", "amina"),
    ("sure", "/account/security/sure", "amina"),
    ("passkeys", "/account/security/passkeys", "amina"),
    ("bookings-none", "/bookings", "nadia"),
    ("utilisation-network", "/utilisation", "nadia"),
    ("utilisation-lab", "/utilisation?period=7", "salma"),
    ("members", "/staff/members", "salma"),
    ("members-found", "/staff/members?q=am", "salma"),
    ("members-none", "/staff/members?q=zzz", "salma"),
    ("member-new", "/staff/members/new", "salma"),
    ("not-allowed", "/utilisation", "amina"),
    ("not-found", "/labs/atlantis", "amina"),
    ("organisations", "/organisations", "amina"),
    ("organisations-invited", "/organisations", "youssef"),
    ("organisations-none", "/organisations", "salma"),
    ("organisation-new", "/organisations/new", "amina"),
    ("organisation", "/organisations/club-robotique-du-lycee", "amina"),
    ("organisation-member", "/organisations/laboratoire-mecatronique", "amina"),
    ("organisation-bookings", "/organisations/club-robotique-du-lycee/bookings", "amina"),
    ("organisation-consumption", "/organisations/club-robotique-du-lycee/consumption", "amina"),
    ("organisation-settings", "/organisations/club-robotique-du-lycee/settings", "amina"),
    ("organisation-terms", "/organisations/club-robotique-du-lycee/settings", "admin"),
    ("organisations-staff", "/staff/organisations", "nadia"),
    ("invitation-over", "/invitations/none", None),
    ("projects", "/projects", "amina"),
    ("project-new", "/projects/new", "amina"),
    ("notices", "/account/notices", "amina"),
    ("calendar-addresses", "/account/calendars", "amina"),
    ("webhooks", "/staff/webhooks", "salma"),
    ("notice-off", "/notices/off/none", None),
    ("my-data", "/account/data", "amina"),
    ("my-data-erasure", "/account/data/erasure", "amina"),
    ("my-data-hindered", "/account/data/erasure", "admin"),
    ("certifications", "/certifications", "amina"),
    ("certifications-none", "/certifications", "youssef"),
    ("trainings", "/trainings", "amina"),
    ("trainings-staff", "/trainings", "salma"),
    ("training-new", "/trainings/new", "salma"),
    ("certifying", "/staff/certifications", "salma"),
    ("certifying-found", "/staff/certifications?q=a", "salma"),
    ("certificate-unknown", "/certificates/none", None),
    ("rules", "/staff/rules", "salma"),
    ("rule-value", "/staff/rules/max_ahead/value", "salma"),
    ("rules-explained", "/staff/rules/explained?machine=tanger-laser-1&member=amina@example.org", "salma"),
    ("audit", "/staff/audit", "admin"),
    ("hours", "/labs/tanger/hours", "salma"),
    ("hours-week", "/labs/tanger/hours/week", "salma"),
    ("hours-seasons", "/labs/tanger/hours/seasons", "salma"),
    ("hours-closures", "/labs/tanger/hours/closures", "salma"),
    ("hours-calendars", "/labs/tanger/hours/calendars", "salma"),
    ("hours-labs", "/staff/hours", "admin"),
    ("organisation-closing", "/organisations/club-robotique-du-lycee/closure", "amina"),
    ("invitation-none", "/invitations/none", "youssef"),
    ("api-docs", "/api/docs", None),
)


@contextmanager
def visitor(
    browser: Browser, base: str, size: tuple[int, int], who: str | None, dark: bool
) -> Iterator[Page]:
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


def a_past_booking(page: Page, base: str) -> None:
    page.goto(f"{base}/bookings")
    page.locator(".past h3 a").first.click()
    page.wait_for_url("**/bookings/*")


def just_booked(page: Page, base: str) -> None:
    page.goto(f"{base}/bookings")
    href = page.locator(".booking-row:not(.past) h3 a").first.get_attribute("href")
    page.goto(f"{base}{href}?made=1")


def cancelling(page: Page, base: str) -> None:
    page.goto(f"{base}/bookings")
    page.locator("confirm-sheet a").last.click()
    page.wait_for_selector("dialog[open]")


def refused(page: Page, base: str) -> None:
    page.goto(f"{base}/machines/tanger-laser-1?day=2020-01-31&time=03:00")
    page.evaluate("document.querySelector('#day').removeAttribute('min')")
    page.click("#book button[type=submit]")
    page.wait_for_selector("[role=alert]")


def clashing(page: Page, base: str) -> None:
    """Ask for a time that somebody else has, as the calendar tells."""
    for number in range(1, 5):
        taken = page.request.get(f"{base}/api/v1/machines/tanger-prusa-{number}/calendar").json()["items"]
        others = [each for each in taken if not each["mine"] and each["state"] == "confirmed"]
        if others:
            day, time = others[-1]["starts_at"][:10], others[-1]["starts_at"][11:16]
            page.goto(f"{base}/machines/tanger-prusa-{number}?day={day}&time={time}")
            page.click("#book button[type=submit]")
            page.wait_for_selector(".choices")
            return
    print("    nobody has booked a printer in Tanger: no picture of a clash")


def account_menu(page: Page, base: str) -> None:
    page.goto(base)
    page.click("account-menu summary")


def a_pupil(page: Page, base: str) -> None:
    page.goto(f"{base}/staff/members?q=ilyas+benomar")
    page.click(".person-link")
    page.wait_for_selector("#consent-title")


def a_consent(page: Page, base: str) -> None:
    a_pupil(page, base)
    page.goto(f"{page.url}/consents/new?language=ar")


def shutting_an_account(page: Page, base: str) -> None:
    page.goto(f"{base}/staff/members?q=yasmine+amrani")
    page.click(".person-link")
    page.click("confirm-sheet a[href$=deactivation]")
    page.wait_for_selector("dialog[open]")


def for_somebody(page: Page, base: str) -> None:
    """The booking's form as a manager has typed whom it is for."""
    page.goto(f"{base}/machines/tanger-prusa-1")
    page.click(".for-whom summary")
    page.locator("#for_member").press_sequentially("amina@example.org")
    page.wait_for_selector("#in-name select")


def a_project(page: Page, base: str) -> None:
    page.goto(f"{base}/projects")
    page.locator("a.row-link").first.click()
    page.wait_for_url("**/projects/*")


def a_training(page: Page, base: str) -> None:
    page.goto(f"{base}/trainings")
    page.locator("#coming .booking-list a").last.click()
    page.wait_for_url("**/trainings/*")


def cancelling_a_training(page: Page, base: str) -> None:
    a_training(page, base)
    page.click("confirm-sheet a")
    page.wait_for_selector("dialog[open]")


def closing_a_training(page: Page, base: str) -> None:
    """What is asked before a training is closed whose time has come, if one waits for that."""
    page.goto(f"{base}/trainings")
    waiting = page.locator("[aria-labelledby=unclosed-title] .booking-list a")
    if not waiting.count():
        print("    no training waits for its attendance: no picture of its closing")
        return
    waiting.first.click()
    page.wait_for_selector(".came")
    for box in page.locator("input[name=attended]:enabled").all():
        box.check()
    page.click(".came-end button")
    page.wait_for_selector("[data-sheet]")


# What takes more than an address; none of it changes any data.
SCENES: tuple[tuple[str, Callable[[Page, str], None], str], ...] = (
    ("booking-past", a_past_booking, "amina"),
    ("booking-made", just_booked, "amina"),
    ("booking-cancelling", cancelling, "amina"),
    ("booking-refused", refused, "amina"),
    ("booking-clash", clashing, "amina"),
    ("account-menu", account_menu, "salma"),
    ("member-pupil", a_pupil, "salma"),
    ("member-consent", a_consent, "salma"),
    ("member-shutting", shutting_an_account, "admin"),
    ("booking-for-somebody", for_somebody, "salma"),
    ("project", a_project, "amina"),
    ("training", a_training, "amina"),
    ("training-staff", a_training, "salma"),
    ("training-cancelling", cancelling_a_training, "salma"),
    ("training-closing", closing_a_training, "salma"),
)


def picture(page: Page, size: tuple[int, int], target: Path) -> None:
    """As tall as the page, so that the bar at the bottom of a phone stays at the bottom."""
    page.wait_for_timeout(900)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    tall = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size[0], "height": max(size[1], tall)})
    page.screenshot(path=target)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    print(f"{target}{f'  OVERFLOWS by {wide}px' if wide > 0 else ''}")


def look(base: str, out: Path, only: str, dark: bool) -> None:
    """Take every picture whose name contains ``only``."""
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for size_name, size in SIZES.items():
            for who in dict.fromkeys(who for _, _, who in PAGES):
                places = [(name, path) for name, path, viewer in PAGES if viewer == who and only in name]
                scenes = [(name, play) for name, play, viewer in SCENES if viewer == who and only in name]
                if not places and not scenes:
                    continue
                end = f"-{size_name}{'-dark' if dark else ''}.png"
                with visitor(browser, base, size, who, dark) as page:
                    for name, path in places:
                        page.goto(base + path)
                        picture(page, size, out / f"{name}{end}")
                    for name, play in scenes:
                        play(page, base)
                        picture(page, size, out / f"{name}{end}")
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
