"""The network's labs and a lab's tiles: what is shown, to whom, and at what price."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from fablab.clock import utc_now
from fablab.machines.models import Machine, Unit
from fablab.usage.models import UsageSession
from tests.fixtures_cast import Cast, tomorrow
from tests.support.pages import Visit, words
from tests.support.statuses import printing, speaks


def tile(page: str, slug: str) -> str:
    """The markup of one machine's tile."""
    found = re.search(rf'<machine-tile id="tile-{slug}".*?</machine-tile>', page, re.DOTALL)
    assert found, f"no tile of {slug}"
    return found[0]


def book_now(session: Session, cast: Cast, policy: Policy, name: str, machine: str = "tanger-prusa-1") -> int:
    now = utc_now().replace(microsecond=0)
    ends = now.replace(minute=0, second=0) + (tomorrow(10) - tomorrow(8))
    made = create_booking(session, cast.actors[name], BookingRequest(machine, now, ends), now, policy)
    session.commit()
    return made.id


@pytest.mark.parametrize(
    "address", ["/labs/atlantis", "/machines/atlantis-prusa-1", "/machines/atlantis-prusa-1/tile"]
)
def test_what_does_not_exist_gets_a_page_that_helps(visit: Visit, address: str) -> None:
    answer = visit("amina").get(address)
    assert answer.status_code == 404
    assert "We cannot find that" in words(answer)
    assert 'href="/"' in answer.text


def test_others_do_not_see_what_runs_nor_for_whom(
    visit: Visit, session: Session, cast: Cast, policy: Policy
) -> None:
    book_now(session, cast, policy, "amina")
    speaks(session, "tanger-prusa-1", "running", **printing())
    for name in ("youssef", "karim"):
        page = visit(name).get("/labs/tanger")
        assert "lamp.gcode" not in page.text, name
        assert "Amina" not in words(page), name
        assert "At work" in page.text
        assert "Booked until" in words(page)


def test_a_booking_does_not_open_the_work_of_whoever_used_the_machine_without_one(
    visit: Visit, session: Session, cast: Cast, policy: Policy
) -> None:
    book_now(session, cast, policy, "amina")
    speaks(session, "tanger-prusa-1", "running", **printing())
    machine = session.scalars(select(Machine).where(Machine.slug == "tanger-prusa-1")).one()
    now = utc_now()
    session.add(UsageSession(machine_id=machine.id, lab_id=machine.lab_id, started_at=now, counted_at=now))
    session.commit()
    page = visit("amina").get("/labs/tanger")
    assert "lamp.gcode" not in page.text
    assert "Yours until" in words(page)
    assert "lamp.gcode" in visit("salma").get("/labs/tanger").text


def test_the_holder_and_the_staff_see_what_runs(
    visit: Visit, session: Session, cast: Cast, policy: Policy
) -> None:
    book_now(session, cast, policy, "amina")
    speaks(session, "tanger-prusa-1", "running", **printing())
    page = visit("amina").get("/labs/tanger")
    assert "lamp.gcode" in page.text
    assert "Yours until" in words(page)
    for name in ("salma", "nadia", "admin"):
        page = visit(name).get("/labs/tanger")
        assert "lamp.gcode" in page.text, name
        assert "by Amina" in words(page), name


@pytest.mark.parametrize("state", ["off", "idle", "running", "paused", "error"])
def test_a_state_is_told_by_word_icon_and_colour(
    visit: Visit, session: Session, cast: Cast, state: str
) -> None:
    speaks(session, "tanger-prusa-1", state)
    shown = tile(visit("amina").get("/labs/tanger").text, "tanger-prusa-1")
    assert f'data-state="{state}"' in shown
    assert re.search(rf"<svg.*</svg>{state.capitalize()}</span>", shown)


def test_a_running_machine_shows_progress_end_and_temperatures(
    visit: Visit, session: Session, cast: Cast
) -> None:
    speaks(session, "tanger-prusa-1", "running", **printing(0.42))
    shown = tile(visit("amina").get("/labs/tanger").text, "tanger-prusa-1")
    assert 'value="0.420"' in shown
    assert "42 %" in shown
    assert "Ready about" in shown
    assert "215 / 215 °C" in shown
    assert "60 / 60 °C" in shown


