"""Hours over REST: what is open and why, and changes that are refused whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures_cast import Api, Apis, Cast, tomorrow
from tests.web.api.requests import booking_body

MORNINGS = [{"weekday": day, "opens": "08:00", "closes": "12:00"} for day in range(7)]
SEASON = {"label": "Exams", "starts_on": "2031-01-06", "ends_on": "2031-01-10", "openings": MORNINGS}
CLOSURE = {"label": "Fair", "local_starts": "2031-01-08T10:00", "local_ends": "2031-01-08T11:00"}
WEEK = {"from": "2031-01-06T00:00:00+00:00", "to": "2031-01-13T00:00:00+00:00"}


def _laser(hour: int) -> dict[str, Any]:
    """An hour of Tanger's laser tomorrow."""
    at = tomorrow(hour)
    return booking_body(
        machine="tanger-laser-1", starts_at=at.isoformat(), ends_at=(at + timedelta(hours=1)).isoformat()
    )


def _put(person: Api, path: str, body: dict[str, Any]) -> Any:
    return person.request("PUT", path, body)


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(each["code"], each["field"]) for each in answer.json["refusals"]]


@pytest.mark.parametrize(
    "opening",
    [
        {"weekday": 7, "opens": "08:00", "closes": "12:00"},
        {"weekday": True, "opens": "08:00", "closes": "12:00"},
        {"weekday": 0, "opens": "24:00", "closes": "12:00"},
        {"weekday": 0, "opens": "8:00", "closes": "12:00"},
        {"weekday": 0, "opens": "08:00:30", "closes": "12:00"},
        {"weekday": 0, "opens": "08:00+01:00", "closes": "12:00"},
        {"weekday": 0, "opens": 8, "closes": "12:00"},
        {"weekday": 0, "opens": "08:00"},
        {"weekday": 0, "opens": "08:00", "closes": "12:00", "staff": True},
    ],
)
def test_an_opening_that_is_none_is_refused(api: Apis, cast: Cast, opening: dict[str, Any]) -> None:
    answer = _put(api("salma"), "/labs/tanger/week", {"openings": [opening]})
    assert answer.status_code == 422, answer.text
    assert answer.json["refusals"][0]["field"].startswith("openings.0")


def test_hours_that_overlap_are_refused_and_the_old_ones_stay(api: Apis, cast: Cast) -> None:
    before = api("amina").get("/labs/tanger/week").json
    week = [*MORNINGS, {"weekday": 3, "opens": "11:00", "closes": "13:00"}]
    answer = _put(api("salma"), "/labs/tanger/week", {"openings": week})
    assert answer.status_code == 422
    assert codes(answer) == [("hours_overlap", "openings.7.opens")]
    assert api("amina").get("/labs/tanger/week").json == before


def test_a_week_counts_at_once_for_everybody(api: Apis, cast: Cast) -> None:
    answer = _put(api("salma"), "/labs/tanger/week", {"openings": MORNINGS})
    assert answer.status_code == 200, answer.text
    assert [each["opens"] for each in answer.json["openings"]] == ["08:00"] * 7
    days = api("amina").get("/labs/tanger/hours", query_string=WEEK).json["items"]
    assert {span["starts_at"][11:16] for day in days for span in day["open"]} == {"08:00"}
    laser = api("amina").get("/machines/tanger-laser-1/week").json
    assert (laser["own"], len(laser["openings"])) == (False, 7)


def test_hours_say_which_season_or_closure_made_them(api: Apis, cast: Cast) -> None:
    salma = api("salma")
    assert salma.post("/labs/tanger/seasons", SEASON).status_code == 201
    assert salma.post("/labs/tanger/closures", CLOSURE).status_code == 201
    days = {day["on"]: day for day in api("amina").get("/labs/tanger/hours", query_string=WEEK).json["items"]}
    assert [days[f"2031-01-{day}"]["season"] for day in ("06", "10", "11")] == ["Exams", "Exams", None]
    fair = days["2031-01-08"]
    assert fair["closure"] == "Fair"
    assert [(span["starts_at"][11:16], span["ends_at"][11:16]) for span in fair["open"]] == [
        ("08:00", "10:00"),
        ("11:00", "12:00"),
    ]
    printer = api("amina").get("/machines/tanger-prusa-1/hours", query_string=WEEK).json["items"]
    assert all(day["season"] is day["closure"] is None for day in printer)


