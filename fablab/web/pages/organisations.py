"""One's organisations, founding one, and the network's list of them for operators and admins."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed, not_found
from fablab.organisations import queries, service
from fablab.organisations.rules import NAME_MAX, may_found, may_see_every_organisation
from fablab.web.catalogue import network_words
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import errors_of, how_many, line
from fablab.web.pages.organisation_words import KINDS, choices

SHOWN, SHOWN_MOST = 20, 200


@blueprint.get("/organisations")
def my_organisations() -> str:
    """Where one belongs, and invitations to one's address."""
    session, actor = reading()
    return render_template(
        "my_organisations.html",
        memberships=queries.memberships(session, actor.member_id, closed=True),
        closed={
            each.slug
            for each in queries.organisations(session, member_id=actor.member_id)
            if each.closed_at is not None
        },
        invitations=queries.invitations_for(session, actor.member_id, utc_now()),
        may_found=may_found(actor),
    )


@blueprint.get("/organisations/new")
def new_organisation() -> str:
    """The form that founds one."""
    _, actor = reading()
    if not may_found(actor):
        raise not_allowed("Operators look at the network and change nothing in it.")
    return render_template("organisation_new.html", name="", kind="", kinds=KINDS, errors={})


@blueprint.post("/organisations/new")
def found_organisation() -> Response | tuple[str, int]:
    """Found it and go there."""
    _, actor = reading()
    name, kind = line("name", NAME_MAX), line("kind", 20)
    try:
        with writing() as session:
            made = service.found(session, actor, name, kind, network_words(), utc_now())
    except DomainError as error:
        errors = errors_of(error)
        return render_template("organisation_new.html", name=name, kind=kind, kinds=KINDS, errors=errors), 422
    flash(f"{made.name} is there. Invite the people who belong to it.", "good")
    return redirect(url_for("pages.organisation", slug=made.slug), 303)


@blueprint.get("/staff/organisations")
def organisations() -> str:
    """Every organisation of the network, searched by name, kind and tariff category."""
    session, actor = reading()
    if not may_see_every_organisation(actor):
        raise not_found("page")
    text, kind, category = line("q", NAME_MAX), line("kind", 20), line("category", 60)
    wanted = how_many("shown", SHOWN, SHOWN_MOST)
    found = queries.organisations(
        session,
        text=text,
        kind=kind or None,
        tariff_category=category or None,
        limit=wanted + 1,
    )
    return render_template(
        "organisations.html",
        found=found[:wanted],
        more=min(wanted * 2, SHOWN_MOST) if len(found) > wanted < SHOWN_MOST else None,
        too_many=len(found) > wanted == SHOWN_MOST,
        kinds=KINDS,
        categories=choices(network_words().tariff_categories, category),
        chosen={"q": text, "kind": kind, "category": category},
    )
