"""The audit as a page: what staff and members did to one another's rights, newest first."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from flask import render_template
from sqlalchemy.orm import Session

from fablab.machines.queries import labs
from fablab.members.acts import ACTS, SUBJECTS
from fablab.members.audit import acts
from fablab.members.queries import member_by_email
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import Errors, a_day, lines, number

A_PAGE = 100


FILTERS = ("about", "by", "to", "lab", "day", "before")


@blueprint.get("/staff/audit")
def audit() -> str:
    """The newest lines, filtered by subject, by whom and to whom (addresses or numbers), lab and day."""
    session, actor = reading()
    chosen = lines(*FILTERS)
    people = {name: _member_id(session, chosen[name]) for name in ("by", "to")}
    unknown = [name for name, found in people.items() if chosen[name] and found is None]
    errors: Errors = {name: ["Nobody has this address."] for name in unknown}
    found = acts(
        session,
        actor,
        actions=SUBJECTS[chosen["about"]][1] if chosen["about"] in SUBJECTS else (),
        actor_id=people["by"],
        on_member_id=people["to"],
        lab=chosen["lab"] or None,
        until=_end_of(a_day(chosen["day"], "day", errors, near=True)),
        before=number(chosen["before"]),
        limit=0 if unknown else A_PAGE + 1,
    )
    return render_template(
        "audit.html",
        acts=found[:A_PAGE],
        more=found[A_PAGE - 1].id if len(found) > A_PAGE else None,
        subjects={value: text for value, (text, _) in SUBJECTS.items()},
        what=ACTS,
        chosen=chosen,
        labs=labs(session),
        errors=errors,
    )


def _member_id(session: Session, text: str) -> int | None:
    """The member an address or a number means."""
    member = member_by_email(session, text) if text and number(text) is None else None
    return number(text) if member is None else member.id


def _end_of(day: date | None) -> datetime | None:
    """The end of a day (UTC)."""
    return None if day is None else datetime.combine(day, time(), UTC) + timedelta(days=1)
