"""Requests that cannot be fulfilled are answered by a clear refusal, and nothing is stored."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from fablab.clock import utc_now
from fablab.machines.hours import MachineHours, OpenDay
from tests.fixtures_cast import Apis, tomorrow
from tests.web.api.requests import booking_body, names_field


def bookings_stored(session: Session) -> int:
    found: int = session.scalar(text("SELECT count(*) FROM booking")) or 0
    session.rollback()
    return found


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"machine": "tanger-prusa-9"}, 404, "unknown_machine", "machine"),
        ({"ends_at": tomorrow(10).isoformat()}, 422, "ends_before_start", "ends_at"),
        ({"ends_at": tomorrow(9).isoformat()}, 422, "ends_before_start", "ends_at"),
        ({"starts_at": (utc_now() - timedelta(days=1)).isoformat()}, 422, "in_the_past", "starts_at"),
        ({"ends_at": tomorrow(10, 1).isoformat()}, 422, "too_short", "ends_at"),
        ({"ends_at": tomorrow(11, days=4).isoformat()}, 422, "too_long", "ends_at"),
        ({"purpose": "x" * 201}, 422, "invalid", "purpose"),
        ({"for_member": "x" * 255}, 422, "invalid", "for_member"),
    ],
)
def test_a_booking_that_cannot_be_is_refused_by_name(
    api: Apis, session: Session, change: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = api("amina").post("/bookings", booking_body(**change))
    assert answer.status_code == status
    assert (code, field) in [(each["code"], each["field"]) for each in answer.json["refusals"]]
    assert bookings_stored(session) == 0


@pytest.mark.parametrize(
    ("content", "mimetype", "status"),
    [
        (b"", "application/json", 422),
        (b"{", "application/json", 400),
        (b'{"machine": NaN}', "application/json", 422),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"machine": ' + b"9" * 10_000 + b"}", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'"tanger-prusa-1"', "application/json", 422),
        (b"null", "application/json", 422),
        (json.dumps(booking_body()).encode(), "text/plain", 415),
        (b"machine=tanger-prusa-1", "application/x-www-form-urlencoded", 415),
        (b'{"purpose": "' + b"x" * 2_000_000 + b'"}', "application/json", 413),
    ],
)
def test_a_body_that_is_no_booking_at_all_is_refused(
    api: Apis, session: Session, content: bytes, mimetype: str, status: int
) -> None:
    answer = api("amina").request("POST", "/bookings", data=content, content_type=mimetype)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    assert bookings_stored(session) == 0


def test_a_booking_of_centuries_is_refused_without_counting_its_days(
    api: Apis, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[object] = []
    real = MachineHours.day

    def day(hours: MachineHours, on: date) -> OpenDay:
        counted.append(on)
        return real(hours, on)

    monkeypatch.setattr(MachineHours, "day", day)
    api("youssef").post("/bookings", booking_body())
    body = booking_body(ends_at="2199-12-31T00:00:00Z")
    for machine in ("tanger-prusa-1", "tanger-laser-1"):
        answer = api("amina").post("/bookings", {**body, "machine": machine})
        assert answer.status_code == 422
        assert answer.json["refusals"][0]["code"] == "too_long"
        assert answer.json["alternatives"] == []
    assert len(counted) < 1000, "it looked at years of days"
    counted.clear()
    api("amina").post("/bookings", booking_body(machine="tanger-laser-1"))
    assert counted, "days are counted in another way now"


def test_another_method_is_refused_and_says_which_are_allowed(api: Apis) -> None:
    answer = api("amina").request("PUT", "/bookings", booking_body())
    assert (answer.status_code, answer.json["status"]) == (405, 405)
    assert "POST" in answer.headers["Allow"]


def test_an_error_of_ours_tells_nothing_of_it(app: Flask, api: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("fablab.web.api.bookings.bookings", broken)
    with capture_logs() as logged:
        answer = api("amina").get("/bookings")
    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    assert "42" not in answer.text
    reference = answer.json["detail"].rpartition("reference ")[2].rstrip(").")
    (entry,) = logged
    assert (entry["reference"], entry["path"]) == (reference, "/api/v1/bookings")
    assert str(entry["exc_info"]) == "the secret is 42"


def test_a_range_is_bounded_and_in_order(api: Apis) -> None:
    for path in ("/machines/tanger-prusa-1/calendar", "/labs/tanger/calendar", "/labs/tanger/hours"):
        for query in (
            "from=2027-02-01T00:00:00Z&to=2027-01-01T00:00:00Z",
            "from=2027-01-01T00:00:00Z&to=2029-01-01T00:00:00Z",
        ):
            assert names_field(api("amina").get(f"{path}?{query}"), "to"), (path, query)


def test_the_finer_the_figures_the_shorter_the_range(api: Apis) -> None:
    for bucket, days in (("hour", 31), ("day", 366), ("total", 1829)):
        for asked, status in ((days + 2, 422), (days, 200)):
            until = date(2026, 1, 1) + timedelta(days=asked)
            answer = api("nadia").get(f"/utilisation?bucket={bucket}&from=2026-01-01&to={until}")
            assert answer.status_code == status, (bucket, asked)


def test_a_plus_sign_that_was_not_escaped_is_understood(api: Apis) -> None:
    answer = api("amina").get(
        "/labs/tanger/hours?from=2026-01-05T00:00:00+01:00&to=2026-01-06T00:00:00+01:00"
    )
    assert answer.status_code == 200
    assert [day["on"] for day in answer.json["items"]] == ["2026-01-05"]
