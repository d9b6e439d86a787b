"""Bookings by request: agreed to, rejected, over in the end; what claims nothing until it is agreed to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fablab.bookings.deciding import approve, asked, collisions, expire_requests, reject
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.models import Approval, Booking
from fablab.bookings.moving import Change, move_booking
from fablab.bookings.queries import BookingView, history
from fablab.bookings.service import cancel_booking, create_booking, preview_booking
from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.members.models import Audit, Role
from tests.fixtures_cast import Cast, tomorrow
from tests.support.actors import actor_of
from tests.support.claims import add_needed, taken

PRUSA, OTHER, LASER = "tanger-prusa-1", "tanger-prusa-2", "tanger-laser-1"


@pytest.fixture
def by_request(policy: Policy) -> Policy:
    """One of the lab's managers has to agree, within a day."""
    return replace(policy, approvals=1, decide_within_s=6 * 3600)


def ask(
    session: Session, cast: Cast, policy: Policy, who: str = "amina", hour: int = 10, **more: object
) -> BookingView:
    machine = str(more.pop("machine", PRUSA))
    request = BookingRequest(machine, tomorrow(hour), tomorrow(hour + 2))
    return create_booking(session, cast.actors[who], request, utc_now(), policy, **more)  # type: ignore[arg-type]


def code_of(session: Session, verb: object, *args: object) -> tuple[Code, list[str]]:
    with pytest.raises(DomainError) as error, session.begin_nested():
        verb(session, *args)  # type: ignore[operator]
    return error.value.code, [each.code for each in error.value.refusals]


def test_only_the_labs_managers_decide(session: Session, cast: Cast, by_request: Policy) -> None:
    made, now = ask(session, cast, by_request), utc_now()
    for who, code in {
        "amina": Code.NOT_ALLOWED,
        "youssef": Code.NOT_FOUND,
        "karim": Code.NOT_FOUND,
        "nadia": Code.NOT_ALLOWED,
        "trainer": Code.NOT_FOUND,
    }.items():
        actor = cast.actors[who]
        assert code_of(session, approve, actor, made.id, now, by_request)[0] is code, who
        assert code_of(session, reject, actor, made.id, now, "no")[0] is code, who


def test_nobody_agrees_to_their_own_request(session: Session, cast: Cast, by_request: Policy) -> None:
    salma, now = cast.actors["salma"], utc_now()
    own = ask(session, cast, by_request, "salma")
    assert code_of(session, approve, salma, own.id, now, by_request) == (Code.REFUSED, ["own_request"])
    wanted = BookingRequest(PRUSA, tomorrow(14), tomorrow(15), for_member="amina@example.org")
    for_amina = create_booking(session, salma, wanted, now, by_request)
    assert code_of(session, approve, salma, for_amina.id, now, by_request)[1] == ["own_request"]
    assert approve(session, cast.actors["admin"], own.id, now, by_request).state == "confirmed"


def test_a_decided_request_is_not_decided_again(session: Session, cast: Cast, by_request: Policy) -> None:
    made, now, salma = ask(session, cast, by_request), utc_now(), cast.actors["salma"]
    reject(session, salma, made.id, now, "the machine is for the course that day")
    assert code_of(session, approve, salma, made.id, now, by_request)[1] == ["not_requested"]
    assert code_of(session, reject, salma, made.id, now, "again")[1] == ["not_requested"]
    last = history(session, made.id)[-1]
    assert (last.to_state, last.member_id) == ("rejected", cast.members["salma"])
    assert last.reason == "the machine is for the course that day"
    assert taken(session, PRUSA) == []


def test_what_is_over_is_not_agreed_to(session: Session, cast: Cast, by_request: Policy) -> None:
    made = ask(session, cast, by_request)
    assert made.decide_by is not None
    late = made.decide_by
    assert code_of(session, approve, cast.actors["salma"], made.id, late, by_request)[1] == ["request_over"]


def test_a_request_claims_nothing_until_it_is_agreed_to(
    session: Session, cast: Cast, by_request: Policy
) -> None:
    first, second = ask(session, cast, by_request), ask(session, cast, by_request, "youssef", hour=11)
    assert (first.state, second.state) == ("requested", "requested")
    assert taken(session, PRUSA) == []
    done = approve(session, cast.actors["salma"], first.id, utc_now(), by_request)
    assert (done.state, done.version) == ("confirmed", 2)
    assert taken(session, PRUSA) == [("booking", tomorrow(10), tomorrow(12))]
    salma = cast.actors["salma"]
    clash = code_of(session, approve, salma, second.id, utc_now(), by_request)
    assert clash == (Code.CLASH, ["machine_booked"])
    # What was refused leaves no trace: she may agree once the time is free.
    assert session.scalar(select(func.count()).select_from(Approval)) == 1
    cancel_booking(session, cast.actors["amina"], first.id, utc_now(), by_request)
    assert approve(session, salma, second.id, utc_now(), by_request).state == "confirmed"


