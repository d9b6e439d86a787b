"""A lab's day in a real browser: drawing a booking, dragging it, and moving it by the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.models import Booking
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from fablab.clock import utc_now
from fablab.db import transaction
from tests.client.conftest import Visitor
from tests.fixtures_cast import Cast, tomorrow

Visit = Callable[..., Visitor]
DAY = f"/labs/tanger/timeline?day={tomorrow(10):%Y-%m-%d}"


@pytest.fixture
def made(sessions: sessionmaker[Session], cast: Cast, policy: Policy) -> int:
    """Amina's booking, tomorrow from 10 to 12 on the first printer."""
    request = BookingRequest("tanger-prusa-1", tomorrow(10), tomorrow(12))
    with transaction(sessions) as session:
        return create_booking(session, cast.actors["amina"], request, utc_now(), policy).id


def box(thing: Locator) -> FloatRect:
    found = thing.bounding_box()
    assert found is not None
    return found


def drag(page: Page, from_x: float, from_y: float, to_x: float, to_y: float) -> None:
    """Slowly enough for whoever listens to every step."""
    page.mouse.move(from_x, from_y)
    page.mouse.down()
    page.mouse.move((from_x + to_x) / 2, (from_y + to_y) / 2, steps=5)
    page.mouse.move(to_x, to_y, steps=5)
    page.mouse.up()


def stored(session: Session, booking_id: int) -> tuple[datetime, datetime, int]:
    session.expire_all()
    found = session.get_one(Booking, booking_id)
    return found.starts_at, found.ends_at, found.machine_id


def test_what_is_drawn_is_booked(visitor: Visit, session: Session, cast: Cast, made: int) -> None:
    page = visitor("amina").open(DAY)
    own = page.get_by_role("button", name="Your booking, 10:00 to 12:00")
    expect(own).to_be_visible()
    its = box(own)
    hour, y = its["width"] / 2, its["y"] + its["height"] / 2
    # From 13:00 to 15:00, in the same row.
    drag(page, its["x"] + 3 * hour + 2, y, its["x"] + 5 * hour - 4, y)
    sheet = page.get_by_role("dialog", name="Book Tanger Prusa 1")
    expect(sheet.locator("#time")).to_have_value("13:00")
    expect(sheet.locator("#duration")).to_have_value("120")
    sheet.get_by_role("button", name="Book Tanger Prusa 1").click()
    expect(page.get_by_text("It is yours.")).to_be_visible()
    [new] = session.scalars(select(Booking).where(Booking.id != made))
    assert (new.starts_at, new.ends_at) == (tomorrow(13), tomorrow(15))
    assert new.machine_id == cast.machines["tanger-prusa-1"]


def test_what_is_dragged_moves_once_it_is_confirmed(
    visitor: Visit, session: Session, cast: Cast, made: int
) -> None:
    page = visitor("amina").open(DAY)
    own = page.get_by_role("button", name="Your booking, 10:00 to 12:00")
    its = box(own)
    hour, y = its["width"] / 2, its["y"] + its["height"] / 2
    drag(page, its["x"] + hour, y, its["x"] + 3 * hour, y)
    sheet = page.get_by_role("dialog", name="Move the booking")
    expect(sheet.locator("#time")).to_have_value("12:00")
    sheet.get_by_text("Leave it").click()
    expect(page.get_by_role("button", name="Your booking, 10:00 to 12:00")).to_be_visible()
    assert box(own)["x"] == pytest.approx(its["x"])
    assert stored(session, made)[0] == tomorrow(10)
    drag(page, its["x"] + hour, y, its["x"] + 3 * hour, y)
    page.get_by_role("dialog", name="Move the booking").get_by_role("button", name="Move it").click()
    expect(page.get_by_text("Moved: Tanger Prusa 1")).to_be_visible()
    assert stored(session, made)[:2] == (tomorrow(12), tomorrow(14))


def test_the_end_is_pulled(visitor: Visit, session: Session, made: int) -> None:
    page = visitor("amina").open(DAY)
    its = box(page.get_by_role("button", name="Your booking, 10:00 to 12:00"))
    y = its["y"] + its["height"] / 2
    drag(page, its["x"] + its["width"] - 3, y, its["x"] + its["width"] * 1.5 - 3, y)
    sheet = page.get_by_role("dialog", name="Move the booking")
    expect(sheet.locator("#duration")).to_have_value("180")
    sheet.get_by_role("button", name="Move it").click()
    expect(page.get_by_text("Moved: Tanger Prusa 1")).to_be_visible()
    assert stored(session, made)[:2] == (tomorrow(10), tomorrow(13))


def test_the_keyboard_moves_it_to_another_machine(
    visitor: Visit, session: Session, cast: Cast, made: int
) -> None:
    page = visitor("amina").open(DAY)
    own = page.get_by_role("button", name="Your booking, 10:00 to 12:00")
    own.focus()
    page.keyboard.press("Shift+ArrowDown")
    sheet = page.get_by_role("dialog", name="Move the booking")
    expect(sheet.locator("#machine")).to_have_value("tanger-prusa-2")
    sheet.get_by_role("button", name="Move it").press("Enter")
    expect(page.get_by_text("Moved: Tanger Prusa 2")).to_be_visible()
    assert stored(session, made)[2] == cast.machines["tanger-prusa-2"]


def test_what_others_have_stays_where_it_is(visitor: Visit, session: Session, made: int) -> None:
    page = visitor("youssef").open(DAY)
    theirs = page.get_by_role("button", name="Booked, 10:00 to 12:00")
    its = box(theirs)
    y = its["y"] + its["height"] / 2
    drag(page, its["x"] + 20, y, its["x"] + 120, y)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert stored(session, made)[:2] == (tomorrow(10), tomorrow(10) + timedelta(hours=2))
