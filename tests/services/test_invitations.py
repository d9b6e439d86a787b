"""Invitations into organisations: one use, seven days, one address; and nobody learns who has an account."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.mail.models import Mail
from fablab.members.models import Audit, Member
from fablab.organisations import invitations, service
from fablab.organisations.catalogue import catalogue
from fablab.organisations.models import Invitation, Membership
from fablab.organisations.queries import invitations_for, memberships, open_invitations
from fablab.signin import limits
from fablab.signin.rules import invitation_key, mail_key
from tests.fixtures_cast import Cast
from tests.support.clients import at_once

BASE = "https://labs.example.org"
NOW = utc_now()


@pytest.fixture
def club(sessions: sessionmaker[Session], cast: Cast) -> str:
    """Amina's club. Everybody's address is confirmed, except Karim's."""
    with transaction(sessions) as session:
        for name, member_id in cast.members.items():
            session.get_one(Member, member_id).email_verified_at = None if name == "karim" else NOW
        return service.found(session, cast.actors["amina"], "Club", "school_club", catalogue(), NOW).slug


def invite(
    session: Session, cast: Cast, club: str, email: str, owner: bool = False, at: datetime = NOW
) -> str:
    """Invite as Amina, and read the secret from the mail as its reader would."""
    invitations.invite(session, cast.actors["amina"], club, email, at, base_url=BASE, owner=owner)
    link: str = session.scalars(select(Mail.filling).order_by(Mail.id.desc())).first()["link"]  # type: ignore[index]
    assert link.startswith(f"{BASE}/invitations/")
    return link.rpartition("/")[2]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "nobody",
        "a@b",
        "a b@example.org",
        "a@example.org\nb@example.org",
        f"{'a' * 250}@example.org",
        ",a@example.org",
        "<a@example.org>",
        "a@b.example.org,c@example.org",
        "a@\ud800.org",
    ],
)
def test_what_is_no_address_is_refused(session: Session, cast: Cast, club: str, email: str) -> None:
    with pytest.raises(DomainError) as refused:
        invite(session, cast, club, email)
    assert [(each.code, each.field) for each in refused.value.refusals] == [("invalid", "email")]
    assert session.scalars(select(Mail)).all() == []


def test_only_owners_invite_and_take_back(session: Session, cast: Cast, club: str) -> None:
    invite(session, cast, club, "new@example.org")
    invitation_id = session.scalars(select(Invitation.id)).one()
    organisation_id = session.scalars(select(Membership.organisation_id)).one()
    session.add(
        Membership(organisation_id=organisation_id, member_id=cast.members["youssef"], owner=False, since=NOW)
    )
    session.flush()
    for name, code in (
        ("youssef", Code.NOT_ALLOWED),
        ("nadia", Code.NOT_ALLOWED),
        ("salma", Code.NOT_FOUND),
        ("karim", Code.NOT_FOUND),
    ):
        actor = cast.actors[name]
        with pytest.raises(DomainError) as refused:
            invitations.invite(session, actor, club, "x@example.org", NOW, base_url=BASE)
        assert refused.value.code is code, name
        with pytest.raises(DomainError) as refused:
            invitations.withdraw(session, actor, club, invitation_id, NOW)
        assert refused.value.code is code, name


def test_whoever_belongs_is_not_invited_again(session: Session, cast: Cast, club: str) -> None:
    with pytest.raises(DomainError) as refused:
        invite(session, cast, club, "AMINA@example.org")
    assert refused.value.refusals[0].code == "already_member"


def test_a_mail_s_number_a_day_is_bounded(
    session: Session, cast: Cast, club: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "INVITATIONS_A_DAY", 2)
    for number in range(2):
        invite(session, cast, club, f"n{number}@example.org")
    with pytest.raises(DomainError) as refused:
        invite(session, cast, club, "n3@example.org")
    assert refused.value.refusals[0].code == "too_many"
    invitations.invite(
        session, cast.actors["amina"], club, "n3@example.org", NOW + timedelta(days=1), base_url=BASE
    )


def test_the_answer_does_not_tell_who_has_an_account(session: Session, cast: Cast, club: str) -> None:
    answers = [
        invitations.invite(session, cast.actors["amina"], club, email, NOW, base_url=BASE)
        for email in ("youssef@example.org", "stranger@example.org")
    ]
    known, unknown = ({**vars(each), "id": 0, "email": ""} for each in answers)
    assert known == unknown
    mails = session.execute(select(Mail.address, Mail.member_id, Mail.template).order_by(Mail.id)).all()
    assert [tuple(each) for each in mails] == [
        ("youssef@example.org", cast.members["youssef"], "invitation"),
        ("stranger@example.org", None, "invitation"),
    ]


