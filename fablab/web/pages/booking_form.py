"""The booking form: what was typed, read as wall time of the machine's lab, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fablab.bookings.facts import HEADS_MOST, LISTED_MOST, BookingRequest, Guest, Policy
from fablab.bookings.models import PURPOSE_MAX
from fablab.bookings.rulebook import Ruling
from fablab.errors import Refusal
from fablab.machines.queries import MachineView
from fablab.web.pages import forms
from fablab.web.pages.forms import Errors

LENGTHS_MIN = (15, 30, 45, 60, 90, 120, 180, 240, 300, 360, 480, 600, 720, 1080, 1440)
# A refusal names a field of the request; the form asks for the same thing in its own fields.
FIELDS = {
    "starts_at": "time",
    "ends_at": "duration",
    "purpose": "purpose",
    "for_member": "for_member",
    "organisation": "organisation",
    "project": "project",
    "participants": "names",
    "head_count": "head_count",
}
# What stands folded away, because most bookings need none of it.
FOLDED = ("for_member", "organisation", "project", "head_count", "names")
NAMES_MAX = 20_000
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


@dataclass
class BookingForm:
    """The values as the person sees them, and sentences of what is wrong by field ("" for the whole form)."""

    day: str
    time: str
    duration: str
    purpose: str = ""
    for_member: str = ""
    organisation: str = ""
    project: str = ""
    head_count: str = ""
    names: str = ""
    errors: Errors = field(default_factory=dict)

    @property
    def unfolded(self) -> bool:
        """Whether something is said, or wrong, about whom and what it is for."""
        return any(getattr(self, name) or name in self.errors for name in FOLDED)

    def refuse(self, name: str, message: str) -> None:
        forms.refuse(self.errors, name, message)

    def take_refusals(self, refusals: Iterable[Refusal], machine: MachineView) -> None:
        """Put each refusal at the field it concerns, in words that name the machine as its sign does."""
        for refusal in refusals:
            message = refusal.message.replace(machine.slug, machine.name)
            if refusal.code == "machine_booked":
                message = f"{machine.name} is taken at that time."
            self.refuse(FIELDS.get(refusal.field, ""), message)


def offered(start: datetime, zone: str, duration_min: int = 60) -> BookingForm:
    """A form filled with a start to begin from."""
    wall = start.astimezone(ZoneInfo(zone))
    return BookingForm(f"{wall:%Y-%m-%d}", f"{wall:%H:%M}", str(duration_min))


def typed(values: Mapping[str, str]) -> BookingForm:
    """A form as it was sent. Nothing is judged yet."""
    names = ("day", "time", "duration", "purpose", *FOLDED)
    texts: dict[str, Any] = {name: values.get(name, "").strip() for name in names}
    return BookingForm(**texts)


def read(form: BookingForm, machine: MachineView) -> BookingRequest | None:
    """The request the form makes, or None with the form's errors filled."""
    errors = form.errors
    day = forms.a_day(form.day, "day", errors, needed=True, near=True)
    at = forms.a_time(form.time, "time", errors)
    minutes = forms.a_number(
        form.duration, "duration", errors, least=0, most=99_999, message="Please choose how long."
    )
    if len(form.purpose) > PURPOSE_MAX:
        form.refuse("purpose", f"Please say it in {PURPOSE_MAX} characters.")
    elif any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in form.purpose):
        form.refuse("purpose", "Please use plain text in one line.")
    if len(form.for_member) > 254 or "\0" in form.for_member:
        form.refuse("for_member", "That is not an e-mail address.")
    organisation, project, heads, guests = _organisation(form), _project(form), _heads(form), _guests(form)
    if errors or day is None or at is None or minutes is None:
        return None
    starts_at = forms.an_instant(day, at, machine.zone, "time", errors)
    if starts_at is None:
        return None
    return BookingRequest(
        machine.slug,
        starts_at,
        starts_at + timedelta(minutes=minutes),
        form.purpose,
        form.for_member or None,
        organisation,
        project,
        guests,
        heads,
    )


def lengths(policy: Policy | Ruling, chosen: str) -> list[tuple[str, str]]:
    """The lengths to choose from within the policy, as minutes and words; what was typed stays choosable."""
    minutes = {each for each in LENGTHS_MIN if policy.min_s <= each * 60 <= policy.max_s}
    if (own := forms.number(chosen, 0, 9999)) is not None:
        minutes.add(own)
    return [(str(each), _words(each)) for each in sorted(minutes)]


def _words(minutes: int) -> str:
    whole, rest = divmod(minutes, 60)
    if not whole:
        return f"{rest} minutes"
    return f"{whole} hour{'s' if whole != 1 else ''}" + (f" {rest} minutes" if rest else "")


def _organisation(form: BookingForm) -> str | None:
    if form.organisation and (len(form.organisation) > 60 or not _SLUG.fullmatch(form.organisation)):
        form.refuse("organisation", forms.NOT_LISTED)
    return form.organisation or None


def _project(form: BookingForm) -> int | None:
    if not form.project:
        return None
    return forms.a_number(form.project, "project", form.errors, message=forms.NOT_LISTED)


def _heads(form: BookingForm) -> int | None:
    if not form.head_count:
        return None
    message = f"Please give a number from 1 to {HEADS_MOST}."
    return forms.a_number(form.head_count, "head_count", form.errors, most=HEADS_MOST, message=message)


def _guests(form: BookingForm) -> tuple[Guest, ...]:
    """One a line; whatever has an @ in it is an address."""
    lines = [line.strip() for line in form.names[:NAMES_MAX].splitlines()]
    lines = [line for line in lines if line]
    if len(lines) > LISTED_MOST:
        form.refuse("names", f"Please list {LISTED_MOST} at most; the number of people may be larger.")
    elif any(len(line) > (254 if "@" in line else 120) for line in lines):
        form.refuse("names", "One of these names is too long. Write one on each line.")
    elif any(not line.isprintable() for line in lines):
        form.refuse("names", "Please use plain text, one name on each line.")
    return tuple(Guest(email=line) if "@" in line else Guest(name=line) for line in lines)
