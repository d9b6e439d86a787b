"""Minors, groups, and bookings on behalf of somebody: what is refused, what is stored, who sees it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from fablab.bookings.facts import BookingRequest, Guest
from fablab.bookings.models import Participant
from fablab.bookings.queries import BookingView, booking, bookings, bookings_of, history, participants
from fablab.bookings.rules import Policy
from fablab.bookings.rules_people import Part
from fablab.bookings.service import cancel_booking, create_booking, preview_booking
from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.members.models import Audit, Member
from fablab.members.rules import Actor
from tests.fixtures_cast import Cast, tomorrow
from tests.support.groups import add_consent, add_organisation, add_pupil, join, without_staff

PLAIN = BookingRequest("tanger-prusa-1", tomorrow(10), tomorrow(12))
YOUSSEF = Guest(email="youssef@example.org")
PUPIL = Guest(email="pupil@example.org")


def refused(session: Session, actor: Actor, policy: Policy, **more: object) -> list[str]:
    """The codes with which both the preview and the booking are refused."""
    request = replace(PLAIN, **more)  # type: ignore[arg-type]
    seen = preview_booking(session, actor, request, utc_now(), policy)
    with pytest.raises(DomainError) as error:
        create_booking(session, actor, request, utc_now(), policy)
    assert seen.refusals == error.value.refusals
    return [each.code for each in error.value.refusals]


def book(session: Session, actor: Actor, policy: Policy, **more: object) -> BookingView:
    made = create_booking(session, actor, replace(PLAIN, **more), utc_now(), policy)  # type: ignore[arg-type]
    assert booking(session, made.id, actor=actor) == made
    return made


def listed(session: Session, made: BookingView) -> list[tuple[str, int | None]]:
    rows = session.execute(
        select(Participant.name, Participant.member_id)
        .where(Participant.booking_id == made.id)
        .order_by(Participant.id)
    )
    return [(name, member_id) for name, member_id in rows]


def test_a_minor_books_only_while_staff_are_there_printers_too(
    session: Session, cast: Cast, policy: Policy
) -> None:
    pupil = add_pupil(session)
    night = {"starts_at": tomorrow(20), "ends_at": tomorrow(22)}
    assert refused(session, pupil, policy, **night) == ["minor_unsupervised"]
    assert book(session, cast.actors["amina"], policy, **night).state == "confirmed"
    assert book(session, pupil, policy).state == "confirmed"
    without_staff(session, cast)
    later = {"starts_at": tomorrow(14), "ends_at": tomorrow(15)}
    assert refused(session, pupil, policy, **later) == ["minor_unsupervised"]
    assert book(session, cast.actors["amina"], policy, **later).state == "confirmed"


def test_a_minor_is_offered_only_supervised_time(session: Session, cast: Cast, policy: Policy) -> None:
    night = replace(PLAIN, starts_at=tomorrow(20), ends_at=tomorrow(22))
    seen = preview_booking(session, add_pupil(session), night, utc_now(), policy)
    assert len(seen.alternatives) == policy.alternatives
    assert {(each.starts_at.hour, each.ends_at.hour) for each in seen.alternatives} == {(9, 11)}


def test_who_turns_18_that_day_is_of_age(session: Session, cast: Cast, policy: Policy) -> None:
    # Nobody turns 18 on a 29 February: 18 years before there was none.
    days = 2 if (tomorrow(10).month, tomorrow(10).day) == (2, 29) else 1
    on = tomorrow(10, days=days).date()
    young = add_pupil(session, born_on=on.replace(year=on.year - 18), consent=False)
    night = {"starts_at": tomorrow(20, days=days), "ends_at": tomorrow(22, days=days)}
    assert book(session, young, policy, **night).state == "confirmed"
    today = {
        "starts_at": utc_now(),
        "ends_at": utc_now().replace(microsecond=0) + (tomorrow(2) - tomorrow(0)),
    }
    assert "minor_without_consent" in refused(session, young, policy, **today)


def test_consent_that_was_withdrawn_is_none(session: Session, cast: Cast, policy: Policy) -> None:
    pupil = add_pupil(session, consent=False)
    assert refused(session, pupil, policy) == ["minor_without_consent"]
    consent = add_consent(session, pupil.member_id)
    assert book(session, pupil, policy).state == "confirmed"
    consent.withdrawn_at = utc_now()
    session.flush()
    later = {"starts_at": tomorrow(14), "ends_at": tomorrow(15)}
    assert refused(session, pupil, policy, **later) == ["minor_without_consent"]


def test_a_manager_does_not_lift_a_minors_rules(session: Session, cast: Cast, policy: Policy) -> None:
    add_pupil(session, consent=False)
    without_staff(session, cast)
    salma = cast.actors["salma"]
    assert refused(session, salma, policy, for_member="Pupil@example.org") == [
        "minor_without_consent",
        "minor_unsupervised",
    ]


def test_a_manager_books_for_a_member_and_both_are_written_down(
    session: Session, cast: Cast, policy: Policy
) -> None:
    made = book(session, cast.actors["salma"], policy, for_member="amina@example.org", purpose="Secret lamp")
    assert (made.member_name, made.created_by_name) == ("Amina", "Salma")
    assert [change.member_name for change in history(session, made.id)] == ["Salma"]
    row = session.scalars(select(Audit).where(Audit.action == "booking.create")).one()
    assert (row.actor_id, row.on_member_id) == (cast.members["salma"], cast.members["amina"])
    assert (row.lab_id, row.subject, row.detail) == (cast.labs["tanger"], f"booking {made.id}", "")


def test_why_a_manager_cancels_is_no_matter_of_the_audit(
    session: Session, cast: Cast, policy: Policy
) -> None:
    made = book(session, cast.actors["amina"], policy)
    cancel_booking(session, cast.actors["salma"], made.id, utc_now(), policy, "Amina is ill")
    assert history(session, made.id)[-1].reason == "Amina is ill"
    row = session.scalars(select(Audit).where(Audit.action == "booking.cancel")).one()
    assert (row.on_member_id, row.lab_id, row.detail) == (cast.members["amina"], cast.labs["tanger"], "")


def test_booking_for_oneself_by_address_is_no_act_on_behalf(
    session: Session, cast: Cast, policy: Policy
) -> None:
    book(session, cast.actors["salma"], policy, for_member="salma@example.org")
    assert session.scalars(select(Audit)).all() == []


def test_people_without_an_active_account_cannot_be_booked_for(
    session: Session, cast: Cast, policy: Policy
) -> None:
    session.get_one(Member, cast.members["amina"]).active = False
    session.flush()
    for address in ("amina@example.org", "nobody@example.org"):
        assert refused(session, cast.actors["salma"], policy, for_member=address) == ["unknown_member"]


def test_those_who_come_along_are_kept_as_they_were_written(
    session: Session, cast: Cast, policy: Policy
) -> None:
    guests = (YOUSSEF, Guest(email="Nobody@example.org"), Guest(name="Ali"))
    made = book(session, cast.actors["amina"], policy, participants=guests, head_count=20)
    assert made.head_count == 20
    assert listed(session, made) == [
        ("youssef@example.org", cast.members["youssef"]),
        ("Nobody@example.org", None),
        ("Ali", None),
    ]
    assert [each.written for each in participants(session, [made.id])[made.id]] == [
        "youssef@example.org",
        "Nobody@example.org",
        "Ali",
    ]


def test_without_a_head_count_there_are_as_many_as_are_listed(
    session: Session, cast: Cast, policy: Policy
) -> None:
    made = book(session, cast.actors["amina"], policy, participants=(YOUSSEF, Guest(name="Ali")))
    assert made.head_count == 3


def test_the_leader_is_not_listed_whoever_books(session: Session, cast: Cast, policy: Policy) -> None:
    amina = Guest(email="Amina@Example.org")
    assert refused(session, cast.actors["amina"], policy, participants=(amina,)) == ["participants_mismatch"]
    assert refused(
        session, cast.actors["salma"], policy, participants=(amina,), for_member="amina@example.org"
    ) == ["participants_mismatch"]


def test_a_list_tells_no_stranger_whose_child_lacks_consent(
    session: Session, cast: Cast, policy: Policy
) -> None:
    """Amina has nothing to do with the pupil: she hears what she hears of any name, the pupil nothing."""
    pupil = add_pupil(session, consent=False)
    made = book(session, cast.actors["amina"], policy, participants=(PUPIL,))
    assert listed(session, made) == [("pupil@example.org", None)]
    assert bookings(session, actor=pupil) == []


def test_who_may_know_of_a_minor_hears_that_the_consent_is_missing(
    session: Session, cast: Cast, policy: Policy
) -> None:
    pupil = add_pupil(session, consent=False)
    salma, amina = cast.actors["salma"], cast.actors["amina"]
    assert refused(session, salma, policy, participants=(PUPIL,)) == ["minor_without_consent"]
    club = add_organisation(session, cast, "club", "amina")
    join(session, club, pupil.member_id)
    assert refused(session, amina, policy, participants=(PUPIL,)) == ["minor_without_consent"]
    add_consent(session, pupil.member_id)
    made = book(session, amina, policy, participants=(PUPIL,))
    assert listed(session, made) == [("pupil@example.org", pupil.member_id)]


def test_minors_come_with_an_adult_at_any_hour(session: Session, cast: Cast, policy: Policy) -> None:
    pupil = add_pupil(session)
    night = {"starts_at": tomorrow(20), "ends_at": tomorrow(22)}
    made = book(session, cast.actors["amina"], policy, participants=(PUPIL,), **night)
    assert [each.id for each in bookings(session, actor=pupil)] == [made.id]


def test_a_minor_leads_no_group(session: Session, cast: Cast, policy: Policy) -> None:
    assert refused(session, add_pupil(session), policy, participants=(YOUSSEF,)) == ["leader_is_minor"]


def test_who_comes_along_sees_it_and_cannot_change_it(session: Session, cast: Cast, policy: Policy) -> None:
    amina, youssef = cast.actors["amina"], cast.actors["youssef"]
    made = book(session, amina, policy, participants=(YOUSSEF,))
    other = book(session, youssef, policy, starts_at=tomorrow(14), ends_at=tomorrow(15))
    seen = {each.id: each.part(youssef) for each in bookings(session, actor=youssef)}
    assert seen == {made.id: Part.PARTICIPANT, other.id: Part.LEADER}
    assert [each.id for each in bookings(session, actor=amina)] == [made.id]
    assert [each.id for each in bookings_of(session, youssef.member_id)] == [other.id]
    attended = bookings_of(session, youssef.member_id, attended=True)
    assert [each.id for each in attended] == [made.id, other.id]
    with pytest.raises(DomainError) as error:
        cancel_booking(session, youssef, made.id, utc_now(), policy)
    assert error.value.code is Code.NOT_ALLOWED


def test_people_take_the_same_statements_however_many(session: Session, cast: Cast, policy: Policy) -> None:
    club = add_organisation(session, cast, "club", "amina")
    pupils = [add_pupil(session, f"pupil{n}") for n in range(12)]
    for pupil in pupils:
        join(session, club, pupil.member_id)
    session.flush()
    counts = []
    # The first is not counted: hours of labs are read once and then known.
    for hour, some in ((6, pupils[:1]), (8, pupils[:1]), (12, pupils)):
        statements: list[str] = []

        def note(*args: object, told: list[str] = statements) -> None:
            told.append(str(args[2]))

        event.listen(session.get_bind(), "before_cursor_execute", note)
        guests = tuple(Guest(email=f"{each.name}@example.org") for each in some)
        create_booking(
            session,
            cast.actors["amina"],
            replace(
                PLAIN,
                starts_at=tomorrow(hour),
                ends_at=tomorrow(hour + 1),
                organisation="club",
                participants=guests,
            ),
            utc_now(),
            policy,
        )
        event.remove(session.get_bind(), "before_cursor_execute", note)
        counts.append(len(statements))
    # Machine, people, memberships, lock, quotas, the booking, its list.
    assert counts[1:] == [7, 7]
