"""Live updates: the present at once, then every change, and to each viewer only what is theirs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.queries import BookingView
from fablab.clock import utc_now
from fablab.db import notify, transaction
from fablab.embedded.process import wait_until
from fablab.telemetry.models import Bridge, MachineStatus
from fablab.telemetry.queries import StatusView
from fablab.usage.models import UsageSession
from fablab.web.live import MOST_OF_ONE, QUEUE_EVENTS, Event, Hub, Viewer
from tests.fixtures_cast import Apis, Cast
from tests.support.sse import EventReader, ServerEvent
from tests.support.web import serving
from tests.web.api.requests import booking_body

JOB = {"id": "00000000-0000-0000-0000-000000000001", "file": "secret.gcode", "progress": 0.25}


@pytest.fixture
def base_url(database_url: str, cast: Cast, sessions: sessionmaker[Session], tmp_path: Path) -> Iterator[str]:
    with transaction(sessions) as session:
        # Without a bridge that is there, nothing a machine said is believed.
        for lab_id in cast.labs.values():
            session.add(
                Bridge(
                    id=lab_id,
                    lab_id=lab_id,
                    name="pi-1",
                    created_at=utc_now(),
                    online=True,
                )
            )
    with serving(database_url, tmp_path, workers=2, FABLAB_WEB__STREAM_HEARTBEAT_S="1") as address:
        yield address


def report(sessions: sessionmaker[Session], cast: Cast, slug: str, state: str = "running") -> None:
    """What ingest does: store the machine's newest word and say so."""
    lab_id = cast.labs[slug.split("-")[0]]
    now = utc_now()
    with transaction(sessions) as session:
        session.merge(
            MachineStatus(
                machine_id=cast.machines[slug],
                lab_id=lab_id,
                bridge_id=lab_id,
                state=state,
                since=now,
                at=now,
                seen_at=now,
                job=JOB if state == "running" else None,
                temperatures={"tool0": {"actual_c": 210.0, "target_c": 215.0}},
            )
        )
        notify(session, {"kind": "status", "machine": cast.machines[slug], "lab": lab_id})


UNREADABLE = (
    "",
    "{",
    "5",
    "[" * 7900,
    '{"kind": "status"}',
    '{"kind": "booking", "booking": "x"}',
    '{"kind": "booking", "booking": Infinity}',
)


def rest_of(stream: EventReader) -> list[ServerEvent]:
    """What still comes, until nothing has come for a moment."""
    return list(iter(lambda: stream.read(0.3), None))


def test_it_begins_with_the_present(base_url: str, api: Apis, cast: Cast) -> None:
    stream = EventReader(base_url, "/api/v1/stream", api.token("amina"))
    events = stream.read_all()
    assert {event.kind for event in events} == {"status"}
    assert {event.data["machine"] for event in events} == cast.machines.keys()
    stream.close()


