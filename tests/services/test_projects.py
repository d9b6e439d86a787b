"""Projects: whose they are, who may change them, and which one a booking may be for."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.members.rules import Actor
from fablab.organisations.catalogue import catalogue
from fablab.organisations.models import Membership, Project
from fablab.organisations.projects import begin_project, close_project, edit_project, visible_project
from fablab.organisations.queries import ProjectView, project_for_booking, projects_of
from fablab.organisations.service import close, found
from tests.fixtures_cast import Cast

WORDS = catalogue()
NOW = utc_now()


@pytest.fixture
def club(session: Session, cast: Cast) -> str:
    """Amina's club; Youssef and Salma are members."""
    made = found(session, cast.actors["amina"], "Club", "school_club", WORDS, NOW)
    for name in ("youssef", "salma"):
        session.add(Membership(organisation_id=made.id, member_id=cast.members[name], owner=False, since=NOW))
    session.flush()
    return made.slug


def begin(session: Session, actor: Actor, organisation: str | None = None) -> ProjectView:
    return begin_project(session, actor, "Lamp", "design", "own-funds", WORDS, NOW, organisation=organisation)


@pytest.mark.parametrize(
    ("name", "filiere", "programme", "field"),
    [
        ("", "design", None, "name"),
        ("x" * 121, "design", None, "name"),
        ("Lamp", "cooking", None, "filiere"),
        ("Lamp", "", None, "filiere"),
        ("Lamp", "design", "lottery", "programme"),
    ],
)
def test_a_project_needs_a_name_and_a_field_the_network_knows(
    session: Session, cast: Cast, name: str, filiere: str, programme: str | None, field: str
) -> None:
    with pytest.raises(DomainError) as refused:
        begin_project(session, cast.actors["amina"], name, filiere, programme, WORDS, NOW)
    assert [each.field for each in refused.value.refusals] == [field]


def test_who_may_begin_one(session: Session, cast: Cast, club: str) -> None:
    for name, code in (("nadia", Code.NOT_ALLOWED), ("karim", Code.NOT_FOUND), ("admin", Code.NOT_ALLOWED)):
        with pytest.raises(DomainError) as refused:
            begin(session, cast.actors[name], club)
        assert refused.value.code is code, name
    assert begin(session, cast.actors["youssef"], club).organisation_slug == club


@pytest.mark.parametrize("of_club", [False, True])
def test_who_sees_and_who_changes_one(session: Session, cast: Cast, club: str, of_club: bool) -> None:
    made = begin(session, cast.actors["youssef"], club if of_club else None)
    changes = {"youssef", "admin", *(["amina"] if of_club else [])}
    sees = changes | {"nadia"} | ({"salma"} if of_club else set())
    for name, actor in cast.actors.items():
        wanted = None if name in changes else Code.NOT_ALLOWED if name in sees else Code.NOT_FOUND
        if name in sees:
            assert visible_project(session, actor, made.id).name == "Lamp"
        else:
            with pytest.raises(DomainError) as refused:
                visible_project(session, actor, made.id)
            assert refused.value.code is Code.NOT_FOUND, name
        if wanted is None:
            edit_project(session, actor, made.id, WORDS, filiere="music")
            continue
        for change in (
            lambda actor=actor: edit_project(session, actor, made.id, WORDS, filiere="music"),
            lambda actor=actor: close_project(session, actor, made.id, NOW),
        ):
            with pytest.raises(DomainError) as refused:
                change()
            assert refused.value.code is wanted, name


def test_changing_one_keeps_what_is_not_said(session: Session, cast: Cast) -> None:
    amina = cast.actors["amina"]
    made = begin(session, amina)
    done = edit_project(session, amina, made.id, WORDS, name=" Big lamp ")
    assert (done.name, done.filiere, done.programme) == ("Big lamp", "design", "own-funds")
    assert edit_project(session, amina, made.id, WORDS, without_programme=True).programme is None
    row = session.get_one(Project, made.id)
    row.filiere, row.programme = "gone", "gone-too"
    session.flush()
    assert edit_project(session, amina, made.id, WORDS, name="Lamp").filiere == "gone"
    with pytest.raises(DomainError):
        edit_project(session, amina, made.id, WORDS, filiere="cooking")


def test_a_booking_may_be_for_an_open_project_of_ones_own_or_ones_organisation(
    session: Session, cast: Cast, club: str
) -> None:
    own, clubs = begin(session, cast.actors["youssef"]), begin(session, cast.actors["youssef"], club)

    def may(name: str) -> list[bool]:
        member_id = cast.members[name]
        listed = {each.id for each in projects_of(session, member_id)}
        found = [project_for_booking(session, each.id, member_id) is not None for each in (own, clubs)]
        assert found == [own.id in listed, clubs.id in listed]
        return found

    assert may("youssef") == [True, True]
    assert may("amina") == [False, True]
    # Who sees everything does not book for everything.
    assert may("admin") == may("karim") == [False, False]
    assert project_for_booking(session, 10**15, cast.members["amina"]) is None
    close(session, cast.actors["amina"], club, NOW)
    assert may("youssef") == [True, False]
    close_project(session, cast.actors["youssef"], own.id, NOW)
    close_project(session, cast.actors["youssef"], own.id, NOW)
    assert may("youssef") == [False, False]
    assert len(projects_of(session, cast.members["youssef"], closed=True)) == 2
    with pytest.raises(DomainError) as refused:
        edit_project(session, cast.actors["youssef"], own.id, WORDS, name="Again")
    assert refused.value.refusals[0].code == "project_closed"
