"""A member's own certifications, with their certificates."""

from __future__ import annotations

from datetime import datetime

from flask import render_template
from sqlalchemy.orm import Session

from fablab.certifications.queries import CertificationView, certifications, histories
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
    held = held_by(session, actor.member_id, now)
    return render_template(
        "my_certifications.html",
        now=now,
        held=held,
        histories=histories(session, [each.id for each in held if each.state(now) != "valid"]),
    )


def held_by(session: Session, member_id: int, now: datetime) -> list[CertificationView]:
    """A member's certifications, what is good first."""
    held = certifications(session, member_id=member_id)
    return sorted(held, key=lambda each: (ORDER.index(each.state(now)), each.thing.names["en"]))
