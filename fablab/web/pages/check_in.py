"""What the code on a machine opens: check in, be done, or book it now. And the sheet of codes to print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.bookings import noshow
from fablab.bookings.facts import BookingRequest
from fablab.bookings.presence import check_in, check_out
from fablab.bookings.queries import BookingView, bookings
from fablab.bookings.rule_store import rulings_of_bookings
from fablab.bookings.rules_people import Part
from fablab.bookings.rules_presence import check_in_opens, given_up_at, may_check_in
from fablab.bookings.service import create_booking, preview_booking
from fablab.clock import utc_now
from fablab.errors import Alternative, Code, DomainError, Refusal, not_found
from fablab.machines import queries as machines
from fablab.machines.queries import MachineView
from fablab.members.rules import Actor, may_manage_lab
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import number, told
from fablab.web.pages.tiles import Tile, tiles
from fablab.web.qr import code_in_page, machine_address
from fablab.web.settings import base_url, booking_policy, settings

# Whose booking begins within this is told of it at the machine.
SOON = timedelta(hours=12)
LENGTHS_MIN = (15, 30, 60, 90, 120, 180, 240)
MOST_MIN = 24 * 60


@dataclass(frozen=True)
class Coming:
    """A booking of the machine that the viewer may see: what may be done about it now."""

    booking: BookingView
    part: Part
    may_check_in: bool
    opens_at: datetime
    given_up_at: datetime | None
    lapsed: bool

    @property
    def under_way(self) -> bool:
        return self.booking.state == "started"

    @property
    def theirs(self) -> bool:
        """Whether the viewer comes to it, and does not just look after the lab."""
        return self.part in (Part.LEADER, Part.PARTICIPANT)

    def open(self, now: datetime) -> bool:
        """Whether one may check in now."""
        return self.booking.state == "confirmed" and not self.lapsed and self.opens_at <= now


@dataclass(frozen=True)
class Now:
    """What booking the machine from now on would give: for how long, or why not and what instead."""

    lengths: tuple[int, ...] = ()
    needs_approval: bool = False
    refusals: tuple[Refusal, ...] = ()
    instead: tuple[Alternative, ...] = field(default=())

    @property
    def taken(self) -> bool:
        """Nothing else is in the way than somebody else."""
        return bool(self.refusals) and all(each.code == "machine_booked" for each in self.refusals)


@blueprint.get("/m/<slug>")
def at_machine(slug: str) -> str:
    """For whoever stands before the machine: the one thing to do now."""
    session, actor = reading()
    found = _find(session, slug)
    now = utc_now()
    [tile] = tiles(session, actor, [found], now, settings())
    coming = _coming(session, actor, found, now)
    mine = next((each for each in coming if each.theirs), None)
    others = next((each for each in coming if not each.theirs and each.may_check_in), None)
    under_way = mine is not None and (mine.under_way or mine.open(now))
    from_now = None if under_way else _from_now(session, actor, tile, now)
    instead = from_now.instead if from_now is not None else ()
    return render_template(
        "at_machine.html",
        now=now,
        machine=found,
        tile=tile,
        mine=mine,
        others=None if under_way else others,
        from_now=from_now,
        names=_names(session, {each.machine for each in instead} - {slug}),
        staff=may_manage_lab(actor, found.lab_id),
    )


@blueprint.post("/m/<slug>/check-in")
def came(slug: str) -> Response:
    """Check in to the booking the page showed."""
    here = url_for("pages.at_machine", slug=slug)
    _, actor = reading()
    try:
        with writing() as session:
            done = check_in(session, actor, _booking_id(), utc_now(), booking_policy())
    except DomainError as error:
        return told(error, here)
    mine = done.part(actor) in (Part.LEADER, Part.PARTICIPANT)
    flash("You are checked in. Have a good time." if mine else f"{done.member_name} is checked in.", "good")
    return redirect(here, 303)


@blueprint.post("/m/<slug>/check-out")
def went(slug: str) -> Response:
    """End the booking the page showed, and give the rest of its time back."""
    here = url_for("pages.at_machine", slug=slug)
    _, actor = reading()
    try:
        with writing() as session:
            check_out(session, actor, _booking_id(), utc_now(), booking_policy())
    except DomainError as error:
        return told(error, here)
    flash("Done, and the rest of the time is given back. Thank you.", "good")
    return redirect(here, 303)


@blueprint.post("/m/<slug>/bookings")
def book_at_machine(slug: str) -> Response:
    """Book from now on for the minutes the form names. Who books at the machine has come."""
    here = url_for("pages.at_machine", slug=slug)
    session, actor = reading()
    found = _find(session, slug)
    minutes = number(request.form.get("minutes", ""), 1, MOST_MIN)
    if minutes is None:
        flash("Please choose how long.", "error")
        return redirect(here, 303)
    now = utc_now()
    try:
        with writing() as session:
            made = create_booking(session, actor, _request(found, now, minutes), now, booking_policy())
            if made.state == "confirmed":
                check_in(session, actor, made.id, now, booking_policy())
    except DomainError as error:
        return told(error, here, also=(Code.CLASH,))
    if made.state == "requested":
        flash("The lab’s staff are asked; you get a mail when they have decided.", "good")
        return redirect(url_for("pages.booking", booking_id=made.id), 303)
    flash("It is yours from now on, and you are checked in.", "good")
    return redirect(here, 303)


@blueprint.get("/labs/<slug>/codes")
def machine_codes(slug: str) -> str:
    """A sheet with the codes of a lab's machines, to print and cut; for its staff."""
    session, actor = reading()
    lab = machines.lab_by_slug(session, slug)
    if lab is None or not may_manage_lab(actor, lab.id):
        raise not_found("page")
    found = [each for each in machines.machines(session, lab=slug) if each.bookable]
    codes = [(each, code_in_page(machine_address(base_url(), each.slug), each.name)) for each in found]
    return render_template(
        "machine_codes.html", lab=lab, codes=codes, address=machine_address(base_url(), "")
    )


