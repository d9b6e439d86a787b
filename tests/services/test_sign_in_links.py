"""Links by mail: who gets which, how often one works, and what it does."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.mail.models import Mail
from fablab.members.models import Member
from fablab.signin import accounts, joining, links, service, sessions
from fablab.signin.hashing import hash_password, matches
from fablab.signin.models import LinkRequest, MailLink
from fablab.signin.rules import Lengths
from fablab.signin.tasks import forget_what_is_over
from tests.fixtures_cast import Cast
from tests.support.clients import at_once

BASE = "https://fablab.example.org"
NEW = "violet tram sugar"


def mails(session: Session) -> list[tuple[str, str, str]]:
    """(template, address, the link's secret) of each mail, oldest first."""
    rows = session.execute(select(Mail.template, Mail.address, Mail.filling).order_by(Mail.id))
    return [(name, to, filling.get("link", "").rpartition("/")[2]) for name, to, filling in rows]


def asked(session: Session, purpose: str, email: str, **more: Any) -> list[tuple[str, str, str]]:
    service.ask_for_link(session, purpose, email, utc_now(), **more)
    service.answer_requests(session, BASE, utc_now())
    return mails(session)


def to_be(**changes: Any) -> dict[str, Any]:
    typed = {"name": "Hind", "email": "hind@example.org", "password": NEW, "language": "ar", **changes}
    pending = joining.account_to_be(**typed, now=utc_now())
    return {**pending, "password_hash": hash_password(typed["password"])}


def refused(work: Any) -> DomainError:
    with pytest.raises(DomainError) as found:
        work()
    assert found.value.code is Code.REFUSED
    return found.value


@pytest.mark.parametrize("email", ["nobody@example.org", "youssef@example.org"])
def test_who_has_no_account_or_an_ended_one_gets_no_mail(session: Session, cast: Cast, email: str) -> None:
    session.execute(update(Member).where(Member.email == "youssef@example.org").values(active=False))
    assert asked(session, "reset", email) == []
    assert session.scalar(select(func.count()).select_from(LinkRequest)) == 0


def test_a_password_is_set_once_by_the_newest_link_and_ends_every_session(
    session: Session, cast: Cast
) -> None:
    amina = cast.members["amina"]
    session.execute(update(Member).where(Member.id == amina).values(email_verified_at=None))
    lengths = Lengths(3600, 3600, 3600, 3600)
    sessions.begin(
        session,
        amina,
        "password",
        utc_now(),
        second_factor=False,
        remember=False,
        address=None,
        browser="",
        lengths=lengths,
    )
    asked(session, "reset", "Amina@example.org")
    (_, _, older), (template, to, newer) = asked(session, "reset", "amina@example.org")
    assert (template, to) == ("reset_password", "amina@example.org")
    assert session.scalar(select(func.count()).select_from(MailLink)) == 1
    assert refused(lambda: service.reset_password(session, older, NEW, utc_now())).refusals[0].field == "link"
    service.reset_password(session, newer, NEW, utc_now())
    session.expire_all()
    member = session.get_one(Member, amina)
    assert matches(member.password_hash, NEW)
    assert member.email_verified_at is not None
    assert sessions.end_all(session, amina, utc_now()) == 0
    assert mails(session)[-1][0] == "password_changed"
    refused(lambda: service.reset_password(session, newer, "kiwi lantern orbit", utc_now()))


def test_a_link_ends_after_an_hour_and_works_for_its_purpose_only(session: Session, cast: Cast) -> None:
    plain = links.make(session, cast.members["amina"], "reset", "amina@example.org", utc_now())
    refused(lambda: links.take(session, plain, "reset", utc_now() + timedelta(hours=1)))
    refused(lambda: links.take(session, plain, ("join", "verify", "address"), utc_now()))
    refused(lambda: links.take(session, "\ud800" + plain, "reset", utc_now()))
    row = session.scalars(select(MailLink)).one()
    assert plain.encode() not in row.digest
    assert links.take(session, plain, "reset", utc_now()).member_id == cast.members["amina"]


def test_of_two_who_open_a_link_at_once_one_gets_it(cast: Cast, sessions_: sessionmaker[Session]) -> None:
    with transaction(sessions_) as session:
        plain = links.make(session, cast.members["amina"], "verify", "amina@example.org", utc_now())

    def take() -> bool:
        try:
            with transaction(sessions_) as session:
                links.take(session, plain, "verify", utc_now())
        except DomainError:
            return False
        return True

    assert sorted(at_once([take] * 6)) == [False] * 5 + [True]


@pytest.fixture
def sessions_(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """The fixture; `sessions` is the module here."""
    return sessions


def test_a_refused_password_leaves_the_link(cast: Cast, sessions_: sessionmaker[Session]) -> None:
    with transaction(sessions_) as session:
        plain = links.make(session, cast.members["amina"], "reset", "amina@example.org", utc_now())
    with pytest.raises(DomainError), transaction(sessions_) as session:
        service.reset_password(session, plain, "1234567890", utc_now())
    with transaction(sessions_) as session:
        service.reset_password(session, plain, NEW, utc_now())


def test_joining_makes_an_account_only_when_the_link_is_opened(session: Session, cast: Cast) -> None:
    before = session.scalar(select(func.count()).select_from(Member))
    [(template, to, link)] = asked(session, "join", "hind@example.org", pending=to_be())
    assert (template, to) == ("verify_address", "hind@example.org")
    assert session.scalar(select(func.count()).select_from(Member)) == before
    found = links.look(session, link, links.CONFIRMING, utc_now())
    assert (found.purpose, found.member_id) == ("join", None)
    member = session.get_one(Member, joining.join(session, link, utc_now()))
    assert (member.name, member.language, member.birth_on) == ("Hind", "ar", None)
    assert member.email_verified_at is not None
    assert [role.role for role in member.roles] == ["maker"]
    assert matches(member.password_hash, NEW)
    assert mails(session)[-1][:2] == ("welcome", "hind@example.org")
    refused(lambda: joining.join(session, link, utc_now()))


def test_whoever_joins_with_anothers_address_makes_them_a_mail_and_nothing_else(
    session: Session, cast: Cast
) -> None:
    [(template, to, _)] = asked(session, "join", "Amina@Example.org", pending=to_be())
    assert (template, to) == ("account_exists", "amina@example.org")
    assert session.scalar(select(func.count()).select_from(MailLink)) == 0


def test_of_two_accounts_to_be_the_opened_one_wins_with_its_own_password(
    session: Session, cast: Cast
) -> None:
    asked(session, "join", "hind@example.org", pending=to_be(password="kiwi lantern orbit", name="Mallory"))
    (_, _, bad), (_, _, good) = asked(session, "join", "hind@example.org", pending=to_be())
    member = session.get_one(Member, joining.join(session, good, utc_now()))
    assert member.name == "Hind"
    refused(lambda: joining.join(session, bad, utc_now()))
    assert matches(member.password_hash, NEW)


def test_a_minor_gives_a_birth_date_and_others_need_not(session: Session) -> None:
    today = utc_now().date()
    for birth_on in (None, today.replace(year=today.year - 30, day=1)):
        refusal = refused(lambda on=birth_on: to_be(under_18=True, birth_on=on)).refusals
        assert [each.field for each in refusal] == ["birth_on"]
    young = today.replace(year=today.year - 15, day=1)
    assert to_be(under_18=True, birth_on=young)["birth_on"] == young.isoformat()
    assert to_be(birth_on=young)["birth_on"] is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"email": "hind"}, "email"),
        ({"language": "de"}, "language"),
        ({"password": "short"}, "password"),
        ({"password": "hind@example.org"}, "password"),
        ({"password": "1q2w3e4r5t6y7u"}, "password"),
        ({"password": "casablanca2026"}, "password"),
        ({"password": "Hind-Hind-Hind"}, "password"),
        ({"password": "Motdepasse Tanger!"}, "password"),
        ({"password": "fablab-demo"}, "password"),
        ({"password": "a" * 200}, "password"),
        ({"password": "violet tram\0sugar"}, "password"),
    ],
)
def test_what_cannot_become_an_account(changes: dict[str, Any], field: str) -> None:
    error = refused(lambda: to_be(**changes))
    assert [each.field for each in error.refusals] == [field]


