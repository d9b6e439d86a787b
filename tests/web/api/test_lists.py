"""Lists: as many statements for a thousand things as for one, and page by page."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.machines.models import Machine, Unit
from fablab.usage.models import Job, UsageSession
from fablab.web.database import db
from tests.fixtures_cast import Apis, Cast, tomorrow
from tests.web.api.requests import booking_body

# Statements beside the one that finds the token's holder.
MOST = {
    "/labs": 1,
    "/kinds": 1,
    "/machines": 2,
    "/machines?state=unreachable": 2,
    "/machines/tanger-prusa-1": 2,
    "/machines/tanger-prusa-1/calendar": 2,
    "/labs/tanger/calendar": 3,
    "/bookings": 1,
    "/jobs": 1,
    "/usage-sessions": 1,
    # Which labs are the reader's, which zones there are, and the sums.
    "/utilisation": 3,
    "/me/tokens": 1,
}


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(*args: object) -> None:
        statements.append(str(args[2]))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def grow(sessions: sessionmaker[Session], cast: Cast, number: int) -> None:
    """More machines, jobs and sessions."""
    now = utc_now()
    with transaction(sessions) as session:
        first = session.get_one(Machine, cast.machines["tanger-prusa-1"])
        for n in range(number):
            machine = Machine(
                slug=f"tanger-extra-{n:03}",
                name="Extra",
                lab_id=first.lab_id,
                kind_id=first.kind_id,
                capabilities={},
                unattended=True,
                units=[Unit()],
            )
            session.add(machine)
            session.flush()
            started = now - timedelta(hours=n + 1)
            job = Job(
                id=uuid.uuid4(),
                machine_id=machine.id,
                lab_id=first.lab_id,
                started_at=started,
                ended_at=now,
                outcome="finished",
                file="secret.gcode",
                member_id=cast.members["amina"],
            )
            session.add(job)
            session.flush()
            session.add(
                UsageSession(
                    machine_id=machine.id,
                    lab_id=first.lab_id,
                    job_id=job.id,
                    started_at=started,
                    ended_at=now,
                    counted_at=now,
                    member_id=cast.members["amina"],
                )
            )


@pytest.mark.parametrize("who", ["salma", "admin"])
def test_lists_take_the_same_statements_for_many_as_for_few(
    app: Flask, api: Apis, cast: Cast, sessions: sessionmaker[Session], who: str
) -> None:
    reader = api(who)
    reader.get("/me")
    api("amina").post("/bookings", booking_body())
    grow(sessions, cast, 30)
    for hour in range(12, 20):
        starts, ends = tomorrow(hour), tomorrow(hour + 1)
        api("amina").post("/bookings", booking_body(starts_at=starts.isoformat(), ends_at=ends.isoformat()))
    for path, most in MOST.items():
        # The first reader lays out the hours of labs nobody has asked for yet.
        reader.get(path)
        with counted(app) as statements:
            assert reader.get(path).status_code == 200
        assert len(statements) <= most + 1, (path, statements)


def test_a_booking_over_http_takes_three_statements(app: Flask, api: Apis) -> None:
    """Who it is, the machine, and the one that claims, stores and tells it all."""
    amina = api("amina")
    amina.get("/machines/tanger-prusa-1")
    with counted(app) as statements:
        assert amina.post("/bookings", booking_body()).status_code == 201
    assert len(statements) == 3, statements


@pytest.mark.parametrize("path", ["/machines", "/jobs", "/usage-sessions", "/labs", "/kinds", "/bookings"])
def test_pages_hold_everything_once(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], path: str
) -> None:
    grow(sessions, cast, 7)
    for hour in (9, 12):
        starts, ends = tomorrow(hour), tomorrow(hour + 1)
        api("admin").post("/bookings", booking_body(starts_at=starts.isoformat(), ends_at=ends.isoformat()))
    whole = api("admin").get(path).json
    assert whole["next"] is None
    assert len(whole["items"]) >= 2
    read, cursor = [], ""
    for _ in range(20):
        page = api("admin").get(f"{path}?limit=1{cursor}").json
        read += page["items"]
        if page["next"] is None:
            break
        assert len(page["items"]) == 1
        cursor = f"&cursor={page['next']}"
    assert read == whole["items"]


def test_whose_job_it_was_is_shown_to_them_and_the_labs_staff(
    api: Apis, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    grow(sessions, cast, 1)
    amina = cast.members["amina"]
    whose = {"id": amina, "name": "Amina"}
    for who, sees in {"amina": True, "salma": True, "nadia": True, "youssef": False, "karim": False}.items():
        (job,) = api(who).get("/jobs").json["items"]
        assert (job["file"], job["member"]) == (("secret.gcode", whose) if sees else (None, None)), who
        assert api(who).get(f"/jobs/{job['id']}").json == job
        (used,) = api(who).get("/usage-sessions").json["items"]
        assert used["member"] == (whose if sees else None), who
    assert len(api("amina").get(f"/jobs?member={amina}").json["items"]) == 1
    assert api("youssef").get(f"/jobs?member={amina}").status_code == 404
    assert api("salma").get(f"/jobs?member={amina}").status_code == 404
    assert len(api("salma").get(f"/jobs?member={amina}&lab=tanger").json["items"]) == 1


def test_instants_go_out_in_the_labs_time(api: Apis) -> None:
    """On the day of the change the offset changes with it."""
    hours = api("amina").get("/labs/tanger/hours?from=2026-02-14T00:00:00Z&to=2026-02-17T00:00:00Z").json
    opens = {day["on"]: day["open"][0]["starts_at"] for day in hours["items"] if day["open"]}
    assert opens["2026-02-14"] == "2026-02-14T09:00:00+01:00"
    assert opens["2026-02-16"] == "2026-02-16T09:00:00+00:00"


def test_utilisation_comes_as_csv_too(api: Apis) -> None:
    answer = api("nadia").get("/utilisation?by=lab", headers={"Accept": "text/csv"})
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert answer.text.startswith("key,starts_on,starts_at,open_s")
