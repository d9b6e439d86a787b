"""Members give one another their bookings, for nothing or for one of theirs. None of these commits.

An offer is about the bookings as they were when it was made: any change of one makes it void. Nobody learns
from an offer by address whether there is an account behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, insert, or_, select, update
from sqlalchemy.orm import Session

from fablab.bookings import letters, rule_facts
from fablab.bookings.facts import Policy
from fablab.bookings.handover_queries import (
    HandoverView,
    Side,
    booked_then,
    handover,
    offers_since,
    open_for_bookings,
)
from fablab.bookings.holders import change_holders, decide_for
from fablab.bookings.models import Booking
from fablab.bookings.models_claims import Handover
from fablab.bookings.queries import BookingView, booking, bookings
from fablab.bookings.rules_handover import (
    Offered,
    answer_refusal,
    handable,
    may_offer,
    offer_refusals,
    open_until,
)
from fablab.bookings.wording import refusal
from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.machines.queries import MachineView
from fablab.mail.words import format_span
from fablab.members.models import Member
from fablab.members.queries import member_by_email
from fablab.members.rules import Actor


def offer_transfer(
    session: Session, actor: Actor, booking_id: int, to_email: str, note: str, now: datetime
) -> HandoverView:
    """Offer one's booking, with all that was booked together with it, to whoever has this address.

    The answer is the same whether or not anybody has it; only a member gets a mail. Raises NOT_FOUND,
    NOT_ALLOWED for who only sees the booking, or REFUSED.
    """
    own = _own(session, actor, booking_id)
    to = member_by_email(session, to_email)
    refusals = list(_offer_refusals(session, actor, own, None, now))
    if to is not None and to.id == actor.member_id:
        refusals.append(refusal("handover_self", "to"))
    if refusals:
        raise refused(*refusals)
    made = _store(
        session,
        now,
        booking_id=own[0].id,
        from_member_id=actor.member_id,
        to_email=to_email.strip(),
        to_member_id=to.id if to is not None and to.active else None,
        version=own[0].version,
        note=note,
        expires_at=open_until(now, *(each.starts_at for each in own)),
    )
    if made.to_member_id is not None:
        _tell_of_offer(session, made, now)
    return made


def offer_swap(
    session: Session,
    actor: Actor,
    booking_id: int,
    machine: MachineView,
    at: datetime,
    note: str,
    now: datetime,
    policy: Policy,
) -> HandoverView:
    """Offer one's booking to whoever has booked ``machine`` at that moment, for that booking.

    Calendars show what is taken and not by whom; the other one learns who asks, and the actor who it was
    once they agree. Rules that would not let the actor have that booking are said now. Raises NOT_FOUND,
    NOT_ALLOWED, or REFUSED.
    """
    own = _own(session, actor, booking_id)
    there = [booking(session, each) for each in booked_then(session, machine.id, at)]
    others = [each for each in there if each is not None and each.member_id != actor.member_id]
    back = next(iter(others), next(iter(there), None))
    if back is None:
        raise refused(refusal("nothing_booked_then", "at", machine=machine.slug))
    refusals = list(_offer_refusals(session, actor, own, back, now))
    if len(own) > 1 or back.bundle_id is not None:
        refusals.append(refusal("in_bundle", ""))
    if not refusals:
        refusals = decide_for(session, back, actor.member_id, now, policy, ignore=[own[0].id, back.id])
    if refusals:
        raise refused(*refusals)
    made = _store(
        session,
        now,
        booking_id=own[0].id,
        for_booking_id=back.id,
        from_member_id=actor.member_id,
        to_email="",
        to_member_id=back.member_id,
        version=own[0].version,
        for_version=back.version,
        note=note,
        expires_at=open_until(now, own[0].starts_at, back.starts_at),
    )
    _tell_of_offer(session, made, now)
    return made


def accept(session: Session, actor: Actor, handover_id: int, now: datetime, policy: Policy) -> HandoverView:
    """Take what is offered, and give what is asked for it; both at once or neither.

    1. lock the members, and let the rules decide of each booking for its new holder;
    2. lock the bookings and the offer, and see that nothing has changed since;
    3. exchange the holders; both histories tell it.

    Raises NOT_FOUND for whom it was not offered to, REFUSED `handover_over`, `handover_stale`,
    `handover_other`, or every rule that does not let the actor have the booking.
    """
    found = _for_me(session, actor, handover_id)
    _check_open(found, now)
    rule_facts.lock_members(session, sorted({actor.member_id, found.from_member_id}))
    own = together(session, found.own.booking_id)
    moving = [each.id for each in own] + ([found.back.booking_id] if found.back else [])
    refusals: list[Refusal] = []
    for each in own:
        refusals += decide_for(session, each, actor.member_id, now, policy, ignore=moving)
    if refusals:
        raise refused(*refusals)
    holders = {each.id: actor.member_id for each in own}
    if found.back is not None:
        back = booking(session, found.back.booking_id)
        assert back is not None, "an offer goes with its booking"
        if decide_for(session, back, found.from_member_id, now, policy, ignore=moving):
            raise refused(refusal("handover_other", ""))
        holders[back.id] = found.from_member_id
    lock_bookings(session, holders)
    found = _decide(session, found, "accepted", now)
    change_holders(session, actor, holders, now)
    letters.tell(
        session,
        [each.id for each in own],
        "transferred",
        now,
        actor=actor,
        from_member_id=found.from_member_id,
    )
    if found.back is not None:
        letters.tell(
            session,
            [found.back.booking_id],
            "transferred",
            now,
            actor=actor,
            from_member_id=actor.member_id,
        )
    return _stored(session, handover_id)


def decline(session: Session, actor: Actor, handover_id: int, now: datetime) -> HandoverView:
    """Say no; who offered it is told. Raises as `accept`, a changed booking apart."""
    found = _for_me(session, actor, handover_id)
    found = _decide(session, found, "declined", now, stale_too=True)
    letters.send(
        session,
        [found.from_member_id],
        "handover_declined",
        now,
        machine_id=found.own.machine_id,
        span=(found.own.starts_at, found.own.ends_at),
        person=found.to_email or actor.name.split()[0],
    )
    return _stored(session, handover_id)


def withdraw(session: Session, actor: Actor, handover_id: int, now: datetime) -> None:
    """Take an offer back. Raises NOT_FOUND for somebody else's, REFUSED `handover_over`."""
    found = handover(session, handover_id)
    if found is None or found.from_member_id != actor.member_id:
        raise not_found("offer")
    _decide(session, found, "withdrawn", now, stale_too=True)


