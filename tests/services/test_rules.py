"""Rules as rows: set, read, taken away, kept in memory, and asked by every booking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.explaining import explain_rules
from fablab.bookings.models import Booking
from fablab.bookings.models_rules import RuleRow
from fablab.bookings.queries import BookingView
from fablab.bookings.rule_changes import RuleWish, set_rule, unset_rule
from fablab.bookings.rule_queries import rules
from fablab.bookings.rule_store import current, rulings_of_bookings
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import cancel_booking, create_booking, preview_booking
from fablab.certifications.models import Certification
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.machines.queries import MachineView, machine_by_slug
from fablab.members.models import Audit, Member
from fablab.organisations.models import Membership, Organisation
from tests.fixtures_cast import Cast, tomorrow
from tests.support.actors import actor_of

CATEGORIES = ("school", "company")
PRUSA, LASER = "tanger-prusa-1", "tanger-laser-1"


def put(session: Session, cast: Cast, name: str, value: Any, who: str = "admin", **where: str) -> int:
    return set_rule(session, cast.actors[who], RuleWish(name, value, **where), utc_now(), CATEGORIES).row.id


def book(
    session: Session,
    cast: Cast,
    policy: Policy,
    who: str = "amina",
    hour: int = 10,
    days: int = 1,
    machine: str = PRUSA,
    hours: int = 1,
    **more: Any,
) -> BookingView:
    starts = tomorrow(hour, days=days)
    request = BookingRequest(machine, starts, starts + timedelta(hours=hours), **more)
    return create_booking(session, cast.actors[who], request, utc_now(), policy)


def refused_with(session: Session, cast: Cast, policy: Policy, **wanted: Any) -> list[str]:
    with pytest.raises(DomainError) as refused:
        book(session, cast, policy, **wanted)
    assert refused.value.code is Code.REFUSED
    return [each.code for each in refused.value.refusals]


def the_machine(session: Session, slug: str = PRUSA) -> MachineView:
    found = machine_by_slug(session, slug)
    assert found is not None
    return found


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    """The statements sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(session.get_bind(), "before_cursor_execute", note)
    yield sent
    event.remove(session.get_bind(), "before_cursor_execute", note)


# Who sets what


