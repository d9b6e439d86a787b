"""Organisations and projects over REST: what whom is shown, and that lists stay cheap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.members.models import Member
from fablab.organisations.models import Invitation, Membership, Organisation, Project
from tests.fixtures_cast import Apis, Cast
from tests.web.api.requests import booking_body
from tests.web.api.test_lists import counted


@pytest.fixture
def club(api: Apis) -> str:
    """Amina's club over REST."""
    answer = api("amina").post("/organisations", {"name": "Club Robotique", "kind": "school_club"})
    assert answer.status_code == 201, answer.text
    slug: str = answer.json["slug"]  # type: ignore[index]
    return slug


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "Club"},
        {"name": "", "kind": "startup"},
        {"name": "Club", "kind": "king"},
        {"name": "Club\0", "kind": "startup"},
        {"name": "Club", "kind": "startup", "tariff_category": "partner"},
        {"name": ["Club"], "kind": "startup"},
    ],
)
def test_a_bad_organisation_is_refused(api: Apis, body: dict[str, Any]) -> None:
    answer = api("amina").post("/organisations", body)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/organisations/{club}/invitations", {"email": "nobody"}),
        ("/organisations/{club}/invitations", {"email": "a@example.org", "owner": 1}),
        ("/organisations/{club}/invitations", {"email": "amina@example.org"}),
        ("/organisations/{club}/quotas", {"period": "year", "limit_s": 1}),
        ("/organisations/{club}/quotas", {"period": "week", "limit_s": 10**30}),
        ("/organisations/{club}/quotas", {"period": "week", "limit_s": "3600"}),
        ("/organisations/{club}/quotas", {"period": "week", "limit_s": 60, "kind": "submarine"}),
        ("/projects", {"name": "Lamp", "filiere": "cooking"}),
        ("/projects", {"name": "Lamp", "filiere": "design", "programme": "lottery"}),
        ("/invitations/acceptance", {"secret": "\ud800"}),
    ],
)
def test_what_makes_no_sense_is_a_problem_and_no_accident(
    api: Apis, club: str, path: str, body: dict[str, Any]
) -> None:
    who = "admin" if "quotas" in path else "amina"
    answer = api(who).post(path.format(club=club), body)
    assert answer.status_code == 422, answer.text
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-13-01",
        "from=0001-01-01",
        "to=9999-12-31",
        "from=2020-01-01&to=2026-01-01",
        "from=2026-02-01&to=2026-01-01",
        "until=2026-01-01",
    ],
)
def test_a_span_nobody_can_mean_is_refused(api: Apis, club: str, query: str) -> None:
    assert api("amina").get(f"/organisations/{club}/consumption?{query}").status_code == 422


def test_members_see_the_organisation_and_owners_what_was_done(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], club: str
) -> None:
    _join(sessions, club, cast.members["youssef"])
    made = api("youssef").post("/bookings", booking_body(organisation=club))
    assert made.status_code == 201, made.text
    private = api("youssef").post("/bookings", booking_body(machine="tanger-prusa-2"))
    assert private.status_code == 201
    youssef = api("youssef")
    seen = youssef.get(f"/organisations/{club}").json
    assert (seen["mine"], seen["owner"], seen["members"]) == (True, False, 2)
    names = [each["name"] for each in youssef.get(f"/organisations/{club}/members").json["items"]]
    assert names == ["Amina", "Youssef"]
    for part in ("bookings", "consumption", "invitations"):
        assert youssef.get(f"/organisations/{club}/{part}").status_code == 403, part
    (shown,) = api("amina").get(f"/organisations/{club}/bookings").json["items"]
    assert (shown["id"], shown["member"]["name"], shown["state"]) == (made.json["id"], "Youssef", "confirmed")
    assert "purpose" not in shown
    figures = api("amina").get(f"/organisations/{club}/consumption?to=2199-12-31&from=2199-01-01").json
    assert figures["total"]["bookings"] == 0


