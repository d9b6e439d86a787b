"""Which mails one gets, and the private addresses of one's calendars."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.bookings.feeds import keys_of, make_key, revoke_key
from fablab.clock import utc_now
from fablab.errors import DomainError
from fablab.machines.queries import labs, machines
from fablab.mail import choices
from fablab.mail.unsubscribing import unsubscribes
from fablab.members.rules import is_staff
from fablab.signin.queries import profile
from fablab.web import auth
from fablab.web.database import writing
from fablab.web.feeds import feed_url
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_choice, errors_of, line
from fablab.web.settings import settings

LONGEST = 200


@blueprint.get("/account/notices")
def notices() -> str:
    session, actor = reading()
    member = profile(session, actor.member_id)
    return render_template(
        "notices.html",
        kinds=[each for each in choices.KINDS.values() if not each.staff or is_staff(actor)],
        wanted=choices.wanted(session, actor.member_id),
        member=member,
    )


@blueprint.post("/account/notices")
def notices_saved() -> Response:
    """What is ticked is wanted; kinds that were not on the page stay."""
    _, actor = reading()
    shown = [name for name in request.form.getlist("shown") if name in choices.KINDS]
    ticked = set(request.form.getlist("wanted"))
    with writing() as session:
        choices.choose(session, actor.member_id, {name: name in ticked for name in shown})
    flash("We write to you as you chose.", "good")
    return redirect(url_for("pages.notices"), 303)


@blueprint.get("/notices/off/<secret>")
@auth.public
def notice_off(secret: str) -> tuple[str, int]:
    """What a mail's "unsubscribe" leads to in a browser: a question, because a link only looks."""
    found = unsubscribes(settings().web.secret_key, secret[:LONGEST])
    kind = choices.KINDS.get(found[1]) if found else None
    return render_template("notice_off.html", kind=kind, secret=secret, done=False), 200 if kind else 404


@blueprint.post("/notices/off/<secret>")
@auth.public
@auth.proven_by_address
def notice_turned_off(secret: str) -> tuple[str, int]:
    """End one kind of mail for its reader (RFC 8058): mail programs post this without a cookie."""
    found = unsubscribes(settings().web.secret_key, secret[:LONGEST])
    kind = choices.KINDS.get(found[1]) if found else None
    if found is not None and kind is not None:
        with writing() as session:
            choices.turn_off(session, *found)
    return render_template("notice_off.html", kind=kind, secret=secret, done=True), 200 if kind else 404


@blueprint.get("/account/calendars")
def calendar_addresses() -> str:
    return _calendars({})


@blueprint.post("/account/calendars")
def calendar_address_made() -> str | tuple[str, int]:
    """Make an address. The answer is the only time it is shown."""
    session, actor = reading()
    errors: Errors = {}
    found = a_choice(line("of"), "of", errors, _things(session))
    session.rollback()
    if found is None:
        return _calendars(errors), 422
    try:
        with writing() as session:
            made, plain = make_key(session, actor, utc_now(), **found[1])
    except DomainError as error:
        return _calendars(errors_of(error, fields={"of"})), 422
    return _calendars({}, made=made, url=feed_url(made, plain))


@blueprint.post("/account/calendars/<id:key_id>/end")
def calendar_address_ended(key_id: int) -> Response:
    with writing() as session:
        revoke_key(session, auth.current_actor(), key_id, utc_now())
    flash("The address works no more.", "good")
    return redirect(url_for("pages.calendar_addresses"), 303)


def _things(session: Any) -> dict[str, tuple[str, dict[str, int]]]:
    """Everything that has a calendar: what a form calls it, its words, and what a key to it needs."""
    found: dict[str, tuple[str, dict[str, int]]] = {"me": ("Your own bookings", {})}
    found |= {f"lab-{lab.slug}": (f"Lab {lab.names['en']}", {"lab_id": lab.id}) for lab in labs(session)}
    found |= {
        f"machine-{each.slug}": (f"{each.name}, {each.lab_name}", {"machine_id": each.id})
        for each in machines(session)
    }
    return found


def _calendars(errors: Errors, made: Any = None, url: str = "") -> str:
    session, actor = reading()
    return render_template(
        "calendar_addresses.html",
        keys=keys_of(session, actor.member_id),
        made=made,
        url=url,
        webcal="webcal:" + url.partition(":")[2] if url else "",
        things=[(value, words) for value, (words, _) in _things(session).items()],
        chosen=line("of") or "me",
        errors=errors,
        now=utc_now(),
    )
