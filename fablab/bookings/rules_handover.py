"""Bookings that change hands: who may offer one to whom, and what makes an offer void. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fablab.bookings.rules_people import Part
from fablab.bookings.wording import refusal
from fablab.errors import Refusal
from fablab.members.rules import Actor, may_manage_lab

# Every code with which an offer, or its answer, is refused. The API's document is made from it.
REFUSAL_CODES = {
    "handover_state": "The booking has begun, is over, or is not confirmed: it cannot change hands.",
    "handover_offered": "The booking is offered to somebody already.",
    "handover_self": "The booking is the member's own already.",
    "handover_too_many": "The member has made as many offers as one may make in a day.",
    "handover_over": "The offer was answered, taken back, or has run out.",
    "handover_stale": "One of the bookings has changed since the offer was made.",
    "handover_other": "The rules do not let the other member have the booking offered in return.",
    "handover_not_allowed": "The member may not book in that lab.",
    "handover_needs_staff": "The machine is given by approval: staff hand such a booking over.",
    "in_bundle": "A booking of several machines is handed over as a whole, and not swapped.",
    "nothing_booked_then": "Nobody has booked the machine at the time asked for.",
}
# An offer is open so long, and never past the start of what it is about.
OPEN_FOR = timedelta(hours=48)
# Each offer sends somebody a mail.
OFFERS_A_DAY = 20


@dataclass(frozen=True)
class Offered:
    """A booking as an offer sees it: at the time of asking, and what it was when the offer was made."""

    state: str
    starts_at: datetime
    member_id: int
    version: int


def handable(state: str, starts_at: datetime, now: datetime) -> bool:
    """Whether a booking may still change hands: confirmed, and not begun."""
    return state == "confirmed" and starts_at > now


def may_offer(part: Part | None) -> bool:
    """Whose it is, and nobody else."""
    return part is Part.LEADER


def may_transfer(actor: Actor, lab_id: int) -> bool:
    """Give somebody's booking to another one without asking them: whoever manages the lab."""
    return may_manage_lab(actor, lab_id)


def may_hand_over(actor: Actor, part: Part | None, lab_id: int) -> bool:
    """Bring it into other hands, in whichever way: whose it is, and the lab's managers."""
    return may_offer(part) or may_transfer(actor, lab_id)


def open_until(now: datetime, *starts: datetime) -> datetime:
    """When an offer about bookings with these starts runs out."""
    return min(now + OPEN_FOR, *starts)


def offer_refusals(
    own: Offered, back: Offered | None, now: datetime, *, open_already: bool, offers_today: int
) -> Iterator[Refusal]:
    """What speaks against offering one's own booking, for nothing or for somebody's."""
    if not handable(own.state, own.starts_at, now):
        yield refusal("handover_state", "")
    if back is not None:
        if back.member_id == own.member_id:
            yield refusal("handover_self", "at")
        elif not handable(back.state, back.starts_at, now):
            yield refusal("handover_state", "at")
    if open_already:
        yield refusal("handover_offered", "")
    if offers_today >= OFFERS_A_DAY:
        yield refusal("handover_too_many", "", most=OFFERS_A_DAY)


def answer_refusal(state: str, expires_at: datetime, now: datetime, *, stale: bool) -> Refusal | None:
    """Why an offer cannot be answered any more; ``stale``: one of its bookings is not what it was."""
    if state != "offered" or (expires_at <= now and not stale):
        return refusal("handover_over", "")
    return refusal("handover_stale", "") if stale else None