def test_quotas_say_how_much_of_them_is_booked(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], club: str
) -> None:
    body = {"period": "month", "limit_s": 7200, "kind": "3d-printer"}
    assert api("admin").post(f"/organisations/{club}/quotas", body).status_code == 201
    (quota,) = api("amina").get(f"/organisations/{club}/quotas").json["items"]
    assert (quota["kind"], quota["limit_s"], quota["booked_s"]) == ("3d-printer", 7200, 0)
    # In the network's own time, from midnight.
    assert "T00:00:00+" in quota["starts_at"]
    too_long = booking_body(organisation=club)
    too_long["ends_at"] = too_long["ends_at"].replace("T11", "T13")
    refused = api("amina").post("/bookings", too_long)
    assert refused.status_code == 422
    assert [each["code"] for each in refused.json["refusals"]] == ["organisation_quota"]


def test_operators_search_the_network_and_may_ask_for_their_own(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], club: str
) -> None:
    api("youssef").post("/organisations", {"name": "Atelier", "kind": "startup"})
    nadia = api("nadia")
    assert [each["name"] for each in nadia.get("/organisations").json["items"]] == [
        "Atelier",
        "Club Robotique",
    ]
    assert [each["slug"] for each in nadia.get("/organisations?q=ROBOT").json["items"]] == [club]
    assert nadia.get("/organisations?mine=true").json["items"] == []
    assert nadia.get("/organisations?q=%00").status_code == 422
    assert [each["slug"] for each in api("amina").get("/organisations").json["items"]] == [club]
    assert api("amina").get("/organisations?q=Atelier").json["items"] == []


def test_the_list_comes_page_by_page_and_takes_three_statements(
    app: Flask, api: Apis, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    with transaction(sessions) as session:
        for number in range(30):
            row = Organisation(
                slug=f"club-{number}",
                name=f"Club {number % 7}",
                kind="association",
                tariff_category="association",
                created_at=utc_now(),
            )
            session.add(row)
            session.flush()
            session.add(
                Membership(
                    organisation_id=row.id, member_id=cast.members["amina"], owner=True, since=utc_now()
                )
            )
    amina = api("amina")
    amina.get("/me")
    with counted(app) as statements:
        whole = amina.get("/organisations").json["items"]
    # Who asks, the organisations, and what she is in them.
    assert len(statements) == 3, statements
    assert len(whole) == 30
    read, cursor = [], ""
    while cursor is not None:
        page = amina.get(f"/organisations?limit=4{cursor}").json
        read += page["items"]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert read == whole


@pytest.mark.parametrize("letter", ["a", "ن", "𝔸"])
def test_everything_that_grows_comes_page_by_page(
    api: Apis, club: str, cast: Cast, sessions: sessionmaker[Session], letter: str
) -> None:
    """People, invitations and projects, also with names as long and as Arabic as they may be."""
    now = utc_now()
    with transaction(sessions) as session:
        organisation_id = session.scalars(select(Organisation.id).where(Organisation.slug == club)).one()
        session.get_one(Member, cast.members["amina"]).email_verified_at = now
        for number in range(5):
            name = f"{letter * 118}{number % 2}"
            member = Member(email=f"n{number}@example.org", name=name, created_at=now)
            session.add(member)
            session.flush()
            session.add(
                Membership(organisation_id=organisation_id, member_id=member.id, owner=number == 4, since=now)
            )
            session.add(
                Project(
                    organisation_id=organisation_id,
                    member_id=cast.members["amina"],
                    name=name,
                    filiere="design",
                    created_at=now,
                )
            )
            for to, where in ((f"i{number}@example.org", organisation_id), ("amina@example.org", None)):
                if where is None:
                    other = Organisation(
                        slug=f"o{number}",
                        name=name,
                        kind="startup",
                        tariff_category="startup",
                        created_at=now,
                    )
                    session.add(other)
                    session.flush()
                    where = other.id
                session.add(
                    Invitation(
                        organisation_id=where,
                        email=to,
                        digest=f"{number}{to}".encode().ljust(32)[:32],
                        invited_by_id=cast.members["youssef"],
                        created_at=now,
                        expires_at=now + timedelta(days=1),
                    )
                )
    amina = api("amina")
    for path, least in (
        (f"/organisations/{club}/members", 6),
        (f"/organisations/{club}/invitations", 5),
        ("/me/invitations", 5),
        ("/projects", 5),
        (f"/projects?organisation={club}", 5),
    ):
        sign = "&" if "?" in path else "?"
        whole = amina.get(path).json
        assert len(whole["items"]) >= least, path
        assert whole["next"] is None
        read, cursor = [], ""
        while cursor is not None:
            answer = amina.get(f"{path}{sign}limit=2{cursor}")
            assert answer.status_code == 200, answer.text
            assert len(answer.json["items"]) <= 2
            read += answer.json["items"]
            cursor = f"&cursor={answer.json['next']}" if answer.json["next"] else None
        assert read == whole["items"], path
        assert amina.get(f"{path}{sign}cursor=nonsense").status_code == 422


def test_an_invitation_to_oneself_is_answered_without_the_mail(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], club: str
) -> None:
    with transaction(sessions) as session:
        session.get_one(Member, cast.members["youssef"]).email_verified_at = utc_now()
    sent = api("amina").post(f"/organisations/{club}/invitations", {"email": "Youssef@example.org"})
    assert set(sent.json) == {
        "id", "organisation", "organisation_name", "email", "owner", "invited_by", "created_at", "expires_at"
    }  # fmt: skip
    (mine,) = api("youssef").get("/me/invitations").json["items"]
    assert (mine["organisation"], mine["invited_by"]["name"]) == (club, "Amina")
    assert api("salma").post(f"/me/invitations/{mine['id']}/acceptance").status_code == 404
    assert api("youssef").post(f"/me/invitations/{mine['id']}/acceptance").status_code == 201
    assert api("youssef").get("/me/invitations").json["items"] == []
    assert api("youssef").get(f"/organisations/{club}").json["mine"] is True


