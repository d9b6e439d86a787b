"""The booking form: what was typed, read as wall time of the machine's lab, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from fablab.bookings.rules import BookingRequest, Policy
from fablab.errors import Refusal
from fablab.machines.queries import MachineView

LENGTHS_MIN = (15, 30, 45, 60, 90, 120, 180, 240, 300, 360, 480, 600, 720, 1080, 1440)
PURPOSE_MAX = 200
# A refusal names a field of the request; the form asks for the same thing in its own fields.
FIELDS = {"starts_at": "time", "ends_at": "duration", "purpose": "purpose", "for_member": "for_member"}


@dataclass
class BookingForm:
    """The values as the person sees them, and sentences of what is wrong by field ("" for the whole form)."""

    day: str
    time: str
    duration: str
    purpose: str = ""
    for_member: str = ""
    errors: dict[str, list[str]] = field(default_factory=dict)

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
    day, at, duration, purpose, for_member = (
        values.get(name, "").strip() for name in ("day", "time", "duration", "purpose", "for_member")
    )
    return BookingForm(day, at, duration, purpose, for_member)


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
    if form.errors or day is None or at is None or duration is None:
        return None
    wall = datetime.combine(day, at, tzinfo=ZoneInfo(machine.zone))
    starts_at = wall.astimezone(UTC)
    if starts_at.astimezone(wall.tzinfo).replace(tzinfo=None) != wall.replace(tzinfo=None):
        form.refuse("time", "The clocks change that day and skip this time. Pick an hour earlier or later.")
        return None
    return BookingRequest(
        machine.slug, starts_at, starts_at + duration, form.purpose, form.for_member or None
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
