"""Webhooks of the labs one manages: making them, trying them, and how they answered."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, not_found
from fablab.machines.queries import labs
from fablab.members.rules import Actor
from fablab.outbound import URL_MAX
from fablab.web import auth
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_choice, errors_of, how_many, line, told
from fablab.web.settings import settings
from fablab.webhooks import queries, service
from fablab.webhooks.rules import EVENTS, may_have_webhooks

PAGE, MOST = 30, 300


@blueprint.get("/staff/webhooks")
def webhooks() -> str:
    return _page({})


@blueprint.post("/staff/webhooks")
def webhook_made() -> str | tuple[str, int]:
    """Make one. The answer is the only time its secret is shown."""
    session, actor = reading()
    _known(actor)
    errors: Errors = {}
    lab = a_choice(line("lab", 60), "lab", errors, dict(_labs(session, actor)) | {"": ""})
    session.rollback()
    if lab is None:
        return _page(errors), 422
    try:
        with writing() as session:
            made, secret = service.add_webhook(
                session,
                actor,
                line("lab", 60) or None,
                line("url", URL_MAX),
                request.form.getlist("events"),
                utc_now(),
                private=settings().webhooks.private,
            )
    except DomainError as error:
        return _page(errors_of(error, fields={"url", "events", "lab"})), 422
    return _page({}, made=made, secret=secret)


@blueprint.get("/staff/webhooks/<id:webhook_id>")
def webhook(webhook_id: int) -> str:
    """One of them with what it was told, the newest first."""
    session, actor = reading()
    shown = how_many("shown", PAGE, MOST)
    found = service.the_webhook(session, actor, webhook_id)
    told_of = queries.deliveries(session, webhook_id, limit=shown + 1)
    return render_template(
        "webhook.html",
        hook=found,
        deliveries=told_of[:shown],
        more=shown + PAGE if len(told_of) > shown and shown < MOST else None,
        lab_names=dict(_labs(session, actor)),
        now=utc_now(),
    )


@blueprint.post("/staff/webhooks/<id:webhook_id>/test")
def webhook_tried(webhook_id: int) -> Response:
    back = url_for("pages.webhook", webhook_id=webhook_id)
    try:
        with writing() as session:
            service.try_webhook(session, auth.current_actor(), webhook_id, utc_now())
    except DomainError as error:
        return told(error, back)
    flash("A test is on its way. Look again in a few seconds.", "good")
    return redirect(back, 303)


@blueprint.post("/staff/webhooks/<id:webhook_id>/activation")
def webhook_enabled(webhook_id: int) -> Response:
    with writing() as session:
        service.enable_webhook(session, auth.current_actor(), webhook_id, utc_now())
    flash("It is on again.", "good")
    return redirect(url_for("pages.webhook", webhook_id=webhook_id), 303)


@blueprint.get("/staff/webhooks/<id:webhook_id>/removal")
def webhook_removal(webhook_id: int) -> str:
    """The question before it is taken away: its secret cannot be had again."""
    session, actor = reading()
    found = service.the_webhook(session, actor, webhook_id)
    return render_template(
        "sure.html",
        title="Take the webhook away?",
        text=f"{found.url} is told nothing any more, and what still waits is forgotten.",
        quiet="To tell it again later, you make a new one with a new secret.",
        button="Take it away",
        picture="trash",
        action=url_for("pages.webhook_removed", webhook_id=webhook_id),
        back=url_for("pages.webhook", webhook_id=webhook_id),
        keep="Keep it",
    )


@blueprint.post("/staff/webhooks/<id:webhook_id>/removal")
def webhook_removed(webhook_id: int) -> Response:
    with writing() as session:
        service.remove_webhook(session, auth.current_actor(), webhook_id, utc_now())
    flash("It is told nothing any more.", "good")
    return redirect(url_for("pages.webhooks"), 303)


def _known(actor: Actor) -> None:
    if not may_have_webhooks(actor):
        raise not_found("page")


def _labs(session: Any, actor: Actor) -> list[tuple[str, str]]:
    """Whose events the actor may have sent: slugs and names."""
    mine = [each for each in labs(session) if actor.admin or each.id in actor.managed_labs]
    return [(each.slug, each.names["en"]) for each in mine]


def _page(errors: Errors, made: Any = None, secret: str = "") -> str:
    session, actor = reading()
    _known(actor)
    return render_template(
        "webhooks.html",
        hooks=queries.webhooks(session, actor),
        labs=_labs(session, actor),
        lab_names=dict(_labs(session, actor)),
        whole_network=actor.admin,
        events=EVENTS,
        made=made,
        secret=secret,
        form=request.form if errors else {},
        chosen=request.form.getlist("events")
        if errors
        else ["booking.confirmed", "booking.moved", "booking.cancelled"],
        errors=errors,
        now=utc_now(),
    )
