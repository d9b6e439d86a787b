"""Every page in a real browser: no complaint, no stranger asked, no overflow, no barrier."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.utilisation.models import MachineHour
from tests.client.conftest import DESKTOP, PHONE, Visitor
from tests.fixtures_cast import Cast
from tests.support.statuses import printing, speaks

Visit = Callable[..., Visitor]
AXE = Path(__file__).resolve().parents[2] / "fablab/web/client/node_modules/axe-core/axe.min.js"
PAGES = (
    "/",
    "/labs/tanger",
    "/machines/tanger-prusa-1",
    "/machines/tanger-laser-1",
    "/bookings",
    "/utilisation",
    "/nowhere",
)


@pytest.fixture
def lively(session: Session, cast: Cast) -> None:
    """A lab in which every state occurs, and figures of yesterday."""
    speaks(session, "tanger-prusa-1", "running", **printing(file="a-very-long-file-name-" * 6 + ".gcode"))
    speaks(
        session,
        "tanger-prusa-2",
        "error",
        detail="Thermal runaway on the heated bed; the printer halted. " * 4,
    )
    speaks(session, "tanger-laser-1", "off", power_w=3.0)
    speaks(session, "rabat-prusa-1", "paused", silent_s=3600, **printing())
    hour = (utc_now() - timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    machine, lab = cast.machines["tanger-prusa-1"], cast.labs["tanger"]
    session.add(
        MachineHour(machine_id=machine, lab_id=lab, hour=hour, open_s=3600, used_s=1800, booked_s=3000)
    )
    session.commit()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_nobody_complains_and_nothing_overflows(
    visitor: Visit, lively: None, viewport: dict[str, int]
) -> None:
    admin = visitor("admin", viewport=viewport)
    for path in PAGES:
        page = settled(admin.open(path))
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
    expect(admin.open("/utilisation").locator("utilisation-chart canvas")).to_be_visible()
    expect(admin.open("/machines/tanger-prusa-1").locator(".ec-time-grid")).to_be_visible()


def test_the_interface_is_described_without_complaint(visitor: Visit) -> None:
    page = visitor().open("/api/docs")
    # Folded by part: there are too many operations to show them all at once.
    page.locator("#operations-tag-Bookings").click()
    expect(page.get_by_text("/api/v1/bookings/preview")).to_be_visible()
    page.locator(".opblock-summary").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out(visitor: Visit, lively: None, scheme: str) -> None:
    """axe-core: names, roles, contrast, landmarks, in both colour schemes."""
    someone = visitor(color_scheme=scheme, reduced_motion="reduce", viewport=PHONE)
    found = {"/sign-in": barriers(someone.open("/sign-in"))}
    someone.sign_in("salma")
    for path in (*PAGES, "/machines/tanger-prusa-1?day=2020-01-01"):
        found[path] = barriers(settled(someone.open(path)))
    someone.open("/machines/tanger-prusa-1?day=2020-01-01")
    someone.page.evaluate("document.querySelector('#day').removeAttribute('min')")
    someone.page.click("#book button[type=submit]")
    found["refused"] = barriers(settled(someone.page))
    assert {path: each for path, each in found.items() if each} == {}


def test_dark_follows_the_system(visitor: Visit) -> None:
    page = visitor(color_scheme="dark").open("/sign-in")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_filters_change_the_figures_without_a_reload(visitor: Visit, lively: None) -> None:
    page = visitor("nadia").open("/utilisation")
    expect(page.get_by_role("heading", name="By lab")).to_be_visible()
    page.evaluate("window.stayed = true")
    page.select_option("#lab", "tanger")
    expect(page.get_by_role("heading", name="By machine")).to_be_visible()
    page.select_option("#period", "own")
    expect(page.locator("#from")).to_be_visible()
    expect(page).to_have_url(re.compile("lab=tanger"))
    assert page.evaluate("window.stayed") is True


def settled(page: Page) -> Page:
    """Once the parts that come later are there."""
    page.wait_for_load_state("load")
    if page.locator("machine-calendar").count():
        page.wait_for_selector(".ec")
    if page.locator("utilisation-chart").count():
        page.wait_for_selector("utilisation-chart canvas")
    return page


def barriers(page: Page) -> list[str]:
    """What axe-core finds, as rule and place. The calendar library's inner markup is not ours."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate(
        "axe.run({exclude: ['machine-calendar .ec']}, {resultTypes: ['violations']})"
    )
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
        for each in result["violations"]
        for node in each["nodes"]
    ]
