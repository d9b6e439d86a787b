"""A member's own certifications, with their certificates."""

from __future__ import annotations

from flask import render_template

from fablab.certifications.queries import certifications, history
from fablab.clock import utc_now
from fablab.web.pages import certification_words
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading

ORDER = ("valid", "suspended", "expired", "revoked")


@blueprint.app_context_processor
def _words() -> dict[str, object]:
    return {"cert_words": certification_words}


@blueprint.get("/certifications")
def my_certifications() -> str:
    """Everything one is certified on, what is good first, each with what became of it."""
    session, actor = reading()
    now = utc_now()
    held = certifications(session, member_id=actor.member_id)
    held.sort(key=lambda each: (ORDER.index(each.state(now)), each.thing.names["en"]))
    return render_template(
        "my_certifications.html",
        now=now,
        held=held,
        # A person has a handful; each of their histories is a few lines.
        histories={each.id: history(session, each.id) for each in held if each.state(now) != "valid"},
    )
