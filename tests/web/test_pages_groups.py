"""For whom and what, by form: folded away, refused at its fields, shown to whom it concerns."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, Participant
from tests.fixtures_cast import Cast, tomorrow
from tests.support.groups import add_organisation, add_project, add_pupil, add_quota, without_staff
from tests.support.pages import Reader, Visit, words

PRINTER = "/machines/tanger-prusa-1"


def send(reader: Reader, at: datetime | None = None, **fields: str):  # type: ignore[no-untyped-def]
    at = at or tomorrow(10)
    reader.get(PRINTER)
    return reader.post(
        f"{PRINTER}/bookings", day=f"{at:%Y-%m-%d}", time=f"{at:%H:%M}", duration="60", **fields
    )


def fold(page: str) -> str:
    found = re.search(r'<details class="for-whom[^>]*>', page)
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("fields", "at_field", "says"),
    [
        ({"head_count": "many"}, "head_count", "give a number"),
        ({"head_count": "0"}, "head_count", "from 1 to 500"),
        ({"head_count": "9" * 4}, "head_count", "from 1 to 500"),
        ({"head_count": "1", "names": "Ali"}, "head_count", "Say at least 2"),
        ({"project": "0" * 29 + "19" * 20}, "project", "choose one of the list"),
        ({"project": "9" * 40}, "project", "choose one of the list"),
        ({"project": "9" * 19}, "project", "choose one of the list"),
        ({"project": "0"}, "project", "choose one of the list"),
        ({"names": "Ali\nali"}, "names", "listed twice"),
        ({"names": "Ali \x07"}, "names", "plain text"),
        ({"names": "x" * 121}, "names", "too long"),
        ({"names": "\n".join(f"Pupil {n}" for n in range(61))}, "names", "60 at most"),
    ],
)
def test_what_is_wrong_stands_at_its_field_in_an_open_fold(
    visit: Visit, session: Session, fields: dict[str, str], at_field: str, says: str
) -> None:
    answer = send(visit("amina"), **fields)
    assert answer.status_code == 422
    assert says in words(answer)
    assert f'id="{at_field}-error-1"' in answer.text
    assert " open" in fold(answer.text)
    assert session.scalars(select(Booking)).all() == []


@pytest.mark.parametrize("fields", [{"organisation": "club"}, {"project": "7"}, {"organisation": "<b>"}])
def test_what_one_may_not_choose_is_refused_though_it_was_not_offered(
    visit: Visit, session: Session, fields: dict[str, str]
) -> None:
    answer = send(visit("amina"), **fields)
    assert answer.status_code == 422
    (name,) = fields
    assert f'id="{name}-error-1"' in answer.text


def test_the_fold_is_closed_and_holds_only_what_applies(visit: Visit, session: Session, cast: Cast) -> None:
    page = visit("youssef").get(PRINTER).text
    assert fold(page)
    assert " open" not in fold(page)
    assert 'name="names"' in page
    for name in ("organisation", "project", "for_member"):
        assert f'name="{name}"' not in page
    club = add_organisation(session, cast, "club", "youssef")
    add_project(session, cast.members["youssef"], "Robot", club)
    session.commit()
    page = visit("youssef").get(PRINTER).text
    assert 'name="organisation"' in page
    assert 'name="project"' in page
    assert 'name="for_member"' in visit("salma").get(PRINTER).text


def test_only_managers_of_the_lab_are_told_names_to_book_for(visit: Visit) -> None:
    for name, status in {"amina": 404, "karim": 404, "nadia": 404, "salma": 200, "admin": 200}.items():
        answer = visit(name).get(f"{PRINTER}/people?for_member=youss")
        assert answer.status_code == status, name
        assert ("youssef@example.org" in answer.text) is (status == 200), name


def test_a_pupil_is_told_when_staff_are_there_and_why_the_rest_is_refused(
    visit: Visit, session: Session, cast: Cast
) -> None:
    add_pupil(session)
    session.commit()
    pupil = visit("pupil")
    page = pupil.get(PRINTER)
    assert "You are under 18" in words(page)
    assert "consent is needed" not in words(page)
    assert "09:00 – 18:00" in words(page)
    assert fold(page.text) == ""
    answer = send(pupil, at=tomorrow(20))
    assert answer.status_code == 422
    assert "Choose a time when staff are in the lab" in words(answer)
    assert "Free while staff are there" in words(answer)
    assert send(pupil).status_code == 303
    without_staff(session, cast)
    session.commit()
    assert "No staff are there in the coming week" in words(pupil.get(PRINTER))
    session.execute(text("UPDATE guardian_consent SET withdrawn_at = now()"))
    session.commit()
    assert "First, a parent’s or guardian’s consent is needed." in words(pupil.get(PRINTER))


def test_a_group_stands_on_its_page_for_whom_it_concerns(visit: Visit, session: Session, cast: Cast) -> None:
    add_organisation(session, cast, "club", "amina")
    session.commit()
    amina = visit("amina")
    answer = send(amina, organisation="club", head_count="12", names="youssef@example.org\n\n  Ali Baba \n")
    assert answer.status_code == 303, words(answer)
    address = str(answer.location).split("?")[0]
    assert sorted(session.scalars(select(Participant.name))) == ["Ali Baba", "youssef@example.org"]
    page = words(amina.get(address))
    for said in ("In the name of Club", "12 people, you included", "Ali Baba", "youssef@example.org"):
        assert said in page
    assert "group of 12" in words(amina.get("/bookings"))
    assert "(Youssef)" in words(visit("salma").get(address))
    youssef = visit("youssef")
    page = words(youssef.get(address))
    assert "Amina, and you come along" in page
    assert "Ali Baba" not in page
    assert "History" not in page
    assert "Cancel" not in page
    assert "You come along; Amina booked it." in words(youssef.get("/bookings"))
    assert "Cancel" not in words(youssef.get("/bookings"))
    assert youssef.get(f"{address}/cancellation").status_code == 403
    assert visit("karim").get(address).status_code == 404


def test_what_was_chosen_goes_with_the_offers(visit: Visit, session: Session, cast: Cast) -> None:
    add_organisation(session, cast, "club", "amina")
    session.commit()
    send(visit("youssef"))
    answer = send(visit("amina"), organisation="club", names="Ali")
    assert answer.status_code == 409
    offers = re.search(r'<ul class="choices.*?</ul>', answer.text, re.DOTALL)
    assert offers
    assert offers[0].count('name="organisation" value="club"') == 3
    assert offers[0].count('name="names" value="Ali"') == 3


def test_a_manager_who_books_for_somebody_is_offered_theirs(
    visit: Visit, session: Session, cast: Cast
) -> None:
    add_organisation(session, cast, "club", "amina")
    add_organisation(session, cast, "managers", "salma")
    session.commit()
    salma = visit("salma")
    own = salma.get(PRINTER).text
    assert 'value="managers"' in own
    assert 'value="club"' not in own
    assert "Yours, for when you book for yourself" in own
    typed = salma.get(f"{PRINTER}/people?for_member=amina").text
    assert "amina@example.org" in typed
    assert 'id="in-name" hx-swap-oob="true"' in typed
    assert "<select" not in typed, "as long as it may be anybody"
    known = salma.get(f"{PRINTER}/people?for_member=amina@example.org").text
    assert 'value="managers"' not in known
    assert '<option value="club">' in known
    assert "Their own" in known
    assert "My own" in own
    assert 'value="managers"' in salma.get(f"{PRINTER}/people?for_member=").text
    page = send(salma, for_member="amina@example.org", organisation="club", head_count="many").text
    assert 'value="managers"' not in page
    assert '<option value="club" selected>' in page
    unknown = send(salma, for_member="nobody@example.org").text
    assert 'value="managers"' not in unknown
    assert 'value="club"' not in unknown
    assert 'value="club"' not in send(visit("youssef"), for_member="amina@example.org").text


def test_a_quota_is_refused_with_what_is_left(visit: Visit, session: Session, cast: Cast) -> None:
    add_quota(session, add_organisation(session, cast, "club", "amina"), hours=0.5)
    session.commit()
    answer = send(visit("amina"), organisation="club")
    assert answer.status_code == 422
    assert "Club may book 30 minutes of machine time a week" in words(answer)
    assert 'id="organisation-error-1"' in answer.text


def test_hours_without_staff_are_marked_where_not_all_are_alike(
    visit: Visit, session: Session, cast: Cast
) -> None:
    assert "no staff" not in words(visit("amina").get("/labs/tanger"))
    without_staff(session, cast)
    session.commit()
    assert "(no staff)" in words(visit("amina").get("/labs/tanger"))
    assert "no staff" not in words(visit("amina").get("/labs/rabat"))
