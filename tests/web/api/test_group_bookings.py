"""Groups, organisations and people who come along, over REST: what goes in, what comes out, for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.fixtures_cast import Apis, Cast, tomorrow
from tests.support.groups import add_organisation, add_project, without_staff


def wanted(hour: int = 10, **more: Any) -> dict[str, Any]:
    starts = tomorrow(hour)
    ends = starts + timedelta(hours=1)
    return {
        "machine": "tanger-prusa-1",
        "starts_at": starts.isoformat(),
        "ends_at": ends.isoformat(),
        **more,
    }


YOUSSEF, NOBODY, ALI = (
    {"email": "youssef@example.org"},
    {"email": "nobody@example.org"},
    {"name": "Ali"},
)


@pytest.mark.parametrize(
    "more",
    [
        {"participants": [{}]},
        {"participants": [{"email": "a@b.ma", "name": "A"}]},
        {"participants": [{"email": "no address"}]},
        {"participants": [{"name": ""}]},
        {"participants": [{"name": "nul \0"}]},
        {"participants": [{"name": "A", "role": "admin"}]},
        {"participants": [{"name": None}]},
        {"participants": [None]},
        {"participants": {"name": "A"}},
        {"participants": [{"name": f"A{n}"} for n in range(61)]},
        {"head_count": 0},
        {"head_count": 501},
        {"head_count": "2"},
        {"head_count": 2.5},
        {"head_count": True},
        {"project": 0},
        {"project": 2**63},
        {"organisation": "Not A Slug"},
        {"organisation": "x" * 61},
        {"head_count": 2**70},
    ],
)
def test_what_is_no_request_is_refused_as_such(api: Apis, more: dict[str, Any]) -> None:
    for path in ("/bookings", "/bookings/preview"):
        answer = api("amina").post(path, wanted(**more))
        assert answer.status_code == 422, answer.text
        assert answer.content_type == "application/problem+json"


def test_an_unknown_organisation_and_anothers_get_the_same_answer(
    api: Apis, session: Session, cast: Cast
) -> None:
    add_organisation(session, cast, "club", "amina")
    session.commit()
    texts = set()
    for slug in ("club", "nubl"):
        answer = api("youssef").post("/bookings", wanted(organisation=slug))
        assert answer.status_code == 422
        assert answer.json["refusals"][0]["code"] == "not_member_of_organisation"
        texts.add(answer.text.replace(slug, "..."))
        assert api("youssef").get(f"/bookings?organisation={slug}").status_code == 404
    assert len(texts) == 1


def test_a_list_does_not_tell_its_writer_who_has_an_account(api: Apis, cast: Cast) -> None:
    made = api("amina").post("/bookings", wanted(participants=[YOUSSEF, NOBODY, ALI])).json
    assert made["participants"] == [
        {"name": "youssef@example.org", "member": None},
        {"name": "nobody@example.org", "member": None},
        {"name": "Ali", "member": None},
    ]
    assert (made["head_count"], made["role"], made["mine"]) == (4, "leader", True)
    seen = api("salma").get(f"/bookings/{made['id']}").json
    assert [each["member"] for each in seen["participants"]] == [
        {"id": cast.members["youssef"], "name": "Youssef"},
        None,
        None,
    ]
    assert seen["role"] == "staff"


def test_who_comes_along_reads_it_and_no_more(api: Apis) -> None:
    made = api("amina").post("/bookings", wanted(participants=[YOUSSEF, ALI], head_count=20)).json
    path = f"/bookings/{made['id']}"
    seen = api("youssef").get(path).json
    assert (seen["role"], seen["mine"], seen["participants"], seen["head_count"]) == (
        "participant",
        False,
        None,
        20,
    )
    # A list does not say what was booked along with each.
    assert api("youssef").get("/bookings").json["items"] == [{**seen, "also": None}]
    assert "Ali" not in api("youssef").get("/bookings").text
    assert api("youssef").get(f"{path}/history").status_code == 404
    assert api("youssef").post(f"{path}/cancellation").status_code == 403
    assert api("karim").get(path).status_code == 404
    calendar = api("youssef").get(f"/machines/tanger-prusa-1/calendar?from={made['starts_at']}")
    (taken,) = calendar.json["items"]
    assert (taken["booking"], taken["mine"], taken["member"]) == (None, False, None)
    for lists in ("jobs", "usage-sessions"):
        assert api("youssef").get(f"/{lists}?booking={made['id']}").status_code == 200, lists
        assert api("karim").get(f"/{lists}?booking={made['id']}").status_code == 404, lists


def test_owners_read_what_was_booked_in_their_organisations_name(
    api: Apis, session: Session, cast: Cast
) -> None:
    club = add_organisation(session, cast, "club", "amina", "youssef")
    project = add_project(session, cast.members["amina"], "Robot", club).id
    session.commit()
    body = wanted(organisation="club", project=project, participants=[ALI])
    made = api("youssef").post("/bookings", body).json
    assert (made["organisation"], made["organisation_name"]) == ("club", "Club")
    assert (made["project"], made["project_name"]) == (project, "Robot")
    path = f"/bookings/{made['id']}"
    seen = api("amina").get(path).json
    assert (seen["role"], seen["member"]["name"], seen["participants"]) == ("owner", "Youssef", None)
    assert api("amina").get("/bookings").json["items"] == []
    (listed,) = api("amina").get("/bookings?organisation=club").json["items"]
    assert listed == {**seen, "also": None}
    assert api("amina").post(f"{path}/cancellation").status_code == 403
    assert len(api("nadia").get("/bookings?organisation=club").json["items"]) == 1
    for name in ("karim", "salma"):
        assert api(name).get("/bookings?organisation=club").status_code == 404
    assert "organisation" not in api("karim").get("/machines/tanger-prusa-1/calendar").text


def test_a_manager_books_a_class_for_its_teacher(api: Apis) -> None:
    body = wanted(for_member="amina@example.org", participants=[YOUSSEF, ALI], head_count=24)
    made = api("salma").post("/bookings", body).json
    assert (made["member"]["name"], made["created_by"]["name"], made["role"]) == ("Amina", "Salma", "staff")
    assert api("amina").get(f"/bookings/{made['id']}").json["role"] == "leader"


def test_groups_in_a_list_take_one_statement_more_however_many(api: Apis, session: Session) -> None:
    from fablab.web.database import db

    amina = api("amina")
    amina.get("/bookings")
    counts = []
    for hours in (range(6, 8), range(8, 16)):
        for hour in hours:
            assert amina.post("/bookings", wanted(hour, participants=[YOUSSEF, ALI])).status_code == 201
        statements: list[str] = []
        with amina._client.application.app_context():
            engine = db.engine

        def note(*args: Any, told: list[str] = statements) -> None:
            told.append(args[2])

        event.listen(engine, "before_cursor_execute", note)
        found = amina.get("/bookings").json["items"]
        event.remove(engine, "before_cursor_execute", note)
        assert all(len(each["participants"]) == 2 for each in found)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_hours_say_when_staff_are_there(api: Apis, session: Session, cast: Cast) -> None:
    day = tomorrow(0)
    path = f"/labs/tanger/hours?from={day.isoformat()}&to={(day + timedelta(days=1)).isoformat()}"
    (hours,) = api("amina").get(path.replace("+", "%2B")).json["items"]
    assert hours["supervised"] == hours["open"] != []
    without_staff(session, cast)
    session.commit()
    (hours,) = api("amina").get(path.replace("+", "%2B")).json["items"]
    assert hours["supervised"] == []
    assert hours["open"] != []