def withdraw_all(session: Session, member_id: int, now: datetime) -> int:
    """Close every open offer a member made or got, for who leaves the network; how many."""
    return _close(
        session,
        "withdrawn",
        now,
        or_(Handover.from_member_id == member_id, Handover.to_member_id == member_id),
    )


def expire(session: Session, now: datetime) -> int:
    """Close every offer whose time is over; how many. For the clock."""
    return _close(session, "expired", now, Handover.expires_at <= now)


def _own(session: Session, actor: Actor, booking_id: int) -> list[BookingView]:
    """The actor's booking and what was booked together with it, the one asked for first."""
    view = booking(session, booking_id, actor=actor)
    part = None if view is None else view.part(actor)
    if view is None or part is None:
        raise not_found("booking")
    if not may_offer(part):
        raise not_allowed("Only whose booking it is offers it to somebody else.")
    return together(session, booking_id)


def together(session: Session, booking_id: int) -> list[BookingView]:
    """The booking and the live others of its bundle, the one asked for first. Two statements."""
    rows = session.execute(
        select(Booking.id)
        .where(
            or_(
                Booking.id == booking_id,
                Booking.bundle_id.is_not(None)
                & (
                    Booking.bundle_id
                    == select(Booking.bundle_id).where(Booking.id == booking_id).scalar_subquery()
                )
                & Booking.state.in_(("requested", "confirmed", "started")),
            )
        )
        .order_by(Booking.id)
    ).scalars()
    found = bookings(session, ids=rows.all())
    return sorted(found, key=lambda each: (each.id != booking_id, each.id))


