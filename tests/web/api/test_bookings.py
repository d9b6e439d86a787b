"""Booking over REST, from the first request to the cancellation."""

from __future__ import annotations

import time
from datetime import timedelta

from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.models import Booking, BookingChange, Occupancy
from fablab.db import transaction
from fablab.members.models import Audit
from fablab.web.database import db
from tests.fixtures_cast import Apis, Cast, tomorrow


def wanted(machine: str = "tanger-prusa-1", hour: int = 10, hours: float = 2, **more: str) -> dict[str, str]:
    starts = tomorrow(hour)
    ends = starts + timedelta(hours=hours)
    return {"machine": machine, "starts_at": starts.isoformat(), "ends_at": ends.isoformat(), **more}


def test_a_taken_machine_is_refused_with_what_is_free_instead(api: Apis) -> None:
    assert api("amina").post("/bookings", wanted()).status_code == 201
    answer = api("youssef").post("/bookings", wanted(hour=11))
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    problem = answer.json
    assert problem["code"] == "machine_booked"
    (refusal,) = problem["refusals"]
    assert refusal["code"] == "machine_booked"
    assert f"{tomorrow(10):%Y-%m-%d %H:%M} to 12:00" in refusal["message"]
    assert "Amina" not in answer.text
    first, second, third = problem["alternatives"]
    assert (first["machine"], first["starts_at"]) == ("tanger-prusa-1", tomorrow(12).isoformat())
    assert (second["machine"], second["starts_at"]) == ("tanger-prusa-2", tomorrow(11).isoformat())
    assert (third["machine"], third["lab"]) == ("rabat-prusa-1", "rabat")


def test_every_alternative_can_be_booked(api: Apis) -> None:
    api("amina").post("/bookings", wanted())
    offered = api("youssef").post("/bookings", wanted(hour=11)).json["alternatives"]
    for each in offered:
        body = {name: each[name] for name in ("machine", "starts_at", "ends_at")}
        assert api("youssef").post("/bookings", body).status_code == 201


def test_all_rules_that_say_no_are_named_at_once(api: Apis) -> None:
    body = wanted("tanger-laser-1", hour=3, hours=0.05)
    answer = api("amina").post("/bookings", body)
    assert answer.status_code == 422
    assert [each["code"] for each in answer.json["refusals"]] == ["too_short", "outside_hours"]


def test_a_booking_is_confirmed_and_stored_in_the_labs_time(api: Apis, session: Session, cast: Cast) -> None:
    answer = api("amina").post("/bookings", wanted(purpose="gears"))
    assert answer.status_code == 201, answer.text
    made = answer.json
    assert made["state"] == "confirmed"
    assert made["starts_at"] == tomorrow(10).isoformat()
    amina = {"id": cast.members["amina"], "name": "Amina"}
    assert (made["member"], made["created_by"], made["mine"]) == (amina, amina, True)
    stored = session.scalars(select(Booking)).one()
    assert stored.zone == "Africa/Casablanca"
    assert stored.local_starts == tomorrow(10).replace(tzinfo=None)
    claim = session.scalars(select(Occupancy)).one()
    assert (claim.booking_id, claim.unit_id) == (stored.id, cast.units["tanger-prusa-1"])
    change = session.scalars(select(BookingChange)).one()
    assert (change.made_by, change.member_id, change.to_state) == (
        "member",
        cast.members["amina"],
        "confirmed",
    )


def test_neighbours_touch_without_clashing(api: Apis) -> None:
    assert api("amina").post("/bookings", wanted(hour=10)).status_code == 201
    assert api("youssef").post("/bookings", wanted(hour=12)).status_code == 201
    assert api("youssef").post("/bookings", wanted(hour=8)).status_code == 201


def test_a_preview_says_the_same_and_stores_nothing(api: Apis, session: Session) -> None:
    seen = api("amina").post("/bookings/preview", wanted())
    assert (seen.status_code, seen.json["bookable"], seen.json["state"]) == (200, True, "confirmed")
    api("amina").post("/bookings", wanted())
    seen = api("youssef").post("/bookings/preview", wanted())
    assert seen.json["bookable"] is False
    assert seen.json["refusals"][0]["code"] == "machine_booked"
    assert len(seen.json["alternatives"]) == 3
    assert session.scalar(select(func.count()).select_from(Booking)) == 1


def test_cancelling_gives_the_time_back_and_keeps_the_history(api: Apis, session: Session) -> None:
    made = api("amina").post("/bookings", wanted()).json
    answer = api("amina").post(f"/bookings/{made['id']}/cancellation", {"reason": "ill"})
    assert (answer.status_code, answer.json["state"]) == (201, "cancelled")
    assert session.scalars(select(Occupancy)).all() == []
    changes = api("amina").get(f"/bookings/{made['id']}/history").json["items"]
    assert [(each["from"], each["to"], each["reason"]) for each in changes] == [
        (None, "confirmed", ""),
        ("confirmed", "cancelled", "ill"),
    ]
    assert api("youssef").post("/bookings", wanted()).status_code == 201


