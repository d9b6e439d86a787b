"""The calendar of a lab: what it shows to whom, and what it costs however many machines there are."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.clock import utc_now
from fablab.machines.models import Machine, Unit
from fablab.web.schemas.calendars import CalendarPage
from tests.fixtures_cast import ZONE, Apis, Cast, tomorrow
from tests.support.claims import claim_outage

WEEK = urlencode({"from": tomorrow(0).isoformat(), "to": tomorrow(0, days=6).isoformat()})


def book(session: Session, cast: Cast, machine_ids: list[int]) -> None:
    """Six bookings of Amina's a machine, a day each."""
    starts = [tomorrow(10, days=days) for days in range(1, 7)]
    session.execute(
        insert(Booking),
        [
            {
                "machine_id": machine_id,
                "lab_id": cast.labs["tanger"],
                "member_id": cast.members["amina"],
                "created_by_id": cast.members["amina"],
                "starts_at": at,
                "ends_at": at.replace(hour=12),
                "zone": ZONE,
                "local_starts": at.replace(tzinfo=None),
                "local_ends": at.replace(hour=12, tzinfo=None),
                "state": "confirmed",
                "created_at": utc_now(),
            }
            for machine_id in machine_ids
            for at in starts
        ],
    )
    session.commit()


@pytest.mark.parametrize("machines", [50, 1000])
def test_a_lab_s_calendar_takes_four_statements_at_most(
    api: Apis, session: Session, cast: Cast, machines: int
) -> None:
    kind_id = session.get_one(Machine, cast.machines["tanger-prusa-1"]).kind_id
    more = [
        Machine(
            slug=f"more-{number}",
            name="More",
            lab_id=cast.labs["tanger"],
            kind_id=kind_id,
            capabilities={},
            units=[Unit()],
        )
        for number in range(machines)
    ]
    session.add_all(more)
    session.flush()
    book(session, cast, [each.id for each in more])
    salma = api("salma", scope="read")
    # Once to note the token's use and to read the lab's hours.
    assert salma.get("/labs/tanger/calendar").status_code == 200
    made: list[str] = []

    def note(*args: Any) -> None:
        made.append(args[2])

    from fablab.web.database import db

    with salma._client.application.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    answer = salma.get(f"/labs/tanger/calendar?{WEEK}")
    event.remove(engine, "before_cursor_execute", note)
    assert len(answer.json["items"]) >= machines * 5
    assert len(made) <= 4, made


def test_it_is_what_its_schema_says(api: Apis, session: Session, cast: Cast) -> None:
    book(session, cast, [cast.machines["tanger-prusa-1"]])
    claim_outage(session, cast.units["tanger-laser-1"], tomorrow(9), tomorrow(11))
    session.commit()
    said = api("salma").get(f"/labs/tanger/calendar?{WEEK}").json
    assert CalendarPage().validate({"items": said["items"]}) == {}
    kinds = {each["kind"] for each in said["items"]}
    assert kinds == {"booking", "outage"}
    assert said["items"][0]["starts_at"] == tomorrow(9).isoformat()


def test_whose_a_booking_is_stays_private(api: Apis, session: Session, cast: Cast) -> None:
    book(session, cast, [cast.machines["tanger-prusa-1"]])
    path = f"/machines/tanger-prusa-1/calendar?{WEEK}"
    seen = {who: api(who).get(path).json["items"][0] for who in ("amina", "youssef", "salma", "karim")}
    assert seen["youssef"]["member"] is seen["youssef"]["booking"] is None
    assert seen["karim"]["member"] is None
    assert seen["salma"]["member"] == {"id": cast.members["amina"], "name": "Amina"}
    assert (seen["amina"]["mine"], seen["youssef"]["mine"]) == (True, False)
