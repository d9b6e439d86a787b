"""The directory by REST: who finds whom, what is told, and what may be changed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.members.models import Audit, Member
from fablab.web.database import db
from tests.fixtures_cast import Apis, Cast

BORN = date(utc_now().year - 15, 1, 1).isoformat()


@pytest.fixture
def hind(api: Apis) -> int:
    """A member of 15, added by Salma."""
    body = {"email": "hind@example.org", "name": "Hind", "birth_on": BORN, "under_18": True, "language": "ar"}
    made: int = api("salma").post("/members", body).json["id"]
    return made


def patch(api: Apis, who: str, member_id: int, **body: Any) -> Any:
    return api(who).request("PATCH", f"/members/{member_id}", body)


def test_makers_have_no_directory(api: Apis, cast: Cast) -> None:
    for path in ("/members", "/members?q=salma", f"/members/{cast.members['amina']}"):
        assert api("amina").get(path).status_code == 404
    assert api("amina").post("/members", {"email": "x@example.org", "name": "X"}).status_code == 404


@pytest.mark.parametrize(
    "query",
    ["?q=" + "x" * 201, "?q=%00", "?limit=0", "?limit=501", "?cursor=x", "?cursor=WyJcdTAwMDAiLDFd", "?x=1"],
)
def test_an_unreadable_search_is_refused(api: Apis, query: str) -> None:
    answer = api("nadia").get(f"/members{query}")
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")


@pytest.mark.parametrize(
    "body",
    [
        {"email": "hind@example.org"},
        {"email": "hind@example.org", "name": "Hind", "under_18": True},
        {"email": "hind@example.org", "name": "Hind", "under_18": 1},
        {"email": "hind@example.org", "name": "Hind", "birth_on": 7},
        {"email": "hind@example.org", "name": "Hind", "birth_on": "2010-02-30"},
        {"email": "hind@example.org", "name": "Hind", "birth_on": "9999-12-31"},
        {"email": "hind@example.org", "name": "Hind", "birth_on": "0001-01-01"},
        {"email": "hind@example.org", "name": "Hind\n"},
        {"email": "hind@example.org", "name": "A\nB"},
        {"email": "a b@example.org", "name": "Hind"},
        {"email": "AMINA@example.org", "name": "Hind"},
        {"email": "hind@example.org", "name": "Hind", "role": "admin"},
    ],
)
def test_a_wrong_member_is_refused(api: Apis, body: dict[str, Any]) -> None:
    if body.get("name") == "Hind\n":
        assert api("salma").post("/members", body).json["name"] == "Hind"
        return
    answer = api("salma").post("/members", body)
    assert answer.status_code == 422
    assert answer.json["refusals"]


def test_staff_find_by_beginnings_and_read_on(api: Apis, cast: Cast) -> None:
    found = api("trainer").get("/members?q=sal EXAM").json
    assert found == {
        "items": [
            {
                "id": cast.members["salma"],
                "name": "Salma",
                "email": "salma@example.org",
                "active": True,
                "roles": ["manager:tanger"],
            }
        ],
        "next": None,
    }
    names, cursor = [], ""
    while cursor is not None:
        more = api("nadia").get(f"/members?limit=2{cursor and '&cursor=' + cursor}").json
        names += [each["name"] for each in more["items"]]
        cursor = more["next"]
    assert names == ["Admin", "Amina", "Karim", "Nadia", "Salma", "Trainer", "Youssef"]


def test_a_long_list_takes_as_many_statements_as_a_short_one(api: Apis, session: Session, app: Any) -> None:
    people = [
        {"name": f"Member {each}", "email": f"m{each}@example.org", "created_at": utc_now()}
        for each in range(200)
    ]
    session.execute(insert(Member), people)
    session.commit()
    client = api("salma")
    client.get("/members?limit=1")

    def statements(limit: int) -> int:
        seen: list[object] = []

        def note(*args: object) -> None:
            seen.append(args[2])

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            assert len(client.get(f"/members?limit={limit}").json["items"]) == limit
            event.remove(db.engine, "before_cursor_execute", note)
        return len(seen)

    assert statements(200) == statements(2)


def test_details_are_for_managers_and_admins(api: Apis, hind: int) -> None:
    for who in ("trainer", "nadia"):
        assert api(who).get(f"/members/{hind}").json["details"] is None
    for who in ("salma", "karim", "admin"):
        details = api(who).get(f"/members/{hind}").json["details"]
        assert (details["birth_on"], details["minor"], details["consent"]) == (BORN, True, False)


def test_what_is_put_down_can_be_corrected(api: Apis, hind: int, cast: Cast, session: Session) -> None:
    assert patch(api, "salma", hind, birth_on=None).status_code == 403
    assert patch(api, "salma", hind, name="Hind Alami", birth_on="2011-02-01").json["name"] == "Hind Alami"
    assert patch(api, "admin", hind, birth_on=None).json["details"]["birth_on"] is None
    assert api("salma").get("/members?q=alami").json["items"][0]["id"] == hind
    assert patch(api, "salma", hind, active=False).status_code == 403
    assert patch(api, "salma", hind, birth_on="2010-1-1").status_code == 422
    assert patch(api, "salma", hind, active=None).status_code == 422
    assert patch(api, "salma", cast.members["karim"], name="X").status_code == 403
    assert patch(api, "salma", 2**62, name="X").status_code == 404
    assert patch(api, "admin", hind, active=False).json["active"] is False
    assert patch(api, "admin", hind, active=False).status_code == 200, "it is so already"
    assert patch(api, "admin", hind, active=True).json["active"] is True


def test_a_manager_names_trainers_of_the_own_lab(api: Apis, hind: int) -> None:
    body = {"role": "trainer", "lab": "tanger"}
    assert api("karim").post(f"/members/{hind}/roles", body).status_code == 403
    assert api("salma").post(f"/members/{hind}/roles", {"role": "trainer"}).status_code == 422
    assert api("salma").post(f"/members/{hind}/roles", {"role": "king"}).status_code == 422
    assert api("salma").post(f"/members/{hind}/roles", {**body, "lab": "atlantis"}).status_code == 404
    made = api("salma").post(f"/members/{hind}/roles", body)
    assert (made.status_code, made.json["roles"]) == (201, ["maker", "trainer:tanger"])
    assert api("karim").delete(f"/members/{hind}/roles/trainer?lab=tanger").status_code == 403
    assert api("salma").delete(f"/members/{hind}/roles/trainer?lab=tanger").status_code == 204
    assert api("salma").delete(f"/members/{hind}/roles/trainer?lab=tanger").status_code == 404
    assert api("salma").delete(f"/members/{hind}/roles/trainer").status_code == 422


def test_nobody_is_left_without_an_admin(api: Apis, cast: Cast) -> None:
    answer = api("admin").delete(f"/members/{cast.members['admin']}/roles/admin")
    assert (answer.status_code, answer.json["refusals"][0]["code"]) == (422, "last_admin")


def test_a_consent_is_recorded_shown_and_withdrawn(
    api: Apis, hind: int, cast: Cast, session: Session
) -> None:
    words = {each["language"]: each["words"] for each in api("amina").get("/consent-words").json["items"]}
    body = {"guardian_name": "Fatima", "words": words["ar"], "given_on": "2026-01-05"}
    path = f"/members/{hind}/consents"
    assert api("salma").post(path, {**body, "words": "yes"}).json["refusals"][0]["code"] == "words_changed"
    assert api("salma").post(path, {**body, "given_on": "9999-12-31"}).status_code == 422
    assert api("trainer").get(path).status_code == 404
    made = api("salma").post(path, body)
    assert made.status_code == 201
    assert made.json["recorded_by"]["name"] == "Salma"
    assert api("karim").get(path).json["items"] == [made.json]
    assert api("salma").get(f"/members/{hind}").json["details"]["consent"]
    other = f"/members/{cast.members['amina']}/consents/{made.json['id']}"
    assert api("salma").delete(other).status_code == 404
    assert api("salma").delete(f"{path}/{made.json['id']}").status_code == 204
    assert not api("salma").get(f"/members/{hind}").json["details"]["consent"]
    lines = session.scalars(select(Audit).where(Audit.action.like("consent.%"))).all()
    assert [(each.on_member_id, each.lab_id) for each in lines] == [(hind, cast.labs["tanger"])] * 2
    assert "Fatima" not in "".join(each.subject + each.detail for each in lines)
