"""Announcing a training and changing it: the form, read as wall time of the lab."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from fablab.certifications.models import NOTES_MAX, PLACES_MAX, TITLE_MAX
from fablab.certifications.queries import thing
from fablab.certifications.rules import LEVELS, certifies_somewhere, may_certify
from fablab.certifications.training_queries import TrainingView
from fablab.certifications.trainings import change_training, plan_training
from fablab.clock import utc_now
from fablab.errors import DomainError, not_allowed
from fablab.machines.queries import LabView, kinds, labs, machines
from fablab.members.rules import Actor
from fablab.web.database import writing
from fablab.web.pages.blueprint import blueprint
from fablab.web.pages.context import reading
from fablab.web.pages.forms import (
    Errors,
    a_choice,
    a_day,
    a_number,
    a_time,
    an_instant,
    errors_of,
    lines,
    refuse,
    sent,
)
from fablab.web.pages.training import for_its_staff
from fablab.web.settings import base_url

# The last day is empty where it is the first.
WHEN = ("day", "starts", "last_day", "ends")
FIELDS = ("lab", "on", "level", "title", "notes", *WHEN, "places")
# A refusal names a field of the verb; the form asks for the same thing in its own fields.
OWN_FIELDS = {"starts_at": "starts", "ends_at": "ends", "machine": "on", "kind": "on"}


@dataclass
class TrainingForm:
    """The values as the person sees them, and sentences of what is wrong by field ("" for the whole form)."""

    typed: dict[str, str]
    errors: Errors = field(default_factory=dict)

    def take(self, error: DomainError) -> None:
        self.errors = errors_of(error, OWN_FIELDS, fields=FIELDS)

    def title(self) -> str:
        text = " ".join(self.typed["title"].split())
        if not text or len(text) > TITLE_MAX or not text.isprintable():
            refuse(self.errors, "title", f"Please give it a title of at most {TITLE_MAX} letters.")
        return text

    def notes(self) -> str:
        text = self.typed["notes"].replace("\r\n", "\n").strip()
        if len(text) > NOTES_MAX or any(not (each.isprintable() or each in "\n\t") for each in text):
            refuse(self.errors, "notes", f"Please use plain text of at most {NOTES_MAX} letters.")
        return text

    def number(self, name: str, most: int, message: str) -> int:
        return a_number(self.typed[name], name, self.errors, most=most, message=message) or 0

    def span(self, zone: str) -> tuple[datetime, datetime] | None:
        """From the first day's start to the last day's end by the lab's wall clock."""
        first = a_day(self.typed["day"], "day", self.errors, needed=True, near=True)
        last = a_day(self.typed["last_day"], "last_day", self.errors, near=True)
        if first is None or "last_day" in self.errors:
            return None
        starts, ends = self._instant(first, "starts", zone), self._instant(last or first, "ends", zone)
        return None if starts is None or ends is None else (starts, ends)

    def _instant(self, day: date, name: str, zone: str) -> datetime | None:
        at = a_time(self.typed[name], name, self.errors)
        return None if at is None else an_instant(day, at, zone, name, self.errors)


@blueprint.get("/trainings/new")
def new_training() -> str:
    """The empty form, for trainers and managers."""
    session, actor = reading()
    own = _own_labs(session, actor)
    typed = dict.fromkeys(FIELDS, "") | {"lab": own[0].slug, "level": "1", "places": "8"}
    typed |= {"day": "", "starts": "14:00", "ends": "17:00"}
    return _page(session, own, TrainingForm(typed), None)


