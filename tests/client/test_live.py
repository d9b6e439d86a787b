"""Tiles that live: what the database says stands on the page a moment later, and a lost line shows."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import expect
from sqlalchemy.orm import Session

from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from fablab.clock import utc_now
from fablab.settings import Settings
from tests.client.conftest import PHONE, Visitor
from tests.fixtures_cast import Cast, tomorrow
from tests.support.statuses import printing, speaks

TILE = "#tile-tanger-prusa-1"
Visit = Callable[..., Visitor]


def test_a_tile_follows_its_machine_within_two_seconds(visitor: Visit, session: Session, cast: Cast) -> None:
    speaks(session, "tanger-prusa-1", "idle")
    salma = visitor("salma")
    page = salma.open("/labs/tanger")
    tile = page.locator(TILE)
    expect(page.locator("live-lab")).to_have_attribute("data-line", "open")
    expect(tile).to_have_attribute("data-state", "idle")

    begun = time.monotonic()
    speaks(session, "tanger-prusa-1", "running", **printing(0.1))
    expect(tile).to_have_attribute("data-state", "running", timeout=5000)
    assert time.monotonic() - begun < 2
    expect(tile.locator(".state-word")).to_have_text("Running")
    expect(tile).to_contain_text("lamp.gcode")
    expect(tile).to_contain_text("10 %")

    begun = time.monotonic()
    speaks(session, "tanger-prusa-1", "running", **printing(0.55))
    expect(tile.locator("[data-live=share]")).to_have_text("55 %", timeout=5000)
    assert time.monotonic() - begun < 2
    expect(tile.locator("progress")).to_have_js_property("value", 0.55)

    speaks(session, "tanger-prusa-1", "unreachable", detail="OctoPrint does not answer")
    expect(tile).to_have_attribute("data-state", "unreachable")
    expect(tile).to_contain_text("Last heard")
    expect(tile.locator("progress")).to_have_count(0)


def test_a_booking_made_elsewhere_shows(visitor: Visit, session: Session, cast: Cast, policy: Policy) -> None:
    speaks(session, "tanger-prusa-1", "idle")
    page = visitor("youssef").open("/labs/tanger")
    expect(page.locator("live-lab")).to_have_attribute("data-line", "open")
    now = utc_now().replace(microsecond=0)
    request = BookingRequest("tanger-prusa-1", now, now + (tomorrow(11) - tomorrow(8)))
    create_booking(session, cast.actors["amina"], request, now, policy)
    session.commit()
    expect(page.locator(TILE)).to_contain_text("Booked until")
    assert "Amina" not in page.content()


def test_a_lost_line_is_shown_and_polled_over_until_it_is_back(
    visitor: Visit, session: Session, cast: Cast
) -> None:
    speaks(session, "tanger-prusa-1", "idle")
    amina = visitor("amina")
    amina.context.route("**/api/v1/stream*", lambda route: route.fulfill(status=503, body=""))
    page = amina.open("/labs/tanger")
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    speaks(session, "tanger-prusa-1", "running", **printing())
    expect(page.locator(TILE)).to_have_attribute("data-state", "running")
    amina.context.unroute("**/api/v1/stream*")
    expect(page.locator("live-lab")).to_have_attribute("data-line", "open")
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    # The 503 was of this test's own making.
    amina.complaints[:] = [each for each in amina.complaints if "503" not in each]


def test_a_page_left_open_notices_silence_by_itself(
    visitor: Visit, session: Session, cast: Cast, settings: Settings
) -> None:
    """Even when nobody tells: the tile counts the seconds since the last word."""
    amina = visitor("amina", viewport=PHONE)
    # A wrong clock of the visitor's must not matter.
    amina.page.add_init_script("Date.now = () => 0")
    speaks(session, "tanger-prusa-1", "running", silent_s=settings.telemetry.silent_after_s - 8, **printing())
    page = amina.open("/labs/tanger")
    expect(page.locator(TILE)).to_have_attribute("data-state", "running")
    expect(page.locator(TILE)).to_have_attribute("data-state", "unreachable", timeout=30_000)


def test_the_machines_own_page_lives_too(visitor: Visit, session: Session, cast: Cast) -> None:
    speaks(session, "tanger-prusa-1", "idle")
    page = visitor("amina").open("/machines/tanger-prusa-1")
    expect(page.locator("live-lab")).to_have_attribute("data-line", "open")
    speaks(session, "tanger-prusa-1", "paused", **printing(0.3))
    panel = page.locator("#panel-tanger-prusa-1")
    expect(panel).to_have_attribute("data-state", "paused")
    expect(panel).to_contain_text("30 %")
