"""What verbs about bookings ask before they act, and how they say no."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from fablab.bookings.alternatives import alternatives
from fablab.bookings.facts import BookingRequest, Policy
from fablab.bookings.gathering import Gathered
from fablab.bookings.queries import BookingView, booking
from fablab.bookings.rules_people import may_override
from fablab.bookings.wording import refusal
from fablab.errors import Code, DomainError, Refusal, not_allowed, not_found
from fablab.machines.queries import MachineView, machine_by_slug
from fablab.members import audit
from fablab.members.rules import Actor, may_book, may_book_for_others

# What staff cannot go over: claims, what cannot be stored, and consents that the law asks for.
FIRM = frozenset(
    {
        "ends_before_start",
        "machine_booked",
        "machine_inactive",
        "minor_without_consent",
        "not_member_of_organisation",
        "participants_mismatch",
        "unknown_member",
        "unknown_project",
    }
)


def bookable(session: Session, actor: Actor, request: BookingRequest) -> MachineView:
    """The machine, once it is clear that the actor may book it at all, and for whom they want."""
    machine = machine_by_slug(session, request.machine)
    if machine is None:
        said = refusal("unknown_machine", "machine", machine=request.machine)
        raise DomainError(Code.NOT_FOUND, said.message, [said])
    check_may_book(actor, machine.lab_id, request)
    return machine


def check_may_book(actor: Actor, lab_id: int, request: BookingRequest) -> None:
    """Raises NOT_ALLOWED for whoever may not book in the lab, or not for whom they want."""
    if not may_book(actor, lab_id):
        raise not_allowed("Makers book here. You may look, but not book.")
    if request.for_member is not None and not may_book_for_others(actor, lab_id):
        said_no = "Only the lab's managers book for other people."
        raise not_allowed(said_no, Refusal("not_allowed", "for_member", said_no))


def check_override(actor: Actor, lab_id: int) -> None:
    """Raises NOT_ALLOWED for whoever may not go over the lab's rules."""
    if not may_override(actor, lab_id):
        said = "Only the lab's managers go over its rules."
        raise not_allowed(said, Refusal("not_allowed", "override", said))


def overridden(
    refusals: Iterable[Refusal], request: BookingRequest, now: datetime, override: bool
) -> tuple[tuple[str, ...], list[Refusal]]:
    """The codes staff go over, and the refusals that stand."""
    refusals = list(refusals)
    if not override:
        return (), refusals
    firm = FIRM | ({"in_the_past"} if request.ends_at <= now else frozenset())
    standing = [each for each in refusals if each.code in firm]
    return tuple(sorted({each.code for each in refusals} - firm)), standing


def waits_for_nobody(gathered: Gathered, refusals: Iterable[Refusal]) -> bool:
    """Whether a claim is in the way that began already: perhaps nobody came."""
    now = gathered.facts.now
    return any(each.code == "machine_booked" for each in refusals) and any(
        claim.starts_at <= now < claim.ends_at for claim in gathered.facts.claims
    )


def machine_ids(machine: MachineView) -> list[int]:
    """The machine and all that it needs."""
    return [machine.id, *(need.machine_id for need in machine.needs)]


def refused_offering(
    session: Session,
    gathered: Gathered,
    request: BookingRequest,
    policy: Policy,
    refusals: list[Refusal],
) -> DomainError:
    """One error for all refusals, with what is free instead where the time is what is wrong."""
    codes = {each.code for each in refusals}
    instead = []
    if codes & {"machine_booked", "minor_unsupervised"}:
        instead = alternatives(session, gathered, request, codes, policy)
    return DomainError(
        Code.CLASH if codes == {"machine_booked"} else Code.REFUSED, refusals[0].message, refusals, instead
    )


def seen_booking(session: Session, actor: Actor, booking_id: int) -> BookingView:
    """The booking, as far as the actor may see it; raises NOT_FOUND."""
    view = booking(session, booking_id, actor=actor)
    if view is None or view.part(actor) is None:
        raise not_found("booking")
    return view


def check_seen(view: BookingView, seen: Collection[int] | None) -> None:
    """Raises STALE where the booking is not any more what the actor saw."""
    if seen is not None and view.version not in seen:
        raise stale()


def stale() -> DomainError:
    """The answer to whoever decided on what is not so any more."""
    said = refusal("stale", "version")
    return DomainError(Code.STALE, said.message, [said])


def tell_audit(
    session: Session,
    actor: Actor,
    act: str,
    booking_id: int,
    member_id: int,
    lab_id: int,
    now: datetime,
    broke: Collection[str] = (),
) -> None:
    """Write down what was done with somebody else's booking, or over the rules."""
    if broke:
        act = "override"
    if broke or member_id != actor.member_id:
        audit.record(
            session,
            actor,
            f"booking.{act}",
            f"booking {booking_id}",
            now,
            ", ".join(broke),
            on_member_id=member_id,
            lab_id=lab_id,
        )


def lost(request: BookingRequest) -> Refusal:
    """Somebody was faster each time, and it was free again whenever we looked."""
    return refusal("machine_booked", "starts_at", case="just_taken", machine=request.machine)


def request_of(view: BookingView, actor: Actor, machine: MachineView) -> BookingRequest:
    """The booking as if it were asked for now, on this machine. Who comes along was decided on."""
    return BookingRequest(
        machine=machine.slug,
        starts_at=view.starts_at,
        ends_at=view.ends_at,
        purpose=view.purpose,
        for_member=None if view.member_id == actor.member_id else view.member_name,
        organisation=view.organisation_slug,
        project=view.project_id,
        head_count=view.head_count,
    )
