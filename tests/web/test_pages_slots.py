"""Find a time: the first free times as a maker sees them, and what she is told where there are none."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.bookings.models_rules import RuleRow
from tests.fixtures_cast import Cast, tomorrow
from tests.support.claims import claim_outage
from tests.support.pages import Visit, words

DAY = f"{tomorrow(0):%Y-%m-%d}"
LASER = f"/find?kind=laser-cutter&day={DAY}"


def test_who_books_nowhere_finds_no_such_page(visit: Visit) -> None:
    nadia = visit("nadia")
    assert nadia.get("/find").status_code == 403
    assert "Find a time" not in nadia.get("/").text
    assert "Find a time" in visit("amina").get("/").text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("kind=boat", "one of the list"),
        ("duration=soon", "choose how long"),
        ("duration=999999", "choose how long"),
        ("where=lab:atlantis", "one of the list"),
        ("near=atlantis", "one of the list"),
        ("day=tomorrow", "give a day"),
        ("day=9999-12-31", "in this century"),
        ("time=noon", "give a time"),
        ("until=2020-01-01", "a later last day"),
    ],
)
def test_what_is_wrong_stands_at_its_field(visit: Visit, query: str, sentence: str) -> None:
    answer = visit("amina").get(f"/find?{query}")
    assert answer.status_code == 200
    assert sentence in words(answer)
    assert "Book</a>" not in answer.text


def test_one_tap_leads_to_the_filled_form(visit: Visit) -> None:
    amina = visit("amina")
    answer = amina.get(f"{LASER}&duration=90")
    address = html.unescape(re.findall(r'class="btn btn-primary" href="([^"]+)"', answer.text)[0])
    assert address == f"/machines/tanger-laser-1?day={DAY}&time=09:00&duration=90#book"
    form = amina.get(address.partition("#")[0]).text
    assert f'value="{DAY}"' in form
    assert 'value="09:00"' in form
    assert '<option value="90" selected' in form


def test_it_says_why_nothing_is_free(visit: Visit, session: Session, cast: Cast) -> None:
    claim_outage(session, cast.units["tanger-laser-1"], tomorrow(0), tomorrow(0, days=5))
    session.commit()
    said = words(visit("amina").get(f"{LASER}&until={DAY}"))
    assert "Nothing is free for you then" in said
    assert "1 machine is taken all that time." in said


def test_it_leads_to_the_training_that_is_missing(visit: Visit, session: Session, cast: Cast) -> None:
    session.add(RuleRow(name="certification_level", value=1, changed_at=datetime.now(UTC)))
    session.execute(text("INSERT INTO rules_version (id) VALUES (1) ON CONFLICT DO NOTHING"))
    session.execute(text("UPDATE rules_version SET version = gen_random_uuid()"))
    session.commit()
    answer = visit("amina").get(LASER)
    assert "1 machine needs a certification that you do not have." in words(answer)
    assert 'href="/trainings"' in answer.text


def test_no_machine_is_like_that(visit: Visit) -> None:
    assert "No machine is like that" in words(visit("amina").get("/find?kind=3d-printer&material=gold"))


def test_more_times_are_one_tap_away(visit: Visit) -> None:
    answer = visit("amina").get("/find?kind=3d-printer")
    assert answer.text.count("<article") == 8
    assert "shown=16" in answer.text
    assert visit("amina").get("/find?kind=3d-printer&shown=48").text.count("<article") == 48
