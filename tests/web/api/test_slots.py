"""Free times by REST: what is asked for wrongly, what is found, and that it can be booked as it stands."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.fixtures_cast import Apis, Cast, tomorrow

WRONG = [
    ({}, "duration"),
    ({"duration": "90"}, "duration"),
    ({"duration": "PT"}, "duration"),
    ({"duration": "PT99999H"}, "duration"),
    ({"duration": "PT30S"}, "duration"),
    ({"kind": "a,,b"}, "kind"),
    ({"lab": "Tanger"}, "lab"),
    ({"machine": ",".join(["x"] * 51)}, "machine"),
    ({"build_volume": "1,2"}, "build_volume"),
    ({"build_volume": "1,2,nan"}, "build_volume"),
    ({"bed": "0,5"}, "bed"),
    ({"bed": "a,b"}, "bed"),
    ({"laser_w": "1e400"}, "laser_w"),
    ({"near": "91,0"}, "near"),
    ({"near": "1,2,3"}, "near"),
    ({"limit": "51"}, "limit"),
    ({"limit": "0"}, "limit"),
    ({"material": "\0"}, "material"),
    ({"after": "2027-01-31T10:00:00Z", "before": "2027-01-31T10:59:00Z"}, "before"),
    ({"hours": "9"}, "hours"),
]


@pytest.mark.parametrize(("query", "field"), WRONG)
def test_every_wrong_field_is_named(api: Apis, query: dict[str, str], field: str) -> None:
    whole = query if not query or "duration" in query else {"duration": "PT1H", **query}
    answer = api("amina").get(f"/slots?{urlencode(whole)}")
    assert answer.status_code == 422
    assert field in {each["field"].split(".")[0] for each in answer.json["refusals"]}


def test_who_books_nowhere_is_told_so(api: Apis) -> None:
    assert api("nadia").get("/slots?duration=PT1H").status_code == 403
    assert api(None).get("/slots?duration=PT1H").status_code == 401


@pytest.mark.parametrize("query", ["kind=boat", "lab=atlantis", "machine=x", "region=x", "near=atlantis"])
def test_what_there_is_not_is_not_found(api: Apis, query: str) -> None:
    assert api("amina").get(f"/slots?duration=PT1H&{query}").status_code == 404


def test_what_is_found_can_be_booked(api: Apis, cast: Cast) -> None:
    amina = api("amina")
    query = urlencode({"duration": "PT1H30M", "kind": "laser-cutter", "after": tomorrow(0).isoformat()})
    found = amina.get(f"/slots?{query}&limit=2").json
    assert [each["starts_at"] for each in found["items"]] == [
        tomorrow(9).isoformat(),
        tomorrow(10, 30).isoformat(),
    ]
    assert (found["machines"], found["left_out"], found["next"]) == (1, {}, None)
    first = found["items"][0]
    assert (first["state"], first["lab"], first["kind"]) == ("confirmed", "tanger", "laser-cutter")
    body = {name: first[name] for name in ("machine", "starts_at", "ends_at")}
    assert amina.post("/bookings", body).status_code == 201
    again = amina.get(f"/slots?{query}&limit=1").json
    assert again["items"][0]["starts_at"] == first["ends_at"]


def test_several_kinds_and_labs_at_once(api: Apis) -> None:
    path = f"/slots?duration=PT1H&limit=50&after={tomorrow(9).isoformat().replace('+', '%2B')}"
    path += f"&before={tomorrow(10).isoformat().replace('+', '%2B')}"
    labs = {each["lab"] for each in api("amina").get(f"{path}&lab=tanger,rabat").json["items"]}
    kinds = {each["kind"] for each in api("amina").get(f"{path}&kind=3d-printer,laser-cutter").json["items"]}
    assert (labs, kinds) == ({"tanger", "rabat"}, {"3d-printer", "laser-cutter"})
