"""Trainings on pages: announcing, taking places, the list, and the act that certifies."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fablab.certifications.models import Certification, Enrolment, Training
from fablab.certifications.training_queries import TrainingView
from fablab.clock import utc_now
from fablab.settings import Settings
from fablab.web.pages.trainings import week_name
from tests.fixtures_cast import Cast, tomorrow
from tests.services.certification_case import Case
from tests.support.pages import Reader, Visit, words


@pytest.fixture
def case(session: Session, cast: Cast, settings: Settings) -> Case:
    return Case(session, cast, settings, utc_now())


@pytest.fixture
def planned(case: Case) -> TrainingView:
    """One place, in Tanger, given by its trainer."""
    made = case.plan("trainer", places=1, title="First cuts", notes="Bring <wood>.\nAnd time.")
    case.session.commit()
    return made


def states(session: Session) -> dict[int, str]:
    session.rollback()
    return {row.member_id: row.state for row in session.scalars(select(Enrolment))}


def begin(session: Session) -> None:
    now = utc_now()
    session.execute(update(Training).values(starts_at=now - timedelta(hours=2), ends_at=now))
    session.commit()


def announce(reader: Reader, **fields: str):  # type: ignore[no-untyped-def]
    typed = {
        "lab": "tanger",
        "on": "kind:laser-cutter",
        "level": "1",
        "title": "First cuts",
        "day": f"{tomorrow(10, days=3):%Y-%m-%d}",
        "starts": "14:30",
        "ends": "17:00",
        "places": "6",
        "notes": "",
        **fields,
    }
    reader.get("/trainings/new")
    return reader.post("/trainings/new", **typed)


WRONG = [
    ({"title": " "}, "Please give it a title"),
    ({"title": "x" * 121}, "Please give it a title"),
    ({"day": "soon"}, "Please give a day"),
    ({"day": "9999-12-31"}, "Please give a day"),
    ({"day": "2020-01-31"}, "It must start in the future"),
    ({"starts": "25:00"}, "Please give a time"),
    ({"ends": "14:00+05:00"}, "Please give a time"),
    ({"ends": "13:00"}, "It must end after it starts"),
    ({"last_day": "later"}, "Please give a day"),
    ({"last_day": "2026-01-31"}, "It must end after it starts"),
    ({"last_day": f"{tomorrow(10, days=30):%Y-%m-%d}"}, "14 days at most"),
    ({"places": "0"}, "Please give a number"),
    ({"places": "lots"}, "Please give a number"),
    ({"level": "9"}, "Please choose a level"),
    ({"on": "machine:rabat-prusa-1"}, "in another lab"),
    ({"on": "loom"}, "Please choose what it is for"),
    ({"lab": "rabat"}, "Please choose one of your labs"),
    ({"notes": "bell \a"}, "plain text"),
]


@pytest.mark.parametrize(("fields", "says"), WRONG)
def test_what_is_wrong_is_said_and_nothing_announced(
    visit: Visit, session: Session, fields: dict[str, str], says: str
) -> None:
    answer = announce(visit("salma"), **fields)
    assert answer.status_code == 422
    assert says in words(answer)
    assert session.scalar(select(Training.id)) is None


@pytest.mark.parametrize("who", ["amina", "nadia"])
def test_announcing_is_for_trainers_and_managers(visit: Visit, who: str) -> None:
    assert visit(who).get("/trainings/new").status_code == 403


def test_announced_in_the_labs_time_and_there_for_all(visit: Visit, session: Session) -> None:
    answer = announce(visit("trainer"), notes="Bring a drawing.")
    assert answer.status_code == 303
    [row] = session.scalars(select(Training))
    assert row.starts_at == tomorrow(14, 30, days=3)
    youssef = visit("youssef")
    listed = words(youssef.get("/trainings"))
    for text in ("First cuts", "14:30 – 17:00", "6 places left", "Take a place"):
        assert text in listed, text
    assert "Nothing planned there" in words(youssef.get("/trainings?lab=rabat"))
    assert "First cuts" in words(youssef.get("/trainings?lab=atlantis&kind=laser-cutter"))
    page = youssef.get(answer.location)
    assert "Bring a drawing." in words(page)
    assert "Trainer" not in words(page), "who gives it is for the lab's staff"


def test_a_place_then_the_line_then_the_place(
    visit: Visit, session: Session, cast: Cast, planned: TrainingView
) -> None:
    path = f"/trainings/{planned.id}"
    amina, youssef = visit("amina"), visit("youssef")
    assert "<wood>" not in amina.get(path).text
    assert amina.post(f"{path}/enrolment").status_code == 303
    assert "You have a place" in words(amina.get(path))
    youssef.get(path)
    assert youssef.post(f"{path}/enrolment", back="list").location == "/trainings"
    page = words(youssef.get(path))
    assert "You are in the line" in page
    assert "You are next." in page
    assert "Amina" not in page
    amina.post(f"{path}/leaving")
    assert "You have a place" in words(youssef.get(path))
    assert states(session) == {cast.members["amina"]: "cancelled", cast.members["youssef"]: "enrolled"}
    again = amina.post(f"{path}/leaving")
    assert again.status_code == 404


def test_the_list_is_for_the_labs_staff(visit: Visit, planned: TrainingView) -> None:
    path = f"/trainings/{planned.id}"
    amina = visit("amina")
    amina.get(path)
    amina.post(f"{path}/enrolment")
    for who in ("salma", "trainer", "nadia", "admin"):
        assert "Amina" in words(visit(who).get(path)), who
    for who in ("youssef", "karim"):
        reader = visit(who)
        assert "Amina" not in words(reader.get(path)), who
        for act in ("cancellation", "closure", "edit", "people"):
            answer = reader.post(f"{path}/{act}", member="1")
            assert answer.status_code == 403, (who, act)
        assert reader.get(f"{path}/edit").status_code == 403
        assert reader.get(f"{path}/cancellation").status_code == 403


def test_staff_find_somebody_and_put_them_on_the_list(
    visit: Visit, session: Session, cast: Cast, planned: TrainingView
) -> None:
    path, salma, youssef = f"/trainings/{planned.id}", visit("salma"), cast.members["youssef"]
    found = salma.get(f"{path}?q=youss")
    assert f'value="{youssef}"' in found.text
    assert "Nobody else by that name" in words(salma.get(f"{path}?q=trainer")), "who gives it does not come"
    assert salma.post(f"{path}/people", member=str(youssef)).status_code == 303
    assert states(session) == {youssef: "enrolled"}
    assert "Nobody else" in words(salma.get(f"{path}?q=youss"))
    assert salma.post(f"{path}/people", member="nobody").status_code == 404
    assert salma.post(f"{path}/people/{youssef}/removal").status_code == 303
    assert states(session) == {youssef: "cancelled"}


def test_ticking_who_came_certifies_them(
    visit: Visit, session: Session, cast: Cast, planned: TrainingView
) -> None:
    path, trainer = f"/trainings/{planned.id}", visit("trainer")
    for who in ("amina", "youssef"):
        reader = visit(who)
        reader.get(path)
        reader.post(f"{path}/enrolment")
    assert "Close and certify" not in words(trainer.get(path))
    begin(session)
    assert "Say who came" in words(trainer.get("/trainings"))
    page = trainer.get(path)
    assert "Close and certify" in words(page)
    amina, youssef = cast.members["amina"], cast.members["youssef"]
    assert " checked" not in page.text, "everybody is ticked by hand"
    ticked = {"csrf_token": trainer._token, "attended": [str(amina), str(youssef)]}
    question = trainer.client.post(f"{path}/closure", data=ticked)
    assert "Close this training?" in words(question)
    assert all(f'name="attended" value="{each}"' in question.text for each in (amina, youssef))
    assert session.scalar(select(func.count()).select_from(Certification)) == 0, "asked, not done"
    done = trainer.client.post(f"{path}/closure", data={**ticked, "sure": "1"})
    assert done.status_code == 303
    assert "2 people are certified" in words(trainer.get(path))
    assert states(session) == {amina: "attended", youssef: "attended"}
    assert set(session.scalars(select(Certification.member_id))) == {amina, youssef}
    assert "Say who came" not in words(trainer.get("/trainings"))
    assert "You were there" in words(visit("amina").get(path))
    assert "Level 1" in words(visit("youssef").get("/certifications"))


def test_changing_and_calling_off(visit: Visit, session: Session, planned: TrainingView) -> None:
    path, salma = f"/trainings/{planned.id}", visit("salma")
    page = salma.get(f"{path}/edit")
    assert 'value="First cuts"' in page.text
    typed = {"title": "Second cuts", "notes": "", "starts": "10:00", "ends": "12:00", "places": "3"}
    wrong = salma.post(f"{path}/edit", **typed, day="2020-01-31")
    assert (wrong.status_code, "It must start in the future" in words(wrong)) == (422, True)
    done = salma.post(f"{path}/edit", **typed, day=f"{tomorrow(10, days=5):%Y-%m-%d}")
    assert done.status_code == 303
    assert "Second cuts" in words(salma.get(path))
    assert "Cancel this training?" in words(salma.get(f"{path}/cancellation"))
    assert salma.post(f"{path}/cancellation").status_code == 303
    assert "Cancelled" in words(salma.get(path))
    assert "Second cuts" not in words(visit("amina").get("/trainings"))
    refused = salma.post(f"{path}/edit", **typed, day=f"{tomorrow(10, days=5):%Y-%m-%d}")
    assert refused.status_code == 422


def test_a_training_of_several_days_keeps_its_time_when_only_its_title_changes(
    visit: Visit, case: Case, session: Session
) -> None:
    starts = tomorrow(10, days=3) + timedelta(seconds=30)
    made = case.plan("trainer", starts_at=starts, ends_at=starts + timedelta(days=1, hours=2))
    case.enrol("amina", made)
    session.commit()
    told = case.mails("amina")
    path, salma = f"/trainings/{made.id}/edit", visit("salma")
    page = salma.get(path).text
    last_day = f"{starts + timedelta(days=1):%Y-%m-%d}"
    assert f'name="last_day" value="{last_day}"' in page
    typed = {"title": "Two days", "notes": "", "day": f"{starts:%Y-%m-%d}", "last_day": last_day}
    typed |= {"starts": "10:00", "ends": "12:00", "places": "2"}
    assert salma.post(path, **typed).status_code == 303
    session.expire_all()
    row = session.get_one(Training, made.id)
    assert (row.title, row.starts_at, row.ends_at) == ("Two days", made.starts_at, made.ends_at)
    assert case.mails("amina") == told
    assert salma.post(path, **{**typed, "ends": "13:00"}).status_code == 303
    session.expire_all()
    assert session.get_one(Training, made.id).ends_at == tomorrow(13, days=3) + timedelta(days=1)
    assert case.mails("amina") == [*told, "training_moved"]


def test_a_training_of_several_days_is_announced_by_form(visit: Visit, session: Session) -> None:
    first = tomorrow(14, 30, days=3)
    last_day = first + timedelta(days=1)
    assert announce(visit("trainer"), last_day=f"{last_day:%Y-%m-%d}").status_code == 303
    row = session.scalars(select(Training)).one()
    assert (row.starts_at, row.ends_at) == (first, last_day.replace(hour=17, minute=0))


def test_a_training_nobody_has_is_no_page(visit: Visit) -> None:
    amina = visit("amina")
    for number in ("0", "999999", "9" * 30):
        assert amina.get(f"/trainings/{number}").status_code == 404
    assert amina.post("/trainings/999999/enrolment").status_code == 404


@pytest.mark.parametrize(
    ("monday", "expected"),
    [
        (date(2026, 11, 16), "This week"),
        (date(2026, 11, 23), "Next week"),
        (date(2026, 11, 30), "Week of 30 November"),
        (date(2027, 1, 4), "Week of 4 January 2027"),
    ],
)
def test_weeks_have_names(monday: date, expected: str) -> None:
    assert week_name(monday, date(2026, 11, 22)) == expected