def test_what_is_taken_cannot_be_asked_for(session: Session, cast: Cast, by_request: Policy) -> None:
    first = ask(session, cast, by_request)
    approve(session, cast.actors["salma"], first.id, utc_now(), by_request)
    request = BookingRequest(PRUSA, tomorrow(11), tomorrow(12))
    seen = preview_booking(session, cast.actors["youssef"], request, utc_now(), by_request)
    assert [each.code for each in seen.refusals] == ["machine_booked"]
    free = replace(request, starts_at=tomorrow(12), ends_at=tomorrow(13))
    assert preview_booking(session, cast.actors["youssef"], free, utc_now(), by_request).state == "requested"


def test_as_many_different_ones_agree_as_the_rules_ask_for(
    session: Session, cast: Cast, by_request: Policy
) -> None:
    two = replace(by_request, approvals=2)
    made, now, salma = ask(session, cast, two), utc_now(), cast.actors["salma"]
    assert approve(session, salma, made.id, now, two).state == "requested"
    assert asked(session, [made.id], two)[made.id].given == 1
    assert code_of(session, approve, salma, made.id, now, two)[1] == ["agreed_already"]
    session.add(Role(member_id=cast.members["trainer"], role="manager", lab_id=cast.labs["tanger"]))
    session.flush()
    another = actor_of(session, cast.members["trainer"])
    assert another is not None
    done = approve(session, another, made.id, now, two)
    assert (done.state, done.version) == ("confirmed", 3)
    reasons = [(each.to_state, each.reason) for each in history(session, made.id)]
    assert reasons == [("requested", ""), ("requested", "agreed, 1 of 2"), ("confirmed", "")]
    acts = session.scalars(select(Audit.actor_id).where(Audit.action == "booking.approve")).all()
    assert sorted(acts, key=str) == sorted([salma.member_id, another.member_id], key=str)


def test_what_nobody_decided_on_is_over_once(session: Session, cast: Cast, by_request: Policy) -> None:
    soon = ask(session, cast, by_request)
    later = ask(session, cast, replace(by_request, decide_within_s=0), "youssef")
    assert soon.decide_by is not None
    assert soon.decide_by <= utc_now() + timedelta(hours=6)
    assert later.decide_by == tomorrow(10)
    assert expire_requests(session, soon.decide_by - timedelta(seconds=1)) == 0
    assert expire_requests(session, soon.decide_by) == 1
    assert expire_requests(session, soon.decide_by) == 0
    last = history(session, soon.id)[-1]
    assert (last.made_by, last.to_state) == ("clock", "rejected")
    assert expire_requests(session, tomorrow(10)) == 1


def test_approvers_are_told_what_is_at_the_same_time(
    session: Session, cast: Cast, by_request: Policy
) -> None:
    add_needed(session, "tanger-extractor", [LASER, OTHER])
    one = ask(session, cast, by_request, hour=10)
    two = ask(session, cast, by_request, "youssef", hour=11)
    three = ask(session, cast, by_request, "karim", hour=12)
    laser = ask(session, cast, by_request, hour=14, machine=LASER)
    other = ask(session, cast, by_request, "youssef", hour=15, machine=OTHER)
    ids = [one.id, two.id, three.id, laser.id, other.id]
    assert collisions(session, ids) == {
        one.id: [two.id],
        two.id: [one.id, three.id],
        three.id: [two.id],
        laser.id: [other.id],
        other.id: [laser.id],
    }


def test_a_moved_request_is_asked_anew(session: Session, cast: Cast, by_request: Policy) -> None:
    two = replace(by_request, approvals=2)
    made, now = ask(session, cast, two), utc_now()
    approve(session, cast.actors["salma"], made.id, now, two)
    change = Change(starts_at=tomorrow(14), ends_at=tomorrow(16))
    moved = move_booking(session, cast.actors["amina"], made.id, change, now, two)
    assert moved.state == "requested"
    assert asked(session, [made.id], two)[made.id].given == 0
    assert taken(session, PRUSA) == []


def test_what_was_agreed_to_is_moved_by_staff_or_made_shorter(
    session: Session, cast: Cast, by_request: Policy
) -> None:
    made, now = ask(session, cast, by_request), utc_now()
    approve(session, cast.actors["salma"], made.id, now, by_request)
    amina, away = cast.actors["amina"], Change(starts_at=tomorrow(14), ends_at=tomorrow(16))
    longer = Change(ends_at=tomorrow(13))
    for change in (away, longer):
        refused = code_of(session, move_booking, amina, made.id, change, now, by_request)
        assert refused == (Code.REFUSED, ["approval_needed"])
    shorter = Change(ends_at=tomorrow(11))
    assert move_booking(session, amina, made.id, shorter, now, by_request).state == "confirmed"
    moved = move_booking(session, cast.actors["salma"], made.id, away, now, by_request)
    assert (moved.state, moved.starts_at) == ("confirmed", tomorrow(14))


def test_staff_may_go_over_it(session: Session, cast: Cast, by_request: Policy) -> None:
    made = ask(session, cast, by_request, "salma", override=True)
    assert made.state == "confirmed"
    assert history(session, made.id)[0].broke == ("approval_needed",)
    assert session.get_one(Booking, made.id).decide_by is None
    with pytest.raises(DomainError) as error:
        ask(session, cast, by_request, "amina", hour=14, override=True)
    assert error.value.code is Code.NOT_ALLOWED
