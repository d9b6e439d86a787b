"""Trainings that are coming, week by week."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from flask import render_template, request

from fablab.certifications.rules import certifies_somewhere, may_enrol
from fablab.certifications.training_queries import TrainingView, unclosed
from fablab.certifications.training_queries import trainings as upcoming
from fablab.clock import utc_now
from fablab.machines.queries import kinds, labs
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading

SHOWN = 200


@blueprint.get("/trainings")
def trainings() -> str:
    """What is coming, narrowed by ?lab= and ?kind= (slugs); staff also see what waits for its attendance."""
    session, actor = reading()
    now = utc_now()
    all_labs, all_kinds = labs(session), kinds(session)
    lab = next((each for each in all_labs if each.slug == request.args.get("lab")), None)
    kind = next((each for each in all_kinds if each.slug == request.args.get("kind")), None)
    found = upcoming(
        session,
        actor.member_id,
        since=now,
        lab_id=lab.id if lab else None,
        kind_id=kind.id if kind else None,
        limit=SHOWN,
    )
    open_ = []
    if certifies_somewhere(actor):
        own = None if actor.admin else actor.managed_labs | actor.trained_labs
        open_ = unclosed(session, actor.member_id, own, now)
    shown = [each for each in found if each.cancelled_at is None or each.own_state is not None]
    return render_template(
        "trainings.html",
        now=now,
        weeks=weeks(shown, now),
        unclosed=open_,
        labs=all_labs,
        kinds=all_kinds,
        lab=lab,
        kind=kind,
        may_hold=certifies_somewhere(actor),
        may_take=may_enrol(actor),
    )


def weeks(found: list[TrainingView], now: datetime) -> list[tuple[str, list[TrainingView]]]:
    """Trainings by the week they start in, Monday to Sunday on the wall of their lab."""

    def monday(training: TrainingView) -> date:
        on = training.starts_at.astimezone(ZoneInfo(training.zone)).date()
        return on - timedelta(days=on.weekday())

    in_order = sorted(found, key=lambda each: (monday(each), each.starts_at, each.id))
    return [(week_name(week, now.date()), list(group)) for week, group in groupby(in_order, monday)]


def week_name(monday: date, today: date) -> str:
    """ "This week", "Next week", or the day it begins on."""
    this = today - timedelta(days=today.weekday())
    if monday <= this:
        return "This week"
    if monday == this + timedelta(days=7):
        return "Next week"
    return f"Week of {monday.day} {monday:%B}" + (f" {monday.year}" if monday.year != today.year else "")
