"""Joining, forgotten passwords, one's profile and the locks of one's account, without any script."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.mail.models import Mail
from fablab.members.models import Member
from fablab.organisations.catalogue import catalogue
from fablab.organisations.invitations import invite
from fablab.organisations.service import found
from fablab.signin.hashing import matches
from fablab.signin.models import SignInSession
from fablab.signin.service import answer_requests
from tests.fixtures_cast import PASSWORD, Apis, Cast
from tests.support.pages import Reader, Visit, words

NEW = "violet tram sugar"
HIND = {"name": "Hind", "email": "hind@example.org", "password": NEW, "language": "fr"}


@pytest.fixture
def link_in_mail(sessions: sessionmaker[Session]):  # type: ignore[no-untyped-def]
    """Lets the clock send what was asked for; gives the path of the newest mail's link."""

    def newest() -> str:
        with transaction(sessions) as session:
            answer_requests(session, "http://localhost", utc_now())
            filling = session.scalars(select(Mail.filling).order_by(Mail.id.desc()).limit(1)).one()
        return str(filling["link"]).removeprefix("http://localhost")

    return newest


def test_the_door_shows_the_other_ways(app: Flask) -> None:
    page = Reader(app).get("/sign-in").text
    assert 'href="/forgotten"' in page
    assert 'href="/join"' in page


def test_where_nobody_may_join_there_is_no_page_for_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    settings = app.extensions["fablab.settings"]
    closed = dataclasses.replace(settings, signin=dataclasses.replace(settings.signin, registration=False))
    monkeypatch.setitem(app.extensions, "fablab.settings", closed)
    reader = Reader(app)
    assert 'href="/join"' not in reader.get("/sign-in").text
    assert reader.get("/join").status_code == 404
    assert reader.post("/join", **HIND).status_code == 404


def test_a_form_to_join_says_at_each_field_what_is_wrong(app: Flask) -> None:
    reader = Reader(app)
    reader.get("/join")
    page = reader.post("/join", name="", email="hind", password="1234567890", under_18="1", birth_on="")
    assert page.status_code == 422
    said = words(page)
    for part in ("A name of 1 to 120", "does not look like an e-mail", "too easy to guess", "birth date"):
        assert part in said
    assert page.text.count('aria-invalid="true"') == 5
    assert "1234567890" not in page.text


def test_joining_by_mail_ends_inside(app: Flask, link_in_mail, session: Session) -> None:  # type: ignore[no-untyped-def]
    reader = Reader(app)
    reader.get("/join")
    assert "Look into your mail" in words(reader.post("/join", **HIND))
    assert reader.get("/account").status_code == 302
    link = link_in_mail()
    elsewhere = Reader(app)
    # A scanner of mails opens it, and opens it again.
    for _ in range(2):
        assert "nearly ready" in words(elsewhere.get(link))
    plain = link.rpartition("/")[2]
    wrong = elsewhere.post("/confirm", link=plain, password="kiwi lantern orbit")
    assert (wrong.status_code, "not the password you chose" in words(wrong)) == (422, True)
    assert elsewhere.post("/confirm", link=plain, password=NEW).status_code == 303
    assert "Hind" in words(elsewhere.get("/account"))
    again = Reader(app)
    again.get("/sign-in")
    assert "This link is over" in words(again.post("/confirm", link=plain, password=NEW))
    assert session.scalar(select(Member.email_verified_at).where(Member.email == HIND["email"])) is not None


