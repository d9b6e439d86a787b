"""Importing by REST and by page: the report, the refusals by line, and nothing stored before one says so."""

from __future__ import annotations

import io

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from fablab.bookings.models import Booking
from tests.fixtures_cast import Apis, tomorrow
from tests.support.pages import Reader, Visit, words

DAY = f"{tomorrow(10):%Y-%m-%d}"
GOOD = f"machine;debut;fin;membre\ntanger-prusa-1;{DAY} 10:00;{DAY} 11:00;amina@example.org\n"
BAD = GOOD + f"tanger-prusa-1;{DAY} 10:30;{DAY} 11:30;youssef@example.org\n"


def sent(api: Apis, content: str, who: str = "salma", what: str = "bookings", **query: str) -> TestResponse:
    client = api(who)
    address = f"/imports/{what}?" + "&".join(f"{name}={value}" for name, value in query.items())
    return client.request(
        "POST",
        address,
        data={"file": (io.BytesIO(content.encode()), "file.csv")},
        content_type="multipart/form-data",
    )


def stored(session: Session) -> int:
    session.expire_all()
    return session.scalar(select(func.count()).select_from(Booking)) or 0


def test_a_problem_stops_the_file_and_names_line_and_column(api: Apis, session: Session) -> None:
    answer = sent(api, BAD)
    assert answer.status_code == 422
    (refusal,) = answer.json["refusals"]
    assert (refusal["code"], refusal["field"]) == ("machine_booked", "lines.3.starts_at")
    assert stored(session) == 0


def test_a_dry_run_reports_and_stores_nothing(api: Apis, session: Session) -> None:
    answer = sent(api, BAD, dry_run="true")
    assert answer.status_code == 200
    report = answer.json
    assert (report["added"], report["problem_count"], report["stored"]) == (1, 1, False)
    assert (report["encoding"], report["separator"], report["lines"]) == ("UTF-8", ";", 2)
    assert report["problems"][0]["line"] == 3
    assert stored(session) == 0


def test_good_lines_by_choice(api: Apis, session: Session) -> None:
    assert sent(api, BAD, per_line="true").json["added"] == 1
    assert stored(session) == 1
    assert sent(api, GOOD).json["there"] == 1, "sent again it stays as it is"


def test_what_is_no_file(api: Apis) -> None:
    assert api("salma").post("/imports/bookings", {"file": "x"}).status_code == 415
    assert sent(api, GOOD, what="members").status_code == 403
    assert sent(api, "nonsense\n1\n").json["refusals"][0]["code"] == "unknown_column"
    assert sent(api, GOOD, dry_run="perhaps").status_code == 422


def check(reader: Reader, content: str) -> TestResponse:
    reader.get("/imports")
    return reader.post("/imports", what="bookings", file=(io.BytesIO(content.encode()), "agenda.csv"))  # type: ignore[arg-type]


def test_the_page_shows_problems_and_stores_only_when_told(visit: Visit, session: Session) -> None:
    reader = visit("salma")
    answer = check(reader, BAD)
    assert answer.status_code == 200
    said = words(answer)
    assert "Line 3" in said
    assert "Import only the good lines (1)" in said
    assert stored(session) == 0
    reader.get("/imports")
    done = reader.post("/imports/bookings", content=BAD, per_line="1")
    assert done.status_code == 303
    assert stored(session) == 1
    assert "Imported 1 of 2 lines" in words(reader.get("/imports"))


def test_a_good_file_by_page(visit: Visit, session: Session) -> None:
    reader = visit("salma")
    assert "Import 1 line" in words(check(reader, GOOD))
    reader.get("/imports")
    assert reader.post("/imports/bookings", content=GOOD).status_code == 303
    assert stored(session) == 1


def test_a_bad_header_stands_at_the_file(visit: Visit) -> None:
    answer = check(visit("salma"), "nonsense\n1\n")
    assert answer.status_code == 422
    assert "There is no column" in words(answer)
    assert 'id="file-error-1"' in answer.text
