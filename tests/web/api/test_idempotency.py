"""The same request sent twice is done once."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.fixtures_cast import Api, Apis, tomorrow
from tests.support.pages import Visit
from tests.web.api.requests import booking_body


def post(client: Api, path: str, body: dict[str, str], key: str = "k-1"):  # type: ignore[no-untyped-def]
    return client.post(path, body, headers={"Idempotency-Key": key})


def test_the_same_key_with_another_body_is_refused(api: Apis, session: Session) -> None:
    assert post(api("amina"), "/bookings", booking_body()).status_code == 201
    other = booking_body(starts_at=tomorrow(14).isoformat(), ends_at=tomorrow(15).isoformat())
    answer = post(api("amina"), "/bookings", other)
    assert (answer.status_code, answer.json["refusals"][0]["code"]) == (409, "idempotency_key_reused")
    assert session.scalar(text("SELECT count(*) FROM booking")) == 1


def test_a_key_that_is_none_is_refused(api: Apis, session: Session) -> None:
    for key in ("", "x" * 121, "clé"):
        answer = post(api("amina"), "/bookings", booking_body(), key)
        assert (answer.status_code, answer.json["refusals"][0]["field"]) == (422, "Idempotency-Key"), key
    assert session.scalar(text("SELECT count(*) FROM booking")) == 0


def test_the_same_request_gives_the_same_answer_and_one_booking(api: Apis, session: Session) -> None:
    first = post(api("amina"), "/bookings", booking_body())
    second = post(api("amina"), "/bookings", booking_body())
    assert (second.status_code, second.json) == (first.status_code, first.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert session.scalar(text("SELECT count(*) FROM booking")) == 1
    assert session.scalar(text("SELECT count(*) FROM booking_change")) == 1


def test_a_cancellation_sent_twice_succeeds_twice(api: Apis) -> None:
    made = api("amina").post("/bookings", booking_body()).json
    path = f"/bookings/{made['id']}/cancellation"
    first = post(api("amina"), path, {"reason": "ill"})
    second = post(api("amina"), path, {"reason": "ill"})
    assert (first.status_code, second.status_code, second.json) == (201, 201, first.json)


def test_a_refused_request_may_be_tried_again_with_its_key(api: Apis) -> None:
    taken = api("youssef").post("/bookings", booking_body()).json
    assert post(api("amina"), "/bookings", booking_body()).status_code == 409
    api("youssef").post(f"/bookings/{taken['id']}/cancellation")
    assert post(api("amina"), "/bookings", booking_body()).status_code == 201


def test_a_secret_is_not_kept_for_a_second_time(api: Apis, visit: Visit, session: Session) -> None:
    amina = visit("amina")
    amina.get("/")
    key = {"Idempotency-Key": "once"}
    first = amina.rest("POST", "/me/tokens", {"name": "laptop"}, **key)
    assert first.status_code == 201
    second = amina.rest("POST", "/me/tokens", {"name": "laptop"}, **key)
    assert second.status_code == 409
    kept = session.execute(text("SELECT coalesce(body, '') FROM idempotency")).scalars().all()
    assert all(first.json["token"] not in body for body in kept)
    assert Api(api._app, first.json["token"]).get("/me").json["name"] == "Amina"


def test_keys_of_two_members_have_nothing_to_do_with_each_other(api: Apis) -> None:
    first = post(api("amina"), "/bookings", booking_body())
    second = post(api("youssef"), "/bookings", booking_body(machine="tanger-prusa-2"))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json["member"]["name"] == "Youssef"