def test_whoever_joins_by_an_invitation_finds_it_inside(  # type: ignore[no-untyped-def]
    app: Flask, link_in_mail, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    with transaction(sessions) as session:
        amina, now = cast.actors["amina"], utc_now()
        club = found(session, amina, "Atlas", "association", catalogue(), now)
        invite(session, amina, club.slug, HIND["email"], now, base_url="http://localhost")
        link = session.scalars(select(Mail.filling).order_by(Mail.id.desc()).limit(1)).one()["link"]
    reader = Reader(app)
    page = reader.get(link.removeprefix("http://localhost"))
    assert "/join?email=hind@example.org" in page.text.replace("%40", "@")
    assert 'value="hind@example.org"' in reader.get("/join?email=hind@example.org").text
    reader.post("/join", **HIND)
    confirm = link_in_mail()
    reader.get(confirm)
    inside = reader.post("/confirm", link=confirm.rpartition("/")[2], password=NEW)
    assert inside.location == "/organisations"
    assert "invites you to Atlas" in words(reader.get(inside.location))


def test_a_minor_is_told_what_is_still_needed(app: Flask, link_in_mail) -> None:  # type: ignore[no-untyped-def]
    birth_on = f"{utc_now().year - 15}-01-01"
    reader = Reader(app)
    reader.get("/join")
    assert reader.post("/join", **HIND, under_18="1", birth_on=birth_on).status_code == 200
    reader.post("/confirm", link=link_in_mail().rpartition("/")[2], password=NEW)
    page = reader.get("/account")
    assert "once a parent or guardian has agreed" in words(page)
    # What is known is not changed by oneself.
    assert reader.post("/account", name="Hind", language="fr", birth_on="1990-01-01").status_code == 422


def test_a_forgotten_password_is_set_anew(app: Flask, link_in_mail, cast: Cast, visit: Visit) -> None:  # type: ignore[no-untyped-def]
    old = visit("amina")
    reader = Reader(app)
    reader.get("/forgotten")
    assert "If amina@example.org has an account" in words(
        reader.post("/forgotten", email="amina@example.org")
    )
    link = link_in_mail()
    page = reader.get(link)
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert "For the account of amina@example.org" in words(page)
    plain = link.rpartition("/")[2]
    weak = reader.post("/reset", link=plain, password="amina amina")
    assert (weak.status_code, "little more than your name" in words(weak)) == (422, True)
    assert reader.post("/reset", link=plain, password=NEW).location == "/sign-in"
    assert old.get("/bookings").status_code == 302
    assert "This link is over" in words(reader.post("/reset", link=plain, password=NEW))
    assert "This link is over" in words(reader.get(link)), "said before anybody types a password"
    assert Reader(app).sign_in("amina").status_code == 422
    assert Reader(app).sign_in("amina", NEW).status_code == 303


def test_the_profile_is_ones_own(visit: Visit, session: Session, cast: Cast) -> None:
    amina = visit("amina")
    amina.get("/account")
    assert amina.post("/account", name=" ", language="ar").status_code == 422
    assert amina.post("/account", name="Amina B.", language="xx").status_code == 422
    assert amina.post("/account", name="Amina\0", language="ar").status_code == 422
    assert amina.post("/account", name="Amina B.", language="ar").status_code == 303
    member = session.get_one(Member, cast.members["amina"])
    assert (member.name, member.language) == ("Amina B.", "ar")
    assert session.get_one(Member, cast.members["youssef"]).name == "Youssef"


def test_another_address_needs_the_password_and_its_own_mail(  # type: ignore[no-untyped-def]
    visit: Visit, session: Session, cast: Cast, link_in_mail
) -> None:
    amina = visit("amina")
    amina.get("/account")
    wrong = amina.post("/account/address", email="amina@new.example.org", proof="nonsense")
    assert (wrong.status_code, "neither your password" in words(wrong)) == (422, True)
    assert amina.post("/account/address", email="amina@new", proof=PASSWORD).status_code == 422
    assert amina.post("/account/address", email="amina@new.example.org", proof=PASSWORD).status_code == 303
    link = link_in_mail()
    amina.get(link)
    assert session.get_one(Member, cast.members["amina"]).email == "amina@example.org"
    assert amina.post("/confirm", link=link.rpartition("/")[2]).location == "/account"
    session.expire_all()
    assert session.get_one(Member, cast.members["amina"]).email == "amina@new.example.org"


def test_an_address_nobody_has_confirmed_can_be(  # type: ignore[no-untyped-def]
    visit: Visit, session: Session, cast: Cast, link_in_mail
) -> None:
    session.execute(update(Member).values(email_verified_at=None))
    session.commit()
    amina = visit("amina")
    assert "Nobody has shown yet" in words(amina.get("/account"))
    assert amina.post("/account/address/confirmation").status_code == 303
    amina.post("/confirm", link=link_in_mail().rpartition("/")[2])
    assert "confirmed" in words(amina.get("/account"))


def test_a_new_password_needs_the_old_one_and_leaves_only_this_browser(app: Flask, visit: Visit) -> None:
    amina, phone = visit("amina"), visit("amina")
    amina.get("/account/security")
    assert amina.post("/account/security/password", old="nonsense", password=NEW).status_code == 422
    assert amina.post("/account/security/password", old=PASSWORD, password="short").status_code == 422
    assert amina.post("/account/security/password", old=PASSWORD, password=NEW).status_code == 303
    assert amina.get("/account/security").status_code == 200
    assert phone.get("/account/security").status_code == 302
    assert Reader(app).sign_in("amina", NEW).status_code == 303


def test_browsers_are_listed_and_ended_one_by_one_or_all(visit: Visit, session: Session) -> None:
    amina, phone, old = visit("amina"), visit("amina"), visit("amina")
    youssef = visit("youssef")
    page = amina.get("/account/security")
    assert page.text.count("this browser") == 1
    ends = re.findall(r"/account/security/sessions/(\d+)/end", page.text)
    assert len(ends) == 2
    assert youssef.get("/account/security").status_code == 200
    assert youssef.post(f"/account/security/sessions/{ends[0]}/end").status_code == 404
    assert amina.post(f"/account/security/sessions/{ends[0]}/end").status_code == 303
    assert [each.get("/bookings").status_code for each in (amina, phone, old)].count(302) == 1
    assert amina.post("/account/security/sessions/end").status_code == 303
    assert [each.get("/bookings").status_code for each in (amina, phone, old)] == [200, 302, 302]
    assert youssef.get("/bookings").status_code == 200


def test_a_token_is_shown_once_works_and_is_ended(app: Flask, visit: Visit) -> None:
    amina = visit("amina")
    amina.get("/account/security/tokens")
    for wrong in ({"name": ""}, {"scope": "all"}, {"days": "4000"}, {"days": "-1"}, {"name": "x" * 81}):
        typed = {"name": "laptop", "scope": "read", "days": "30", **wrong}
        assert amina.post("/account/security/tokens", **typed).status_code == 422, wrong
    page = amina.post("/account/security/tokens", name="laptop", scope="read", days="30")
    [plain] = re.findall(r"fab_[\w-]{43}", page.text)
    program = app.test_client(use_cookies=False)
    headers = {"Authorization": f"Bearer {plain}"}
    assert program.get("/api/v1/me", headers=headers).status_code == 200
    page = amina.get("/account/security/tokens")
    assert plain not in page.text
    [token] = re.findall(r"tokens/(\d+)/end", page.text)
    assert visit("youssef").post(f"/account/security/tokens/{token}/end").status_code in (400, 404)
    assert amina.post(f"/account/security/tokens/{token}/end").status_code == 303
    assert program.get("/api/v1/me", headers=headers).status_code == 401


def test_programs_see_and_end_browsers_and_change_the_profile(
    app: Flask, api: Apis, visit: Visit, session: Session
) -> None:
    browser, other = visit("amina"), visit("youssef")
    amina = api("amina")
    [found] = amina.get("/me/sessions").json["items"]
    assert (found["browser"], found["method"], found["current"]) == ("An unknown browser", "password", False)
    assert browser.client.get("/api/v1/me/sessions").json["items"][0]["current"] is True
    assert api("youssef").delete(f"/me/sessions/{found['id']}").status_code == 404
    assert amina.delete(f"/me/sessions/{found['id']}").status_code == 204
    assert browser.get("/bookings").status_code == 302
    visit("amina")
    assert amina.delete("/me/sessions").status_code == 204
    assert amina.get("/me/sessions").json["items"] == []
    assert other.get("/bookings").status_code == 200
    assert amina.request("PATCH", "/me", {"email": "x@example.org"}).status_code == 422
    assert amina.request("PATCH", "/me", {"name": None}).status_code == 422
    changed = amina.request("PATCH", "/me", {"name": "Amina B.", "language": "en"})
    assert (changed.status_code, changed.json["name"], changed.json["language"]) == (200, "Amina B.", "en")


def test_a_session_is_new_at_every_sign_in_and_gone_after_signing_out(
    app: Flask, session: Session, cast: Cast
) -> None:
    reader = Reader(app)
    reader.get("/sign-in")
    reader.client.set_cookie("fablab_in", "prepared by somebody else")
    with reader.client.session_transaction() as kept:
        kept["planted"] = "yes"
    reader.post("/sign-in", email="amina@example.org", password=PASSWORD, remember="1")
    first = reader.client.get_cookie("fablab_in")
    assert first is not None
    assert first.value != "prepared by somebody else"
    assert (first.http_only, first.same_site) == (True, "Lax")
    assert first.max_age == 7776000
    with reader.client.session_transaction() as kept:
        assert "planted" not in kept
    reader.get("/account")
    reader.post("/sign-in", email="amina@example.org", password=PASSWORD)
    second = reader.client.get_cookie("fablab_in")
    assert second is not None
    assert second.value != first.value
    assert second.max_age is None
    # The one before is over, not left behind.
    assert session.scalar(text("SELECT count(*) FROM sign_in_session")) == 1
    thief = app.test_client()
    thief.set_cookie("fablab_in", second.value)
    assert thief.get("/account").status_code == 200
    reader.get("/account")
    reader.post("/sign-out")
    assert reader.client.get_cookie("fablab_in") is None
    assert thief.get("/account").status_code == 302


def test_being_seen_is_written_now_and_then_only(visit: Visit, session: Session, app: Flask) -> None:
    amina = visit("amina")
    written = select(SignInSession.seen_at)
    before = session.scalar(written)
    session.rollback()
    amina.get("/account")
    assert session.scalar(written) == before
    session.execute(text("UPDATE sign_in_session SET seen_at = seen_at - interval '6 minutes'"))
    session.commit()
    amina.get("/account")
    assert session.scalar(written) > before


def test_a_right_password_is_kept_with_todays_parameters(visit: Visit, session: Session, cast: Cast) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(password_hash=weak))
    session.commit()
    visit("amina")
    session.expire_all()
    now = session.get_one(Member, cast.members["amina"]).password_hash
    assert now != weak
    assert matches(now, PASSWORD)


def test_what_hinders_erasure_is_one_link_away(visit: Visit) -> None:
    page = visit("admin").get("/account/data/erasure")
    assert "You are the only administrator" in words(page)
    assert '<a href="/staff/members">Members</a>' in page.text
