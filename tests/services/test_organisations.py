"""Organisations: who may do what in them, and that one is never without an owner."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.members.models import Audit
from fablab.members.rules import Actor
from fablab.organisations import service
from fablab.organisations.catalogue import catalogue
from fablab.organisations.forgetting import forget_member
from fablab.organisations.invitations import invite
from fablab.organisations.models import Invitation, Membership, Organisation
from fablab.organisations.queries import (
    memberships,
    organisation_by_slug,
    organisations,
    people,
    quotas,
)
from fablab.organisations.quotas import drop_quota, set_quota
from tests.fixtures_cast import Cast
from tests.support.clients import at_once

WORDS = catalogue()


@pytest.fixture
def club(sessions: sessionmaker[Session], cast: Cast) -> str:
    """Amina's club, with Youssef in it as a member."""
    with transaction(sessions) as session:
        made = service.found(session, cast.actors["amina"], "Club Robotique", "school_club", WORDS, utc_now())
        join(session, made.id, cast.members["youssef"])
    return made.slug


def join(session: Session, organisation_id: int, member_id: int, owner: bool = False) -> None:
    session.add(
        Membership(organisation_id=organisation_id, member_id=member_id, owner=owner, since=utc_now())
    )
    session.flush()


def refusal(error: pytest.ExceptionInfo[DomainError]) -> tuple[Code, str]:
    return error.value.code, error.value.refusals[0].code if error.value.refusals else ""


def test_operators_found_nothing(session: Session, cast: Cast) -> None:
    with pytest.raises(DomainError) as refused:
        service.found(session, cast.actors["nadia"], "Club", "school_club", WORDS, utc_now())
    assert refused.value.code is Code.NOT_ALLOWED


@pytest.mark.parametrize(
    ("name", "kind", "field"),
    [
        (" ", "startup", "name"),
        ("x" * 121, "startup", "name"),
        ("a\nb", "startup", "name"),
        ("A", "king", "kind"),
    ],
)
def test_a_name_and_a_kind_are_needed(session: Session, cast: Cast, name: str, kind: str, field: str) -> None:
    with pytest.raises(DomainError) as refused:
        service.found(session, cast.actors["amina"], name, kind, WORDS, utc_now())
    assert [each.field for each in refused.value.refusals] == [field]


def test_nobody_owns_more_than_twenty(session: Session, cast: Cast) -> None:
    for number in range(20):
        service.found(session, cast.actors["amina"], f"Club {number}", "association", WORDS, utc_now())
    with pytest.raises(DomainError) as refused:
        service.found(session, cast.actors["amina"], "One more", "association", WORDS, utc_now())
    assert refusal(refused) == (Code.REFUSED, "too_many")
    service.close(session, cast.actors["amina"], "club-0", utc_now())
    service.found(session, cast.actors["amina"], "One more", "association", WORDS, utc_now())


def test_whoever_founds_owns_and_the_kind_chooses_the_tariff(session: Session, cast: Cast) -> None:
    made = service.found(session, cast.actors["amina"], " Été à Fès ", "startup", WORDS, utc_now())
    assert (made.slug, made.name, made.tariff_category, made.members) == (
        "ete-a-fes",
        "Été à Fès",
        "startup",
        1,
    )
    assert [(each.slug, each.owner) for each in memberships(session, cast.members["amina"])] == [
        ("ete-a-fes", True)
    ]
    again = service.found(session, cast.actors["youssef"], "Ete a Fes", "startup", WORDS, utc_now())
    assert again.slug.startswith("ete-a-fes-")
    arabic = service.found(session, cast.actors["youssef"], "نادي الروبوت", "school_club", WORDS, utc_now())
    assert arabic.slug == "organisation"


