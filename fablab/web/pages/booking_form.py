"""The booking form: what was typed, read as wall time of the machine's lab, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fablab.bookings.facts import HEADS_MOST, LISTED_MOST, BookingRequest, Guest, Policy
from fablab.errors import Refusal
from fablab.machines.queries import MachineView

LENGTHS_MIN = (15, 30, 45, 60, 90, 120, 180, 240, 300, 360, 480, 600, 720, 1080, 1440)
PURPOSE_MAX = 200
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
    errors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def unfolded(self) -> bool:
        """Whether something is said, or wrong, about whom and what it is for."""
        return any(getattr(self, name) or name in self.errors for name in FOLDED)

    def refuse(self, name: str, message: str) -> None:
        self.errors.setdefault(name, []).append(message)

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
    day = _date(form)
    at = _time(form)
    duration = _duration(form)
    if len(form.purpose) > PURPOSE_MAX:
        form.refuse("purpose", f"Please say it in {PURPOSE_MAX} characters.")
    elif any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in form.purpose):
        form.refuse("purpose", "Please use plain text in one line.")
    if len(form.for_member) > 254 or "\0" in form.for_member:
        form.refuse("for_member", "That is not an e-mail address.")
    organisation, project, heads, guests = _organisation(form), _project(form), _heads(form), _guests(form)
    if form.errors or day is None or at is None or duration is None:
        return None
    wall = datetime.combine(day, at, tzinfo=ZoneInfo(machine.zone))
    starts_at = wall.astimezone(UTC)
    if starts_at.astimezone(wall.tzinfo).replace(tzinfo=None) != wall.replace(tzinfo=None):
        form.refuse("time", "The clocks change that day and skip this time. Pick an hour earlier or later.")
        return None
    return BookingRequest(
        machine.slug,
        starts_at,
        starts_at + duration,
        form.purpose,
        form.for_member or None,
        organisation,
        project,
        guests,
        heads,
    )


def day_of(form: BookingForm) -> date | None:
    """The day the form speaks of, if it is one."""
    try:
        return date.fromisoformat(form.day)
    except ValueError:
        return None


def lengths(policy: Policy, chosen: str) -> list[tuple[str, str]]:
    """The lengths to choose from within the policy, as minutes and words; what was typed stays choosable."""
    minutes = {each for each in LENGTHS_MIN if policy.min_s <= each * 60 <= policy.max_s}
    if chosen.isascii() and chosen.isdigit() and len(chosen) < 5:
        minutes.add(int(chosen))
    return [(str(each), _words(each)) for each in sorted(minutes)]


def _words(minutes: int) -> str:
    whole, rest = divmod(minutes, 60)
    if not whole:
        return f"{rest} minutes"
    return f"{whole} hour{'s' if whole != 1 else ''}" + (f" {rest} minutes" if rest else "")


def _organisation(form: BookingForm) -> str | None:
    if form.organisation and (len(form.organisation) > 60 or not _SLUG.fullmatch(form.organisation)):
        form.refuse("organisation", "Please choose one of the list.")
    return form.organisation or None


def _project(form: BookingForm) -> int | None:
    if not form.project:
        return None
    if not (
        form.project.isascii() and form.project.isdigit() and len(form.project) < 19 and int(form.project)
    ):
        form.refuse("project", "Please choose one of the list.")
        return None
    return int(form.project)


def _heads(form: BookingForm) -> int | None:
    if not form.head_count:
        return None
    if not (form.head_count.isascii() and form.head_count.isdigit()) or len(form.head_count) > 9:
        form.refuse("head_count", "Please give a number.")
        return None
    if not 1 <= int(form.head_count) <= HEADS_MOST:
        form.refuse("head_count", f"Please give a number from 1 to {HEADS_MOST}.")
    return int(form.head_count)


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


def _date(form: BookingForm) -> date | None:
    try:
        day = date.fromisoformat(form.day)
    except ValueError:
        form.refuse("day", "Please give a day, for instance 2027-01-31.")
        return None
    if not 2000 <= day.year <= 2199:
        form.refuse("day", "Please give a day in this century.")
        return None
    return day


def _time(form: BookingForm) -> time | None:
    try:
        at = time.fromisoformat(form.time)
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None:
        form.refuse("time", "Please give a time, for instance 14:30.")
        return None
    return at.replace(microsecond=0)


def _duration(form: BookingForm) -> timedelta | None:
    if not (form.duration.isascii() and form.duration.isdigit() and 0 < len(form.duration) < 6):
        form.refuse("duration", "Please choose how long.")
        return None
    return timedelta(minutes=int(form.duration))