def test_a_cancelled_booking_cannot_be_cancelled_again(api: Apis) -> None:
    made = api("amina").post("/bookings", wanted()).json
    api("amina").post(f"/bookings/{made['id']}/cancellation")
    answer = api("amina").post(f"/bookings/{made['id']}/cancellation")
    assert (answer.status_code, answer.json["refusals"][0]["code"]) == (422, "already_over")


def test_a_manager_books_for_a_member_and_both_names_are_kept(api: Apis, session: Session) -> None:
    answer = api("salma").post("/bookings", wanted(for_member="Amina@example.org"))
    assert answer.status_code == 201
    assert (answer.json["member"]["name"], answer.json["created_by"]["name"], answer.json["mine"]) == (
        "Amina",
        "Salma",
        False,
    )
    assert api("amina").get(f"/bookings/{answer.json['id']}").json["mine"] is True
    assert "booking.create" in session.scalars(select(Audit.action)).all()


def test_only_managers_of_the_lab_book_for_others(api: Apis, session: Session) -> None:
    for name in ("amina", "karim"):
        answer = api(name).post("/bookings", wanted(for_member="youssef@example.org"))
        assert answer.status_code == 403
        assert answer.json["refusals"][0]["field"] == "for_member"
    assert session.scalars(select(Booking)).all() == []


def test_an_unknown_person_cannot_be_booked_for(api: Apis) -> None:
    answer = api("salma").post("/bookings", wanted(for_member="nobody@example.org"))
    assert (answer.status_code, answer.json["refusals"][0]["code"]) == (422, "unknown_member")


def test_others_see_that_it_is_taken_but_not_by_whom(api: Apis) -> None:
    made = api("amina").post("/bookings", wanted(purpose="secret gears")).json
    for name, sees in {"amina": True, "salma": True, "nadia": True, "youssef": False, "karim": False}.items():
        assert api(name).get(f"/bookings/{made['id']}").status_code == (200 if sees else 404), name
        assert api(name).get(f"/bookings/{made['id']}/history").status_code == (200 if sees else 404), name
        assert len(api(name).get("/bookings").json["items"]) == sees, name
        calendar = api(name).get(f"/machines/tanger-prusa-1/calendar?from={made['starts_at']}")
        (taken,) = calendar.json["items"]
        assert taken["starts_at"] == made["starts_at"]
        assert (taken["booking"] == made["id"]) is sees, name
        assert ("Amina" in calendar.text) is sees, name
        assert "secret" not in calendar.text


def test_another_persons_booking_is_cancelled_by_the_labs_manager_only(api: Apis) -> None:
    made = api("amina").post("/bookings", wanted()).json
    path = f"/bookings/{made['id']}/cancellation"
    assert api("youssef").post(path).status_code == 404
    assert api("karim").post(path).status_code == 404
    assert api("nadia").post(path).status_code == 403
    assert api("salma").post(path, {"reason": "fair"}).status_code == 201


def test_bookings_come_page_by_page_each_once(api: Apis) -> None:
    made = [
        api("amina").post("/bookings", wanted(machine, hour)).json["id"]
        for hour in (9, 12, 15)
        for machine in ("tanger-prusa-1", "tanger-prusa-2")
    ]
    read, cursor = [], ""
    while True:
        page = api("amina").get(f"/bookings?limit=4{cursor}").json
        read += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert read == made


def test_bookings_are_found_by_machine_lab_time_and_state(api: Apis) -> None:
    first = api("amina").post("/bookings", wanted(hour=9)).json
    second = api("amina").post("/bookings", wanted("rabat-prusa-1", hour=14)).json
    api("amina").post(f"/bookings/{second['id']}/cancellation")
    for query, found in {
        "machine=tanger-prusa-1": [first["id"]],
        "lab=rabat": [second["id"]],
        "state=cancelled": [second["id"]],
        f"from={second['starts_at']}": [second["id"]],
        f"to={second['starts_at']}": [first["id"]],
        "state=missed": [],
    }.items():
        assert [each["id"] for each in api("amina").get(f"/bookings?{query}").json["items"]] == found, query


def test_a_lock_somebody_holds_is_not_waited_for_without_end(
    api: Apis, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    youssef = api("youssef")
    youssef.get("/me")
    with transaction(sessions) as other:
        other.execute(text("LOCK TABLE occupancy IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        answer = youssef.post("/bookings", wanted())
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert time.monotonic() - began < 15
    assert youssef.post("/bookings", wanted()).status_code == 201


def test_only_the_web_has_these_limits(app: Flask, sessions: sessionmaker[Session], cast: Cast) -> None:
    limits = text("SELECT current_setting('lock_timeout'), current_setting('timezone')")
    with app.app_context():
        assert tuple(db.session.execute(limits).one()) == ("5s", "UTC")
    with sessions() as session:
        assert tuple(session.execute(limits).one()) == ("0", "UTC")