OWNERS_ACTS = {
    "rename": lambda session, actor, club, cast: service.rename(session, actor, club, "New", utc_now()),
    "close": lambda session, actor, club, cast: service.close(session, actor, club, utc_now()),
    "remove": lambda session, actor, club, cast: service.remove(
        session, actor, club, cast.members["amina"], utc_now()
    ),
    "appoint": lambda session, actor, club, cast: service.appoint(
        session, actor, club, cast.members["youssef"], True, utc_now()
    ),
}
ADMINS_ACTS = {
    "terms": lambda session, actor, club, cast: service.set_terms(
        session, actor, club, WORDS, utc_now(), tariff_category="partner"
    ),
    "quota": lambda session, actor, club, cast: set_quota(session, actor, club, None, "week", 1, utc_now()),
    "no quota": lambda session, actor, club, cast: drop_quota(session, actor, club, 1, utc_now()),
    "reopen": lambda session, actor, club, cast: service.reopen(session, actor, club, utc_now()),
}


@pytest.mark.parametrize("act", [*OWNERS_ACTS, *ADMINS_ACTS])
def test_an_organisation_does_not_exist_for_others(session: Session, cast: Cast, club: str, act: str) -> None:
    for name in ("salma", "karim"):
        with pytest.raises(DomainError) as refused:
            {**OWNERS_ACTS, **ADMINS_ACTS}[act](session, cast.actors[name], club, cast)
        assert refused.value.code is Code.NOT_FOUND, name


@pytest.mark.parametrize("act", [*OWNERS_ACTS, *ADMINS_ACTS])
@pytest.mark.parametrize("name", ["youssef", "nadia"])
def test_members_and_operators_look_and_change_nothing(
    session: Session, cast: Cast, club: str, act: str, name: str
) -> None:
    with pytest.raises(DomainError) as refused:
        {**OWNERS_ACTS, **ADMINS_ACTS}[act](session, cast.actors[name], club, cast)
    assert refused.value.code is Code.NOT_ALLOWED


@pytest.mark.parametrize("act", ADMINS_ACTS)
def test_owners_do_not_decide_what_they_are_charged(
    session: Session, cast: Cast, club: str, act: str
) -> None:
    with pytest.raises(DomainError) as refused:
        ADMINS_ACTS[act](session, cast.actors["amina"], club, cast)
    assert refused.value.code is Code.NOT_ALLOWED


def test_the_last_owner_stays(session: Session, cast: Cast, club: str) -> None:
    amina, youssef = cast.actors["amina"], cast.members["youssef"]
    for act in (
        partial(service.remove, session, amina, club, amina.member_id),
        partial(service.appoint, session, amina, club, amina.member_id, False),
        partial(service.remove, session, cast.actors["admin"], club, amina.member_id),
    ):
        with pytest.raises(DomainError) as refused:
            act(utc_now())
        assert refusal(refused) == (Code.REFUSED, "last_owner")
    service.appoint(session, amina, club, youssef, True, utc_now())
    service.remove(session, amina, club, amina.member_id, utc_now())
    found = organisation_by_slug(session, club)
    assert found is not None
    assert [(each.name, each.owner) for each in people(session, found.id)] == [("Youssef", True)]


def test_a_member_may_leave_and_somebody_else_is_not_removed_by_it(
    session: Session, cast: Cast, club: str
) -> None:
    youssef = cast.actors["youssef"]
    with pytest.raises(DomainError) as refused:
        service.remove(session, cast.actors["amina"], club, cast.members["karim"], utc_now())
    assert refused.value.code is Code.NOT_FOUND
    service.remove(session, youssef, club, youssef.member_id, utc_now())
    assert memberships(session, youssef.member_id) == []
    with pytest.raises(DomainError) as refused:
        service.remove(session, youssef, club, youssef.member_id, utc_now())
    assert refused.value.code is Code.NOT_FOUND