def test_silence_is_not_a_frozen_value(visit: Visit, session: Session, cast: Cast, settings) -> None:  # type: ignore[no-untyped-def]
    speaks(
        session, "tanger-prusa-1", "running", silent_s=settings.telemetry.silent_after_s + 60, **printing()
    )
    shown = tile(visit("salma").get("/labs/tanger").text, "tanger-prusa-1")
    assert 'data-state="unreachable"' in shown
    assert "Last heard" in shown
    assert "4 minutes ago" in shown
    for frozen in ("42 %", "215", "lamp.gcode", "Ready about"):
        assert frozen not in shown


def test_a_machine_nobody_ever_heard_of_says_so(visit: Visit, cast: Cast) -> None:
    shown = tile(visit("amina").get("/labs/tanger").text, "tanger-prusa-1")
    assert 'data-state="unreachable"' in shown
    assert "Never heard of so far" in shown


def test_home_counts_what_is_free_now(visit: Visit, session: Session, cast: Cast, policy: Policy) -> None:
    speaks(session, "tanger-prusa-1", "idle")
    speaks(session, "tanger-prusa-2", "idle")
    assert "2 of 2 3D Printers free now" in words(visit("youssef").get("/"))
    book_now(session, cast, policy, "amina")
    page = words(visit("youssef").get("/"))
    assert "1 of 2 3D Printers free now" in page
    assert "Amina" not in page


def test_home_names_ones_next_booking_and_ones_own_lab_first(
    visit: Visit, session: Session, cast: Cast, policy: Policy
) -> None:
    assert "Your next booking" not in words(visit("amina").get("/"))
    book_now(session, cast, policy, "amina")
    page = words(visit("amina").get("/"))
    assert "Your next booking" in page
    assert page.index("Tanger") < page.index("Rabat")
    page = words(visit("karim").get("/"))
    assert page.index("Rabat Rabat Sale Kenitra") < page.index("Tanger Tanger Tetouan")


@pytest.mark.parametrize("name", ["amina", "youssef", "salma", "karim", "nadia", "admin"])
def test_everyone_sees_labs_and_machines(visit: Visit, name: str) -> None:
    reader = visit(name)
    for address in (
        "/",
        "/labs/tanger",
        "/machines/tanger-prusa-1",
        "/machines/tanger-prusa-1/tile",
        "/bookings",
    ):
        assert reader.get(address).status_code == 200, address
    may_book = name != "nadia"
    assert ("Book it" in words(reader.get("/machines/tanger-prusa-1"))) is may_book
    assert ("Utilisation" in words(reader.get("/"))) is (name in ("salma", "karim", "nadia", "admin"))


def test_a_lab_without_machines_says_what_to_do(visit: Visit, session: Session, cast: Cast) -> None:
    session.query(Unit).filter(Unit.id == cast.units["rabat-prusa-1"]).delete()
    session.query(Machine).filter(Machine.id == cast.machines["rabat-prusa-1"]).delete()
    session.commit()
    assert "Look at another lab meanwhile" in words(visit("amina").get("/labs/rabat"))


def test_the_zone_is_named_once(visit: Visit) -> None:
    for address in ("/", "/labs/tanger", "/machines/tanger-prusa-1"):
        assert words(visit("amina").get(address)).count("Africa/Casablanca") == 1, address


def test_a_lab_costs_the_same_however_many_machines_it_has(
    app: Flask, visit: Visit, session: Session, cast: Cast
) -> None:
    amina = visit("amina")
    amina.get("/labs/tanger")
    with counted(app) as few:
        assert amina.get("/labs/tanger").status_code == 200
    for number in range(3, 33):
        machine = Machine(
            slug=f"tanger-prusa-{number}",
            name=f"Prusa {number}",
            lab_id=cast.labs["tanger"],
            kind_id=session.get_one(Machine, cast.machines["tanger-prusa-1"]).kind_id,
            unattended=True,
        )
        session.add(machine)
        session.flush()
        session.add(Unit(machine_id=machine.id))
        session.flush()
        speaks(session, machine.slug, "running", **printing())
    with counted(app) as many:
        page = amina.get("/labs/tanger")
    assert page.text.count("<machine-tile") == 33
    assert len(many) == len(few) <= 6, "\n".join(many)


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements the application sends meanwhile."""
    from fablab.web.database import db

    statements: list[str] = []

    def note(_connection, _cursor, statement, *_rest):  # type: ignore[no-untyped-def]
        statements.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
