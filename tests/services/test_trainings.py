"""Trainings: places strictly kept, a line in order, and one act that certifies whoever came."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.certifications import changes, enrolments, trainings
from fablab.certifications.models import Certification, CertificationChange, Enrolment
from fablab.certifications.queries import certifications, standing_of
from fablab.certifications.training_queries import TrainingView, training, unclosed
from fablab.certifications.training_queries import enrolments as list_of
from fablab.certifications.training_queries import trainings as all_trainings
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.mail.models import Mail
from fablab.members.models import Audit, Member, Role
from fablab.members.rules import Actor
from fablab.settings import Settings
from tests.fixtures_cast import Cast
from tests.services.certification_case import BASE, Case

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture
def case(session: Session, cast: Cast, settings: Settings) -> Case:
    return Case(session, cast, settings, NOW)


def refusal(error: pytest.ExceptionInfo[DomainError]) -> tuple[str, str]:
    [found] = error.value.refusals
    return found.code, found.field


@pytest.mark.parametrize("by", ["amina", "karim", "nadia"])
def test_who_holds_no_training_in_tanger(case: Case, by: str) -> None:
    with pytest.raises(DomainError) as error:
        case.plan(by)
    assert error.value.code is Code.NOT_ALLOWED
    planned = case.plan("trainer")
    actor = case.cast.actors[by]
    for act in (
        lambda: trainings.change_training(case.session, actor, planned.id, {"places": 9}, NOW, BASE),
        lambda: trainings.cancel_training(case.session, actor, planned.id, NOW, BASE),
        lambda: case.close(by, planned, []),
        lambda: case.enrol(by, planned, "youssef"),
        lambda: case.leave(by, planned, "youssef"),
    ):
        with pytest.raises(DomainError) as error:
            act()
        assert error.value.code is Code.NOT_ALLOWED


def test_a_training_that_cannot_be_is_refused(case: Case) -> None:
    for more, expected in (
        ({"starts_at": NOW - timedelta(hours=1)}, ("invalid", "starts_at")),
        ({"ends_at": NOW}, ("invalid", "ends_at")),
        ({"on": "rabat-prusa-1"}, ("invalid", "machine")),
        ({"level": 0}, ("invalid", "level")),
    ):
        with pytest.raises(DomainError) as error:
            case.plan(**more)
        assert refusal(error) == expected


def test_places_then_a_line_in_order_and_up_it_goes(case: Case) -> None:
    planned = case.plan(places=1)
    assert (planned.free, planned.own_state, planned.state(NOW)) == (1, None, "planned")
    first = case.enrol("amina", planned)
    assert (first.own_state, first.enrolled, first.free, first.waiting) == ("enrolled", 1, 0, 0)
    assert case.enrol("amina", planned) == first
    second = case.enrol("youssef", planned, now=NOW + timedelta(seconds=1))
    assert (second.own_state, second.ahead, second.waiting) == ("waiting", 0, 1)
    third = case.enrol("karim", planned, now=NOW + timedelta(seconds=2))
    assert (third.own_state, third.ahead, third.enrolled) == ("waiting", 1, 1)
    assert case.mails() == ["training_enrolled", "training_waiting", "training_waiting"]
    gone = case.leave("amina", planned)
    assert (gone.own_state, gone.enrolled, gone.waiting) == (None, 1, 1)
    assert case.mails("youssef") == ["training_waiting", "training_place"]
    # Whoever comes back goes to the end of the line.
    again = case.enrol("amina", planned, now=NOW + timedelta(hours=1))
    assert (again.own_state, again.ahead) == ("waiting", 1)
    states = [(each.member_name, each.state) for each in list_of(case.session, planned.id)]
    assert states == [("Youssef", "enrolled"), ("Karim", "waiting"), ("Amina", "waiting")]


def test_leaving_the_line_gives_nobody_a_place(case: Case) -> None:
    planned = case.plan(places=1)
    for who in ("amina", "youssef", "karim"):
        case.enrol(who, planned)
    after = case.leave("youssef", planned)
    assert (after.enrolled, after.waiting) == (1, 1)
    with pytest.raises(DomainError) as error:
        case.leave("youssef", planned)
    assert error.value.code is Code.NOT_FOUND


def test_who_cannot_take_a_place(case: Case) -> None:
    planned = case.plan("trainer")
    with pytest.raises(DomainError) as error:
        case.enrol("nadia", planned)
    assert error.value.code is Code.NOT_ALLOWED
    with pytest.raises(DomainError) as error:
        case.enrol("trainer", planned)
    assert refusal(error) == ("own_certification", "member")
    begun = planned.starts_at
    for act in (case.enrol, case.leave):
        with pytest.raises(DomainError) as error:
            act("amina", planned, now=begun)
        assert refusal(error) == ("training_over", "")
    assert case.enrol("salma", planned, "amina", now=begun).enrolled == 1, "staff let late ones in"


def test_staff_enrol_others_in_their_name_and_it_is_written_down(case: Case) -> None:
    planned = case.plan()
    case.enrol("salma", planned, "youssef")
    case.leave("salma", planned, "youssef")
    assert case.audited("youssef") == ["training.enrol", "training.remove"]
    case.enrol("youssef", planned)
    assert len(case.audited("youssef")) == 2
    case.session.get_one(Member, case.cast.members["amina"]).active = False
    with pytest.raises(DomainError) as error:
        case.enrol("salma", planned, "amina")
    assert refusal(error) == ("invalid", "member")


def test_more_places_move_the_line_up_fewer_than_taken_are_refused(case: Case) -> None:
    planned = case.plan(places=1)
    for second, who in enumerate(("amina", "youssef", "karim")):
        case.enrol(who, planned, now=NOW + timedelta(seconds=second))
    salma = case.cast.actors["salma"]
    more = trainings.change_training(case.session, salma, planned.id, {"places": 2}, NOW, BASE)
    assert (more.enrolled, more.waiting) == (2, 1)
    assert case.mails("youssef") == ["training_waiting", "training_place"]
    with pytest.raises(DomainError) as error:
        trainings.change_training(case.session, salma, planned.id, {"places": 1}, NOW, BASE)
    assert refusal(error) == ("places_taken", "places")


def test_a_new_time_is_told_to_the_whole_list(case: Case) -> None:
    planned = case.plan(places=1)
    case.enrol("amina", planned)
    case.enrol("youssef", planned)
    salma = case.cast.actors["salma"]
    named = trainings.change_training(case.session, salma, planned.id, {"title": "Prints"}, NOW, BASE)
    assert named.title == "Prints"
    assert "training_moved" not in case.mails()
    times = {"starts_at": NOW + timedelta(days=5), "ends_at": NOW + timedelta(days=5, hours=2)}
    moved = trainings.change_training(case.session, salma, planned.id, times, NOW, BASE)
    assert moved.starts_at == times["starts_at"]
    assert case.mails("amina")[-1] == case.mails("youssef")[-1] == "training_moved"
    with pytest.raises(DomainError) as error:
        trainings.change_training(
            case.session, salma, planned.id, {"ends_at": NOW + timedelta(days=4)}, NOW, BASE
        )
    assert refusal(error) == ("invalid", "ends_at")


def test_a_cancelled_training_is_over_for_everybody(case: Case) -> None:
    planned = case.plan(places=1)
    case.enrol("amina", planned)
    case.enrol("youssef", planned)
    salma = case.cast.actors["salma"]
    gone = trainings.cancel_training(case.session, salma, planned.id, NOW, BASE)
    assert gone.state(NOW) == "cancelled"
    trainings.cancel_training(case.session, salma, planned.id, NOW, BASE)
    assert case.mails("amina") == ["training_enrolled", "training_cancelled"]
    assert case.mails("youssef") == ["training_waiting", "training_cancelled"]
    for act in (
        lambda: case.enrol("karim", planned),
        lambda: case.leave("amina", planned),
        lambda: case.close("salma", planned, ["amina"]),
        lambda: trainings.change_training(case.session, salma, planned.id, {"places": 9}, NOW, BASE),
    ):
        with pytest.raises(DomainError) as error:
            act()
        assert refusal(error) == ("training_over", "")


def test_closing_needs_a_beginning_and_people_of_the_list(case: Case) -> None:
    planned = case.plan()
    case.enrol("amina", planned)
    case.enrol("salma", planned, "trainer")
    for by, came, now, expected in (
        ("salma", ["amina"], NOW, ("not_begun", "attended")),
        ("salma", ["youssef"], planned.ends_at, ("not_enrolled", "attended")),
        ("trainer", ["trainer"], planned.ends_at, ("own_certification", "attended")),
    ):
        with pytest.raises(DomainError) as error:
            case.close(by, planned, came, now=now)
        assert refusal(error) == expected
    assert certifications(case.session) == []


def test_closing_certifies_whoever_came_once_and_in_one_act(case: Case) -> None:
    planned = case.plan("trainer", places=3)
    higher = case.grant("salma", "karim", level=2)
    same = case.grant("salma", "admin", level=1)
    for second, who in enumerate(("amina", "karim", "admin", "youssef")):
        case.enrol(who, planned, now=NOW + timedelta(seconds=second))
    # Youssef waited, and somebody stayed away: the trainer let him in.
    closed = case.close("trainer", planned, ["amina", "karim", "youssef"])
    end = planned.ends_at
    assert (closed.state(end), closed.own_state) == ("closed", None)
    states = {each.member_name: each.state for each in list_of(case.session, planned.id)}
    assert states == {"Amina": "attended", "Karim": "attended", "Admin": "absent", "Youssef": "attended"}
    printer = case.cast.machines["tanger-prusa-1"]
    levels = {
        who: standing_of(case.session, case.cast.members[who], printer, end)
        for who in ("amina", "youssef", "karim", "admin")
    }
    assert levels == {"amina": 1, "youssef": 1, "karim": 2, "admin": 1}
    assert case.changes(higher.id) == [("granted", 2)]
    assert case.changes(same.id) == [("granted", 1)], "absent: not renewed"
    assert case.mails("amina") == ["training_enrolled", "certification_granted"]
    rows = case.session.scalars(
        select(CertificationChange).where(CertificationChange.training_id == planned.id)
    ).all()
    assert len(rows) == 2
    before = case.session.scalar(select(func.count()).select_from(Audit))
    again = case.close("trainer", planned, ["admin"], now=end + timedelta(days=1))
    assert again.closed_at == closed.closed_at
    assert case.session.scalar(select(func.count()).select_from(Audit)) == before
    assert case.changes(same.id) == [("granted", 1)]


def test_coming_again_renews_and_never_shortens(case: Case) -> None:
    planned = case.plan("trainer", starts_at=NOW + timedelta(days=300))
    long = case.grant("salma", "amina", level=1, expires_on=(NOW + timedelta(days=3000)).date())
    lapsed = case.grant("salma", "youssef", level=1)
    gone = changes.suspend(case.session, case.cast.actors["salma"], lapsed.id, NOW)
    assert gone.state(NOW) == "suspended"
    for who in ("amina", "youssef"):
        case.enrol(who, planned)
    case.close("trainer", planned, ["amina", "youssef"])
    held = {each.member_name: each for each in certifications(case.session)}
    assert held["Amina"].expires_on == long.expires_on
    assert held["Amina"].renewed_at == planned.ends_at
    assert held["Youssef"].state(planned.ends_at) == "valid"
    assert case.changes(long.id) == [("granted", 1), ("renewed", 1)]
    assert case.changes(lapsed.id) == [("granted", 1), ("suspended", 1), ("granted", 1)]


def crowd(session: Session, cast: Cast, number: int) -> list[Actor]:
    """So many makers."""
    members = [
        Member(
            email=f"maker{each}@example.org", name=f"Maker {each}", created_at=NOW, roles=[Role(role="maker")]
        )
        for each in range(number)
    ]
    session.add_all(members)
    session.flush()
    return [Actor(member.id, member.name, maker=True) for member in members]


def at_once(sessions: sessionmaker[Session], acts: list[Callable[[Session], object]]) -> None:
    """Each act in a transaction and a thread of its own, all beginning together."""
    gate = Barrier(len(acts))

    def run(act: Callable[[Session], object]) -> None:
        with transaction(sessions) as session:
            session.scalar(select(1))
            gate.wait(30)
            act(session)

    with ThreadPoolExecutor(len(acts)) as threads:
        for done in [threads.submit(run, act) for act in acts]:
            done.result(60)


def test_a_crowd_at_once_gets_as_many_places_as_there_are(
    case: Case, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    planned = case.plan(places=3)
    people = crowd(case.session, cast, 12)
    case.session.commit()
    at_once(
        sessions,
        [lambda session, who=who: enrolments.enrol(session, who, planned.id, NOW, BASE) for who in people],
    )
    after = seen(case, planned)
    assert (after.enrolled, after.waiting) == (3, 9)
    # Half leave at once, and everybody who stays has a place or keeps the turn.
    leaving = people[::2]
    at_once(
        sessions,
        [lambda session, who=who: enrolments.leave(session, who, planned.id, NOW, BASE) for who in leaving],
    )
    after = seen(case, planned)
    assert (after.enrolled, after.waiting) == (3, 3)


def test_two_who_close_at_once_certify_once(case: Case, cast: Cast, sessions: sessionmaker[Session]) -> None:
    planned = case.plan("trainer", places=9)
    people = crowd(case.session, cast, 6)
    for who in people:
        enrolments.enrol(case.session, who, planned.id, NOW, BASE)
    case.session.commit()
    came = [who.member_id for who in people]
    at_once(
        sessions,
        [
            lambda session, by=by: trainings.close_training(
                session, cast.actors[by], planned.id, came, planned.ends_at, case.policy, BASE
            )
            for by in ("trainer", "salma", "admin")
        ],
    )
    case.session.rollback()
    assert case.session.scalar(select(func.count()).select_from(Certification)) == 6
    assert case.session.scalar(select(func.count()).select_from(CertificationChange)) == 6
    granted = select(func.count()).where(Mail.template == "certification_granted")
    assert case.session.scalar(granted) == 6


def test_two_trainers_granting_at_once_make_one_certification(
    case: Case, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    case.session.commit()

    def give(by: str) -> Callable[[Session], None]:
        def act(session: Session) -> None:
            with suppress(DomainError):
                Case(session, cast, case.settings, NOW).grant(by, "youssef")

        return act

    at_once(sessions, [give("trainer"), give("salma"), give("karim")])
    case.session.rollback()
    assert case.session.scalar(select(func.count()).select_from(Certification)) == 1
    assert case.session.scalar(select(func.count()).select_from(CertificationChange)) == 1


def seen(case: Case, planned: TrainingView) -> TrainingView:
    case.session.rollback()
    found = training(case.session, planned.id, 0)
    assert found is not None
    return found


def test_lists_are_one_statement_however_long(case: Case) -> None:
    for day in range(1, 30):
        case.enrol("amina", case.plan(starts_at=NOW + timedelta(days=day)))
    other = case.plan("karim", "rabat", "rabat-prusa-1", starts_at=NOW + timedelta(days=3))
    case.session.flush()
    statements: list[str] = []
    event.listen(case.session.get_bind(), "before_cursor_execute", lambda *args: statements.append(args[2]))
    amina = case.cast.members["amina"]
    found = all_trainings(case.session, amina, since=NOW)
    assert len(statements) == 1
    assert len(found) == 30
    assert sorted(found, key=lambda each: (each.starts_at, each.id)) == found
    assert len(all_trainings(case.session, amina, since=NOW, mine=True)) == 29
    assert [each.id for each in all_trainings(case.session, amina, lab_id=other.lab_id)] == [other.id]
    page = all_trainings(case.session, amina, limit=10)
    rest = all_trainings(case.session, amina, after=(page[-1].starts_at, page[-1].id))
    assert page + rest == found


def test_what_has_begun_waits_for_its_attendance(case: Case) -> None:
    planned = case.plan()
    salma = case.cast.members["salma"]
    labs = [case.cast.labs["tanger"]]
    assert unclosed(case.session, salma, labs, NOW) == []
    assert [each.id for each in unclosed(case.session, salma, labs, planned.starts_at)] == [planned.id]
    assert unclosed(case.session, salma, [case.cast.labs["rabat"]], planned.starts_at) == []
    case.close("salma", planned, [])
    assert unclosed(case.session, salma, labs, planned.starts_at) == []


def test_the_list_is_empty_for_a_training_there_is_not(case: Case) -> None:
    assert case.session.scalar(select(func.count()).select_from(Enrolment)) == 0
    with pytest.raises(DomainError) as error:
        enrolments.enrol(case.session, case.cast.actors["amina"], 999, NOW, BASE)
    assert error.value.code is Code.NOT_FOUND
