"""Booking in a real browser: by tap, by keyboard, in the calendar, and with scripts switched off."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from tests.client.conftest import PHONE, Visitor
from tests.fixtures_cast import tomorrow

Visit = Callable[..., Visitor]
MACHINE = "/machines/tanger-prusa-1"


def at(hour: int, minute: int = 0) -> str:
    return f"{MACHINE}?day={tomorrow(hour):%Y-%m-%d}&time={tomorrow(hour, minute):%H:%M}"


def test_a_clash_offers_what_is_free_and_one_tap_books_it(visitor: Visit, session: Session) -> None:
    amina = visitor("amina", viewport=PHONE, has_touch=True, is_mobile=True)
    amina.open(at(10))
    amina.page.click("#book button[type=submit]")
    expect(amina.page.get_by_text("It is yours.")).to_be_visible()
    youssef = visitor("youssef", viewport=PHONE, has_touch=True, is_mobile=True)
    page = youssef.open(at(10, 30))
    page.click("#book button[type=submit]")
    expect(page.get_by_role("alert")).to_contain_text("Somebody else has that time")
    expect(page.locator("#time")).to_have_attribute("aria-invalid", "true")
    page.locator(".choices button").nth(1).tap()
    expect(page.get_by_text("It is yours.")).to_be_visible()
    rows = session.scalars(select(Booking).order_by(Booking.id)).all()
    assert len(rows) == 2
    assert rows[0].starts_at == tomorrow(10)
    assert rows[1].starts_at == tomorrow(10, 30)
    assert rows[0].machine_id != rows[1].machine_id


def test_the_keyboard_alone_books(visitor: Visit, session: Session) -> None:
    page = visitor("amina").open(at(14))
    page.locator("#duration").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("A lamp")
    page.keyboard.press("Tab")
    expect(page.locator("[data-summary]")).to_contain_text("14:00 to 15:30")
    expect(page.locator(".for-whom > summary")).to_be_focused()  # A folded section is one stop.
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Book Tanger Prusa 1")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is yours.")).to_be_visible()
    [booking] = session.scalars(select(Booking))
    assert (booking.starts_at, booking.ends_at) == (tomorrow(14), tomorrow(15, 30))
    assert booking.purpose == "A lamp"


def test_the_first_tab_skips_to_the_content(visitor: Visit) -> None:
    page = visitor("amina").open("/labs/tanger")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_a_tap_in_the_calendar_fills_the_form(visitor: Visit) -> None:
    page = visitor("amina").open(at(9))
    expect(page.locator(".entry-chosen")).to_be_visible()
    day = page.locator(".ec-body .ec-day").nth(2)
    box = day.bounding_box()
    assert box
    page.mouse.click(
        box["x"] + box["width"] / 2, page.locator(".ec-main, .ec-body").first.bounding_box()["y"] + 180
    )
    before = f"{tomorrow(9):%Y-%m-%d}"
    expect(page.locator("#day")).not_to_have_value(before)
    expect(page.locator("#duration")).to_be_focused()


def test_a_new_booking_appears_in_an_open_calendar(visitor: Visit, session: Session) -> None:
    watcher = visitor("youssef").open(at(16))
    expect(watcher.locator("live-lab")).to_have_attribute("data-line", "open")
    expect(watcher.locator(".ec-event.entry-booking")).to_have_count(0)
    amina = visitor("amina")
    amina.open(at(10))
    amina.page.click("#book button[type=submit]")
    expect(watcher.locator(".ec-event.entry-booking")).to_have_count(1)
    expect(watcher.locator(".ec-event.entry-booking")).to_contain_text("Booked")


def test_everything_needed_works_without_scripts(visitor: Visit, session: Session) -> None:
    amina = visitor("amina", java_script_enabled=False)
    page = amina.open(at(10))
    expect(page.get_by_text("Nothing is booked in the next seven days.")).to_be_visible()
    page.click("#book button[type=submit]")
    expect(page.get_by_text("It is yours.")).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_text("is cancelled")).to_be_visible()
    assert session.scalars(select(Booking.state)).all() == ["cancelled"]
    page.locator("account-menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()


def test_cancelling_asks_in_a_sheet_that_escape_closes(visitor: Visit, session: Session) -> None:
    page = visitor("amina").open(at(10))
    page.click("#book button[type=submit]")
    expect(page.get_by_text("It is yours.")).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    sheet = page.get_by_role("dialog")
    expect(sheet).to_contain_text("Cancel your booking?")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    page.get_by_role("link", name="Cancel").click()
    sheet.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_text("is cancelled")).to_be_visible()
    assert session.scalars(select(Booking.state)).all() == ["cancelled"]