def _offer_refusals(
    session: Session,
    actor: Actor,
    own: Sequence[BookingView],
    back: BookingView | None,
    now: datetime,
) -> list[Refusal]:
    # Two offers of one booking at once would both be the only one.
    lock_bookings(session, [own[0].id])
    # One that has run out, or whose bookings changed, makes room for another.
    open_now = open_for_bookings(session, [each.id for each in own])
    void = [each.id for each in open_now if each.state_at(now) == "expired"]
    if void:
        _close(session, "expired", now, Handover.id.in_(void))
    today = offers_since(session, actor.member_id, now - timedelta(days=1))
    found: dict[str, Refusal] = {}
    for each in own:
        for one in offer_refusals(
            _offered(each),
            None if back is None else _offered(back),
            now,
            open_already=len(open_now) > len(void),
            offers_today=today,
        ):
            found.setdefault(f"{one.code}/{one.field}", one)
    return list(found.values())


def _offered(view: BookingView) -> Offered:
    return Offered(view.state, view.starts_at, view.member_id, view.version)


def _store(session: Session, now: datetime, **values: object) -> HandoverView:
    handover_id = session.scalar(
        insert(Handover).values(state="offered", created_at=now, **values).returning(Handover.id)
    )
    assert handover_id is not None, "an insert gives its number"
    return _stored(session, handover_id)


def _stored(session: Session, handover_id: int) -> HandoverView:
    found = handover(session, handover_id)
    assert found is not None, "it was just there"
    return found


def _for_me(session: Session, actor: Actor, handover_id: int) -> HandoverView:
    found = handover(session, handover_id)
    if found is None or found.to_member_id != actor.member_id:
        raise not_found("offer")
    return found


def _check_open(found: HandoverView, now: datetime) -> None:
    stale = found.state == "offered" and found.stale
    if no := answer_refusal(found.state, found.expires_at, now, stale=stale):
        raise refused(no)
    sides = [found.own, *([found.back] if found.back else [])]
    if not all(handable(side.state, side.starts_at, now) for side in sides):
        raise refused(refusal("handover_state", ""))


def _decide(
    session: Session, found: HandoverView, state: str, now: datetime, *, stale_too: bool = False
) -> HandoverView:
    """Close an open offer, of two at once for one of them; what it is about must be as it was."""
    session.execute(select(Handover.id).where(Handover.id == found.id).with_for_update())
    found = _stored(session, found.id)
    if stale_too:
        if no := answer_refusal(found.state, found.expires_at, now, stale=False):
            raise refused(no)
    else:
        _check_open(found, now)
    _close(session, state, now, Handover.id == found.id)
    return found


def _close(session: Session, state: str, now: datetime, which: ColumnElement[bool]) -> int:
    rows = session.execute(
        update(Handover)
        .where(Handover.state == "offered", which)
        .values(state=state, decided_at=now)
        .returning(Handover.id)
        .execution_options(synchronize_session=False)
    )
    return len(rows.all())


def lock_bookings(session: Session, booking_ids: Iterable[int]) -> None:
    ids = sorted(booking_ids)
    session.execute(
        select(Booking.id).where(Booking.id.in_(ids)).order_by(Booking.id).with_for_update(key_share=True)
    )


def _tell_of_offer(session: Session, made: HandoverView, now: datetime) -> None:
    """The mail to whom it is offered, in their language."""
    assert made.to_member_id is not None, "mails go to members"
    texts = {"person": made.from_member_name}
    if made.back is not None:
        texts |= _back_words(session, made.back, made.to_member_id)
    letters.send(
        session,
        [made.to_member_id],
        "handover_offered" if made.back is None else "swap_offered",
        now,
        machine_id=made.own.machine_id,
        span=(made.own.starts_at, made.own.ends_at),
        until=made.expires_at,
        link=f"/handovers/{made.id}",
        **texts,
    )


def _back_words(session: Session, back: Side, reader_id: int) -> dict[str, str]:
    language = session.scalar(select(Member.language).where(Member.id == reader_id)) or "fr"
    return {
        "machine_back": back.machine_name,
        "when_back": format_span(back.starts_at, back.ends_at, back.zone, language),
    }
