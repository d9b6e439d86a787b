"""Finding members: what matches, in which order, by which index, and that nothing typed is an operator."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from fablab.members.directory import MOST_SORTED, find_members, named_so, others_sorted, others_walked
from fablab.members.models import Member
from fablab.members.search import LONGEST, query, sought, words
from tests.fixtures_cast import Cast

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PEOPLE = {
    "Zoë Élise d'Orsay": "zoe.dorsay@example.org",
    "أمينة بن عليّ": "amina.benali@example.org",
    "Fatima-Zahra Oubella": "fz_oubella+lab@uae.ac.ma",
    "Nils Ångström": "nils@example.com",
    "Łukasz Straße": "l.strasse@example.com",
}


@pytest.fixture
def people(session: Session) -> Session:
    session.execute(
        insert(Member), [{"name": name, "email": email, "created_at": NOW} for name, email in PEOPLE.items()]
    )
    return session


def found(session: Session, text: str) -> list[str]:
    return [each.name for each in find_members(session, text, limit=50)]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("zoe", "Zoë Élise d'Orsay"),
        ("ZOË éli", "Zoë Élise d'Orsay"),
        ("ors zo", "Zoë Élise d'Orsay"),
        ("امينه", "أمينة بن عليّ"),
        ("أَمينـة عَلي", "أمينة بن عليّ"),
        ("amina.benali@example.org", "أمينة بن عليّ"),
        ("fatima zahra", "Fatima-Zahra Oubella"),
        ("oubella+lab@UAE", "Fatima-Zahra Oubella"),
        ("fz_o", "Fatima-Zahra Oubella"),
        ("angst", "Nils Ångström"),
        ("lukasz strasse", "Łukasz Straße"),
    ],
)
def test_the_beginnings_of_words_find_a_member(people: Session, typed: str, name: str) -> None:
    assert found(people, typed) == [name]


@pytest.mark.parametrize("typed", ["lise", "zoe amina", "orsayx", "mina", "0"])
def test_the_middle_of_a_word_or_one_word_too_many_finds_nobody(people: Session, typed: str) -> None:
    assert found(people, typed) == []


def test_no_words_list_everybody_by_name(people: Session) -> None:
    everybody = [
        "Fatima-Zahra Oubella",
        "Łukasz Straße",
        "Nils Ångström",
        "Zoë Élise d'Orsay",
        "أمينة بن عليّ",
    ]
    assert found(people, "") == everybody
    assert found(people, " -&|!()'\\:*<-> ") == everybody


@pytest.mark.parametrize(
    "operator", [*list("&|!()<>-:*'\"\\@+_.,;%$ \t\n\x00~^?[]{}"), "<->", "':*", "\\'", "a:A"]
)
def test_no_character_is_an_operator(people: Session, operator: str) -> None:
    assert found(people, f"zoe{operator}elise") in (["Zoë Élise d'Orsay"], [])
    assert found(people, f"{operator}nils{operator}") in (["Nils Ångström"], [])
    assert people.scalar(text("SELECT CAST(:q AS tsquery)::text"), {"q": query(f"x{operator}y")})


@given(st.text())
def test_queries_hold_words_and_nothing_else(typed: str) -> None:
    assert all(word.isalnum() and word == word.lower() for word in words(typed))
    assert query(typed).replace("':*", "").replace("'", "").replace(" & ", "").isalnum() or not query(typed)


@given(st.text(max_size=120), st.text(max_size=254))
def test_what_is_sought_fits_its_column_and_keeps_whole_words(name: str, email: str) -> None:
    text = sought(name, email)
    assert len(text) <= LONGEST
    assert text == " ".join(dict.fromkeys(text.split(" "))) or text == ""
    assert set(text.split()) <= set(words(f"{name} {email}")) or " " not in text


def test_pages_follow_one_another_without_gap_or_repetition(people: Session) -> None:
    seen: list[str] = []
    after = None
    while page := find_members(people, "", limit=2, after=after):
        seen += [each.name for each in page]
        after = page[-1].place
    assert seen == found(people, "")


def test_shut_accounts_take_no_place_among_the_active(people: Session) -> None:
    everybody = found(people, "example")
    first = people.scalars(select(Member).where(Member.name.in_(everybody[:-1]))).all()
    for each in first:
        each.active = False
    people.flush()
    assert [each.name for each in find_members(people, "example", limit=1, active=True)] == everybody[-1:]


def test_the_erased_are_found_no_more_and_the_inactive_are(people: Session) -> None:
    nils = people.scalars(select(Member).where(Member.name == "Nils Ångström")).one()
    nils.active = False
    people.flush()
    assert [each.active for each in find_members(people, "nils")] == [False]
    assert find_members(people, "nils", active=True) == []
    nils.erased_at = NOW
    people.flush()
    assert found(people, "nils") == []


def test_roles_come_with_the_members_in_two_statements(session: Session, cast: Cast) -> None:
    seen = []
    from sqlalchemy import event

    def count(*args: object) -> None:
        seen.append(args[2])

    event.listen(session.get_bind(), "before_cursor_execute", count)
    everybody = {each.name: each.roles for each in find_members(session, "")}
    event.remove(session.get_bind(), "before_cursor_execute", count)
    assert len(seen) == 2
    assert everybody["Salma"] == (("manager", cast.labs["tanger"]),)
    assert everybody["Amina"] == (("maker", None),)


def test_indexes_find_whatever_is_typed(session: Session) -> None:
    """Thousands of members: no search reads them all, and none walks along the names to those with a z."""
    session.execute(
        insert(Member),
        [
            {"name": f"{first} {last}{number}", "email": f"m{number}@example.org", "created_at": NOW}
            for number, (first, last) in enumerate(
                (first, last)
                for first in ("Amina", "Brahim", "Chaimae", "Driss", "Zineb")
                for last in ("Benali", "Tazi", "Alaoui", "Ouhadi")
                for _ in range(300)
            )
        ],
    )
    # What autovacuum does after a while.
    session.execute(text("SELECT gin_clean_pending_list('ix_member_words')"))
    session.execute(text("ANALYZE member"))
    for typed in ("z", "zi", "zineb", "driss tazi1", ""):
        assert "ix_member_sought" in plan(session, named_so(typed, None, 20)), typed
    for typed in ("zz", "driss tazi1", "m4711", "q"):
        assert "ix_member_words" in plan(session, others_sorted(typed, None, 20)), typed
    assert "ix_member_sought" in plan(session, others_walked("example", None, 20))


def plan(session: Session, statement: Any) -> str:
    compiled = statement.compile(session.get_bind())
    rows = session.connection().exec_driver_sql(f"EXPLAIN {compiled}", compiled.params)
    lines = "\n".join(row[0] for row in rows)
    assert "Seq Scan on member" not in lines, lines
    return lines


def test_whoever_is_named_so_comes_first_and_pages_go_on_through_all(
    session: Session, monkeypatch: Any
) -> None:
    """However the rest is read: sorted when they are few, along the names when they are many."""
    four = range(4)
    names = [*(f"Ben {each}" for each in four), *(f"Ali Ben{each}" for each in four), "Zoubir", "Ali"]
    session.execute(
        insert(Member),
        [
            {
                "name": name,
                "email": f"{'ben' if name == 'Zoubir' else 'x'}.{number}@example.org",
                "created_at": NOW,
            }
            for number, name in enumerate(names)
        ],
    )
    expected = names[:9]
    for most in (MOST_SORTED, 2):
        monkeypatch.setattr("fablab.members.directory.MOST_SORTED", most)
        for limit in (1, 3, 4, 5, 20):
            seen: list[str] = []
            after = None
            while page := find_members(session, "ben", limit=limit, after=after):
                assert len(page) <= limit
                seen += [each.name for each in page]
                after = page[-1].place
            assert seen == expected, (most, limit)


def test_the_migration_wrote_the_members_of_before_as_new_ones_are_written(people: Session) -> None:
    [path] = Path("migrations/versions").resolve().glob("20261122_1010_*.py")
    spec = importlib.util.spec_from_file_location("first_members", path)
    assert spec is not None
    assert spec.loader is not None
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    usual = ("Zoë Élise d'Orsay", "أمينة بن عليّ", "Fatima-Zahra Oubella", "Nils Ångström")
    members = people.scalars(select(Member).where(Member.name.in_(usual))).all()
    before = {each.id: set(each.sought.split()) for each in members}
    people.connection().exec_driver_sql(migration.MEMBERS_SO_FAR)
    people.expire_all()
    assert {each.id: set(each.sought.split()) for each in members} == before
