"""A member's bookings, one booking with what came of it, and giving one back."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.bookings import queries as bookings
from fablab.bookings.handover_queries import handovers_of
from fablab.bookings.models import REASON_MAX
from fablab.bookings.queries import BookingView
from fablab.bookings.rules import CANCELLABLE_STATES, LIVE_STATES, cancellable
from fablab.bookings.rules_handover import handable, may_hand_over
from fablab.bookings.rules_people import (
    Part,
    may_cancel,
    may_move,
    may_see_accounts,
    may_see_history,
    may_see_its_work,
    may_see_participants,
)
from fablab.bookings.service import cancel_booking
from fablab.bookings.waiting_queries import waitings_of
from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed, not_found
from fablab.machines import queries as machines
from fablab.members.rules import Actor
from fablab.web.database import writing
from fablab.web.pages import words
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import how_many, line, told
from fablab.web.pages.really import really_done, really_done_by
from fablab.web.pages.tiles import tiles
from fablab.web.settings import booking_policy, settings

PAST_SHOWN = 12
PAST_MOST = 600


@blueprint.get("/bookings")
def my_bookings() -> str:
    """What is coming, what was, and beside the past what the machines say was really done.

    Among them what somebody else booked and one comes along to.

    ``?past=N`` shows N past ones.
    """
    session, actor = reading()
    now = utc_now()
    upcoming = bookings.bookings_of(session, actor.member_id, attended=True, since=now)
    coming = [each for each in upcoming if each.state in LIVE_STATES]
    wanted = how_many("past", PAST_SHOWN, PAST_MOST)
    begun = {each.id for each in coming if each.starts_at < now}
    past = bookings.bookings_of(
        session, actor.member_id, attended=True, until=now, newest_first=True, limit=wanted + len(begun) + 1
    )
    past = [each for each in past if each.id not in begun]
    more = wanted + PAST_SHOWN if len(past) > wanted and wanted < PAST_MOST else None
    past = past[:wanted]
    return render_template(
        "my_bookings.html",
        now=now,
        coming=coming,
        past=past,
        more=more,
        really=really_done_by(session, actor.member_id, [*coming, *past]),
        kept=[each for each in waitings_of(session, actor.member_id, states=("held",)) if each.held(now)],
        asked=[
            each
            for each in handovers_of(session, actor.member_id, state="offered")
            if each.to_member_id == actor.member_id and each.state_at(now) == "offered"
        ],
        lab_names={lab.slug: lab.names["en"] for lab in machines.labs(session)},
    )


@blueprint.get("/bookings/<id:booking_id>")
def booking(booking_id: int) -> str:
    """One booking: where and when, what was used, and every change. ``?made=1`` follows a new one."""
    session, actor = reading()
    now = utc_now()
    found = _find(session, actor, booking_id)
    lab = machines.lab_by_slug(session, found.lab_slug)
    machine = machines.machine_by_slug(session, found.machine_slug)
    assert lab is not None
    assert machine is not None
    live = found.state in LIVE_STATES and found.ends_at > now
    part = found.part(actor)
    grouped = found.head_count > 1 and may_see_participants(part)
    listed = bookings.participants(session, [found.id]).get(found.id, []) if grouped else []
    return render_template(
        "booking.html",
        now=now,
        booking=found,
        lab=lab,
        machine=machine,
        tile=tiles(session, actor, [machine], now, settings())[0] if live else None,
        made="made" in request.args and live,
        mine=part is Part.LEADER,
        part=part.value if part else "",
        listed=listed,
        shows_accounts=may_see_accounts(part),
        may_cancel=_may_cancel(actor, found),
        may_move=found.state in CANCELLABLE_STATES and may_move(actor, part, found.lab_id),
        may_hand_over=handable(found.state, found.starts_at, now)
        and may_hand_over(actor, part, found.lab_id),
        really=really_done(session, found.id) if may_see_its_work(part) else None,
        history=bookings.history(session, found.id) if may_see_history(part) else [],
    )


@blueprint.get("/bookings/<id:booking_id>/cancellation")
def cancellation(booking_id: int) -> str:
    """Ask before a booking is given back."""
    session, actor = reading()
    found = _find(session, actor, booking_id)
    if not _may_cancel(actor, found):
        raise not_allowed("This booking is over, or not yours to cancel.")
    mine = found.member_id == actor.member_id
    return render_template(
        "sure.html",
        title=f"Cancel {'your' if mine else f'{found.member_name}’s'} booking?",
        thing=found.machine_name,
        when=words.span(found.starts_at, found.ends_at, found.zone, utc_now()),
        quiet="The time is given back at once, and somebody else may take it.",
        reason=None if mine else "they will read it",
        action=url_for("pages.cancel", booking_id=booking_id),
        button="Yes, cancel it",
        picture="calendar-x",
        back=url_for("pages.booking", booking_id=booking_id),
        keep="Keep it",
    )


@blueprint.post("/bookings/<id:booking_id>/cancellation")
def cancel(booking_id: int) -> Response:
    """Give the time back, and say so."""
    _, actor = reading()
    reason = line("reason", REASON_MAX)[:REASON_MAX]
    try:
        with writing() as session:
            found = cancel_booking(session, actor, booking_id, utc_now(), booking_policy(), reason)
    except DomainError as error:
        return told(error, url_for("pages.booking", booking_id=booking_id))
    flash(
        f"Your booking of {found.machine_name} is cancelled. Thank you, somebody else can use that time now.",
        "good",
    )
    if found.member_id != actor.member_id:
        return redirect(url_for("pages.booking", booking_id=booking_id), 303)
    return redirect(url_for("pages.my_bookings"), 303)


def _find(session: Session, actor: Actor, booking_id: int) -> BookingView:
    """The booking, if the actor may see it; somebody else's does not exist for them."""
    found = bookings.booking(session, booking_id, actor=actor)
    if found is None or found.part(actor) is None:
        raise not_found("booking")
    return found


def _may_cancel(actor: Actor, found: BookingView) -> bool:
    return cancellable(found.state, found.ends_at, utc_now()) and may_cancel(
        actor, found.part(actor), found.lab_id
    )