@pytest.mark.parametrize(
    ("who", "where", "allowed"),
    [
        ("amina", {"lab": "tanger"}, False),
        ("trainer", {"lab": "tanger"}, False),
        ("nadia", {"lab": "tanger"}, False),
        ("karim", {"lab": "tanger"}, False),
        ("karim", {"machine": PRUSA}, False),
        ("salma", {}, False),
        ("salma", {"kind": "3d-printer"}, False),
        ("salma", {"category": "school"}, False),
        ("salma", {"lab": "tanger"}, True),
        ("salma", {"lab": "tanger", "kind": "3d-printer"}, True),
        ("salma", {"lab": "tanger", "category": "school"}, True),
        ("salma", {"machine": PRUSA}, True),
        ("admin", {}, True),
        ("admin", {"machine": "rabat-prusa-1"}, True),
    ],
)
def test_who_sets_rules_where(
    session: Session, cast: Cast, who: str, where: dict[str, str], allowed: bool
) -> None:
    if allowed:
        assert put(session, cast, "min_s", 900, who, **where)
        return
    with pytest.raises(DomainError) as refused:
        put(session, cast, "min_s", 900, who, **where)
    assert refused.value.code is Code.NOT_ALLOWED
    assert session.scalar(select(RuleRow.id)) is None


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"name": "longest", "value": 3}, [("unknown_rule", "name")]),
        ({"name": "min_s", "value": "3"}, [("rule_value", "value")]),
        ({"name": "min_s", "value": 0}, [("rule_value", "value")]),
        ({"name": "grid_s", "value": 4200}, [("rule_value", "value")]),
        ({"name": "one_of_kind", "value": 1}, [("rule_value", "value")]),
        ({"name": "certification_level", "value": 4}, [("rule_value", "value")]),
        ({"name": "min_s", "value": 900, "lab": "nowhere"}, [("rule_place", "lab")]),
        ({"name": "min_s", "value": 900, "organisation": "nobody"}, [("rule_place", "organisation")]),
        ({"name": "min_s", "value": 900, "category": "princes"}, [("rule_place", "category")]),
        ({"name": "min_s", "value": 900, "lab": "tanger", "machine": PRUSA}, [("rule_place", "machine")]),
        ({"name": "x", "value": 9, "lab": "nowhere"}, [("unknown_rule", "name"), ("rule_place", "lab")]),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(
    session: Session, cast: Cast, wish: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    with pytest.raises(DomainError) as refused:
        set_rule(session, cast.actors["admin"], RuleWish(**wish), utc_now(), CATEGORIES)
    assert [(each.code, each.field) for each in refused.value.refusals] == expected


def test_setting_it_again_changes_the_value_and_both_are_in_the_audit(session: Session, cast: Cast) -> None:
    first = put(session, cast, "min_s", 900, "salma", lab="tanger", kind="3d-printer")
    assert put(session, cast, "min_s", 1800, "salma", lab="tanger", kind="3d-printer") == first
    (view,) = rules(session)
    assert (view.row.value, view.changed_by_name, view.lab_slug) == (1800, "Salma", "tanger")
    session.flush()
    lines = session.scalars(select(Audit).order_by(Audit.id)).all()
    assert [(each.action, each.subject, each.lab_id) for each in lines] == [
        ("rule.set", f"rule {first}", cast.labs["tanger"])
    ] * 2
    assert lines[1].detail == "min_s = 1800, lab tanger, kind 3d-printer"


def test_taking_a_rule_away(session: Session, cast: Cast) -> None:
    of_network, of_lab = put(session, cast, "min_s", 900), put(session, cast, "min_s", 900, lab="tanger")
    for who, rule_id, code in [
        ("amina", of_lab, Code.NOT_FOUND),
        ("karim", of_lab, Code.NOT_FOUND),
        ("trainer", of_lab, Code.NOT_ALLOWED),
        ("nadia", of_lab, Code.NOT_ALLOWED),
        ("salma", of_network, Code.NOT_ALLOWED),
        ("admin", of_lab + 100, Code.NOT_FOUND),
    ]:
        with pytest.raises(DomainError) as refused:
            unset_rule(session, cast.actors[who], rule_id, utc_now())
        assert refused.value.code is code, who
    unset_rule(session, cast.actors["salma"], of_lab, utc_now())
    assert [each.row.id for each in rules(session)] == [of_network]
    with pytest.raises(DomainError) as refused:
        unset_rule(session, cast.actors["salma"], of_lab, utc_now())
    assert refused.value.code is Code.NOT_FOUND


def test_staff_read_the_rules_of_their_labs_and_those_beyond(session: Session, cast: Cast) -> None:
    everywhere = put(session, cast, "min_s", 900)
    tanger = put(session, cast, "min_s", 900, lab="tanger")
    machine = put(session, cast, "min_s", 900, machine=PRUSA)
    rabat = put(session, cast, "min_s", 900, lab="rabat", category="school")

    def read(who: str, **more: str) -> list[int]:
        return [each.row.id for each in rules(session, actor=cast.actors[who], **more)]

    assert read("salma") == read("trainer") == [everywhere, tanger, machine]
    assert read("karim") == [everywhere, rabat]
    assert read("nadia") == read("admin") == [everywhere, tanger, machine, rabat]
    assert read("admin", lab="tanger") == [tanger, machine]
    assert read("admin", machine=PRUSA) == [machine]
    assert read("admin", kind="3d-printer") == []


# What they do to bookings


def test_a_rule_holds_from_the_moment_it_is_set(session: Session, cast: Cast, policy: Policy) -> None:
    put(session, cast, "max_s", 1800, "salma", lab="tanger")
    with pytest.raises(DomainError) as refused:
        book(session, cast, policy)
    (no,) = refused.value.refusals
    assert (no.code, no.message) == ("too_long", "A booking takes at most 30 minutes.")
    assert no.origin is not None
    assert no.origin.in_words("en") == "lab Tanger"
    assert book(session, cast, policy, machine="rabat-prusa-1")
    put(session, cast, "max_s", 7200, "salma", machine=PRUSA)
    assert book(session, cast, policy)


def test_the_category_of_whom_it_is_for_counts(session: Session, cast: Cast, policy: Policy) -> None:
    put(session, cast, "max_s", 1800, category="school")
    session.get_one(Member, cast.members["youssef"]).category = "school"
    session.flush()
    assert book(session, cast, policy, "salma")
    assert refused_with(session, cast, policy, who="salma", hour=14, for_member="youssef@example.org") == [
        "too_long"
    ]
    pupil = actor_of(session, cast.members["youssef"])
    assert pupil is not None
    cast.actors["youssef"] = pupil
    assert refused_with(session, cast, policy, who="youssef", hour=14) == ["too_long"]


def test_the_organisation_in_whose_name_it_is_counts(session: Session, cast: Cast, policy: Policy) -> None:
    club = Organisation(
        slug="club", name="Club", kind="school_club", tariff_category="school", created_at=utc_now()
    )
    session.add(club)
    session.flush()
    session.add(
        Membership(organisation_id=club.id, member_id=cast.members["amina"], owner=True, since=utc_now())
    )
    put(session, cast, "max_ahead", 1, organisation="club")
    session.flush()
    assert book(session, cast, policy, hour=8)
    assert book(session, cast, policy, hour=10, organisation="club")
    assert refused_with(session, cast, policy, hour=12, organisation="club") == ["too_many_ahead"]
    assert book(session, cast, policy, hour=14)


def certify(session: Session, cast: Cast, who: str, level: int, **on: int) -> None:
    session.add(
        Certification(
            member_id=cast.members[who],
            lab_id=cast.labs["tanger"],
            level=level,
            granted_at=utc_now(),
            renewed_at=utc_now(),
            code=f"{who}{level}{on}"[:32],
            **on,
        )
    )
    session.flush()


def test_certification_is_asked_of_whom_it_is_for(session: Session, cast: Cast, policy: Policy) -> None:
    laser = the_machine(session, LASER)
    put(session, cast, "certification_level", 1, kind="laser-cutter")
    certify(session, cast, "amina", 1, kind_id=laser.kind_id)
    assert book(session, cast, policy, "amina", machine=LASER)
    assert refused_with(session, cast, policy, who="youssef", hour=14, machine=LASER) == ["not_certified"]
    for_youssef = {"who": "salma", "hour": 14, "machine": LASER, "for_member": "youssef@example.org"}
    assert refused_with(session, cast, policy, **for_youssef) == ["not_certified"]
    assert book(session, cast, policy, "youssef", hour=14)


def test_quotas_and_bookings_ahead(session: Session, cast: Cast, policy: Policy) -> None:
    put(session, cast, "quota_day_s", 3 * 3600, "salma", lab="tanger")
    put(session, cast, "max_ahead", 3)
    book(session, cast, policy, hour=8, hours=2)
    assert refused_with(session, cast, policy, hour=14, hours=2) == ["quota_used"]
    assert book(session, cast, policy, "youssef", hour=14, hours=2)
    other = book(session, cast, policy, hour=10, hours=2, machine="rabat-prusa-1")
    book(session, cast, policy, hour=12)
    assert refused_with(session, cast, policy, hour=16) == ["too_many_ahead", "quota_used"]
    cancel_booking(session, cast.actors["amina"], other.id, utc_now(), policy)
    assert book(session, cast, policy, hour=8, days=2, hours=3)


def test_one_of_a_kind(session: Session, cast: Cast, policy: Policy) -> None:
    put(session, cast, "one_of_kind", True, kind="3d-printer")
    book(session, cast, policy, hour=10, hours=2)
    assert refused_with(session, cast, policy, hour=11, machine="tanger-prusa-2") == ["one_of_kind"]
    assert book(session, cast, policy, hour=11, machine=LASER)
    assert book(session, cast, policy, hour=12, machine="tanger-prusa-2")


def test_missed_bookings_suspend_until_they_are_forgiven(
    session: Session, cast: Cast, policy: Policy
) -> None:
    put(session, cast, "strikes", 1)
    made = session.get_one(Booking, book(session, cast, policy, hour=10).id)
    made.state = "missed"
    made.starts_at, made.ends_at = (at - timedelta(days=3) for at in (made.starts_at, made.ends_at))
    session.flush()
    assert refused_with(session, cast, policy, hour=14) == ["suspended"]
    assert book(session, cast, policy, "youssef", hour=12)
    made.forgiven = True
    session.flush()
    assert book(session, cast, policy, hour=14)


def test_the_deadline_binds_members_and_not_the_labs_staff(
    session: Session, cast: Cast, policy: Policy
) -> None:
    put(session, cast, "cancel_before_s", 30 * 86400)
    one, two = (book(session, cast, policy, hour=hour).id for hour in (10, 14))
    with pytest.raises(DomainError) as refused:
        cancel_booking(session, cast.actors["amina"], one, utc_now(), policy)
    assert [each.code for each in refused.value.refusals] == ["too_late_to_cancel"]
    assert cancel_booking(session, cast.actors["salma"], two, utc_now(), policy).state == "cancelled"


def test_a_booking_that_needs_approval_is_a_request(session: Session, cast: Cast, policy: Policy) -> None:
    put(session, cast, "approvals", 2, "salma", lab="tanger")
    made = book(session, cast, policy)
    assert made.state == "requested"
    assert book(session, cast, policy, "youssef").state == "requested"


def test_preview_says_everything_at_once_with_the_rules(session: Session, cast: Cast, policy: Policy) -> None:
    put(session, cast, "certification_level", 2, "salma", machine=LASER)
    put(session, cast, "max_s", 1800, "salma", lab="tanger")
    put(session, cast, "grid_s", 3600, kind="laser-cutter")
    starts = tomorrow(10, 5)
    request = BookingRequest(LASER, starts, starts + timedelta(hours=1))
    seen = preview_booking(session, cast.actors["youssef"], request, utc_now(), policy)
    assert [each.code for each in seen.refusals] == ["too_long", "off_grid", "not_certified"]
    assert [each.origin and each.origin.in_words("en") for each in seen.refusals] == [
        "lab Tanger",
        "Laser Cutter everywhere",
        "machine Tanger Laser 1",
    ]
    assert seen.ruling is not None
    assert seen.ruling.certification_level == 2


# What they cost


def statements_of_a_booking(session: Session, cast: Cast, policy: Policy, hour: int) -> int:
    with counted(session) as sent:
        book(session, cast, policy, hour=hour)
    return len(sent)


def test_rules_that_ask_nothing_of_the_member_cost_nothing(
    session: Session, cast: Cast, policy: Policy
) -> None:
    book(session, cast, policy, hour=6)
    before = statements_of_a_booking(session, cast, policy, 8)
    put(session, cast, "max_s", 7200)
    current(session)
    assert statements_of_a_booking(session, cast, policy, 10) == before


def test_those_that_ask_cost_one_statement_and_those_that_count_a_lock(
    session: Session, cast: Cast, policy: Policy
) -> None:
    book(session, cast, policy, hour=6)
    before = statements_of_a_booking(session, cast, policy, 8)
    put(session, cast, "strikes", 3)
    current(session)
    assert statements_of_a_booking(session, cast, policy, 10) == before + 1
    for name, value in {"max_ahead": 9, "quota_week_s": 90000, "one_of_kind": True}.items():
        put(session, cast, name, value)
    current(session)
    assert statements_of_a_booking(session, cast, policy, 12) == before + 2


def test_rules_are_read_once_and_again_when_somebody_changed_one(
    cast: Cast, sessions: sessionmaker[Session]
) -> None:
    def read() -> tuple[int, int]:
        with sessions() as session, counted(session) as sent:
            return len(current(session).rows), len(sent)

    assert read() == (0, 1)
    with transaction(sessions) as session:
        rule_id = put(session, cast, "min_s", 900)
    assert read() == (1, 2)
    assert read() == (1, 1)
    with transaction(sessions) as session:
        unset_rule(session, cast.actors["admin"], rule_id, utc_now())
    assert read() == (0, 2)
    assert read() == (0, 1)


def test_what_is_undone_was_never_a_rule(cast: Cast, sessions: sessionmaker[Session]) -> None:
    with transaction(sessions) as session:
        put(session, cast, "min_s", 900)
    with sessions() as session:
        put(session, cast, "min_s", 1800)
        assert [row.value for row in current(session).rows] == [1800]
        session.rollback()
    with sessions() as session:
        assert [row.value for row in current(session).rows] == [900]


def test_rulings_of_many_bookings_take_one_statement(session: Session, cast: Cast, policy: Policy) -> None:
    put(session, cast, "no_show_after_s", 900, lab="tanger")
    made = [book(session, cast, policy, hour=hour).id for hour in (8, 10, 12)]
    made.append(book(session, cast, policy, hour=8, machine="rabat-prusa-1").id)
    rulings_of_bookings(session, made, policy)
    with counted(session) as sent:
        found = rulings_of_bookings(session, made, policy)
    assert len(sent) == 1
    assert [found[each].no_show_after_s for each in made] == [900, 900, 900, 0]
    assert rulings_of_bookings(session, [], policy) == {}


# Explaining them


def test_rules_are_explained_with_where_they_come_from_and_how_one_stands(
    session: Session, cast: Cast, policy: Policy
) -> None:
    put(session, cast, "max_ahead", 3, "salma", lab="tanger")
    put(session, cast, "quota_month_s", 36000)
    book(session, cast, policy)
    put(session, cast, "certification_level", 1, kind="3d-printer")
    machine = the_machine(session)
    seen = explain_rules(
        session, cast.actors["salma"], machine, utc_now(), policy, member_id=cast.members["amina"]
    )
    told = {
        each.rule.name: (
            each.value,
            each.origin.in_words("en"),
            each.standing and each.standing.in_words("en"),
        )
        for each in seen.rules
    }
    assert told["max_ahead"] == (3, "lab Tanger", "At present: 1.")
    assert told["certification_level"] == (1, "3D Printer everywhere", "No valid certification.")
    assert told["min_s"] == (policy.min_s, "settings", None)
    assert told["setup_s"] == (0, "the machine itself", None)
    assert set(told) >= {"quota_month_s", "strikes"}


def test_who_may_ask_about_whom(session: Session, cast: Cast, policy: Policy) -> None:
    machine = the_machine(session)

    def ask(who: str, whom: str | None = None, **more: str) -> str:
        member_id = None if whom is None else cast.members[whom]
        actor = cast.actors[who]
        return explain_rules(
            session, actor, machine, utc_now(), policy, member_id=member_id, **more
        ).member_name

    assert ask("amina") == ask("amina", "amina") == "Amina"
    assert ask("salma", "amina") == ask("nadia", "amina") == ask("admin", "amina") == "Amina"
    for who in ("youssef", "karim", "trainer"):
        with pytest.raises(DomainError) as refused:
            ask(who, "amina")
        assert refused.value.code is Code.NOT_FOUND
    with pytest.raises(DomainError) as refused:
        ask("amina", organisation="club")
    assert refused.value.code is Code.NOT_FOUND
    with pytest.raises(DomainError) as refused:
        explain_rules(session, cast.actors["admin"], machine, utc_now(), policy, member_id=10**9)
    assert refused.value.code is Code.NOT_FOUND


def test_settings_are_the_rules_where_none_is_set(session: Session, cast: Cast, policy: Policy) -> None:
    strict = replace(policy, max_ahead=1, certification_level=0)
    book(session, cast, strict)
    assert refused_with(session, cast, strict, hour=14) == ["too_many_ahead"]
