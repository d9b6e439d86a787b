"""Rules over REST: set, listed, taken away and explained; and what is refused, in the caller's language."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures_cast import Apis, Cast, tomorrow
from tests.web.api.requests import booking_body

LASER = "tanger-laser-1"


def put(api: Apis, name: str, value: Any, who: str = "admin", **where: Any) -> dict[str, Any]:
    answer = api(who).request("PUT", "/rules", {"name": name, "value": value, **where})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "min_s"}, "value"),
        ({"value": 900}, "name"),
        ({"name": "min_s", "value": None}, "value"),
        ({"name": "min_s", "value": "900"}, "value"),
        ({"name": "min_s", "value": 1e400}, "value"),
        ({"name": "min_s", "value": 10**400}, "value"),
        ({"name": "min_s", "value": {"s": 900}}, "value"),
        ({"name": "min_s", "value": 900, "lab": "Tanger!"}, "lab"),
        ({"name": "min_s", "value": 900, "category": "princes"}, "category"),
        ({"name": "min_s", "value": 900, "note": "x" * 301}, "note"),
        ({"name": "min_s\x00", "value": 900}, "name"),
    ],
)
def test_what_is_no_rule_is_refused_by_field(api: Apis, body: dict[str, Any], field: str) -> None:
    answer = api("admin").request("PUT", "/rules", body)
    assert answer.status_code in {400, 422}, answer.text
    if answer.status_code == 422:
        assert field in {each["field"] for each in answer.json["refusals"]}


def test_a_rule_is_set_listed_and_taken_away(api: Apis) -> None:
    made = put(api, "max_ahead", 3, "salma", lab="tanger", category="school", note="Schools share")
    assert {key: made[key] for key in ("name", "value", "lab", "kind", "machine", "category")} == {
        "name": "max_ahead",
        "value": 3,
        "lab": "tanger",
        "kind": None,
        "machine": None,
        "category": "school",
    }
    assert made["words"] == "Bookings still to come at once: at most 3."
    assert made["origin"] == "lab Tanger, category school"
    assert made["changed_by"]["name"] == "Salma"
    assert put(api, "max_ahead", 4, "salma", lab="tanger", category="school")["id"] == made["id"]
    (listed,) = api("salma").get("/rules?name=max_ahead").json["items"]
    assert (listed["value"], listed["note"]) == (4, "")
    assert api("karim").get("/rules").json["items"] == []
    assert api("amina").get("/rules").status_code == 404
    assert api("salma").delete(f"/rules/{made['id']}").status_code == 204
    assert api("salma").delete(f"/rules/{made['id']}").status_code == 404


def test_the_list_is_paged(api: Apis) -> None:
    made = [
        put(api, "min_s", 900, lab=lab, kind=kind)["id"]
        for lab in ("tanger", "rabat")
        for kind in (None, "3d-printer")
    ]
    first = api("nadia").get("/rules?limit=3").json
    rest = api("nadia").get(f"/rules?limit=3&cursor={first['next']}").json
    assert [each["id"] for each in first["items"] + rest["items"]] == made
    assert rest["next"] is None


def test_every_rule_is_named_with_its_bounds(api: Apis) -> None:
    names = {each["name"]: each for each in api("youssef").get("/rules/names").json["items"]}
    assert names["certification_level"] | {"title": "", "about": ""} == {
        "name": "certification_level",
        "title": "",
        "about": "",
        "unit": "level",
        "least": 1,
        "most": 3,
        "zero_switches_off": True,
    }


def test_the_rules_of_a_machine_say_where_they_come_from(api: Apis, cast: Cast) -> None:
    rule = put(api, "certification_level", 2, "salma", machine=LASER)
    put(api, "max_ahead", 5)
    answer = api("youssef").get(f"/machines/{LASER}/rules").json
    assert (answer["machine"], answer["member"]["name"], answer["organisation"]) == (LASER, "Youssef", None)
    told = {each["name"]: each for each in answer["rules"]}
    assert told["certification_level"] == {
        "name": "certification_level",
        "value": 2,
        "unit": "level",
        "words": "A certification at level 2 is needed.",
        "origin": "machine Tanger Laser 1",
        "rule": rule["id"],
        "now": "No valid certification.",
    }
    assert (told["max_ahead"]["origin"], told["max_ahead"]["now"]) == ("the whole network", "At present: 0.")
    assert (told["min_s"]["origin"], told["min_s"]["rule"]) == ("settings", None)


def test_staff_ask_for_a_member(api: Apis, cast: Cast) -> None:
    path = f"/machines/{LASER}/rules?member={cast.members['amina']}"
    assert api("salma").get(path).json["member"]["name"] == "Amina"
    assert api("karim").get(path).status_code == 404
    assert (
        api("salma").get(f"/machines/rabat-prusa-1/rules?member={cast.members['amina']}").status_code == 404
    )


# Languages


def preview(api: Apis, language: str | None, **more: Any) -> dict[str, Any]:
    headers = {} if language is None else {"Accept-Language": language}
    answer = api("youssef").post("/bookings/preview", booking_body(machine=LASER, **more), headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


@pytest.mark.parametrize(
    ("language", "message", "origin"),
    [
        (None, "A booking takes at most 30 minutes.", "lab Tanger"),
        ("en", "A booking takes at most 30 minutes.", "lab Tanger"),
        ("de, es;q=0.5", "A booking takes at most 30 minutes.", "lab Tanger"),
        ("fr-MA, fr;q=0.9, en;q=0.5", "Une réservation dure au plus 30 minutes.", "lab Tanger"),
        ("ar", "مدة الحجز 30 دقيقة على الأكثر.", "مختبر Tanger"),
    ],
)
def test_preview_says_why_in_the_callers_language(
    api: Apis, language: str | None, message: str, origin: str
) -> None:
    put(api, "max_s", 1800, "salma", lab="tanger")
    seen = preview(api, language)
    (no,) = seen["refusals"]
    assert (no["code"], no["field"], no["message"], no["origin"]) == ("too_long", "ends_at", message, origin)
    assert not seen["bookable"]
    (rule,) = [each for each in seen["rules"] if each["name"] == "max_s"]
    assert (rule["value"], rule["origin"]) == (1800, origin)


@pytest.mark.parametrize(
    ("language", "message"),
    [(None, "at least 10 minutes"), ("fr", "au moins 10 minutes"), ("ar", "10 دقائق على الأقل")],
)
def test_a_problem_speaks_the_callers_language(api: Apis, language: str | None, message: str) -> None:
    headers = {} if language is None else {"Accept-Language": language}
    starts = tomorrow(10)
    body = booking_body(starts_at=starts.isoformat(), ends_at=(starts + timedelta(minutes=5)).isoformat())
    answer = api("amina").post("/bookings", body, headers=headers)
    assert answer.status_code == 422
    assert message in answer.json["detail"]
    assert message in answer.json["refusals"][0]["message"]
    assert answer.headers["Content-Language"] == (language or "en")
    assert "Accept-Language" in answer.headers["Vary"]


def test_what_has_no_other_words_stays_english(api: Apis) -> None:
    answer = api("amina").post("/bookings", {"machine": 7}, headers={"Accept-Language": "fr"})
    assert answer.status_code == 422
    assert answer.json["refusals"][0]["message"]


def test_english_pages_refuse_in_english(client: Any, api: Apis) -> None:
    answer = client.get("/machines/nowhere", headers={"Accept-Language": "fr", "Accept": "text/html"})
    assert "Content-Language" not in answer.headers


def test_a_machine_says_what_is_asked_of_the_caller(api: Apis) -> None:
    assert api("amina").get("/machines/tanger-laser-1").json["rules"]["certification_level"] == 0
    put(api, "certification_level", 2, "salma", machine="tanger-laser-1")
    assert api("amina").get("/machines/tanger-laser-1").json["rules"]["certification_level"] == 2
    (laser,) = api("amina").get("/machines?lab=tanger&kind=laser-cutter").json["items"]
    assert laser["rules"]["certification_level"] == 2
