"""The audit as a page: what staff and members did to one another's rights, newest first."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from flask import render_template, request
from sqlalchemy.orm import Session

from fablab.machines.queries import labs
from fablab.members.acts import ACTS, SUBJECTS
from fablab.members.audit import acts
from fablab.members.queries import member_by_email
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading

A_PAGE = 100


FILTERS = ("about", "by", "to", "lab", "day", "before")


@blueprint.get("/staff/audit")
def audit() -> str:
    """The newest lines, filtered by subject, by whom and to whom (addresses or numbers), lab and day."""
    session, actor = reading()
    chosen = {name: request.args.get(name, "").strip()[:254] for name in FILTERS}
    people = {name: _member_id(session, chosen[name]) for name in ("by", "to")}
    unknown = [name for name, found in people.items() if chosen[name] and found is None]
    found = acts(
        session,
        actor,
        actions=SUBJECTS[chosen["about"]][1] if chosen["about"] in SUBJECTS else (),
        actor_id=people["by"],
        on_member_id=people["to"],
        lab=chosen["lab"] or None,
        until=_end_of(chosen["day"]),
        before=int(chosen["before"]) if _is_number(chosen["before"]) else None,
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
        errors={name: ["Nobody has this address."] for name in unknown},
    )


def _member_id(session: Session, text: str) -> int | None:
    """The member an address or a number means."""
    if _is_number(text):
        return int(text)
    member = member_by_email(session, text) if text and text.isprintable() else None
    return None if member is None else member.id


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0


def _end_of(day: str) -> datetime | None:
    """The end of a day (UTC) as the browser's date field spells it."""
    try:
        found = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    if not 2000 <= found.year < 2200:
        return None
    return datetime.combine(found.date(), time(), UTC) + timedelta(days=1)