def test_the_mail_speaks_the_language_of_whoever_reads_it(session: Session, cast: Cast, club: str) -> None:
    session.get_one(Member, cast.members["youssef"]).language = "ar"
    session.get_one(Member, cast.members["amina"]).language = "en"
    session.flush()
    invite(session, cast, club, "youssef@example.org")
    invite(session, cast, club, "stranger@example.org")
    assert session.scalars(select(Mail.language).order_by(Mail.id)).all() == ["ar", "en"]


def test_the_secret_is_kept_nowhere_and_the_audit_names_no_address(
    session: Session, cast: Cast, club: str
) -> None:
    secret = invite(session, cast, club, "youssef@example.org")
    row = session.scalars(select(Invitation)).one()
    assert secret.encode() not in row.digest
    assert row.expires_at == NOW + timedelta(days=7)
    invitations.accept_by_secret(session, cast.actors["youssef"], secret, NOW)
    lines = session.execute(select(Audit.action, Audit.subject, Audit.detail)).all()
    assert {"invitation.send", "membership.begin"} <= {each.action for each in lines}
    assert not any("@" in each.subject + each.detail for each in lines)


def test_a_link_is_for_one_address_one_use_and_seven_days(session: Session, cast: Cast, club: str) -> None:
    youssef = cast.actors["youssef"]
    secret = invite(session, cast, club, "YOUSSEF@example.org")
    with pytest.raises(DomainError) as refused:
        invitations.accept_by_secret(session, cast.actors["salma"], secret, NOW)
    assert refused.value.refusals[0].code == "other_address"
    for wrong, at in ((secret + "x", NOW), ("", NOW), (secret, NOW + timedelta(days=7))):
        with pytest.raises(DomainError) as refused:
            invitations.accept_by_secret(session, youssef, wrong, at)
        assert refused.value.code is Code.NOT_FOUND
    invitations.accept_by_secret(session, youssef, secret, NOW + timedelta(days=6, hours=23))
    assert [(each.slug, each.owner) for each in memberships(session, youssef.member_id)] == [(club, False)]
    with pytest.raises(DomainError) as refused:
        invitations.accept_by_secret(session, youssef, secret, NOW)
    assert refused.value.code is Code.NOT_FOUND


def test_an_address_must_be_confirmed_first(session: Session, cast: Cast, club: str) -> None:
    secret = invite(session, cast, club, "karim@example.org")
    with pytest.raises(DomainError) as refused:
        invitations.accept_by_secret(session, cast.actors["karim"], secret, NOW)
    assert refused.value.refusals[0].code == "address_not_confirmed"
    assert invitations_for(session, cast.members["karim"], NOW) == []
    invitation_id = session.scalars(select(Invitation.id)).one()
    with pytest.raises(DomainError) as refused:
        invitations.accept(session, cast.actors["karim"], invitation_id, NOW)
    assert refused.value.code is Code.NOT_FOUND


def test_inviting_again_ends_the_earlier_link(session: Session, cast: Cast, club: str) -> None:
    first = invite(session, cast, club, "youssef@example.org")
    second = invite(session, cast, club, "Youssef@Example.org", owner=True, at=NOW + timedelta(days=1))
    organisation_id = session.scalars(select(Membership.organisation_id)).one()
    assert [each.owner for each in open_invitations(session, organisation_id, NOW)] == [True]
    with pytest.raises(DomainError) as refused:
        invitations.accept_by_secret(session, cast.actors["youssef"], first, NOW)
    assert refused.value.code is Code.NOT_FOUND
    invitations.accept_by_secret(session, cast.actors["youssef"], second, NOW)
    assert [each.owner for each in memberships(session, cast.members["youssef"])] == [True]


def test_an_address_that_was_just_written_to_is_left_alone(session: Session, cast: Cast, club: str) -> None:
    invite(session, cast, club, "youssef@example.org")
    with pytest.raises(DomainError) as refused:
        invite(session, cast, club, "YOUSSEF@example.org", at=NOW + timedelta(hours=23))
    assert [(each.code, each.field) for each in refused.value.refusals] == [("already_invited", "email")]
    assert session.scalar(select(func.count()).select_from(Mail)) == 1