def test_a_new_address_is_confirmed_there_and_told_to_the_old_one(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    [(template, to, link)] = asked(session, "address", "amina@new.example.org", member_id=amina)
    assert (template, to) == ("address_change", "amina@new.example.org")
    assert session.get_one(Member, amina).email == "amina@example.org"
    service.confirm_address(session, link, utc_now())
    session.expire_all()
    member = session.get_one(Member, amina)
    assert member.email == "amina@new.example.org"
    assert "new" in member.sought
    assert mails(session)[-1][:2] == ("address_changed", "amina@example.org")


def test_somebody_elses_address_is_not_to_be_had(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    [(template, to, _)] = asked(session, "address", "youssef@example.org", member_id=amina)
    assert (template, to) == ("account_exists", "youssef@example.org")
    # Nor when it was free at first.
    link = asked(session, "address", "hind@example.org", member_id=amina)[-1][2]
    session.execute(update(Member).where(Member.id == cast.members["karim"]).values(email="hind@example.org"))
    assert refused(lambda: service.confirm_address(session, link, utc_now())).refusals[0].field == "email"


def test_what_is_over_is_forgotten(session: Session, cast: Cast, settings: Any) -> None:
    links.make(session, cast.members["amina"], "reset", "amina@example.org", utc_now())
    assert forget_what_is_over(session, utc_now(), settings) == 0
    assert forget_what_is_over(session, utc_now() + timedelta(days=2), settings) == 1


def test_links_lead_to_the_configured_address(session: Session, cast: Cast) -> None:
    asked(session, "reset", "amina@example.org")
    [filling] = session.scalars(select(Mail.filling))
    assert re.fullmatch(re.escape(BASE) + r"/reset/[\w-]{43}", filling["link"])


def test_a_thiefs_link_to_another_address_dies_with_the_old_password(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    thiefs = asked(session, "address", "thief@example.net", member_id=amina)[-1][2]
    service.ask_for_link(session, "address", "other@example.net", utc_now(), member_id=amina)
    own = links.make(session, amina, "reset", "amina@example.org", utc_now())
    service.reset_password(session, own, NEW, utc_now())
    refused(lambda: service.confirm_address(session, thiefs, utc_now()))
    assert session.scalar(select(func.count()).select_from(LinkRequest)) == 0, "one not sent yet goes, too"
    assert session.scalar(select(Member.email).where(Member.id == amina)) == "amina@example.org"


def test_a_link_to_the_old_mailbox_dies_with_the_old_address(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    to_old = asked(session, "reset", "amina@example.org")[-1][2]
    service.ask_for_link(session, "reset", "Amina@example.org", utc_now())
    to_new = links.make(session, amina, "address", "amina@new.example.org", utc_now())
    service.confirm_address(session, to_new, utc_now())
    refused(lambda: service.reset_password(session, to_old, NEW, utc_now()))
    assert session.scalar(select(func.count()).select_from(LinkRequest)) == 0


def test_a_shut_account_has_no_links_when_it_is_opened_again(session: Session, cast: Cast) -> None:
    amina, youssef = cast.members["amina"], cast.members["youssef"]
    hers = links.make(session, amina, "reset", "amina@example.org", utc_now())
    his = links.make(session, youssef, "reset", "youssef@example.org", utc_now())
    accounts.deactivate(session, cast.actors["admin"], amina, utc_now())
    accounts.reactivate(session, cast.actors["admin"], amina, utc_now())
    refused(lambda: service.reset_password(session, hers, NEW, utc_now()))
    service.reset_password(session, his, NEW, utc_now())
