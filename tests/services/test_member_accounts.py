"""Accounts that staff open, what is put down in them, and guardians' consents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.mail.models import Mail
from fablab.members.consent import current_words, record_consent, withdraw_consent
from fablab.members.directory import consents_of, find_members, member_details
from fablab.members.models import Audit, GuardianConsent, Member
from fablab.members.profile import change_profile
from fablab.members.queries import has_consent
from fablab.members.rules import age_on
from fablab.signin.accounts import open_account
from fablab.signin.service import reset_password
from tests.fixtures_cast import Cast

WORDS = current_words()["ar"]
TODAY = utc_now().date()
BORN = date(TODAY.year - 15, 1, 1)
BASE = "https://fablab.example.org"


def refused(act: Callable[[], object]) -> DomainError:
    with pytest.raises(DomainError) as error:
        act()
    return error.value


@pytest.fixture
def hind(session: Session, cast: Cast) -> int:
    """A maker of 15."""
    return open_account(
        session, cast.actors["salma"], "Hind@example.org", " Hind ", "ar", BORN, utc_now(), base_url=BASE
    )


@pytest.mark.parametrize(("who", "code"), [("amina", Code.NOT_FOUND), ("trainer", Code.NOT_ALLOWED)])
def test_not_everybody_opens_accounts(session: Session, cast: Cast, who: str, code: Code) -> None:
    error = refused(
        lambda: open_account(
            session, cast.actors[who], "x@example.org", "X", "fr", None, utc_now(), base_url=BASE
        )
    )
    assert error.code is code


@pytest.mark.parametrize(
    ("email", "name", "language", "birth_on", "under_18", "field"),
    [
        ("nobody", "N", "fr", None, False, "email"),
        ("AMINA@example.org", "N", "fr", None, False, "email"),
        ("n@example.org", " ", "fr", None, False, "name"),
        ("n@example.org", "N\0", "fr", None, False, "name"),
        ("n@example.org", "N", "de", None, False, "language"),
        ("n@example.org", "N", "fr", None, True, "birth_on"),
        ("n@example.org", "N", "fr", date(1899, 1, 1), False, "birth_on"),
        ("n@example.org", "N", "fr", date(9999, 1, 1), False, "birth_on"),
    ],
)
def test_a_wrong_account_is_refused(
    session: Session,
    cast: Cast,
    email: str,
    name: str,
    language: str,
    birth_on: date | None,
    under_18: bool,
    field: str,
) -> None:
    error = refused(
        lambda: open_account(
            session,
            cast.actors["salma"],
            email,
            name,
            language,
            birth_on,
            utc_now(),
            under_18=under_18,
            base_url=BASE,
        )
    )
    assert [each.field for each in error.refusals] == [field]
    assert session.scalars(select(Mail)).all() == []


def test_the_new_member_gets_a_link_that_sets_a_password(session: Session, cast: Cast, hind: int) -> None:
    mail = session.scalars(select(Mail)).one()
    assert (mail.template, mail.address, mail.language) == ("account_opened", "Hind@example.org", "ar")
    link = mail.filling["link"].removeprefix(f"{BASE}/reset/")
    reset_password(session, link, "carpet lantern violin", utc_now())
    found = member_details(session, hind)
    assert found is not None
    assert found.roles == (("maker", None),)
    assert found.email_verified_at is not None
    line = session.scalars(select(Audit).where(Audit.action == "member.add")).one()
    assert (line.actor_id, line.on_member_id) == (cast.members["salma"], hind)
    assert line.lab_id == cast.labs["tanger"]
    assert "ind" not in line.subject + line.detail


@pytest.mark.parametrize(
    ("who", "whom", "changes", "code"),
    [
        ("youssef", "amina", {"name": "X"}, Code.NOT_FOUND),
        ("trainer", "amina", {"name": "X"}, Code.NOT_ALLOWED),
        ("nadia", "amina", {"name": "X"}, Code.NOT_ALLOWED),
        ("salma", "karim", {"name": "X"}, Code.NOT_ALLOWED),
        ("salma", "amina", {"name": " "}, Code.REFUSED),
        ("salma", "amina", {"language": "de"}, Code.REFUSED),
        ("salma", "amina", {"birth_on": TODAY + timedelta(days=3)}, Code.REFUSED),
    ],
)
def test_what_is_put_down_is_not_everybodys_to_change(
    session: Session, cast: Cast, who: str, whom: str, changes: dict[str, object], code: Code
) -> None:
    act = lambda: change_profile(session, cast.actors[who], cast.members[whom], changes, utc_now())  # noqa: E731
    assert refused(act).code is code


def test_a_new_name_is_found_and_the_old_one_no_more(session: Session, cast: Cast) -> None:
    amina = cast.members["amina"]
    change_profile(session, cast.actors["salma"], amina, {"name": "Zoubida", "language": "ar"}, utc_now())
    assert [each.id for each in find_members(session, "zoub")] == [amina]
    found = find_members(session, "amina")
    assert [each.name for each in found] == ["Zoubida"], "her address still says so"
    line = session.scalars(select(Audit).where(Audit.action == "member.change")).one()
    assert (line.detail, line.lab_id) == ("language, name", cast.labs["tanger"])


def test_a_minor_does_not_come_of_age_by_typing(session: Session, cast: Cast) -> None:
    amina, actor = cast.members["amina"], cast.actors["amina"]
    assert change_profile(session, actor, amina, {"birth_on": BORN}, utc_now()) == ["birth_on"]
    older = {"birth_on": date(1990, 1, 1)}
    assert refused(lambda: change_profile(session, actor, amina, older, utc_now())).code is Code.NOT_ALLOWED
    assert refused(lambda: change_profile(session, actor, amina, {"birth_on": None}, utc_now()))
    by_salma = refused(lambda: change_profile(session, cast.actors["salma"], amina, older, utc_now()))
    assert "of age" in by_salma.message
    assert change_profile(session, cast.actors["admin"], amina, older, utc_now()) == ["birth_on"]


def test_a_known_birth_date_is_corrected_by_managers_and_removed_by_admins_only(
    session: Session, cast: Cast, hind: int
) -> None:
    for who in ("salma", "karim"):
        nothing = refused(
            lambda who=who: change_profile(session, cast.actors[who], hind, {"birth_on": None}, utc_now())
        )  # type: ignore[misc]
        assert nothing.code is Code.NOT_ALLOWED
        assert "correct" in nothing.message
    found = member_details(session, hind)
    assert found is not None
    assert found.birth_on == BORN
    younger = {"birth_on": BORN + timedelta(days=1), "name": "Hind B"}
    assert change_profile(session, cast.actors["karim"], hind, younger, utc_now()) == ["birth_on", "name"]
    change_profile(session, cast.actors["admin"], hind, {"birth_on": None}, utc_now())
    change_profile(session, cast.actors["salma"], hind, {"birth_on": BORN}, utc_now())
    lines = session.scalars(select(Audit).where(Audit.action == "member.change").order_by(Audit.id))
    assert [line.detail for line in lines] == [
        "birth date corrected, name",
        "birth date removed",
        "birth date added",
    ]


def consent(session: Session, cast: Cast, who: str, member_id: int, **other: object) -> int:
    given = {"guardian_name": "Fatima", "guardian_email": None, "words": WORDS, "given_on": TODAY, **other}
    return record_consent(session, cast.actors[who], member_id, **given, now=utc_now())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("who", "code"),
    [("amina", Code.NOT_FOUND), ("trainer", Code.NOT_FOUND), ("nadia", Code.NOT_FOUND)],
)
def test_consent_is_recorded_by_managers_and_admins(
    session: Session, cast: Cast, hind: int, who: str, code: Code
) -> None:
    assert refused(lambda: consent(session, cast, who, hind)).code is code


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"guardian_name": " "}, "guardian_name"),
        ({"guardian_email": "nobody"}, "guardian_email"),
        ({"words": "Whatever"}, "words"),
        ({"given_on": TODAY + timedelta(days=2)}, "given_on"),
        ({"given_on": BORN - timedelta(days=1)}, "given_on"),
    ],
)
def test_a_consent_says_who_when_and_to_what(
    session: Session, cast: Cast, hind: int, other: dict[str, object], field: str
) -> None:
    error = refused(lambda: consent(session, cast, "salma", hind, **other))
    assert [each.field for each in error.refusals] == [field]


def test_only_minors_need_one_and_nobody_vouches_for_oneself(session: Session, cast: Cast) -> None:
    amina = session.get_one(Member, cast.members["amina"])
    assert refused(lambda: consent(session, cast, "salma", amina.id)).refusals[0].code == "birth_date_needed"
    amina.birth_on = date(TODAY.year - 30, 1, 1)
    session.flush()
    assert refused(lambda: consent(session, cast, "salma", amina.id)).refusals[0].code == "of_age"
    salma = cast.members["salma"]
    assert refused(lambda: consent(session, cast, "salma", salma)).code is Code.NOT_ALLOWED


def test_a_consent_is_kept_in_its_words_until_it_is_withdrawn(
    session: Session, cast: Cast, hind: int
) -> None:
    assert not has_consent(session, hind)
    as_a_form_sends_it = WORDS.replace(". ", ".\r\n")
    made = consent(session, cast, "salma", hind, words=as_a_form_sends_it)
    assert has_consent(session, hind)
    assert session.get_one(GuardianConsent, made).words == WORDS
    [found] = consents_of(session, hind)
    assert (found.guardian_name, found.recorded_by, found.withdrawn_at) == ("Fatima", "Salma", None)
    somebody = cast.members["amina"]
    error = refused(lambda: withdraw_consent(session, cast.actors["salma"], somebody, made, utc_now()))
    assert error.code is Code.NOT_FOUND, "it is not hers"
    assert refused(lambda: withdraw_consent(session, cast.actors["trainer"], hind, made, utc_now()))
    withdraw_consent(session, cast.actors["karim"], hind, made, utc_now())
    assert not has_consent(session, hind)
    assert len(consents_of(session, hind)) == 1
    assert refused(lambda: withdraw_consent(session, cast.actors["karim"], hind, made, utc_now()))
    actions = session.scalars(select(Audit.action).where(Audit.action.like("consent.%"))).all()
    assert actions == ["consent.record", "consent.withdraw"]


def test_the_words_are_there_in_each_language_and_fit(tmp_path: Path) -> None:
    assert list(current_words()) == ["fr", "ar", "en"]
    assert age_on(BORN, TODAY) == 15
    bad = tmp_path / "consent.toml"
    bad.write_text('[fr]\nwords = " "\n[ar]\nwords = "x"\n[en]\nwords = "x"\n')
    with pytest.raises(ValueError, match=r"\[fr\] words"):
        current_words(bad)