def test_many_clubs_together_do_not_flood_one_address(session: Session, cast: Cast, club: str) -> None:
    """Neither does one that takes each invitation back before the next."""
    amina, said = cast.actors["amina"], []
    for number in range(6):
        slug = service.found(session, amina, f"Club {number}", "association", catalogue(), NOW).slug
        try:
            made = invitations.invite(session, amina, slug, "victim@example.org", NOW, base_url=BASE)
            invitations.withdraw(session, amina, slug, made.id, NOW)
        except DomainError as error:
            said.append(error.code)
    assert said == [Code.TOO_MANY] * 3
    assert session.scalar(select(func.count()).select_from(Mail)) == 3
    # The victim, who forgot a password, still gets a link.
    limits.attempt(session, [mail_key("victim@example.org")], NOW)
    with pytest.raises(DomainError):
        limits.attempt(session, [invitation_key("Victim@example.org")], NOW)


def test_an_operator_joins_nothing_and_owns_nothing(session: Session, cast: Cast, club: str) -> None:
    """Also one who was an owner before: operators look and change nothing. Leaving stays possible."""
    nadia = cast.actors["nadia"]
    assert not nadia.maker
    secret = invite(session, cast, club, "nadia@example.org", owner=True)
    invitation_id = session.scalars(select(Invitation.id)).one()
    for accepting in (
        lambda: invitations.accept_by_secret(session, nadia, secret, NOW),
        lambda: invitations.accept(session, nadia, invitation_id, NOW),
    ):
        with pytest.raises(DomainError) as refused:
            accepting()
        assert [each.code for each in refused.value.refusals] == ["operator"]
    assert memberships(session, nadia.member_id) == []
    organisation_id = session.scalars(select(Membership.organisation_id)).one()
    session.add(Membership(organisation_id=organisation_id, member_id=nadia.member_id, owner=True, since=NOW))
    session.flush()
    for act in (
        lambda: invitations.invite(session, nadia, club, "x@example.org", NOW, base_url=BASE),
        lambda: invitations.withdraw(session, nadia, club, invitation_id, NOW),
        lambda: service.rename(session, nadia, club, "Other", NOW),
        lambda: service.close(session, nadia, club, NOW),
        lambda: service.appoint(session, nadia, club, cast.members["amina"], False, NOW),
        lambda: service.remove(session, nadia, club, cast.members["amina"], NOW),
    ):
        with pytest.raises(DomainError) as refused:
            act()
        assert refused.value.code is Code.NOT_ALLOWED
    service.remove(session, nadia, club, nadia.member_id, NOW)


def test_one_taken_back_declined_or_of_a_closed_organisation_is_over(
    session: Session, cast: Cast, club: str
) -> None:
    youssef, amina = cast.actors["youssef"], cast.actors["amina"]
    for end in (
        lambda id_: invitations.withdraw(session, amina, club, id_, NOW),
        lambda id_: invitations.decline(session, youssef, id_, NOW),
        lambda id_: service.close(session, amina, club, NOW),
    ):
        secret = invite(session, cast, club, "youssef@example.org")
        (mine,) = invitations_for(session, youssef.member_id, NOW)
        end(mine.id)
        assert invitations_for(session, youssef.member_id, NOW) == []
        assert invitations.invitation_by_secret(session, secret, NOW) is None
        with pytest.raises(DomainError) as refused:
            invitations.accept_by_secret(session, youssef, secret, NOW)
        assert refused.value.code is Code.NOT_FOUND


def test_somebody_else_s_invitation_does_not_exist(session: Session, cast: Cast, club: str) -> None:
    invite(session, cast, club, "youssef@example.org")
    invitation_id = session.scalars(select(Invitation.id)).one()
    for name in ("amina", "salma", "admin"):
        for answer in (invitations.accept, invitations.decline):
            with pytest.raises(DomainError) as refused:
                answer(session, cast.actors[name], invitation_id, NOW)
            assert refused.value.code is Code.NOT_FOUND


def test_used_at_once_it_lets_in_once(sessions: sessionmaker[Session], cast: Cast, club: str) -> None:
    with transaction(sessions) as session:
        secret = invite(session, cast, club, "youssef@example.org")

    def answer() -> str:
        try:
            with transaction(sessions) as session:
                invitations.accept_by_secret(session, cast.actors["youssef"], secret, utc_now())
        except DomainError as error:
            return str(error.code)
        return "joined"

    assert sorted(at_once([partial(answer) for _ in range(6)])) == ["joined", *["not_found"] * 5]
    with transaction(sessions) as session:
        assert session.scalar(select(func.count()).select_from(Membership)) == 2