def test_a_booking_in_a_closure_is_refused_and_one_from_before_is_told(api: Apis, cast: Cast) -> None:
    amina, salma = api("amina"), api("salma")
    made = amina.post("/bookings", _laser(10))
    assert made.status_code == 201, made.text
    day = f"{tomorrow(10):%Y-%m-%d}"
    closure = {"label": "Fair", "local_starts": f"{day}T10:00", "local_ends": f"{day}T14:00"}
    answer = salma.post("/labs/tanger/closures", closure)
    assert [each["booking"] for each in answer.json["left_outside"]] == [made.json["id"]]
    refused = amina.post("/bookings", _laser(12))
    assert ("outside_hours", "starts_at") in codes(refused)
    stays = amina.get(f"/bookings/{made.json['id']}")
    assert stays.json["state"] == "confirmed"


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({**SEASON, "ends_on": "2031-01-05"}, ("ends_before_it_begins", "ends_on")),
        ({**SEASON, "ends_on": "2033-01-05"}, ("too_long", "ends_on")),
        ({**SEASON, "ends_on": "2031-02-30"}, ("invalid", "ends_on")),
        ({**SEASON, "priority": 1000}, ("invalid", "priority")),
        ({**SEASON, "label": "\0"}, ("invalid", "label")),
    ],
)
def test_a_season_that_cannot_be_leaves_nothing(
    api: Apis, cast: Cast, body: dict[str, Any], refused: tuple[str, str]
) -> None:
    answer = api("salma").post("/labs/tanger/seasons", body)
    assert answer.status_code == 422
    assert codes(answer) == [refused]
    assert api("salma").get("/labs/tanger/seasons").json["items"] == []


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"local_ends": "2031-01-08T10:00"}, ("ends_before_it_begins", "local_ends")),
        ({"local_ends": "2031-01-08T11:00+01:00"}, ("invalid", "local_ends")),
        ({"local_ends": "2031-02-30T11:00"}, ("invalid", "local_ends")),
        ({"rrule": "FREQ=MINUTELY"}, ("bad_rrule", "rrule")),
        ({"rrule": "FREQ=DAILY;COUNT=0"}, ("bad_rrule", "rrule")),
    ],
)
def test_a_closure_that_cannot_be_leaves_nothing(
    api: Apis, cast: Cast, changed: dict[str, Any], refused: tuple[str, str]
) -> None:
    answer = api("salma").post("/labs/tanger/closures", CLOSURE | changed)
    assert answer.status_code == 422
    assert codes(answer) == [refused]
    assert api("salma").get("/labs/tanger/closures").json["items"] == []


def test_closures_are_paged_and_changed_and_taken_away(api: Apis, cast: Cast) -> None:
    salma = api("salma")
    for hour in (10, 12, 14):
        body = {**CLOSURE, "local_starts": f"2031-01-08T{hour}:00", "local_ends": f"2031-01-08T{hour + 1}:00"}
        assert salma.post("/labs/tanger/closures", body).status_code == 201
    first = salma.get("/labs/tanger/closures?limit=2").json
    rest = salma.get(f"/labs/tanger/closures?limit=2&cursor={first['next']}").json
    assert [each["local_starts"][11:] for each in first["items"] + rest["items"]] == [
        "10:00",
        "12:00",
        "14:00",
    ]
    assert rest["next"] is None
    chosen = rest["items"][0]["id"]
    changed = salma.request(
        "PATCH", f"/labs/tanger/closures/{chosen}", {"machine": "tanger-laser-1", "rrule": "FREQ=YEARLY"}
    )
    assert (changed.json["machine"], changed.json["rrule"]) == ("tanger-laser-1", "FREQ=YEARLY")
    assert salma.delete(f"/labs/tanger/closures/{chosen}").status_code == 204
    assert salma.delete(f"/labs/tanger/closures/{chosen}").status_code == 404
    assert api("karim").delete(f"/labs/rabat/closures/{first['items'][0]['id']}").status_code == 404


def test_a_range_of_a_night_begins_with_the_day_it_began_on(api: Apis, cast: Cast) -> None:
    night = [{"weekday": 0, "opens": "22:00", "closes": "02:00"}]
    _put(api("salma"), "/labs/tanger/week", {"openings": night})
    days = (
        api("amina")
        .get(
            "/labs/tanger/hours",
            query_string={"from": "2031-01-07T00:00:00+00:00", "to": "2031-01-08T00:00:00+00:00"},
        )
        .json["items"]
    )
    assert [(day["on"], len(day["open"])) for day in days][:1] == [("2031-01-06", 1)]
