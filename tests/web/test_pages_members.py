"""Staff's pages about members: finding, adding, roles, consent, and what is asked for twice."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.members.models import GuardianConsent, Member, Role
from fablab.signin.models import Authenticator
from tests.fixtures_cast import Cast
from tests.support.pages import Reader, Visit, words

BORN = date(utc_now().year - 15, 1, 1)


@pytest.fixture
def hind(session: Session, cast: Cast) -> int:
    """A maker of 15."""
    member = Member(
        name="Hind <b>Alami",
        email="hind@example.org",
        created_at=utc_now(),
        birth_on=BORN,
        roles=[Role(role="maker")],
    )
    session.add(member)
    session.commit()
    return member.id


def add(reader: Reader, **fields: str) -> object:
    reader.get("/staff/members/new")
    return reader.post(
        "/staff/members/new", **{"name": "Hind", "email": "h@example.org", "language": "ar", **fields}
    )


def test_makers_find_no_directory(visit: Visit, cast: Cast) -> None:
    amina = visit("amina")
    assert "/staff/members" not in amina.get("/").text
    for path in ("/staff/members", "/staff/members/new", f"/staff/members/{cast.members['amina']}"):
        assert amina.get(path).status_code == 404


def test_staff_find_as_they_type_with_or_without_script(visit: Visit, hind: int, cast: Cast) -> None:
    trainer = visit("trainer")
    assert "/staff/members" in trainer.get("/").text
    page = trainer.get("/staff/members?q=HÍN")
    assert f'href="/staff/members/{hind}"' in page.text
    assert "<b>Alami" not in page.text
    assert "Amina" not in words(page)
    assert "Manager, Tanger" in words(trainer.get("/staff/members?q=salma"))
    assert "Nobody found" in words(trainer.get("/staff/members?q=zz%00z"))
    assert "Add a member" not in words(trainer.get("/staff/members")), "trainers add nobody"


def test_a_long_list_says_that_there_is_more(visit: Visit, session: Session) -> None:
    for each in range(45):
        session.add(Member(name=f"Many {each:02}", email=f"many{each}@example.org", created_at=utc_now()))
    session.commit()
    salma = visit("salma")
    assert salma.get("/staff/members?q=many").text.count('class="person-link"') == 20
    assert "shown=40" in salma.get("/staff/members?q=many").text
    last = salma.get("/staff/members?q=many&shown=80").text
    assert last.count('class="person-link"') == 45
    assert "shown=" not in last.partition('id="found"')[2]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": " "}, "A name of 1 to 120 characters is needed"),
        ({"email": "nobody"}, "does not look like an e-mail address"),
        ({"email": "amina@example.org"}, "Somebody has an account with this address already"),
        ({"under_18": "1"}, "Under 18 the birth date is needed"),
        ({"birth_on": "31/01/2012"}, "Please give a day"),
        ({"birth_on": "2999-01-31"}, "does not lie in the future"),
    ],
)
def test_a_wrong_form_comes_back_with_what_was_typed(
    visit: Visit, session: Session, fields: dict[str, str], says: str
) -> None:
    answer = add(visit("salma"), **fields)
    assert answer.status_code == 422  # type: ignore[attr-defined]
    assert says in words(answer)  # type: ignore[arg-type]
    assert session.scalars(select(Member).where(Member.email == "h@example.org")).all() == []


def test_a_minor_is_added_and_a_guardian_agrees(visit: Visit, session: Session) -> None:
    salma = visit("salma")
    added = add(salma, under_18="1", birth_on=BORN.isoformat())
    assert added.status_code == 303  # type: ignore[attr-defined]
    home = added.headers["Location"]  # type: ignore[attr-defined]
    page = words(salma.get(home))
    assert "Hind has an account now" in page
    assert "No guardian’s consent yet" in page
    asked = salma.get(f"{home}/consents/new")
    assert 'dir="rtl"' in asked.text
    agreed = asked.text.partition('name="words" value="')[2].partition('"')[0]
    form = {"guardian_name": "Fatima", "words": agreed, "language": "ar", "given_on": "2026-01-05"}
    assert salma.post(f"{home}/consents", **{**form, "given_on": ""}).status_code == 422
    stale = salma.post(f"{home}/consents", **{**form, "words": "old"})
    assert "The words have changed" in words(stale)
    assert salma.post(f"{home}/consents", **form).status_code == 303
    page = words(salma.get(home))
    assert "Fatima" in page
    assert "put down by Salma" in page
    assert "No guardian’s consent yet" not in page
    consent = session.scalars(select(GuardianConsent)).one()
    sure = salma.get(f"{home}/consents/{consent.id}/withdrawal")
    assert "data-sheet" in sure.text
    assert salma.post(f"{home}/consents/{consent.id}/withdrawal").status_code == 303
    assert "No guardian’s consent yet" in words(salma.get(home))
    assert salma.get(f"{home}/consents/{consent.id}/withdrawal").status_code == 404


def test_who_looks_decides_what_is_on_the_page(visit: Visit, hind: int) -> None:
    for who, birth, change, roles in (
        ("trainer", False, False, False),
        ("nadia", False, False, False),
        ("salma", True, True, True),
        ("admin", True, True, True),
    ):
        page = visit(who).get(f"/staff/members/{hind}")
        assert (BORN.isoformat() in page.text) is birth, who
        assert ("Guardian" in words(page)) is birth, who
        assert ('name="birth_on"' in page.text) is change, who
        assert (f"/staff/members/{hind}/roles" in page.text) is roles, who
        assert ("Shut the account" in words(page)) is (who == "admin"), who


def test_a_profile_is_corrected(visit: Visit, hind: int, session: Session) -> None:
    salma = visit("salma")
    home = f"/staff/members/{hind}"
    salma.get(home)
    wrong = salma.post(home, name="Hind", language="ar", birth_on="soon")
    assert wrong.status_code == 422
    assert 'value="soon"' in wrong.text
    assert salma.post(home, name="Hind Alami", language="ar", birth_on=BORN.isoformat()).status_code == 303
    member = session.get_one(Member, hind, populate_existing=True)
    assert (member.name, member.language, member.birth_on) == ("Hind Alami", "ar", BORN)


def test_a_manager_makes_a_trainer_and_unmakes_one(visit: Visit, hind: int) -> None:
    salma, home = visit("salma"), f"/staff/members/{hind}"
    assert "Make them trainer of Tanger" in words(salma.get(home))
    assert salma.post(f"{home}/roles", role="manager:tanger").status_code == 403
    for wrong in ("", "king", "trainer", "maker:tanger", "trainer:atlantis", "trainer:\0"):
        assert salma.post(f"{home}/roles", role=wrong).status_code == 422, wrong
    assert salma.post(f"{home}/roles", role="trainer:tanger").status_code == 303
    page = salma.get(home)
    assert "The role is given: Trainer of Tanger" in words(page)
    assert "role=trainer:tanger" in page.text or "role=trainer%3Atanger" in page.text
    sure = salma.get(f"{home}/role-removal?role=trainer:tanger")
    assert "Trainer of Tanger: what only this role allows ends at once" in words(sure)
    assert salma.post(f"{home}/role-removal", role="trainer:tanger").status_code == 303
    assert "Make them trainer of Tanger" in words(salma.get(home))


def test_the_last_admin_is_told_so(visit: Visit, cast: Cast) -> None:
    admin, home = visit("admin"), f"/staff/members/{cast.members['admin']}"
    page = admin.get(home)
    assert "Nobody gives roles to themselves" in words(page)
    admin.get(f"{home}/role-removal?role=admin")
    admin.post(f"{home}/role-removal", role="admin")
    assert "This is the last administrator" in words(admin.get(home))


def test_an_account_is_shut_and_opened_and_a_second_factor_removed(
    visit: Visit, cast: Cast, session: Session
) -> None:
    amina, admin = visit("amina"), visit("admin")
    home = f"/staff/members/{cast.members['amina']}"
    assert "Remove second factor" not in words(admin.get(home))
    now = utc_now()
    session.add(
        Authenticator(member_id=cast.members["amina"], secret=b"sealed", created_at=now, confirmed_at=now)
    )
    session.commit()
    assert "Remove second factor" in words(admin.get(home))
    assert "identity card" in words(admin.get(f"{home}/second-factor-removal"))
    assert admin.post(f"{home}/second-factor-removal").status_code == 303
    assert "Remove second factor" not in words(admin.get(home))
    assert admin.post(f"{home}/deactivation").status_code == 303
    assert amina.get("/bookings").status_code == 302, "she is signed out"
    page = words(admin.get(home))
    assert "Shut" in page
    assert "Open it again" in page
    assert "Shut" in words(admin.get("/staff/members?q=amina"))
    admin.post(f"{home}/deactivation")
    assert "This account is shut already" in words(admin.get(home))
    assert admin.post(f"{home}/reactivation").status_code == 303
    assert "Shut the account" in words(admin.get(home))
