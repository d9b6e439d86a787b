"""Everything held about a member in one ZIP: all of it, nothing of anybody else's, and no secret."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.clock import utc_now
from fablab.data_rights import export as export_file
from fablab.data_rights.catalogue import SHEETS
from fablab.data_rights.rules import EXPORTS_A_DAY, export_wait, for_days
from fablab.data_rights.service import begin_export, erase, export
from fablab.errors import Code, DomainError
from fablab.members.models import Audit, Member
from fablab.settings import Settings
from fablab.signin.rules import is_recent
from tests.fixtures_cast import Cast
from tests.support.year import live_a_year
from tests.support.year_marks import EMAIL, FILE, MARK, NAME, OTHERS, Year, marked


@pytest.fixture
def now() -> datetime:
    return utc_now().replace(microsecond=0)


@pytest.fixture
def year(session: Session, cast: Cast, settings: Settings, now: datetime) -> Year:
    return live_a_year(session, cast, settings, now)


def taken(session: Session, cast: Cast, now: datetime, who: str = "amina") -> zipfile.ZipFile:
    out = io.BytesIO()
    whom = begin_export(session, cast.actors[who], cast.members[who], now)
    export(session, whom, now, out)
    return zipfile.ZipFile(out)


def table(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode("utf-8-sig"))))


# ---- refusals


@pytest.mark.parametrize("who", ["youssef", "salma", "karim", "nadia", "admin"])
def test_nobody_takes_anybody_else_s(session: Session, cast: Cast, now: datetime, who: str) -> None:
    with pytest.raises(DomainError) as refused:
        begin_export(session, cast.actors[who], cast.members["amina"], now)
    assert refused.value.code is Code.NOT_FOUND


def test_a_few_a_day(session: Session, cast: Cast, now: datetime) -> None:
    me = cast.members["amina"]
    for hours in range(EXPORTS_A_DAY):
        begin_export(session, cast.actors["amina"], me, now + timedelta(hours=hours))
        session.flush()
    later = now + timedelta(hours=EXPORTS_A_DAY)
    with pytest.raises(DomainError) as refused:
        begin_export(session, cast.actors["amina"], me, later)
    assert refused.value.code is Code.TOO_MANY
    assert refused.value.retry_after_s == (24 - EXPORTS_A_DAY) * 3600
    begin_export(session, cast.actors["youssef"], cast.members["youssef"], later)
    begin_export(session, None, me, later)
    begin_export(session, cast.actors["amina"], me, now + timedelta(hours=24, seconds=1))


def test_an_erased_member_has_nothing_to_take(session: Session, cast: Cast, now: datetime) -> None:
    erase(session, cast.actors["amina"], cast.members["amina"], now, "http://localhost")
    with pytest.raises(DomainError) as refused:
        begin_export(session, None, cast.members["amina"], now)
    assert refused.value.code is Code.NOT_FOUND


# ---- what is in it


def test_everything_held_is_in_it(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    archive = taken(session, cast, now)
    assert set(archive.namelist()) == {"data.json", "README.txt", *(f"{each.sheet}.csv" for each in SHEETS)}
    whole = json.loads(archive.read("data.json"))
    assert (whole["account"][0]["name"], whole["account"][0]["email"]) == (NAME, EMAIL)
    assert len(whole["bookings"]) == len(year.bookings) + len(year.to_come)
    assert len(table(archive, "bookings")) == len(whole["bookings"])
    assert all(each["changes"][0]["reason"] == f"{MARK} reason" for each in whole["bookings"])
    assert sum(len(each["changes"]) for each in whole["bookings"]) == len(table(archive, "booking-changes"))
    assert {each["file"] for each in whole["jobs"]} == {FILE}
    assert whole["certifications"][0]["changes"][0]["reason"] == f"{MARK} reason"
    assert whole["came-along"][0]["name"] == f"{MARK} with you"
    for sheet in SHEETS:
        assert table(archive, sheet.sheet), f"the year has nothing in {sheet.sheet}.csv to look at"
    for each in whole["bookings"]:
        assert datetime.fromisoformat(each["starts_at"]).tzinfo is not None


def test_no_secret_is_in_it_and_nothing_of_others(
    session: Session, year: Year, cast: Cast, now: datetime
) -> None:
    archive = taken(session, cast, now)
    for name in archive.namelist():
        said = archive.read(name).decode("utf-8-sig")
        for word in (
            "token",
            "session",
            "link",
            "totp",
            "recovery",
            "credential",
            "public",
            "invited",
            "join",
        ):
            assert marked(word).decode().rstrip(".") + "." not in said, f"{name} holds the secret of {word}"
        assert "argon2" not in said
        assert "salma" not in said.lower(), name
        assert "youssef" not in said.lower(), name
        assert f"{MARK}.guardian@" not in said, name
        assert f"{MARK} pupil" not in said, name
    # What the organisation and others are called is what she sees everywhere; what they wrote is theirs.
    assert f"{OTHERS} purpose" not in archive.read("data.json").decode()


def test_another_s_export_says_nothing_of_her(
    session: Session, year: Year, cast: Cast, now: datetime
) -> None:
    archive = taken(session, cast, now, "salma")
    for name in archive.namelist():
        assert MARK not in archive.read(name).decode("utf-8-sig"), name


@pytest.mark.parametrize(
    ("language", "says"), [("en", "Everything this service"), ("fr", "Tout ce que"), ("ar", "كل ما تحتفظ")]
)
def test_it_explains_itself_in_the_member_s_language(
    session: Session, cast: Cast, now: datetime, language: str, says: str
) -> None:
    session.execute(update(Member).values(language=language))
    said = taken(session, cast, now).read("README.txt").decode("utf-8-sig")
    assert said.startswith(says)
    assert all(f"{sheet.sheet}.csv [" in said for sheet in SHEETS)


def test_taking_it_is_an_act(session: Session, cast: Cast, now: datetime) -> None:
    taken(session, cast, now)
    act = session.query(Audit).filter_by(action="data.export").one()
    assert (act.actor_id, act.on_member_id) == (cast.members["amina"], cast.members["amina"])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(session: Session, year: Year, cast: Cast, now: datetime, text: str) -> None:
    session.execute(update(Booking).values(purpose=text))
    cells = {each["Purpose"] for each in table(taken(session, cast, now), "bookings")}
    assert cells == {f"'{text}"}


def test_memory_and_statements_do_not_grow_with_the_history(
    session: Session, year: Year, cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows come some at a time; only the changes below bookings are asked for once a chunk."""
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *said: statements.append(said[2]))
    whole = json.loads(taken(session, cast, now).read("data.json"))
    usual = len(statements)
    assert usual <= 2 * len(SHEETS) + 10
    statements.clear()
    monkeypatch.setattr(export_file, "CHUNK", 20)
    again = json.loads(taken(session, cast, now).read("data.json"))
    assert len(statements) <= usual + 2 + len(whole["bookings"]) // 20
    assert [each["changes"] for each in again["bookings"]] == [each["changes"] for each in whole["bookings"]]


# ---- small decisions


def test_how_long_until_the_next(now: datetime) -> None:
    hour = timedelta(hours=1)
    assert export_wait([], now) is None
    assert export_wait([now - 25 * hour] * 9, now) is None
    assert export_wait([now - 23 * hour] * EXPORTS_A_DAY, now) == 3600


def test_who_signed_in_just_now_is_the_member(now: datetime) -> None:
    assert not is_recent(None, now)
    assert not is_recent(now - timedelta(minutes=11), now)
    assert not is_recent(now + timedelta(minutes=1), now)
    assert is_recent(now - timedelta(minutes=9), now)


@pytest.mark.parametrize(
    ("days", "words"),
    [(0, "as long as the service runs"), (1, "1 day"), (30, "30 days"), (365, "1 year"), (366, "1 year"),
     (730, "2 years"), (1825, "5 years"), (400, "400 days")],
)  # fmt: skip
def test_lengths_in_words(days: int, words: str) -> None:
    assert for_days(days) == words