def test_two_owners_who_leave_at_once_leave_one_behind(
    sessions: sessionmaker[Session], cast: Cast, club: str
) -> None:
    actors = [cast.actors["amina"], cast.actors["youssef"]]

    def leave(actor: Actor) -> str:
        try:
            with transaction(sessions) as session:
                service.remove(session, actor, club, actor.member_id, utc_now())
        except DomainError as error:
            return error.refusals[0].code
        return "left"

    def owner(actor: Actor) -> None:
        with transaction(sessions) as session:
            organisation_id = session.scalars(select(Organisation.id)).one()
            session.merge(
                Membership(
                    organisation_id=organisation_id, member_id=actor.member_id, owner=True, since=utc_now()
                )
            )

    for _ in range(20):
        for actor in actors:
            owner(actor)
        assert sorted(at_once([partial(leave, actor) for actor in actors])) == ["last_owner", "left"]
        with transaction(sessions) as session:
            assert session.scalar(select(func.count()).where(Membership.owner)) == 1


def test_a_closed_one_takes_nobody_and_is_opened_by_admins(session: Session, cast: Cast, club: str) -> None:
    amina = cast.actors["amina"]
    found = organisation_by_slug(session, club)
    assert found is not None
    invited = Invitation(
        organisation_id=found.id,
        email="x@example.org",
        digest=b"x" * 32,
        invited_by_id=amina.member_id,
        created_at=utc_now(),
        expires_at=utc_now(),
    )
    session.add(invited)
    session.flush()
    service.close(session, amina, club, utc_now())
    session.refresh(invited)
    assert invited.withdrawn_at is not None
    assert memberships(session, amina.member_id) == []
    assert [each.slug for each in memberships(session, amina.member_id, closed=True)] == [club]
    with pytest.raises(DomainError) as refused:
        service.rename(session, amina, club, "New", utc_now())
    assert refusal(refused) == (Code.REFUSED, "organisation_closed")
    service.remove(session, cast.actors["youssef"], club, cast.members["youssef"], utc_now())
    service.reopen(session, cast.actors["admin"], club, utc_now())
    assert [each.slug for each in memberships(session, amina.member_id)] == [club]


def test_admins_set_terms_and_quotas(session: Session, cast: Cast, club: str) -> None:
    admin = cast.actors["admin"]
    with pytest.raises(DomainError) as refused:
        service.set_terms(session, admin, club, WORDS, utc_now(), tariff_category="free-beer")
    assert refused.value.refusals[0].field == "tariff_category"
    service.set_terms(session, admin, club, WORDS, utc_now(), tariff_category="partner", kind="association")
    found = organisation_by_slug(session, club)
    assert found is not None
    assert (found.kind, found.tariff_category) == ("association", "partner")
    for kind, period, limit_s, field in (
        ("submarine", "week", 1, "kind"),
        (None, "year", 1, "period"),
        (None, "week", -1, "limit"),
    ):
        with pytest.raises(DomainError) as refused:
            set_quota(session, admin, club, kind, period, limit_s, utc_now())
        assert [each.field for each in refused.value.refusals] == [field]
    set_quota(session, admin, club, None, "week", 3600, utc_now())
    set_quota(session, admin, club, None, "week", 7200, utc_now())
    dropped = set_quota(session, admin, club, "laser-cutter", "month", 60, utc_now())
    assert [(each.kind_slug, each.period, each.limit_s) for each in quotas(session, found.id)] == [
        (None, "week", 7200),
        ("laser-cutter", "month", 60),
    ]
    drop_quota(session, admin, club, dropped.id, utc_now())
    assert [each.zone for each in quotas(session, found.id)] == ["Africa/Casablanca"]


def test_a_category_that_is_gone_from_the_file_may_stay(session: Session, cast: Cast, club: str) -> None:
    row = session.scalars(select(Organisation)).one()
    row.tariff_category = "gone"
    session.flush()
    service.set_terms(
        session, cast.actors["admin"], club, WORDS, utc_now(), tariff_category="gone", kind="company"
    )
    assert WORDS.name(WORDS.tariff_categories, "gone", "fr") == "gone"


