"""Bookings that change hands: given, swapped, refused, and void once anything has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.bookings import handover
from fablab.bookings.facts import BookingRequest, Guest, Policy
from fablab.bookings.handover_queries import handover as handover_by_id
from fablab.bookings.models import Booking, Occupancy, Participant
from fablab.bookings.models_claims import Handover
from fablab.bookings.queries import booking, history
from fablab.bookings.service import cancel_booking, create_booking
from fablab.bookings.transferring import transfer
from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.machines.queries import machine_by_slug
from fablab.mail.models import Mail
from fablab.members.models import Audit, Member
from tests.fixtures_cast import Cast, tomorrow

PRINTER, OTHER = "tanger-prusa-1", "tanger-prusa-2"
YOUSSEF = "youssef@example.org"


def book(
    session: Session, cast: Cast, policy: Policy, who: str, hour: int, machine: str = PRINTER, **more: Any
) -> int:
    request = BookingRequest(machine, tomorrow(hour), tomorrow(hour + 2), **more)
    return create_booking(session, cast.actors[who], request, utc_now(), policy).id


def give(session: Session, cast: Cast, who: str, booking_id: int, to: str = YOUSSEF) -> int:
    return handover.offer_transfer(session, cast.actors[who], booking_id, to, "for you", utc_now()).id


def swap(session: Session, cast: Cast, policy: Policy, booking_id: int, machine: str, hour: int) -> int:
    there = machine_by_slug(session, machine)
    assert there is not None
    return handover.offer_swap(
        session, cast.actors["amina"], booking_id, there, tomorrow(hour, 30), "", utc_now(), policy
    ).id


def accept(session: Session, cast: Cast, policy: Policy, who: str, offer_id: int) -> None:
    handover.accept(session, cast.actors[who], offer_id, utc_now(), policy)


def codes(refused: pytest.ExceptionInfo[DomainError]) -> list[str]:
    return [each.code for each in refused.value.refusals]


def holder(session: Session, booking_id: int) -> str:
    view = booking(session, booking_id)
    assert view is not None
    return view.member_name


def test_only_whose_it_is_offers_it(session: Session, cast: Cast, policy: Policy) -> None:
    own = book(session, cast, policy, "amina", 10)
    for who, code in (("youssef", Code.NOT_FOUND), ("salma", Code.NOT_ALLOWED), ("karim", Code.NOT_FOUND)):
        with pytest.raises(DomainError) as refused:
            give(session, cast, who, own)
        assert refused.value.code is code


def test_the_answer_does_not_tell_who_has_an_account(session: Session, cast: Cast, policy: Policy) -> None:
    one = book(session, cast, policy, "amina", 10)
    other = book(session, cast, policy, "amina", 14)
    known = handover_by_id(session, give(session, cast, "amina", one, YOUSSEF))
    unknown = handover_by_id(session, give(session, cast, "amina", other, "nobody@example.org"))
    assert known is not None
    assert unknown is not None
    assert (known.state, unknown.state) == ("offered", "offered")
    assert unknown.to_email == "nobody@example.org"
    mails = session.scalars(select(Mail).where(Mail.template == "handover_offered")).all()
    assert [mail.member_id for mail in mails] == [cast.members["youssef"]]


def test_a_booking_is_offered_once_at_a_time_and_not_to_oneself(
    session: Session, cast: Cast, policy: Policy
) -> None:
    own = book(session, cast, policy, "amina", 10)
    with pytest.raises(DomainError) as refused:
        give(session, cast, "amina", own, "amina@example.org")
    assert codes(refused) == ["handover_self"]
    first = give(session, cast, "amina", own)
    with pytest.raises(DomainError) as refused:
        give(session, cast, "amina", own, "karim@example.org")
    assert codes(refused) == ["handover_offered"]
    handover.withdraw(session, cast.actors["amina"], first, utc_now())
    give(session, cast, "amina", own, "karim@example.org")


def test_what_has_begun_or_is_cancelled_stays_whose_it_is(
    session: Session, cast: Cast, policy: Policy
) -> None:
    own = book(session, cast, policy, "amina", 10)
    cancel_booking(session, cast.actors["amina"], own, utc_now(), policy)
    with pytest.raises(DomainError) as refused:
        give(session, cast, "amina", own)
    assert codes(refused) == ["handover_state"]


def test_a_given_booking_is_the_others_with_its_claim_and_history(
    session: Session, cast: Cast, policy: Policy
) -> None:
    own = book(session, cast, policy, "amina", 10)
    claim = session.scalars(select(Occupancy.id)).one()
    offer = give(session, cast, "amina", own)
    for who in ("karim", "salma", "amina"):
        with pytest.raises(DomainError) as refused:
            accept(session, cast, policy, who, offer)
        assert refused.value.code is Code.NOT_FOUND
    accept(session, cast, policy, "youssef", offer)
    view = booking(session, own)
    assert view is not None
    assert (view.member_name, view.version, view.state) == ("Youssef", 2, "confirmed")
    assert session.scalars(select(Occupancy.id)).one() == claim
    last = history(session, own)[-1]
    assert (last.from_holder, last.to_holder, last.member_name) == ("Amina", "Youssef", "Youssef")
    with pytest.raises(DomainError) as refused:
        accept(session, cast, policy, "youssef", offer)
    assert codes(refused) == ["handover_over"]


def test_the_rules_decide_for_the_new_holder(session: Session, cast: Cast, policy: Policy) -> None:
    own = book(session, cast, policy, "amina", 10)
    offer = give(session, cast, "amina", own)
    strict = replace(policy, certification_level=1)
    with pytest.raises(DomainError) as refused:
        accept(session, cast, strict, "youssef", offer)
    assert codes(refused) == ["not_certified"]
    with pytest.raises(DomainError) as refused:
        accept(session, cast, replace(policy, approvals=1), "youssef", offer)
    assert codes(refused) == ["handover_needs_staff"]
    assert holder(session, own) == "Amina"


def test_a_booking_does_not_count_against_itself(session: Session, cast: Cast, policy: Policy) -> None:
    own = book(session, cast, policy, "amina", 10)
    offer = give(session, cast, "amina", own)
    book(session, cast, policy, "youssef", 14, OTHER)
    accept(session, cast, replace(policy, max_ahead=2), "youssef", offer)
    assert holder(session, own) == "Youssef"


def test_what_has_changed_since_is_not_what_was_offered(session: Session, cast: Cast, policy: Policy) -> None:
    own = book(session, cast, policy, "amina", 10)
    offer = give(session, cast, "amina", own)
    session.execute(update(Booking).where(Booking.id == own).values(version=Booking.version + 1))
    with pytest.raises(DomainError) as refused:
        accept(session, cast, policy, "youssef", offer)
    assert codes(refused) == ["handover_stale"]
    view = handover_by_id(session, offer)
    assert view is not None
    assert view.state_at(utc_now()) == "expired"
    # A new offer makes room for itself.
    again = give(session, cast, "amina", own)
    assert session.get_one(Handover, offer, populate_existing=True).state == "expired"
    accept(session, cast, policy, "youssef", again)


def test_an_offer_runs_out(session: Session, cast: Cast, policy: Policy) -> None:
    own = book(session, cast, policy, "amina", 10)
    offer = give(session, cast, "amina", own)
    late = utc_now() + timedelta(days=3)
    with pytest.raises(DomainError) as refused:
        handover.accept(session, cast.actors["youssef"], offer, late, policy)
    assert codes(refused) == ["handover_over"]
    assert handover.expire(session, utc_now()) == 0
    assert handover.expire(session, late) == 1
    assert handover.expire(session, late) == 0


def test_no_is_told_and_final(session: Session, cast: Cast, policy: Policy) -> None:
    own = book(session, cast, policy, "amina", 10)
    offer = give(session, cast, "amina", own)
    handover.decline(session, cast.actors["youssef"], offer, utc_now())
    mail = session.scalars(select(Mail).where(Mail.template == "handover_declined")).one()
    assert mail.member_id == cast.members["amina"]
    with pytest.raises(DomainError) as refused:
        accept(session, cast, policy, "youssef", offer)
    assert codes(refused) == ["handover_over"]
    assert holder(session, own) == "Amina"


def test_two_bookings_are_swapped_at_once(session: Session, cast: Cast, policy: Policy) -> None:
    mine = book(session, cast, policy, "amina", 10)
    theirs = book(session, cast, policy, "youssef", 14, OTHER)
    offer = swap(session, cast, policy, mine, OTHER, 14)
    accept(session, cast, policy, "youssef", offer)
    assert (holder(session, mine), holder(session, theirs)) == ("Youssef", "Amina")
    for each, names in ((mine, ("Amina", "Youssef")), (theirs, ("Youssef", "Amina"))):
        last = history(session, each)[-1]
        assert (last.from_holder, last.to_holder) == names
    assert len(session.scalars(select(Occupancy)).all()) == 2


def test_nothing_is_swapped_for_nothing_or_for_ones_own(session: Session, cast: Cast, policy: Policy) -> None:
    mine = book(session, cast, policy, "amina", 10)
    book(session, cast, policy, "amina", 14, OTHER)
    with pytest.raises(DomainError) as refused:
        swap(session, cast, policy, mine, OTHER, 17)
    assert codes(refused) == ["nothing_booked_then"]
    with pytest.raises(DomainError) as refused:
        swap(session, cast, policy, mine, OTHER, 14)
    assert codes(refused) == ["handover_self"]


def test_a_swap_whose_other_side_may_not_is_no_swap(session: Session, cast: Cast, policy: Policy) -> None:
    mine = book(session, cast, policy, "amina", 10)
    book(session, cast, policy, "youssef", 14, OTHER)
    offer = swap(session, cast, policy, mine, OTHER, 14)
    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(active=False))
    with pytest.raises(DomainError) as refused:
        accept(session, cast, policy, "youssef", offer)
    assert codes(refused) == ["handover_other"]
    assert holder(session, mine) == "Amina"


def test_who_came_along_and_leads_now_is_counted_once(session: Session, cast: Cast, policy: Policy) -> None:
    own = book(
        session,
        cast,
        policy,
        "amina",
        10,
        participants=(Guest(email=YOUSSEF), Guest(name="Hiba")),
    )
    accept(session, cast, policy, "youssef", give(session, cast, "amina", own))
    view = booking(session, own)
    assert view is not None
    assert (view.member_name, view.head_count) == ("Youssef", 2)
    assert session.scalars(select(Participant.name)).all() == ["Hiba"]


def test_staff_give_a_booking_and_it_is_in_the_audit(session: Session, cast: Cast, policy: Policy) -> None:
    own = book(session, cast, policy, "amina", 10)
    now = utc_now()
    for who, code in (("youssef", Code.NOT_FOUND), ("amina", Code.NOT_ALLOWED), ("karim", Code.NOT_FOUND)):
        with pytest.raises(DomainError) as refused:
            transfer(session, cast.actors[who], own, YOUSSEF, "", now, policy)
        assert refused.value.code is code
    with pytest.raises(DomainError) as refused:
        transfer(session, cast.actors["salma"], own, "nobody@example.org", "", now, policy)
    assert codes(refused) == ["unknown_member"]
    done = transfer(session, cast.actors["salma"], own, YOUSSEF, "Amina is ill", now, policy)
    assert done.member_name == "Youssef"
    act = session.scalars(select(Audit).where(Audit.action == "booking.transfer")).one()
    assert (act.on_member_id, act.subject) == (cast.members["youssef"], f"booking {own}")
    assert history(session, own)[-1].reason == "Amina is ill"


def test_who_leaves_the_network_leaves_no_open_offer(session: Session, cast: Cast, policy: Policy) -> None:
    own = book(session, cast, policy, "amina", 10)
    give(session, cast, "amina", own)
    assert handover.withdraw_all(session, cast.members["youssef"], utc_now()) == 1
    assert handover.withdraw_all(session, cast.members["amina"], utc_now()) == 0
