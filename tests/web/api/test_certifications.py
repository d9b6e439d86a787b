"""Certifications and trainings over REST: refusals, the whole way, and what others may not see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.certifications.models import Certification, Training
from fablab.clock import utc_now
from fablab.members.models import Audit
from tests.fixtures_cast import Apis, Cast, tomorrow


def body(cast: Cast, **more: Any) -> dict[str, Any]:
    return {"member": cast.members["youssef"], "kind": "3d-printer", "level": 1, **more}


def training(**more: Any) -> dict[str, Any]:
    starts = tomorrow(14, days=3)
    return {
        "lab": "tanger",
        "kind": "laser-cutter",
        "level": 1,
        "title": "First cuts",
        "notes": "Bring a drawing.\nWe have the wood.",
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=2)).isoformat(),
        "places": 2,
        **more,
    }


BAD = [
    ({"level": 0}, "level"),
    ({"level": 4}, "level"),
    ({"level": "2"}, "level"),
    ({"level": True}, "level"),
    ({"level": 1.0}, "level"),
    ({"member": 0}, "member"),
    ({"member": 2**63}, "member"),
    ({"member": "amina@example.org"}, "member"),
    ({"member": None}, "member"),
    ({"kind": "a\0b"}, "kind"),
    ({"machine": "tanger-prusa-1"}, "kind"),
    ({"expires_on": "31/01/2030"}, "expires_on"),
    ({"expires_on": "20300131"}, "expires_on"),
    ({"expires_on": "2030-02-30"}, "expires_on"),
    ({"expires_on": "9999-12-31"}, "expires_on"),
    ({"expires_on": "2020-01-31"}, "expires_on"),
    ({"expires_on": "2190-01-31"}, "expires_on"),
    ({"colour": "blue"}, "colour"),
]


@pytest.mark.parametrize(("more", "field"), BAD)
def test_what_cannot_be_granted(
    api: Apis, cast: Cast, session: Session, more: dict[str, Any], field: str
) -> None:
    answer = api("salma").post("/certifications", body(cast, **more))
    assert answer.status_code == 422
    assert field in {each["field"] for each in answer.json["refusals"]}
    assert session.scalar(select(Certification.id)) is None


def test_neither_kind_nor_machine_or_one_there_is_not(api: Apis, cast: Cast) -> None:
    without = body(cast)
    del without["kind"]
    assert api("salma").post("/certifications", without).status_code == 422
    for more in ({"kind": "loom"}, {"lab": "atlantis"}):
        assert api("salma").post("/certifications", body(cast, **more)).status_code == 404
    stranger = api("salma").post("/certifications", body(cast, member=999_999))
    assert (stranger.status_code, stranger.json["refusals"][0]["field"]) == (422, "member")


def test_the_whole_life_of_a_certification(api: Apis, cast: Cast) -> None:
    made = api("trainer").post("/certifications", body(cast)).json
    assert (made["kind"], made["machine"], made["level"]) == ("3d-printer", None, 1)
    assert (made["state"], made["lab"]) == ("valid", "tanger")
    assert made["member"] == {"id": cast.members["youssef"], "name": "Youssef"}
    assert "/certificates/" in made["certificate"]
    path = f"/certifications/{made['id']}"
    assert api("youssef").get("/certifications").json["items"] == [made]
    again = api("salma").post("/certifications", body(cast))
    assert (again.status_code, again.json["refusals"][0]["code"]) == (422, "already_certified")
    stopped = api("karim").post(f"{path}/suspension", {"reason": "A refresher is due"}).json
    assert stopped["state"] == "suspended"
    assert api("salma").post(f"{path}/suspension").json["refusals"][0]["code"] == "not_in_force"
    assert api("salma").delete(f"{path}/suspension").status_code == 204
    assert api("youssef").get(path).json["state"] == "valid"
    assert api("salma").delete(f"{path}/suspension").json["refusals"][0]["code"] == "not_in_force"
    renewed = api("salma").post(f"{path}/renewal", {"expires_on": f"{utc_now().year + 3}-06-30"}).json
    assert renewed["expires_on"] == f"{utc_now().year + 3}-06-30"
    assert api("salma").delete(path, json={"reason": "Left the lab"}).status_code == 204
    assert api("youssef").get(path).json["state"] == "revoked"
    assert api("salma").delete(path).status_code == 204
    changes = api("youssef").get(f"{path}/history").json["items"]
    assert [(each["change"], each["by"]["name"]) for each in changes] == [
        ("granted", "Trainer"),
        ("suspended", "Karim"),
        ("resumed", "Salma"),
        ("renewed", "Salma"),
        ("revoked", "Salma"),
    ]
    assert changes[1]["reason"] == "A refresher is due"


def test_an_admin_says_in_which_labs_name(api: Apis, cast: Cast) -> None:
    refused = api("admin").post("/certifications", body(cast))
    assert (refused.status_code, refused.json["refusals"][0]["field"]) == (422, "lab")
    assert api("admin").post("/certifications", body(cast, lab="rabat")).json["lab"] == "rabat"


def test_lists_are_ones_own_a_members_or_a_labs(api: Apis, cast: Cast) -> None:
    for person, kind in (("amina", "3d-printer"), ("amina", "laser-cutter"), ("youssef", "3d-printer")):
        made = api("salma").post("/certifications", body(cast, member=cast.members[person], kind=kind))
        assert made.status_code == 201
    amina, youssef = cast.members["amina"], cast.members["youssef"]

    def count(who: str, query: str) -> int:
        answer = api(who).get(f"/certifications{query}")
        return len(answer.json["items"]) if answer.status_code == 200 else answer.status_code

    assert count("amina", "") == 2
    assert count("amina", f"?member={amina}") == 2
    assert count("amina", f"?member={youssef}") == 404
    assert count("amina", "?lab=tanger") == 404
    assert count("karim", f"?member={amina}&kind=laser-cutter") == 1
    assert count("karim", "?lab=tanger") == 404
    assert count("karim", "?lab=rabat") == 0
    assert count("salma", "?lab=tanger") == 3
    assert count("nadia", "?lab=tanger&machine=tanger-prusa-1") == 0
    assert count("salma", "?kind=loom") == 404
    first = api("salma").get("/certifications?lab=tanger&limit=2").json
    rest = api("salma").get(f"/certifications?lab=tanger&limit=2&cursor={first['next']}").json
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"places": 0}, "places"),
        ({"places": 501}, "places"),
        ({"places": "8"}, "places"),
        ({"title": " "}, "title"),
        ({"title": "x\0"}, "title"),
        ({"notes": "x" * 2001}, "notes"),
        ({"starts_at": "2020-01-01T10:00:00Z"}, "starts_at"),
        ({"ends_at": "2026-01-01T10:00:00"}, "ends_at"),
        ({"ends_at": "2190-01-01T10:00:00Z"}, "ends_at"),
        ({"machine": "tanger-laser-1"}, "kind"),
        ({"trainer": "salma"}, "trainer"),
    ],
)
def test_what_cannot_be_planned(api: Apis, session: Session, more: dict[str, Any], field: str) -> None:
    answer = api("salma").post("/trainings", training(**more))
    assert answer.status_code == 422
    assert field in {each["field"] for each in answer.json["refusals"]}
    assert session.scalar(select(Training.id)) is None


def test_a_training_from_announcement_to_certificates(api: Apis, cast: Cast, session: Session) -> None:
    made = api("trainer").post("/trainings", training(places=1))
    assert made.status_code == 201
    assert (made.json["state"], made.json["free"], made.json["trainer"]["name"]) == ("planned", 1, "Trainer")
    path = f"/trainings/{made.json['id']}"
    mine = api("amina").post(f"{path}/enrolment")
    assert (mine.status_code, mine.json["mine"], mine.json["free"]) == (201, "enrolled", 0)
    assert mine.json["trainer"] is None
    line = api("youssef").post(f"{path}/enrolment").json
    assert (line["mine"], line["ahead"], line["waiting"]) == ("waiting", 0, 1)
    assert "Amina" not in api("youssef").get(path).text + api("youssef").get("/trainings").text
    changed = api("salma").request("PATCH", path, {"places": 2})
    assert (changed.status_code, changed.json["free"]) == (200, 0)
    assert api("youssef").get("/trainings?mine=true").json["items"][0]["mine"] == "enrolled"
    assert api("karim").get("/trainings?mine=true").json["items"] == []
    people = api("trainer").get(f"{path}/enrolments").json["items"]
    assert [(each["member"]["name"], each["state"]) for each in people] == [
        ("Amina", "enrolled"),
        ("Youssef", "enrolled"),
    ]
    early = api("trainer").post(f"{path}/closure", {"attended": []})
    assert (early.status_code, early.json["refusals"][0]["code"]) == (422, "not_begun")
    session.execute(update(Training).values(starts_at=utc_now() - timedelta(hours=2), ends_at=utc_now()))
    session.commit()
    came = {"attended": [cast.members["amina"]]}
    closed = api("trainer").post(f"{path}/closure", came)
    assert (closed.status_code, closed.json["state"]) == (201, "closed")
    assert api("trainer").post(f"{path}/closure", {"attended": []}).json == closed.json
    [held] = api("amina").get("/certifications").json["items"]
    assert (held["kind"], held["level"], held["state"]) == ("laser-cutter", 1, "valid")
    [change] = api("amina").get(f"/certifications/{held['id']}/history").json["items"]
    assert change["training"] == made.json["id"]
    assert api("youssef").get("/certifications").json["items"] == []
    assert api("youssef").get(path).json["mine"] == "absent"
    actions = set(session.scalars(select(Audit.action)))
    assert {"training.plan", "training.change", "training.close", "certification.grant"} <= actions


@pytest.mark.parametrize("attended", [None, "all", [0], ["1"], [True], [1.5], list(range(1, 502)), [2**63]])
def test_a_list_of_who_came_is_numbers(api: Apis, attended: object) -> None:
    made = api("salma").post("/trainings", training()).json
    assert api("salma").post(f"/trainings/{made['id']}/closure", {"attended": attended}).status_code == 422


def test_staff_put_people_on_the_list_and_take_them_off(api: Apis, cast: Cast) -> None:
    path = f"/trainings/{api('trainer').post('/trainings', training()).json['id']}"
    youssef = cast.members["youssef"]
    assert api("amina").post(f"{path}/enrolment", {"member": youssef}).status_code == 403
    assert api("salma").post(f"{path}/enrolment", {"member": youssef}).json["free"] == 1
    assert api("salma").post(f"{path}/enrolment", {"member": 999_999}).status_code == 422
    assert api("amina").delete(f"{path}/enrolment?member={youssef}").status_code == 403
    assert api("salma").delete(f"{path}/enrolment?member={youssef}").status_code == 204
    assert api("youssef").get(path).json["free"] == 2
    assert api("salma").delete(f"{path}/enrolment?member={youssef}").status_code == 404
    assert api("amina").delete(f"{path}/enrolment").status_code == 404


def test_trainings_are_found_by_lab_kind_and_time_page_by_page(api: Apis) -> None:
    for days in (2, 4, 9):
        starts = tomorrow(14, days=days)
        when = {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=1)).isoformat()}
        assert api("salma").post("/trainings", training(**when)).status_code == 201
    api("karim").post("/trainings", training(lab="rabat", kind="3d-printer"))

    def found(query: str) -> list[dict[str, Any]]:
        answer = api("amina").get(f"/trainings{query}")
        assert answer.status_code == 200, answer.text
        return list(answer.json["items"])

    assert len(found("")) == 4
    assert len(found("?lab=tanger")) == 3
    assert [each["lab"] for each in found("?kind=3d-printer")] == ["rabat"]
    until = tomorrow(0, days=6).isoformat().replace("+", "%2B")
    assert len(found(f"?lab=tanger&to={until}")) == 2
    first = api("amina").get("/trainings?limit=3").json
    rest = api("amina").get(f"/trainings?limit=3&cursor={first['next']}").json
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (3, 1, None)
    for bad in ("?mine=yes", "?from=now", "?cursor=abc", "?colour=blue"):
        assert api("amina").get(f"/trainings{bad}").status_code == 422, bad


def test_a_cancelled_training_stays_to_be_seen(api: Apis) -> None:
    path = f"/trainings/{api('trainer').post('/trainings', training()).json['id']}"
    api("amina").post(f"{path}/enrolment")
    assert api("salma").post(f"{path}/cancellation").json["state"] == "cancelled"
    assert api("amina").get(path).json["state"] == "cancelled"
    refused = api("youssef").post(f"{path}/enrolment")
    assert (refused.status_code, refused.json["refusals"][0]["code"]) == (422, "training_over")