def test_every_change_of_rights_is_in_the_audit_without_names(
    session: Session, cast: Cast, club: str
) -> None:
    amina, admin = cast.actors["amina"], cast.actors["admin"]
    youssef = cast.members["youssef"]
    service.appoint(session, amina, club, youssef, True, utc_now())
    service.appoint(session, amina, club, youssef, True, utc_now())
    service.appoint(session, amina, club, youssef, False, utc_now())
    service.remove(session, amina, club, youssef, utc_now())
    set_quota(session, admin, club, None, "week", 60, utc_now())
    service.set_terms(session, admin, club, WORDS, utc_now(), kind="company")
    service.close(session, amina, club, utc_now())
    service.reopen(session, admin, club, utc_now())
    lines = session.scalars(
        select(Audit).where(Audit.subject.startswith("organisation ")).order_by(Audit.id)
    ).all()
    assert [(each.action, each.on_member_id) for each in lines] == [
        ("organisation.found", amina.member_id),
        ("membership.appoint", youssef),
        ("membership.dismiss", youssef),
        ("membership.remove", youssef),
        ("quota.set", None),
        ("organisation.set_terms", None),
        ("organisation.close", None),
        ("organisation.reopen", None),
    ]
    assert not any("Robot" in each.subject + each.detail for each in lines)


def test_the_network_is_searched_by_name_kind_and_category(session: Session, cast: Cast, club: str) -> None:
    service.found(session, cast.actors["youssef"], "100%_Design", "startup", WORDS, utc_now())
    assert [each.name for each in organisations(session)] == ["100%_Design", "Club Robotique"]
    assert [each.name for each in organisations(session, text="ROBO")] == ["Club Robotique"]
    assert [each.name for each in organisations(session, text="%_")] == ["100%_Design"]
    assert [each.name for each in organisations(session, kind="startup")] == ["100%_Design"]
    assert [each.name for each in organisations(session, tariff_category="school")] == ["Club Robotique"]
    assert [each.members for each in organisations(session, member_id=cast.members["youssef"])] == [1, 2]


def test_an_erased_member_leaves_and_owners_are_found(session: Session, cast: Cast, club: str) -> None:
    amina, youssef = cast.members["amina"], cast.members["youssef"]
    alone = service.found(session, cast.actors["amina"], "Amina B.", "individual", WORDS, utc_now())
    forget_member(session, None, amina, utc_now())
    assert memberships(session, amina, closed=True) == []
    assert [(each.slug, each.owner) for each in memberships(session, youssef)] == [(club, True)]
    assert session.get_one(Organisation, alone.id, populate_existing=True).closed_at is not None


def whoever_leaves(session: Session, cast: Cast, club: str) -> None:
    service.remove(session, cast.actors["youssef"], club, cast.members["youssef"], utc_now())


def whoever_is_removed(session: Session, cast: Cast, club: str) -> None:
    service.remove(session, cast.actors["amina"], club, cast.members["youssef"], utc_now())


def whoever_is_dismissed(session: Session, cast: Cast, club: str) -> None:
    service.appoint(session, cast.actors["amina"], club, cast.members["youssef"], False, utc_now())


def whoever_is_erased(session: Session, cast: Cast, club: str) -> None:
    forget_member(session, None, cast.members["youssef"], utc_now())


@pytest.mark.parametrize(
    "end",
    [whoever_leaves, whoever_is_removed, whoever_is_dismissed, whoever_is_erased],
    ids=lambda end: end.__name__,
)
def test_invitations_end_with_the_right_to_invite(
    session: Session, cast: Cast, club: str, end: Callable[[Session, Cast, str], None]
) -> None:
    """Otherwise a removed owner comes back by one sent to a second account."""
    service.appoint(session, cast.actors["amina"], club, cast.members["youssef"], True, utc_now())
    for who in ("youssef", "amina"):
        invite(
            session, cast.actors[who], club, f"second-{who}@example.org", utc_now(), base_url="https://x.org"
        )
    end(session, cast, club)
    open_ = select(Invitation.email).where(Invitation.withdrawn_at.is_(None))
    assert session.scalars(open_).all() == ["second-amina@example.org"]
