"""Granting and changing certifications: who may, what it leaves behind, and what the clock does with them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, func, select, text, update
from sqlalchemy.orm import Session

from fablab.certifications import changes
from fablab.certifications.models import Certification, CertificationChange
from fablab.certifications.queries import (
    certification,
    certification_by_code,
    history,
    needing_attention,
    standing_of,
)
from fablab.certifications.tasks import remind_of_expiry, suspend_unused
from fablab.errors import Code, DomainError
from fablab.mail.models import Mail
from fablab.members.models import Audit, Member
from fablab.settings import Settings
from tests.fixtures_cast import Cast
from tests.services.certification_case import Case

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture
def case(session: Session, cast: Cast, settings: Settings) -> Case:
    return Case(session, cast, settings, NOW)


def refusal(error: pytest.ExceptionInfo[DomainError]) -> tuple[str, str]:
    [found] = error.value.refusals
    return found.code, found.field


@pytest.mark.parametrize(
    ("by", "on"),
    [
        ("amina", "3d-printer"),
        ("nadia", "3d-printer"),
        ("karim", "tanger-prusa-1"),
        ("salma", "rabat-prusa-1"),
        ("trainer", "rabat-prusa-1"),
    ],
)
def test_who_may_not_certify(case: Case, by: str, on: str) -> None:
    with pytest.raises(DomainError) as error:
        case.grant(by, "youssef", on)
    assert error.value.code is Code.NOT_ALLOWED
    assert case.mails() == []


def test_nobody_certifies_oneself_nor_changes_ones_own(case: Case) -> None:
    for who in ("trainer", "salma", "admin"):
        with pytest.raises(DomainError) as error:
            case.grant(who, who, lab_id=case.cast.labs["tanger"])
        assert error.value.code is Code.NOT_ALLOWED
        assert refusal(error) == ("own_certification", "member")
    own = case.grant("salma", "trainer")
    for verb in (changes.suspend, changes.resume, changes.revoke):
        with pytest.raises(DomainError, match="oneself"):
            verb(case.session, case.cast.actors["trainer"], own.id, NOW)
    with pytest.raises(DomainError, match="oneself"):
        changes.renew(case.session, case.cast.actors["trainer"], own.id, NOW, case.policy)


def test_a_level_there_is_not_an_end_in_the_past_and_a_stranger_are_refused(case: Case) -> None:
    for more, expected in (
        ({"level": 4}, ("invalid", "level")),
        ({"expires_on": NOW.date()}, ("invalid", "expires_on")),
        ({"expires_on": date(2036, 11, 23)}, ("invalid", "expires_on")),
    ):
        with pytest.raises(DomainError) as error:
            case.grant("salma", "youssef", **more)
        assert refusal(error) == expected
    case.session.execute(update(Member).where(Member.id == case.cast.members["youssef"]).values(active=False))
    with pytest.raises(DomainError) as error:
        case.grant("salma", "youssef")
    assert refusal(error) == ("invalid", "member")


def test_whoever_could_mean_several_labs_says_which(case: Case) -> None:
    with pytest.raises(DomainError) as error:
        case.grant("admin", "youssef")
    assert refusal(error) == ("invalid", "lab")
    assert case.grant("admin", "youssef", lab_id=case.cast.labs["rabat"]).lab_slug == "rabat"
    with pytest.raises(DomainError) as error:
        case.grant("salma", "amina", lab_id=case.cast.labs["rabat"])
    assert error.value.code is Code.NOT_ALLOWED


def test_a_grant_is_dated_told_written_down_and_worth_something(case: Case) -> None:
    given = case.grant("trainer", "youssef")
    assert given.state(NOW) == "valid"
    assert (given.lab_slug, given.level, given.expires_on) == ("tanger", 2, date(2028, 11, 22))
    assert len(given.code) == 26
    assert case.changes(given.id) == [("granted", 2)]
    assert case.audited("youssef") == ["certification.grant"]
    [mail] = case.session.scalars(select(Mail))
    assert (mail.template, mail.address) == ("certification_granted", "youssef@example.org")
    assert mail.filling["link"] == "https://fablab.example.org/certifications"
    cast = case.cast
    for machine in ("tanger-prusa-1", "rabat-prusa-1"):
        assert standing_of(case.session, cast.members["youssef"], cast.machines[machine], NOW) == 2
    assert standing_of(case.session, cast.members["youssef"], cast.machines["tanger-laser-1"], NOW) == 0
    assert standing_of(case.session, cast.members["amina"], cast.machines["tanger-prusa-1"], NOW) == 0


def test_the_audit_names_nobody(case: Case) -> None:
    given = case.grant("trainer", "youssef")
    changes.revoke(case.session, case.cast.actors["salma"], given.id, NOW, "Youssef left a laser burning")
    for row in case.session.scalars(select(Audit)):
        assert "oussef" not in row.subject + row.detail


def test_the_highest_valid_level_counts_through_machine_or_kind(case: Case) -> None:
    youssef, printer = case.cast.members["youssef"], case.cast.machines["tanger-prusa-1"]
    case.grant("salma", "youssef", "3d-printer", 1)
    machine = case.grant("salma", "youssef", "tanger-prusa-1", 3)
    assert standing_of(case.session, youssef, printer, NOW) == 3
    changes.suspend(case.session, case.cast.actors["salma"], machine.id, NOW)
    assert standing_of(case.session, youssef, printer, NOW) == 1
    assert standing_of(case.session, youssef, printer, NOW + timedelta(days=2000)) == 0


def test_there_is_one_certification_for_a_thing(case: Case) -> None:
    first = case.grant("salma", "youssef", level=1)
    with pytest.raises(DomainError) as error:
        case.grant("karim", "youssef", level=1)
    assert refusal(error) == ("already_certified", "level")
    higher = case.grant("karim", "youssef", level=2, now=NOW + timedelta(days=30))
    assert (higher.id, higher.code, higher.lab_slug) == (first.id, first.code, "rabat")
    assert higher.granted_at == NOW + timedelta(days=30)
    assert case.changes(first.id) == [("granted", 1), ("granted", 2)]
    with pytest.raises(DomainError):
        case.grant("salma", "youssef", level=1)


def test_a_revoked_one_is_granted_anew_not_renewed(case: Case) -> None:
    salma = case.cast.actors["salma"]
    given = case.grant("salma", "youssef")
    gone = changes.revoke(case.session, salma, given.id, NOW, "Left the printer burning")
    assert gone.state(NOW) == "revoked"
    assert changes.revoke(case.session, salma, given.id, NOW).revoked_at == gone.revoked_at
    for verb in (changes.suspend, changes.resume):
        with pytest.raises(DomainError) as error:
            verb(case.session, salma, given.id, NOW)
        assert refusal(error) == ("not_in_force", "")
    with pytest.raises(DomainError) as error:
        changes.renew(case.session, salma, given.id, NOW, case.policy)
    assert refusal(error) == ("not_in_force", "")
    again = case.grant("salma", "youssef", level=1)
    assert (again.id, again.state(NOW), again.level) == (given.id, "valid", 1)
    assert case.changes(given.id) == [("granted", 2), ("revoked", 2), ("granted", 1)]
    assert [each.reason for each in history(case.session, given.id)] == ["", "Left the printer burning", ""]


def test_suspended_and_resumed_and_told(case: Case) -> None:
    salma = case.cast.actors["salma"]
    given = case.grant("trainer", "youssef")
    stopped = changes.suspend(case.session, salma, given.id, NOW, "A refresher is due")
    assert stopped.state(NOW) == "suspended"
    with pytest.raises(DomainError):
        changes.suspend(case.session, salma, given.id, NOW)
    later = NOW + timedelta(days=3)
    back = changes.resume(case.session, salma, given.id, later)
    assert (back.state(later), back.expires_on, back.renewed_at) == ("valid", given.expires_on, later)
    assert case.mails("youssef") == [
        "certification_granted",
        "certification_stopped",
        "certification_renewed",
    ]
    assert case.audited("youssef") == [
        "certification.grant",
        "certification.suspend",
        "certification.resume",
    ]


def test_renewing_begins_another_period_whatever_had_ended(case: Case) -> None:
    given = case.grant("trainer", "youssef")
    much_later = NOW + timedelta(days=900)
    expired = certification(case.session, given.id)
    assert expired is not None
    assert expired.state(much_later) == "expired"
    renewed = changes.renew(case.session, case.cast.actors["karim"], given.id, much_later, case.policy)
    assert renewed.state(much_later) == "valid"
    assert renewed.expires_on == date(2031, 5, 10)
    assert renewed.granted_at == NOW


@pytest.mark.parametrize(
    ("by", "code"), [("youssef", Code.NOT_FOUND), ("nadia", Code.NOT_ALLOWED), ("karim", Code.NOT_ALLOWED)]
)
def test_others_cannot_touch_a_machines_certification(case: Case, by: str, code: Code) -> None:
    given = case.grant("trainer", "amina", "tanger-laser-1")
    with pytest.raises(DomainError) as error:
        changes.suspend(case.session, case.cast.actors[by], given.id, NOW)
    assert error.value.code is code
    with pytest.raises(DomainError) as error:
        changes.revoke(case.session, case.cast.actors[by], 999_999, NOW)
    assert error.value.code is Code.NOT_FOUND


def test_a_certificate_of_somebody_erased_is_nobodys(case: Case) -> None:
    given = case.grant("trainer", "youssef")
    assert certification_by_code(case.session, given.code) is not None
    case.session.execute(
        update(Member).where(Member.id == given.member_id).values(erased_at=NOW, active=False)
    )
    assert certification_by_code(case.session, given.code) is None


def test_the_clock_suspends_what_was_not_used_once_and_tells(case: Case) -> None:
    unused = case.grant("trainer", "youssef")
    used = case.grant("trainer", "amina")
    expired = case.grant("trainer", "karim", expires_on=date(2026, 12, 1))
    later = datetime(2027, 11, 22, 10, 1, tzinfo=UTC)
    assert suspend_unused(case.session, later - timedelta(minutes=2), case.settings) == 0
    case.session.execute(
        update(Certification)
        .where(Certification.id == used.id)
        .values(last_used_at=later - timedelta(days=300))
    )
    assert suspend_unused(case.session, later, case.settings) == 1
    assert suspend_unused(case.session, later, case.settings) == 0
    case.session.expire_all()
    states = {}
    for each in (unused, used, expired):
        now_it_is = certification(case.session, each.id)
        assert now_it_is is not None
        states[each.member_name] = now_it_is.state(later)
    assert states == {"Youssef": "suspended", "Amina": "valid", "Karim": "expired"}
    assert case.changes(unused.id) == [("granted", 2), ("suspended", 2)]
    last = history(case.session, unused.id)[-1]
    assert (last.member_id, last.reason) == (None, "Not used for 12 months.")
    assert case.mails("youssef") == ["certification_granted", "certification_suspended"]
    assert case.session.scalar(select(Audit.actor_id).order_by(Audit.id.desc()).limit(1)) is None
    # A trainer lets it go on, and the months count anew although it was never used.
    changes.resume(case.session, case.cast.actors["trainer"], unused.id, later)
    assert suspend_unused(case.session, later + timedelta(days=300), case.settings) == 1, "only Amina's"


def test_the_clock_reminds_once_of_each_end(case: Case) -> None:
    given = case.grant("trainer", "youssef", expires_on=date(2027, 1, 31))
    case.grant("trainer", "amina", expires_on=date(2027, 6, 30))
    at = datetime(2027, 1, 1, 9, tzinfo=UTC)
    assert remind_of_expiry(case.session, at - timedelta(days=1), case.settings) == 0
    assert remind_of_expiry(case.session, at, case.settings) == 1
    assert remind_of_expiry(case.session, at + timedelta(days=3), case.settings) == 0
    assert case.mails("youssef") == ["certification_granted", "certification_expiring"]
    changes.renew(
        case.session,
        case.cast.actors["trainer"],
        given.id,
        at,
        case.policy,
        expires_on=date(2027, 3, 1),
    )
    assert remind_of_expiry(case.session, datetime(2027, 2, 1, tzinfo=UTC), case.settings) == 1


def test_what_needs_a_trainers_eye(case: Case) -> None:
    soon = case.grant("trainer", "youssef", expires_on=date(2026, 12, 10))
    fine = case.grant("trainer", "amina")
    labs = [case.cast.labs["tanger"]]
    until = date(2026, 12, 22)
    assert [each.id for each in needing_attention(case.session, labs, until)] == [soon.id]
    changes.suspend(case.session, case.cast.actors["trainer"], fine.id, NOW)
    assert [each.id for each in needing_attention(case.session, labs, until)] == [soon.id, fine.id]
    assert needing_attention(case.session, [case.cast.labs["rabat"]], until) == []


def test_the_clock_takes_many_in_few_statements(case: Case) -> None:
    case.session.execute(
        text(
            "INSERT INTO member (email, name, created_at, active)"
            " SELECT 'm' || n || '@example.org', 'M', now(), true FROM generate_series(1, 60) n"
        )
    )
    case.session.execute(
        text(
            "INSERT INTO certification (member_id, kind_id, lab_id, level, granted_at, renewed_at, code)"
            " SELECT id, (SELECT min(id) FROM kind), (SELECT min(id) FROM lab), 1, '2020-01-01',"
            " '2020-01-01', id"
            " FROM member WHERE name = 'M'"
        )
    )
    statements: list[str] = []
    event.listen(case.session.get_bind(), "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert suspend_unused(case.session, NOW, case.settings) == 60
    case.session.flush()
    assert len(statements) <= 9, "each for all of them"
    assert case.session.scalar(select(func.count()).select_from(CertificationChange)) == 60