def test_a_change_arrives_on_whatever_worker_one_watches(
    base_url: str, api: Apis, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    streams = [EventReader(base_url, "/api/v1/stream?lab=tanger", api.token("salma")) for _ in range(6)]
    for stream in streams:
        assert len(stream.read_all(0.3)) == 3
    report(sessions, cast, "tanger-prusa-1")
    report(sessions, cast, "rabat-prusa-1")
    for stream in streams:
        event = stream.read()
        assert event is not None
        assert (event.kind, event.data["machine"], event.data["state"]) == (
            "status",
            "tanger-prusa-1",
            "running",
        )
        assert event.data["job"]["progress"] == 0.25
        assert event.data["temperatures"]["tool0"]["actual_c"] == 210.0
    for stream in streams:
        # The same news may come twice, but Rabat does not belong to Tanger's stream.
        assert all(event.data["lab"] == "tanger" for event in rest_of(stream))
        stream.close()


def test_what_is_not_theirs_is_left_out(
    base_url: str, api: Apis, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    readers = {
        name: EventReader(base_url, "/api/v1/stream", api.token(name))
        for name in ("amina", "youssef", "salma", "karim")
    }
    for reader in readers.values():
        reader.read_all(0.3)
    made = api("amina").post("/bookings", booking_body()).json
    report(sessions, cast, "tanger-prusa-1")
    for name, reader in readers.items():
        events = {event.kind: event.data for event in reader.read_all()}
        booked, status = events["booking"], events["status"]
        assert (booked["machine"], booked["state"], booked["mine"]) == (
            "tanger-prusa-1",
            "confirmed",
            name == "amina",
        )
        assert (booked["id"] == made["id"]) is (name in {"amina", "salma"}), name
        assert (status["job"]["file"] == "secret.gcode") is (name == "salma"), name
        reader.close()


def test_what_somebody_else_prints_is_not_told_to_who_booked_meanwhile(
    base_url: str, api: Apis, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    now = utc_now()
    with transaction(sessions) as session:
        session.add(
            UsageSession(
                machine_id=cast.machines["tanger-prusa-1"],
                lab_id=cast.labs["tanger"],
                started_at=now - timedelta(hours=1),
                counted_at=now,
            )
        )
    starts, ends = now + timedelta(seconds=1), now + timedelta(hours=1)
    body = booking_body(starts_at=starts.isoformat(), ends_at=ends.isoformat())
    assert api("amina").post("/bookings", body).status_code == 201
    assert wait_until(lambda: utc_now() > starts, 5)
    report(sessions, cast, "tanger-prusa-1")
    stream = EventReader(base_url, "/api/v1/stream?lab=tanger", api.token("amina"))
    told = [event.data for event in stream.read_all(0.3) if event.data["machine"] == "tanger-prusa-1"]
    stream.close()
    assert {(each["job"]["file"], each["booking"]) for each in told} == {(None, None)}


def test_whoever_was_away_is_told_what_was_missed(base_url: str, api: Apis, cast: Cast) -> None:
    stream = EventReader(base_url, "/api/v1/stream", api.token("amina"))
    last = stream.read_all(0.3)[-1].id
    stream.close()
    made = api("amina").post("/bookings", booking_body()).json
    stream = EventReader(base_url, "/api/v1/stream", api.token("amina"), last=last)
    missed = [event.data for event in stream.read_all() if event.kind == "booking"]
    # Told twice rather than never: the change may also come live.
    assert {(each["id"], each["state"]) for each in missed} == {(made["id"], "confirmed")}
    stream.close()


def test_a_lost_line_to_the_database_is_made_anew(
    base_url: str, api: Apis, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    stream = EventReader(base_url, "/api/v1/stream?lab=rabat", api.token("amina"))
    stream.read_all(0.3)
    with transaction(sessions) as session:
        cut = session.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        ).all()
    assert cut
    report(sessions, cast, "rabat-prusa-1", "paused")
    ends_at = time.monotonic() + 10
    while time.monotonic() < ends_at:
        event = stream.read(1)
        if event is not None and event.data["state"] == "paused":
            break
    else:
        pytest.fail("the change during the interruption never came")
    stream.close()


def test_an_unreadable_notification_is_passed_over(
    base_url: str, api: Apis, cast: Cast, sessions: sessionmaker[Session], tmp_path: Path
) -> None:
    stream = EventReader(base_url, "/api/v1/stream?lab=rabat", api.token("amina"))
    stream.read_all(0.3)
    with transaction(sessions) as session:
        for payload in UNREADABLE:
            session.execute(text("SELECT pg_notify('fablab_live', :payload)"), {"payload": payload})
    report(sessions, cast, "rabat-prusa-1")
    event = stream.read()
    assert event is not None
    assert event.data["state"] == "running"
    stream.close()
    (log,) = tmp_path.glob("gunicorn-*.log")
    told = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert {each["payload"] for each in told if each["event"] == "notification_unreadable"} == {
        payload[:100] for payload in UNREADABLE
    }


def test_an_idle_line_is_kept_open(base_url: str, api: Apis) -> None:
    stream = EventReader(base_url, "/api/v1/stream", api.token("amina"))
    stream.read_all(0.3)
    assert stream.read(2.5) is None
    assert stream.comments >= 1
    stream.close()


def test_an_unknown_lab_has_no_stream(api: Apis) -> None:
    assert api("amina").get("/stream?lab=nowhere").status_code == 404


def test_an_error_of_our_own_is_survived(
    app: Flask, cast: Cast, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub: Hub = app.extensions["fablab.live"]
    tell, failed = hub._tell, threading.Event()

    def fail_once(changed: Iterable[StatusView], booked: Iterable[BookingView]) -> None:
        if not failed.is_set():
            failed.set()
            raise KeyError("a machine nobody knows")
        tell(changed, booked)

    monkeypatch.setattr(hub, "_tell", fail_once)
    viewer = hub.join(cast.members["amina"], None)
    with transaction(sessions) as session:
        notify(session, {"kind": "status", "machine": cast.machines["rabat-prusa-1"], "lab": 1})
    # What was lost with the error comes with the present of everything.
    assert viewer.events.get(timeout=10).kind == "status"
    assert failed.is_set()
    hub.leave(viewer)


def test_one_person_does_not_take_every_place(app: Flask, api: Apis) -> None:
    answers = [api("amina").get("/stream") for _ in range(MOST_OF_ONE)]
    assert {answer.status_code for answer in answers} == {200}
    refused = api("amina").get("/stream")
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) > 0
    answers.append(api("youssef").get("/stream"))
    answers[0].close()
    answers.append(api("amina").get("/stream"))
    assert [answer.status_code for answer in answers[-2:]] == [200, 200]
    for answer in answers:
        answer.close()
    assert app.extensions["fablab.live"].viewers == 0


@pytest.mark.parametrize("last", ["0", "999999999999999", "9" * 400, "-1", "soon"])
def test_whatever_number_comes_it_begins(api: Apis, last: str) -> None:
    answer = api("amina").get("/stream", headers={"Last-Event-ID": last})
    assert answer.status_code == 200
    answer.close()


def test_a_viewer_who_does_not_keep_up_is_let_go() -> None:
    viewer, event = Viewer(member_id=1, lab_id=1), Event(1, "status", 1, "UTC", None)  # type: ignore[arg-type]
    assert viewer.offer(Event(1, "status", 2, "UTC", None))  # type: ignore[arg-type]
    assert viewer.events.empty()
    assert all(viewer.offer(event) for _ in range(QUEUE_EVENTS))
    assert viewer.offer(event) is False
    assert viewer.lost


@pytest.mark.parametrize("lost", ["token", "role", "account", "nothing"])
def test_whoever_loses_the_right_to_watch_is_let_go(
    base_url: str, api: Apis, cast: Cast, sessions: sessionmaker[Session], lost: str
) -> None:
    salma = cast.members["salma"]
    stream = EventReader(base_url, "/api/v1/stream", api.token("salma"))
    change = {
        "token": "UPDATE token SET revoked_at = now() WHERE member_id = :member",
        "role": "DELETE FROM role WHERE member_id = :member",
        "account": "UPDATE member SET active = false WHERE id = :member",
        "nothing": "UPDATE token SET last_used_at = now() WHERE member_id = :member",
    }[lost]
    with transaction(sessions) as session:
        session.execute(text(change), {"member": salma})
    if lost == "nothing":
        assert wait_until(lambda: stream.comments >= 3, 15)
        assert not stream.ended
    else:
        assert wait_until(lambda: stream.ended, 15)
    stream.close()