def test_a_patch_that_may_be_done_only_in_part_is_not_done(api: Apis, club: str) -> None:
    answer = api("amina").request(
        "PATCH", f"/organisations/{club}", {"name": "Other", "tariff_category": "partner"}
    )
    assert answer.status_code == 403
    assert api("amina").get(f"/organisations/{club}").json["name"] == "Club Robotique"


def test_the_networks_words_come_in_three_languages(api: Apis) -> None:
    fields = api("amina").get("/filieres").json["items"]
    assert len(fields) == 13
    assert fields[0] == {
        "slug": "advertising",
        "names": {"fr": "Publicité", "ar": "الإشهار", "en": "Advertising"},
    }
    categories = api("amina").get("/tariff-categories").json["items"]
    assert next(each["kinds"] for each in categories if each["slug"] == "school") == ["school_club"]
    assert [each["slug"] for each in api("amina").get("/programmes").json["items"]][:2] == [
        "own-funds",
        "regional",
    ]


def test_projects_are_ones_own_and_those_of_ones_organisations(
    api: Apis, cast: Cast, sessions: sessionmaker[Session], club: str
) -> None:
    _join(sessions, club, cast.members["youssef"])
    body = {"name": "Arm", "filiere": "design", "organisation": club}
    made = api("amina").post("/projects", body).json
    own = api("amina").post("/projects", {"name": "Lamp", "filiere": "crafts", "programme": "own-funds"}).json
    assert [each["name"] for each in api("amina").get("/projects").json["items"]] == ["Arm", "Lamp"]
    assert [each["id"] for each in api("youssef").get("/projects").json["items"]] == [made["id"]]
    assert api("nadia").get("/projects").json["items"] == []
    listed = api("nadia").get(f"/projects?organisation={club}").json["items"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert api("karim").get(f"/projects?organisation={club}").status_code == 404
    assert api("youssef").get(f"/projects/{own['id']}").status_code == 404
    done = api("amina").request("PATCH", f"/projects/{own['id']}", {"programme": None}).json
    assert (done["programme"], done["filiere"]) == (None, "crafts")
    api("amina").post(f"/projects/{own['id']}/closure")
    assert [each["name"] for each in api("amina").get("/projects").json["items"]] == ["Arm"]
    assert len(api("amina").get("/projects?closed=true").json["items"]) == 2


def _join(sessions: sessionmaker[Session], slug: str, member_id: int) -> None:
    with transaction(sessions) as session:
        row = session.query(Organisation).filter_by(slug=slug).one()
        session.add(Membership(organisation_id=row.id, member_id=member_id, owner=False, since=utc_now()))
