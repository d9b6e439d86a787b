"""Series, several machines at once, and presets over REST."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fablab.db import transaction
from tests.fixtures_cast import Apis, Cast, tomorrow


def series_body(count: int = 3, hour: int = 18, **more: Any) -> dict[str, Any]:
    starts = tomorrow(hour, days=2)
    return {
        "machine": "tanger-prusa-1",
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=1)).isoformat(),
        "rrule": f"FREQ=WEEKLY;COUNT={count}",
        **more,
    }


def wall(at: str, weeks: int = 0) -> str:
    return f"{datetime.fromisoformat(at) + timedelta(weeks=weeks):%Y-%m-%dT%H:%M}"


def taken(api: Apis, weeks: int) -> None:
    starts = tomorrow(18, days=2) + timedelta(weeks=weeks)
    body = {
        "machine": "tanger-prusa-1",
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=1)).isoformat(),
    }
    assert api("youssef").post("/bookings", body).status_code == 201


def test_a_series_is_made_read_changed_and_cancelled(api: Apis) -> None:
    body = series_body(4, purpose="club")
    made = api("amina").post("/series", body)
    assert made.status_code == 201, made.json
    assert made.json is not None
    series_id = made.json["id"]
    assert (made.json["rrule"], made.json["purpose"], made.json["mine"]) == (body["rrule"], "club", True)
    assert made.json["local_starts"] == wall(body["starts_at"])
    assert [each["verdict"] for each in made.json["occurrences"]] == ["confirmed"] * 4
    read = api("amina").get(f"/series/{series_id}")
    assert read.json == made.json
    listed = api("amina").get(f"/bookings?series={series_id}").json
    assert listed is not None
    assert [(each["series"], each["bundle"]) for each in listed["items"]] == [(series_id, None)] * 4

    third = made.json["occurrences"][2]["series_at"]
    change = {"scope": "following", "from": third, "starts": "07:00", "ends": "08:30"}
    changed = api("amina").request("PATCH", f"/series/{series_id}", change)
    assert changed.status_code == 200, changed.json
    assert changed.json is not None
    assert changed.json["id"] != series_id
    assert [each["series_at"][-5:] for each in changed.json["occurrences"]] == ["07:00"] * 2

    ended = api("amina").post(f"/series/{series_id}/cancellation", {"scope": "all", "reason": "ill"})
    assert ended.status_code == 201
    assert ended.json is not None
    assert [each["verdict"] for each in ended.json["occurrences"]] == ["cancelled"] * 2
    added = api("amina").post(f"/series/{series_id}/occurrences", {"on": wall(body["starts_at"])[:10]})
    assert added.status_code == 201, added.json
    assert added.json is not None
    assert (added.json["series"], added.json["state"]) == (series_id, "confirmed")


def test_refusing_names_every_occurrence_and_skipping_lists_them(api: Apis) -> None:
    taken(api, 1)
    body = series_body(3)
    refused = api("amina").post("/series", body)
    assert refused.status_code == 409
    assert refused.json is not None
    assert refused.json["code"] == "machine_booked"
    assert [each["field"] for each in refused.json["refusals"]] == ["occurrences.1.starts_at"]
    seen = api("amina").post("/series/preview", body)
    assert seen.status_code == 200
    assert seen.json is not None
    assert seen.json["bookable"] is False
    assert [each["verdict"] for each in seen.json["occurrences"]] == ["confirmed", "refused", "confirmed"]
    made = api("amina").post("/series", {**body, "on_clash": "skip"})
    assert made.status_code == 201
    assert made.json is not None
    assert [each["verdict"] for each in made.json["occurrences"]] == ["confirmed", "skipped", "confirmed"]
    assert made.json["occurrences"][1]["refusals"][0]["code"] == "machine_booked"
    again = api("amina").get(f"/series/{made.json['id']}").json
    assert again is not None
    assert again["occurrences"][1]["codes"] == ["machine_booked"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rrule": "FREQ=WEEKLY"}, "rrule"),
        ({"rrule": "FREQ=DAILY;COUNT=1000000"}, "rrule"),
        ({"rrule": ""}, "rrule"),
        ({"on_clash": "maybe"}, "on_clash"),
        ({"override": True}, "override"),
        ({"starts_at": tomorrow(18).replace(second=30).isoformat()}, "starts_at"),
    ],
)
def test_what_cannot_be_a_series(api: Apis, change: dict[str, Any], field: str) -> None:
    answer = api("amina").post("/series", series_body(**change))
    assert answer.status_code == 422
    assert answer.json is not None
    assert [each["field"] for each in answer.json["refusals"]] == [field]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scope": "this"},
        {"scope": "all", "from": "2027-01-04T18:00"},
        {"scope": "some"},
        {"scope": "this", "from": "2027-01-04T18:00:00Z"},
    ],
)
def test_which_occurrences_must_be_clear(api: Apis, body: dict[str, Any]) -> None:
    made = api("amina").post("/series", series_body()).json
    assert made is not None
    assert api("amina").post(f"/series/{made['id']}/cancellation", body).status_code == 422
    patch = {**body, "purpose": "x"}
    assert api("amina").request("PATCH", f"/series/{made['id']}", patch).status_code == 422


def test_refusals_are_in_the_callers_language(api: Apis) -> None:
    french = {"headers": {"Accept-Language": "fr"}}
    answer = api("amina").post("/series", series_body(rrule="FREQ=WEEKLY"), **french)
    assert answer.json is not None
    assert answer.json["refusals"][0]["message"].startswith("La règle n'a pas de fin.")


def test_several_machines_are_booked_in_one_request(api: Apis) -> None:
    starts = tomorrow(10, days=2)
    body = {
        "machine": "tanger-laser-1",
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=1)).isoformat(),
        "also": [{"kind": "3d-printer", "offset_s": 3600, "duration_s": 1800}],
    }
    seen = api("amina").post("/bookings/preview", body)
    assert seen.status_code == 200, seen.json
    assert seen.json is not None
    assert (seen.json["bookable"], seen.json["state"]) == (True, "confirmed")
    made = api("amina").post("/bookings", body)
    assert made.status_code == 201, made.json
    assert made.json is not None
    [other] = made.json["also"]
    assert (other["machine"], other["starts_at"]) == ("tanger-prusa-1", made.json["ends_at"])
    listed = api("amina").get(f"/bookings?bundle={made.json['bundle']}").json
    assert listed is not None
    assert [each["id"] for each in listed["items"]] == [made.json["id"], other["id"]]
    again = api("youssef").post(
        "/bookings", {**body, "also": [{"machine": "tanger-prusa-1", "duration_s": 60}]}
    )
    assert again.status_code == 422
    assert again.json is not None
    assert {each["field"] for each in again.json["refusals"]} == {"starts_at", "also.0.ends_at"}


@pytest.mark.parametrize(
    "change",
    [
        {"also": [{"duration_s": 600}]},
        {"also": [{"machine": "tanger-prusa-1", "kind": "3d-printer", "duration_s": 600}]},
        {"also": [{"machine": "tanger-prusa-1", "duration_s": 0}]},
        {"also": [{"machine": "tanger-prusa-1", "duration_s": 600, "offset_s": -60}]},
        {"also": [{"machine": "tanger-prusa-1", "duration_s": 600}] * 10},
        {"also": [{"machine": "tanger-prusa-1", "duration_s": 600}], "override": True},
        {"preset": 1},
        {"machine": None},
    ],
)
def test_what_is_no_booking_of_several(api: Apis, change: dict[str, Any]) -> None:
    starts = tomorrow(10, days=2)
    body = {
        "machine": "tanger-laser-1",
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=1)).isoformat(),
        **change,
    }
    answer = api("amina").post("/bookings", body)
    assert answer.status_code == 422, answer.json


def test_a_machine_and_an_end_are_needed_without_a_preset(api: Apis) -> None:
    answer = api("amina").post("/bookings", {"starts_at": tomorrow(10).isoformat()})
    assert answer.status_code == 422
    assert answer.json is not None
    assert {each["field"] for each in answer.json["refusals"]} == {"machine", "ends_at"}


def test_presets_are_kept_by_managers_and_used_by_all(api: Apis) -> None:
    steps = [
        {"machine": "tanger-laser-1", "offset_s": 0, "duration_s": 3600},
        {"kind": "3d-printer", "offset_s": 3600, "duration_s": 1800},
    ]
    made = api("salma").post("/labs/tanger/presets", {"name": "Cut and print", "steps": steps})
    assert made.status_code == 201, made.json
    assert made.json is not None
    assert made.json["steps"] == steps
    listed = api("amina").get("/labs/tanger/presets").json
    assert listed == {"items": [made.json], "next": None}
    booked = api("amina").post(
        "/bookings", {"preset": made.json["id"], "starts_at": tomorrow(10, days=2).isoformat()}
    )
    assert booked.status_code == 201, booked.json
    assert booked.json is not None
    assert (booked.json["machine"], len(booked.json["also"])) == ("tanger-laser-1", 1)
    renamed = api("salma").request("PATCH", f"/presets/{made.json['id']}", {"name": "Cut, print"})
    assert renamed.status_code == 200
    assert api("karim").delete(f"/presets/{made.json['id']}").status_code == 403
    assert api("salma").delete(f"/presets/{made.json['id']}").status_code == 204
    assert api("salma").delete(f"/presets/{made.json['id']}").status_code == 404


def test_what_lost_its_wall_time_is_listed_for_staff(
    api: Apis, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    made = api("amina").post("/series", series_body(1)).json
    assert made is not None
    assert api("salma").get("/labs/tanger/misplaced-bookings").json == {"items": [], "next": None}
    with transaction(sessions) as session:
        session.execute(
            text(
                "UPDATE booking SET local_starts = local_starts + interval '1 hour',"
                " local_ends = local_ends + interval '1 hour'"
            )
        )
    [item] = api("salma").get("/labs/tanger/misplaced-bookings").json["items"]  # type: ignore[index]
    assert item["booking"] == made["occurrences"][0]["booking"]
    starts = datetime.fromisoformat(item["starts_at"])
    assert datetime.fromisoformat(item["meant_starts_at"]) == starts + timedelta(hours=1)
    assert api("amina").get("/labs/tanger/misplaced-bookings").status_code == 404
