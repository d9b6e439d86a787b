"""The audit as a page: what staff and members did to one another's rights, newest first."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from flask import render_template, request

from fablab.clock import utc_now
from fablab.members.acts import ACTS, SUBJECTS
from fablab.members.audit import acts
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading

A_PAGE = 100


@blueprint.get("/staff/audit")
def audit() -> str:
    """The newest lines, filtered by what, whom (a member's number) and day."""
    session, actor = reading()
    chosen = {name: request.args.get(name, "") for name in ("about", "member", "before", "day")}
    on = int(chosen["member"]) if _is_number(chosen["member"]) else None
    until = _end_of(chosen["day"])
    found = acts(
        session,
        actor,
        actions=SUBJECTS[chosen["about"]][1] if chosen["about"] in SUBJECTS else (),
        on_member_id=on,
        until=until,
        before=int(chosen["before"]) if _is_number(chosen["before"]) else None,
        limit=A_PAGE + 1,
    )
    return render_template(
        "audit.html",
        acts=found[:A_PAGE],
        more=found[A_PAGE - 1].id if len(found) > A_PAGE else None,
        subjects={value: text for value, (text, _) in SUBJECTS.items()},
        what=ACTS,
        chosen=chosen,
        now=utc_now(),
    )


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
