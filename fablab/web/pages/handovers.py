"""Bookings that change hands: the form that offers one, offers to answer, and staff who give one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flask import flash, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.bookings import handover as verbs
from fablab.bookings import queries as bookings
from fablab.bookings.handover_queries import HandoverView, handovers_of, open_for_bookings
from fablab.bookings.handover_queries import handover as handover_by_id
from fablab.bookings.models import REASON_MAX
from fablab.bookings.models_claims import NOTE_MAX
from fablab.bookings.queries import BookingView
from fablab.bookings.rules_handover import handable, may_hand_over
from fablab.bookings.rules_people import Part
from fablab.bookings.transferring import transfer
from fablab.clock import utc_now
from fablab.errors import Code, DomainError, not_allowed, not_found
from fablab.machines import queries as machines
from fablab.members.addresses import email_trouble
from fablab.members.rules import Actor
from fablab.web.database import writing
from fablab.web.errors import STATUS
from fablab.web.pages import forms, words
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, errors_of, line, told
from fablab.web.settings import booking_policy

SHOWN = 50
STATES = {
    "offered": words.Word("Open", "hourglass", "warn"),
    "accepted": words.Word("Done", "check", "good"),
    "declined": words.Word("Declined", "ban"),
    "withdrawn": words.Word("Taken back", "x"),
    "expired": words.Word("Over", "clock"),
}
FIELDS = {"to": "to", "at": "time", "machine": "machine", "starts_at": "time", "ends_at": "time"}
ALSO = (Code.CLASH, Code.NOT_ALLOWED)


@dataclass
class HandoverForm:
    """The values as the person sees them; ``way`` is 'give' or 'swap', or 'transfer' for staff."""

    way: str = "give"
    to: str = ""
    machine: str = ""
    day: str = ""
    time: str = ""
    note: str = ""
    errors: Errors = field(default_factory=dict)


@blueprint.get("/bookings/<id:booking_id>/handover")
def handover(booking_id: int) -> str:
    """Give a booking to somebody, or swap it; staff: give it to another member."""
    session, actor = reading()
    found = _find(session, actor, booking_id)
    local = words.local(found.starts_at, found.zone)
    form = HandoverForm(machine=found.machine_slug, day=f"{local:%Y-%m-%d}")
    return _page(session, actor, found, form)


@blueprint.post("/bookings/<id:booking_id>/handover")
def hand_over(booking_id: int) -> Response | tuple[str, int]:
    """Make the offer, or give it where staff do; come back with every reason where that cannot be."""
    session, actor = reading()
    found = _find(session, actor, booking_id)
    form = HandoverForm(
        line("way"), line("to"), line("machine"), line("day"), line("time"), line("note", REASON_MAX)
    )
    at = _read(session, form, found)
    if form.errors:
        return _page(session, actor, found, form), 422
    try:
        said = _do(actor, found, form, at)
    except DomainError as error:
        if error.code is Code.NOT_FOUND:
            raise
        form.errors = errors_of(error, FIELDS, fields=set(FIELDS.values()), also=ALSO)
        return _page(session, actor, found, form), STATUS[error.code]
    flash(said, "good")
    return redirect(url_for("pages.booking", booking_id=booking_id), 303)


@blueprint.get("/handovers")
def handovers() -> str:
    """Offers that wait for one's answer, one's own that are open, and what became of earlier ones."""
    session, actor = reading()
    now = utc_now()
    found = handovers_of(session, actor.member_id, limit=SHOWN)
    open_ones = [each for each in found if each.state_at(now) == "offered"]
    return render_template(
        "handovers.html",
        now=now,
        asked=[each for each in open_ones if each.to_member_id == actor.member_id],
        made=[each for each in open_ones if each.from_member_id == actor.member_id],
        over=[each for each in found if each.state_at(now) != "offered"][:12],
        states=STATES,
    )


@blueprint.get("/handovers/<id:handover_id>")
def handover_offer(handover_id: int) -> str:
    """One offer: what a mail leads to."""
    session, actor = reading()
    found = handover_by_id(session, handover_id)
    if found is None or actor.member_id not in (found.from_member_id, found.to_member_id):
        raise not_found("offer")
    return render_template(
        "handover_offer.html",
        now=utc_now(),
        offer=found,
        asked=found.to_member_id == actor.member_id,
        state=found.state_at(utc_now()),
        states=STATES,
    )


@blueprint.post("/handovers/<id:handover_id>/acceptance")
def handover_accepted(handover_id: int) -> Response:
    """Take what is offered."""
    _, actor = reading()
    try:
        with writing() as session:
            done = verbs.accept(session, actor, handover_id, utc_now(), booking_policy())
    except DomainError as error:
        return told(error, url_for("pages.handover_offer", handover_id=handover_id), also=ALSO)
    flash(
        f"{done.own.machine_name} is yours, {_when(done)}."
        + (f" {done.from_member_name} has {done.back.machine_name} instead." if done.back else ""),
        "good",
    )
    return redirect(url_for("pages.booking", booking_id=done.own.booking_id), 303)


@blueprint.post("/handovers/<id:handover_id>/refusal")
def handover_refused(handover_id: int) -> Response:
    """Say no."""
    _, actor = reading()
    try:
        with writing() as session:
            done = verbs.decline(session, actor, handover_id, utc_now())
    except DomainError as error:
        return told(error, url_for("pages.handovers"))
    flash(f"You said no. We tell {done.from_member_name}.", "good")
    return redirect(url_for("pages.handovers"), 303)


@blueprint.post("/handovers/<id:handover_id>/withdrawal")
def handover_withdrawn(handover_id: int) -> Response:
    """Take one's offer back."""
    _, actor = reading()
    try:
        with writing() as session:
            verbs.withdraw(session, actor, handover_id, utc_now())
    except DomainError as error:
        return told(error, url_for("pages.handovers"))
    flash("The offer is taken back. The booking stays yours.", "good")
    return redirect(url_for("pages.handovers"), 303)