def _find(session: Session, slug: str) -> MachineView:
    found = machines.machine_by_slug(session, slug)
    if found is None:
        raise not_found("machine")
    return found


def _names(session: Session, slugs: set[str]) -> dict[str, str]:
    """What stands on the signs of a few other machines."""
    found = (machines.machine_by_slug(session, each) for each in slugs)
    return {each.slug: f"{each.name}, {each.lab_name}" for each in found if each is not None}


def _booking_id() -> int:
    found = number(request.form.get("booking", ""))
    if found is None:
        raise not_found("booking")
    return found


def _coming(session: Session, actor: Actor, found: MachineView, now: datetime) -> list[Coming]:
    """Bookings of the machine now and soon that the viewer may see, those that run first."""
    seen = bookings(
        session,
        actor=actor,
        machine_id=found.id,
        since=now,
        until=now + SOON,
        states=("requested", "confirmed", "started"),
    )
    if not seen:
        return []
    policy = booking_policy()
    rulings = rulings_of_bookings(session, [each.id for each in seen], policy)
    lapsed = set(noshow.lapsed(session, now, policy, [found.id]))
    coming = [
        Coming(
            booking=each,
            part=part,
            may_check_in=may_check_in(actor, part, each.lab_id),
            opens_at=check_in_opens(each.starts_at, rulings[each.id].check_in_before_s),
            given_up_at=given_up_at(each.starts_at, each.created_at, rulings[each.id].no_show_after_s),
            lapsed=each.id in lapsed,
        )
        for each in seen
        if (part := each.part(actor)) is not None
    ]
    return sorted(coming, key=lambda each: (not each.under_way, each.booking.starts_at))


def _from_now(session: Session, actor: Actor, tile: Tile, now: datetime) -> Now | None:
    """What the viewer would be told who books the machine now; None for who books nowhere."""
    if not tile.may_book:
        return None
    policy = booking_policy()
    lengths = [each for each in LENGTHS_MIN if policy.min_s <= each * 60 <= policy.max_s]
    shortest = lengths[0] if lengths else -(-policy.min_s // 60)
    seen = preview_booking(session, actor, _request(tile.machine, now, shortest), now, policy)
    if seen.state is None:
        return Now(refusals=seen.refusals, instead=seen.alternatives[:3])
    room = tile.availability.until if tile.availability.kind == "free" else None
    fit = _fitting(lengths or [shortest], tile.machine, now, room)
    return Now(lengths=fit or (shortest,), needs_approval=seen.state == "requested")


def _fitting(
    lengths: Sequence[int], machine: MachineView, now: datetime, room: datetime | None
) -> tuple[int, ...]:
    """The lengths that end, clean-up included, before somebody else's time or the lab's closing."""
    if room is None:
        return tuple(lengths)
    last = room - timedelta(seconds=machine.cleanup_s)
    return tuple(each for each in lengths if now + timedelta(minutes=each) <= last)


def _request(machine: MachineView, now: datetime, minutes: int) -> BookingRequest:
    starts_at = now.replace(second=0, microsecond=0)
    return BookingRequest(machine.slug, starts_at, starts_at + timedelta(minutes=minutes))
