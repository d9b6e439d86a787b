"""The pages of organisations and projects: what each person sees there, and what forms answer."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.mail.models import Mail
from fablab.members.models import Member
from fablab.organisations.models import Membership, Organisation
from fablab.organisations.quotas import set_quota
from tests.fixtures_cast import CASABLANCA, Cast, tomorrow
from tests.support.groups import add_organisation
from tests.support.pages import Reader, Visit, words

PRINTER = "/machines/tanger-prusa-1"


@pytest.fixture
def amina(visit: Visit) -> Reader:
    """Amina, who founded her club on the page and stands on its page now."""
    reader = visit("amina")
    reader.get("/organisations/new")
    made = reader.post("/organisations/new", name="Club Robotique", kind="school_club")
    assert (made.status_code, made.location) == (303, "/organisations/club-robotique")
    assert "Invite the people who belong to it" in words(reader.get(made.location))
    return reader


def join(sessions: sessionmaker[Session], member_id: int) -> None:
    with transaction(sessions) as session:
        row = session.scalars(select(Organisation)).one()
        session.add(Membership(organisation_id=row.id, member_id=member_id, owner=False, since=utc_now()))


def test_without_any_the_page_says_what_they_are_good_for(visit: Visit) -> None:
    page = visit("youssef").get("/organisations")
    assert "Not in any organisation yet" in words(page)
    assert "/organisations/new" in page.text
    assert "/organisations/new" not in visit("nadia").get("/organisations").text


def test_a_form_with_a_mistake_comes_back_with_what_was_typed(visit: Visit) -> None:
    reader = visit("youssef")
    reader.get("/organisations/new")
    answer = reader.post("/organisations/new", name="  ", kind="startup")
    assert answer.status_code == 422
    assert "A name of 1 to 120 characters is needed." in words(answer)
    assert 'value="startup" required checked' in answer.text


def test_a_member_sees_people_and_no_owners_things(
    visit: Visit, amina: Reader, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    join(sessions, cast.members["youssef"])
    page = visit("youssef").get("/organisations/club-robotique")
    assert "Amina" in words(page)
    assert "What you book for yourself they do not see" in words(page)
    for owners_thing in ("Invite somebody", "Make owner", "/organisations/club-robotique/bookings"):
        assert owners_thing not in page.text
    # He may leave; she, the only owner, is not offered it.
    assert f"/members/{cast.members['youssef']}/removal" in page.text
    assert f"/members/{cast.members['amina']}/removal" not in amina.get("/organisations/club-robotique").text
    assert visit("karim").get("/organisations/club-robotique").status_code == 404


def test_inviting_joining_and_leaving_by_hand(
    visit: Visit, amina: Reader, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    with transaction(sessions) as session:
        session.get_one(Member, cast.members["youssef"]).email_verified_at = utc_now()
    amina.get("/organisations/club-robotique")
    wrong = amina.post("/organisations/club-robotique/invitations", email="nobody")
    assert wrong.status_code == 422
    assert "That does not look like an e-mail address." in words(wrong)
    sent = amina.post("/organisations/club-robotique/invitations", email="youssef@example.org")
    assert sent.status_code == 303
    assert "We wrote to youssef@example.org" in words(amina.get(sent.location))
    with transaction(sessions) as session:
        link: str = session.scalars(select(Mail.filling)).one()["link"]
    path = "/invitations/" + link.rpartition("/")[2]

    stranger = Reader(amina.client.application)
    assert "Amina invites you to Club Robotique" in words(stranger.get(path))
    assert stranger.client.post(f"{path}/acceptance").status_code == 302
    salma = visit("salma")
    assert "sent to another address" in words(salma.get(path))
    refused = salma.post(f"{path}/acceptance")
    assert (refused.status_code, refused.location) == (303, path)

    youssef = visit("youssef")
    assert "invites you to Club Robotique" in words(youssef.get("/organisations"))
    youssef.get(path)
    joined = youssef.post(f"{path}/acceptance")
    assert "Welcome to Club Robotique" in words(youssef.get(joined.location))
    over = youssef.get(path)
    assert over.status_code == 404
    assert "This invitation is over" in words(over)

    youssef_id = cast.members["youssef"]
    removal = f"/organisations/club-robotique/members/{youssef_id}/removal"
    assert "data-sheet" in youssef.get(removal).text
    left = youssef.post(removal)
    assert left.location == "/organisations"
    assert "You left the organisation" in words(youssef.get(left.location))


def test_owners_pages_are_not_for_members_and_the_last_owner_is_told(
    visit: Visit, amina: Reader, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    join(sessions, cast.members["youssef"])
    for part in ("bookings", "consumption", "settings"):
        assert visit("youssef").get(f"/organisations/club-robotique/{part}").status_code == 403
        assert amina.get(f"/organisations/club-robotique/{part}").status_code == 200
    amina.get("/organisations/club-robotique")
    amina_id = cast.members["amina"]
    told = amina.post(f"/organisations/club-robotique/members/{amina_id}/ownership", owner="0")
    assert "An organisation needs an owner" in words(amina.get(told.location))


def test_the_bookings_page_says_that_private_ones_are_not_there(amina: Reader) -> None:
    page = words(amina.get("/organisations/club-robotique/bookings"))
    assert "What members book for themselves stays theirs." in page


def test_quotas_are_shown_to_members_and_set_by_admins(
    visit: Visit, amina: Reader, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    assert "Set limit" not in amina.get("/organisations/club-robotique/settings").text
    admin = visit("admin")
    admin.get("/organisations/club-robotique/settings")
    for hours in ("many", "-1", "10001", "nan", "inf"):
        bad = admin.post("/organisations/club-robotique/quotas", hours=hours, period="week", machine_kind="")
        assert bad.status_code == 422, hours
        assert "The limit lies between 0 and 10,000 hours." in words(bad)
    good = admin.post("/organisations/club-robotique/quotas", hours="2,5", period="week", machine_kind="")
    assert good.status_code == 303
    page = words(amina.get("/organisations/club-robotique"))
    assert "All machines This week" in page
    assert "0.0 h of 2.5 h" in page
    with transaction(sessions) as session:
        set_quota(session, cast.actors["admin"], "club-robotique", None, "week", 0, utc_now())
    assert "Nothing left until" in words(amina.get("/organisations/club-robotique"))


def test_a_quota_is_shown_for_the_week_there_is_and_the_next_with_their_days(
    monkeypatch: pytest.MonkeyPatch, amina: Reader, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    now = utc_now()
    monkeypatch.setattr("fablab.web.pages.organisation.utc_now", lambda: now)
    with transaction(sessions) as session:
        set_quota(session, cast.actors["admin"], "club-robotique", None, "week", 9000, now)
        set_quota(session, cast.actors["admin"], "club-robotique", "laser-cutter", "month", 9000, now)
    # Six days without Sundays lead from any day into the next week.
    at = tomorrow(10, days=6)
    amina.get(PRINTER)
    booked = amina.post(
        f"{PRINTER}/bookings",
        day=f"{at:%Y-%m-%d}",
        time="10:00",
        duration="60",
        organisation="club-robotique",
    )
    assert booked.status_code == 303
    page = words(amina.get("/organisations/club-robotique"))
    monday = at.date() - timedelta(days=at.weekday())
    assert f"This week, {_days(monday - timedelta(days=7))} 0.0 h of 2.5 h 2.5 h left" in page
    assert f"Next week, {_days(monday)} 1.0 h of 2.5 h 1.5 h left" in page
    this = now.astimezone(CASABLANCA).date().replace(day=1)
    assert f"This month, {this:%B} 0.0 h of 2.5 h" in page
    assert f"Next month, {this + timedelta(days=32):%B} 0.0 h of 2.5 h" in page


def _days(monday: date) -> str:
    sunday = monday + timedelta(days=6)
    first = f"{monday.day}" if monday.month == sunday.month else f"{monday.day} {monday:%b}"
    return f"{first} – {sunday.day} {sunday:%b}"


def test_closing_asks_first_and_an_admin_opens_it_again(visit: Visit, amina: Reader) -> None:
    assert "data-sheet" in amina.get("/organisations/club-robotique/closure").text
    closed = amina.post("/organisations/club-robotique/closure")
    page = words(amina.get(closed.location))
    assert "administrators can open it again" in page
    assert "Closed" in words(amina.get("/organisations"))
    admin = visit("admin")
    admin.get("/organisations/club-robotique/settings")
    assert admin.post("/organisations/club-robotique/reopening").status_code == 303
    assert "Invite somebody" in words(amina.get("/organisations/club-robotique"))


def test_staff_search_the_network(visit: Visit, amina: Reader) -> None:
    nadia = visit("nadia")
    assert "Club Robotique" in words(nadia.get("/staff/organisations?q=robot&kind=school_club"))
    assert "None found" in words(nadia.get("/staff/organisations?q=%00zzz"))
    assert visit("salma").get("/staff/organisations").status_code == 404


def test_the_networks_list_is_shown_a_page_at_a_time_and_says_when_it_ends_early(
    monkeypatch: pytest.MonkeyPatch, visit: Visit, session: Session, cast: Cast
) -> None:
    monkeypatch.setattr("fablab.web.pages.organisations.SHOWN", 2)
    monkeypatch.setattr("fablab.web.pages.organisations.SHOWN_MOST", 4)
    for number in range(5):
        add_organisation(session, cast, f"club-{number}", "amina")
    session.commit()
    nadia = visit("nadia")
    page = nadia.get("/staff/organisations")
    assert [f"Club-{number}" in page.text for number in range(5)] == [True, True, False, False, False]
    assert "shown=4" in page.text
    page = nadia.get("/staff/organisations?shown=4")
    assert [f"Club-{number}" in page.text for number in range(5)] == [True, True, True, True, False]
    assert "Show more" not in page.text
    assert "There are more." in words(page)
    assert "There are more." not in words(nadia.get("/staff/organisations?shown=4&q=club-3"))


def test_a_slug_that_is_gone_from_the_file_is_shown_as_it_is(
    amina: Reader, sessions: sessionmaker[Session]
) -> None:
    amina.get("/projects/new")
    amina.post("/projects/new", name="Arm", filiere="design", programme="", organisation="club-robotique")
    with transaction(sessions) as session:
        row = session.scalars(select(Organisation)).one()
        row.tariff_category = "old-tariff"
    assert "tariff: old-tariff" in words(amina.get("/organisations/club-robotique"))
    assert amina.get("/organisations/club-robotique/settings").status_code == 200


def test_a_project_is_begun_changed_and_closed(visit: Visit, amina: Reader) -> None:
    amina.get("/projects/new?organisation=club-robotique")
    bad = amina.post("/projects/new", name="Arm", filiere="", programme="", organisation="club-robotique")
    assert bad.status_code == 422
    assert "Please choose one of the creative fields." in words(bad)
    amina.post(
        "/projects/new", name="Arm", filiere="design", programme="own-funds", organisation="club-robotique"
    )
    page = amina.get("/projects")
    assert "Arm Design · Own funds Club Robotique" in words(page)
    address = page.text.split('class="row-link" href="')[1].split('"')[0]
    assert visit("youssef").get(address).status_code == 404
    amina.get(address)
    amina.post(address, name="Leg", filiere="music", programme="")
    assert "Leg Music Club Robotique" in words(amina.get("/projects"))
    amina.post(f"{address}/closure")
    assert "1 closed" in words(amina.get("/projects"))