@blueprint.post("/trainings/new")
def training_planned() -> Response | tuple[str, int]:
    """Announce it."""
    session, actor = reading()
    own = _own_labs(session, actor)
    form = TrainingForm(lines(*FIELDS) | sent("notes"))
    choosable = {each.slug: each for each in own}
    lab = a_choice(form.typed["lab"], "lab", form.errors, choosable, "Please choose one of your labs.")
    kind, _, slug = form.typed["on"].partition(":")
    on = thing(session, slug if kind == "kind" else None, slug if kind == "machine" else None)
    if on is None or kind not in ("kind", "machine"):
        refuse(form.errors, "on", "Please choose what it is for.")
    level = form.number("level", max(LEVELS), "Please choose a level.")
    places = form.number("places", PLACES_MAX, f"Please give a number from 1 to {PLACES_MAX}.")
    title, notes = form.title(), form.notes()
    span = form.span(lab.zone if lab else "UTC")
    if form.errors or lab is None or on is None or span is None:
        return _page(session, own, form, None), 422
    try:
        with writing() as session:
            made = plan_training(
                session, actor, lab.id, on, level, title, *span, places, utc_now(), notes=notes
            )
    except DomainError as error:
        form.take(error)
        return _page(session, own, form, None), 422
    flash("The training is announced. People can take places now.", "good")
    return redirect(url_for("pages.training", training_id=made.id), 303)


@blueprint.get("/trainings/<id:training_id>/edit")
def edit_training(training_id: int) -> str:
    """The form with what there is."""
    session, actor = reading()
    found = for_its_staff(session, actor, training_id)
    typed = dict.fromkeys(FIELDS, "") | {"title": found.title, "notes": found.notes} | _when(found)
    typed["places"] = str(found.places)
    return _page(session, [], TrainingForm(typed), found)


@blueprint.post("/trainings/<id:training_id>/edit")
def training_changed(training_id: int) -> Response | tuple[str, int]:
    """Change it; everybody on the list is told of a new time."""
    session, actor = reading()
    found = for_its_staff(session, actor, training_id)
    form = TrainingForm(lines(*FIELDS) | sent("notes"))
    changes: dict[str, Any] = {"title": form.title(), "notes": form.notes()}
    changes["places"] = form.number("places", PLACES_MAX, f"Please give a number from 1 to {PLACES_MAX}.")
    # What the form cannot say, such as seconds, stays as it is unless somebody changes the time.
    if {name: form.typed[name] for name in WHEN} != _when(found) and (span := form.span(found.zone)):
        changes["starts_at"], changes["ends_at"] = span
    if form.errors:
        return _page(session, [], form, found), 422
    try:
        with writing() as session:
            change_training(session, actor, training_id, changes, utc_now(), base_url())
    except DomainError as error:
        form.take(error)
        return _page(session, [], form, found), 422
    flash("Saved.", "good")
    return redirect(url_for("pages.training", training_id=training_id), 303)


def _when(found: TrainingView) -> dict[str, str]:
    """The fields WHEN of a training."""
    zone = ZoneInfo(found.zone)
    starts, ends = found.starts_at.astimezone(zone), found.ends_at.astimezone(zone)
    last_day = "" if ends.date() == starts.date() else f"{ends:%Y-%m-%d}"
    return {
        "day": f"{starts:%Y-%m-%d}",
        "starts": f"{starts:%H:%M}",
        "last_day": last_day,
        "ends": f"{ends:%H:%M}",
    }


def _own_labs(session: Session, actor: Actor) -> list[LabView]:
    if not certifies_somewhere(actor):
        raise not_allowed("Only trainers and managers announce trainings.")
    return [each for each in labs(session) if may_certify(actor, each.id)]


def _page(session: Session, own: list[LabView], form: TrainingForm, found: TrainingView | None) -> str:
    slugs = {each.slug for each in own}
    return render_template(
        "training_form.html",
        now=utc_now(),
        form=form,
        training=found,
        labs=own,
        kinds=kinds(session) if own else [],
        machines=[each for each in machines(session) if each.lab_slug in slugs] if own else [],
        levels=LEVELS,
        longest={"title": TITLE_MAX, "notes": NOTES_MAX},
        most=PLACES_MAX,
    )
