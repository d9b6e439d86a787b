"""Waiting lists and offers over REST: what is unreadable, what comes of a line, and whose is whose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures_cast import Apis, tomorrow

PRINTER = "tanger-prusa-1"
WINDOW = {"after": tomorrow(9).isoformat(), "before": tomorrow(12).isoformat()}


def body(**changed: Any) -> dict[str, Any]:
    return {"machine": PRINTER, "duration": "PT1H", **WINDOW, **changed}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "3d-printer"}, "machine"),
        ({"lab": "tanger"}, "lab"),
        ({"duration": "1h"}, "duration"),
        ({"duration": "PT0M"}, "duration"),
        ({"duration": "P"}, "duration"),
        ({"duration": "PT"}, "duration"),
        ({"duration": "P400D"}, "duration"),
        ({"duration": 60}, "duration"),
        ({"before": "tomorrow"}, "before"),
        ({"machine": "a\0b"}, "machine"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_unreadable_is_said_by_field(api: Apis, wrong: dict[str, Any], field: str) -> None:
    answer = api("amina").post("/waitlist", body(**wrong))
    assert answer.status_code == 422
    assert field in [each["field"] for each in answer.json["refusals"]]


def test_a_line_a_hold_and_a_booking(api: Apis) -> None:
    amina, youssef, admin = api("amina"), api("youssef"), api("admin")
    taken = {"starts_at": tomorrow(8).isoformat(), "ends_at": tomorrow(20).isoformat()}
    booked = admin.post("/bookings", {"machine": PRINTER, **taken}).json
    line = amina.post("/waitlist", body())
    assert line.status_code == 201, line.json
    assert (line.json["state"], line.json["ahead"], line.json["duration"]) == ("waiting", 0, "PT1H")
    second = youssef.post("/waitlist", body(duration="PT3H"))
    assert second.json["ahead"] == 1
    admin.post(f"/bookings/{booked['id']}/cancellation", {})
    [held] = amina.get("/waitlist").json["items"]
    assert (held["state"], held["hold"]["machine"]) == ("held", PRINTER)
    assert held["hold"]["starts_at"] == tomorrow(9).isoformat()
    [still] = youssef.get("/waitlist").json["items"]
    assert (still["state"], still["hold"]) == ("waiting", None)
    entries = youssef.get(f"/machines/{PRINTER}/calendar?from={tomorrow(0):%Y-%m-%dT%H:%M:%SZ}").json["items"]
    assert [each["kind"] for each in entries] == ["hold"]
    assert youssef.post(f"/waitlist/{held['id']}/acceptance").status_code == 404
    made = amina.post(f"/waitlist/{held['id']}/acceptance")
    assert (made.status_code, made.json["starts_at"]) == (201, tomorrow(9).isoformat())
    [over] = amina.get("/waitlist?state=accepted").json["items"]
    assert over["booking"] == made.json["id"]
    assert youssef.delete(f"/waitlist/{still['id']}").status_code == 204
    assert youssef.delete(f"/waitlist/{still['id']}").json["refusals"][0]["code"] == "not_waiting"


def test_what_is_free_is_offered_instead_of_a_line(api: Apis) -> None:
    answer = api("amina").post("/waitlist", body(), headers={"Accept-Language": "fr"})
    assert answer.status_code == 422
    assert [each["code"] for each in answer.json["refusals"]] == ["free_already"]
    assert "Pas besoin" in answer.json["refusals"][0]["message"]
    assert answer.json["alternatives"][0]["machine"] == PRINTER


@pytest.mark.parametrize(
    "wrong",
    [{}, {"to": "nobody"}, {"to": "a@example.org", "at": "2027-01-31T10:00:00Z"}, {"machine": PRINTER}],
)
def test_an_offer_is_to_somebody_or_for_something(api: Apis, wrong: dict[str, Any]) -> None:
    amina = api("amina")
    span = {"starts_at": tomorrow(9).isoformat(), "ends_at": tomorrow(10).isoformat()}
    own = amina.post("/bookings", {"machine": PRINTER, **span}).json["id"]
    assert amina.post(f"/bookings/{own}/handovers", wrong).status_code == 422


def test_an_offer_tells_each_side_what_is_theirs(api: Apis) -> None:
    amina, youssef = api("amina"), api("youssef")
    span = {"starts_at": tomorrow(9).isoformat(), "ends_at": tomorrow(10).isoformat()}
    own = amina.post("/bookings", {"machine": PRINTER, **span}).json["id"]
    unknown = amina.post(f"/bookings/{own}/handovers", {"to": "nobody@example.org"})
    assert (unknown.status_code, unknown.json["state"]) == (201, "offered")
    assert amina.delete(f"/handovers/{unknown.json['id']}").status_code == 204
    made = amina.post(f"/bookings/{own}/handovers", {"to": "youssef@example.org"})
    assert made.json.keys() == unknown.json.keys()
    [got] = youssef.get("/handovers").json["items"]
    assert (got["made"], got["to"], got["booking"]["id"]) == (False, None, None)
    assert youssef.post(f"/handovers/{got['id']}/acceptance").status_code == 201
    assert youssef.get(f"/bookings/{own}").json["mine"] is True
    assert amina.get(f"/bookings/{own}").status_code == 404
