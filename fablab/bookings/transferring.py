"""Staff give a member's booking to another member."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from fablab.bookings import letters, rule_facts
from fablab.bookings.facts import Policy
from fablab.bookings.handover import lock_bookings, together
from fablab.bookings.holders import change_holders, decide_for
from fablab.bookings.queries import BookingView, booking
from fablab.bookings.rules_handover import handable, may_transfer
from fablab.bookings.wording import refusal
from fablab.errors import not_allowed, not_found, refused
from fablab.members import audit
from fablab.members.queries import member_by_email
from fablab.members.rules import Actor


def transfer(
    session: Session,
    actor: Actor,
    booking_id: int,
    to_email: str,
    reason: str,
    now: datetime,
    policy: Policy,
) -> BookingView:
    """Give somebody's booking, with all booked together with it, to another member, as the lab's staff.

    The rules decide for the new holder. Raises NOT_FOUND, NOT_ALLOWED, REFUSED.
    """
    view = booking(session, booking_id, actor=actor)
    if view is None or view.part(actor) is None:
        raise not_found("booking")
    if not may_transfer(actor, view.lab_id):
        raise not_allowed("Only the lab's managers give a booking to somebody else. Offer it instead.")
    own = together(session, booking_id)
    if any(not may_transfer(actor, each.lab_id) for each in own):
        raise not_allowed("It was booked together with a machine of a lab you do not manage.")
    to = member_by_email(session, to_email)
    if to is None or not to.active:
        raise refused(refusal("unknown_member", "to"))
    if not all(handable(each.state, each.starts_at, now) for each in own):
        raise refused(refusal("handover_state", ""))
    if to.id == view.member_id:
        raise refused(refusal("handover_self", "to"))
    rule_facts.lock_members(session, sorted({to.id, view.member_id}))
    ids = [each.id for each in own]
    refusals = [
        found
        for each in own
        for found in decide_for(session, each, to.id, now, policy, ignore=ids, asked=False)
    ]
    if refusals:
        raise refused(*refusals)
    lock_bookings(session, ids)
    if [(each.id, each.version) for each in together(session, booking_id)] != [
        (each.id, each.version) for each in own
    ]:
        raise refused(refusal("handover_stale", ""))
    change_holders(session, actor, dict.fromkeys(ids, to.id), now, reason)
    for each in own:
        audit.record(
            session,
            actor,
            "booking.transfer",
            f"booking {each.id}",
            now,
            on_member_id=to.id,
            lab_id=each.lab_id,
        )
    letters.tell(session, ids, "transferred", now, actor=actor, from_member_id=view.member_id, reason=reason)
    done = booking(session, booking_id, actor=actor)
    assert done is not None, "the row is locked"
    return done