def _find(session: Session, actor: Actor, booking_id: int) -> BookingView:
    found = bookings.booking(session, booking_id, actor=actor)
    if found is None or found.part(actor) is None:
        raise not_found("booking")
    if not may_hand_over(actor, found.part(actor), found.lab_id):
        raise not_allowed("Only whose booking it is hands it over, or the lab's managers.")
    return found


def _read(session: Session, form: HandoverForm, found: BookingView) -> datetime | None:
    """Judge what was typed; the moment a swap asks for."""
    errors = form.errors
    if form.way not in ("give", "swap", "transfer"):
        forms.refuse(errors, "", forms.NOT_LISTED)
    if len(form.note) > NOTE_MAX:
        forms.refuse(errors, "note", f"Please say it in {NOTE_MAX} characters.")
    if form.way != "swap":
        if trouble := email_trouble(form.to):
            forms.refuse(errors, "to", trouble)
        return None
    wanted = {each.slug: each for each in machines.machines(session, lab=found.lab_slug)}
    machine = forms.a_choice(form.machine, "machine", errors, wanted)
    on = forms.a_day(form.day, "day", errors, needed=True, near=True)
    at = forms.a_time(form.time, "time", errors)
    if machine is None or on is None or at is None:
        return None
    return forms.an_instant(on, at, machine.zone, "time", errors)


def _do(actor: Actor, found: BookingView, form: HandoverForm, at: datetime | None) -> str:
    """What the form says; a sentence about what came of it."""
    now = utc_now()
    with writing() as session:
        if form.way == "transfer":
            transfer(session, actor, found.id, form.to, form.note, now, booking_policy())
            return "Done. Both are told."
        if form.way == "swap":
            machine = machines.machine_by_slug(session, form.machine)
            assert machine is not None, "the form was read"
            assert at is not None, "the form was read"
            verbs.offer_swap(session, actor, found.id, machine, at, form.note, now, booking_policy())
            return "We have asked whoever booked that time. The booking stays yours until they agree."
        verbs.offer_transfer(session, actor, found.id, form.to, form.note, now)
    return "If a member has that address, they are asked now. The booking stays yours until they agree."


def _page(session: Session, actor: Actor, found: BookingView, form: HandoverForm) -> str:
    now = utc_now()
    mine = found.part(actor) is Part.LEADER
    if not mine:
        form.way = "transfer"
    offered = [each for each in open_for_bookings(session, [found.id]) if each.state_at(now) == "offered"]
    return render_template(
        "handover.html",
        now=now,
        booking=found,
        mine=mine,
        handable=handable(found.state, found.starts_at, now),
        form=form,
        offer=offered[0] if offered and mine else None,
        machines=machines.machines(session, lab=found.lab_slug),
        together=found.bundle_id is not None,
        longest=NOTE_MAX,
    )


def _when(done: HandoverView) -> str:
    span = words.span(done.own.starts_at, done.own.ends_at, done.own.zone, utc_now())
    return span[0].lower() + span[1:]
