"""Over REST: versions, moving, extension, requests, overrides, history, and outages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.models_rules import RuleRow, RulesVersion
from fablab.clock import utc_now
from fablab.db import transaction
from tests.fixtures_cast import Apis, Cast, tomorrow

PRUSA, OTHER = "tanger-prusa-1", "tanger-prusa-2"


def wanted(hour: int = 10, hours: float = 2, machine: str = PRUSA, **more: Any) -> dict[str, Any]:
    starts = tomorrow(hour)
    ends = starts + timedelta(hours=hours)
    return {"machine": machine, "starts_at": starts.isoformat(), "ends_at": ends.isoformat(), **more}


def set_rule(sessions: sessionmaker[Session], name: str, value: Any) -> None:
    with transaction(sessions) as session:
        session.add(RuleRow(name=name, value=value, changed_at=utc_now()))
        session.merge(RulesVersion(id=1))


def test_whoever_saw_an_older_version_changes_nothing(api: Apis) -> None:
    made = api("amina").post("/bookings", wanted())
    assert (made.headers["ETag"], made.json["version"]) == ('"1"', 1)
    path = f"/bookings/{made.json['id']}"
    longer = {"ends_at": tomorrow(13).isoformat()}
    moved = api("amina").patch(path, longer, headers={"If-Match": '"1"'})
    assert (moved.status_code, moved.headers["ETag"]) == (200, '"2"')
    for match in ('"1"', '"7"', 'W/"2"', '"two"', '"99999999999999999999999"'):
        stale = api("amina").patch(path, {"ends_at": tomorrow(14).isoformat()}, headers={"If-Match": match})
        assert (stale.status_code, stale.json["code"]) == (412, "stale"), match
        assert stale.content_type == "application/problem+json"
    stale = api("amina").post(f"{path}/cancellation", {}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert api("amina").get(path).headers["ETag"] == '"2"'
    assert api("amina").post(f"{path}/cancellation", {}, headers={"If-Match": '"1", "2"'}).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "why not"},
        {"starts_at": None},
        {"ends_at": "tomorrow"},
        {"machine": "No Slug"},
        {"purpose": 7},
        {"ends_at": tomorrow(13).isoformat(), "override": "yes"},
        {"ends_at": tomorrow(13).isoformat(), "state": "confirmed"},
    ],
)
def test_a_change_that_cannot_be_read_is_refused(api: Apis, body: dict[str, Any]) -> None:
    made = api("amina").post("/bookings", wanted()).json
    answer = api("amina").patch(f"/bookings/{made['id']}", body)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")


def test_it_moves_to_another_machine_or_stays(api: Apis) -> None:
    made = api("amina").post("/bookings", wanted()).json
    api("youssef").post("/bookings", wanted(machine=OTHER))
    taken = api("amina").patch(f"/bookings/{made['id']}", {"machine": OTHER})
    assert (taken.status_code, taken.json["code"]) == (409, "machine_booked")
    assert taken.json["alternatives"]
    unknown = api("amina").patch(f"/bookings/{made['id']}", {"machine": "no-such-thing"})
    assert (unknown.status_code, unknown.json["refusals"][0]["code"]) == (404, "unknown_machine")
    moved = api("amina").patch(
        f"/bookings/{made['id']}", {**wanted(14, machine=OTHER), "purpose": "a lamp", "reason": "lunch"}
    )
    assert moved.status_code == 200, moved.json
    assert {key: moved.json[key] for key in ("machine", "starts_at", "purpose", "version")} == {
        "machine": OTHER,
        "starts_at": tomorrow(14).isoformat(),
        "purpose": "a lamp",
        "version": 2,
    }
    last = api("amina").get(f"/bookings/{made['id']}/history").json["items"][-1]
    assert (last["reason"], last["broke"]) == ("lunch", [])
    assert last["before"] == {
        "starts_at": tomorrow(10).isoformat(),
        "ends_at": tomorrow(12).isoformat(),
        "machine": PRUSA,
        "holder": None,
    }
    assert last["after"]["machine"] == OTHER


def test_an_extension_ends_later(api: Apis) -> None:
    made = api("amina").post("/bookings", wanted()).json
    path = f"/bookings/{made['id']}/extension"
    sooner = api("amina").post(path, {"ends_at": tomorrow(11).isoformat()})
    assert (sooner.status_code, sooner.json["refusals"][0]["field"]) == (422, "ends_at")
    longer = api("amina").post(path, {"ends_at": tomorrow(13).isoformat()})
    assert (longer.status_code, longer.json["ends_at"]) == (201, tomorrow(13).isoformat())


def test_staff_go_over_rules_and_others_do_not(api: Apis, sessions: sessionmaker[Session]) -> None:
    set_rule(sessions, "max_s", 3600)
    assert api("amina").post("/bookings", wanted()).json["refusals"][0]["code"] == "too_long"
    refused = api("amina").post("/bookings", wanted(override=True))
    assert (refused.status_code, refused.json["refusals"][0]["field"]) == (403, "override")
    seen = api("salma").post("/bookings/preview", wanted(override=True)).json
    assert (seen["state"], seen["broke"]) == ("confirmed", ["too_long"])
    made = api("salma").post("/bookings", wanted(override=True))
    assert made.status_code == 201
    first = api("salma").get(f"/bookings/{made.json['id']}/history").json["items"][0]
    assert first["broke"] == ["too_long"]
    taken = api("salma").post("/bookings", wanted(11, override=True))
    assert (taken.status_code, taken.json["code"]) == (409, "machine_booked")


def test_a_request_waits_for_the_labs_managers(api: Apis, sessions: sessionmaker[Session]) -> None:
    set_rule(sessions, "approvals", 1)
    made = api("amina").post("/bookings", wanted())
    assert (made.status_code, made.json["state"]) == (201, "requested")
    assert made.json["approvals"] == {"given": 0, "needed": 1}
    assert made.json["collides_with"] is None
    other = api("youssef").post("/bookings", wanted(11)).json
    queue = api("salma").get("/bookings?state=requested").json["items"]
    assert [(each["id"], each["collides_with"]) for each in queue] == [
        (made.json["id"], [other["id"]]),
        (other["id"], [made.json["id"]]),
    ]
    path = f"/bookings/{made.json['id']}"
    assert api("amina").post(f"{path}/approval", {}).status_code == 403
    assert api("salma").post(f"/bookings/{other['id']}/rejection", {}).status_code == 422
    done = api("salma").post(f"{path}/approval", {}, headers={"If-Match": made.headers["ETag"]})
    assert (done.status_code, done.json["state"], done.headers["ETag"]) == (201, "confirmed", '"2"')
    assert done.json["approvals"] is None
    clash = api("salma").post(f"/bookings/{other['id']}/approval", {})
    assert (clash.status_code, clash.json["code"]) == (409, "machine_booked")
    no = api("salma").post(f"/bookings/{other['id']}/rejection", {"reason": "Amina was first"})
    assert (no.status_code, no.json["state"]) == (201, "rejected")


def test_an_outage_tells_whom_it_touches(api: Apis, cast: Cast) -> None:
    made = api("amina").post("/bookings", wanted()).json
    path = f"/machines/{PRUSA}/outages"
    body = {"starts_at": tomorrow(9).isoformat(), "ends_at": None, "category": "fault", "note": "no heat"}
    assert api("amina").post(path, body).status_code == 403
    assert api("salma").post("/machines/no-such-thing/outages", body).status_code == 404
    assert api("salma").post(path, {**body, "category": "bored"}).status_code == 422
    told = api("salma").post(path, body)
    assert told.status_code == 201, told.json
    (touched,) = told.json["bookings"]
    assert (touched["booking"], touched["member"]["name"]) == (made["id"], "Amina")
    assert touched["alternatives"][0]["machine"] == OTHER
    assert (told.json["ends_at"], told.json["created_by"]["name"]) == (None, "Salma")
    assert api("youssef").post("/bookings", wanted(14)).status_code == 409
    (listed,) = api("youssef").get(path).json["items"]
    assert (listed["note"], listed["created_by"]) == ("no heat", None)
    over = f"{path}/{told.json['id']}"
    assert api("salma").patch(over, {}).status_code == 422
    assert api("salma").patch(f"{path}/999", {"note": "x"}).status_code == 404
    ended = api("salma").patch(over, {"ends_at": tomorrow(13).isoformat()})
    assert (ended.status_code, ended.json["ends_at"]) == (200, tomorrow(13).isoformat())
    assert api("youssef").post("/bookings", wanted(14)).status_code == 201
