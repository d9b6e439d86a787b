"""What is decided about people's own data: who may have it, when an account may go, what stays of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fablab.errors import Refusal
from fablab.members.rules import Actor

EXPORTS_A_DAY = 5
# Every code an erasure can be refused with, and what it means.
REFUSAL_CODES = {
    "booking_running": "A booking of the member is running.",
    "machine_working": "A machine is at work for the member.",
    "sole_owner": "The member is the only owner of an organisation that others belong to.",
    "leads_training": "The member is to lead a training that is still to come.",
    "last_admin": "The member is the only administrator.",
}


@dataclass(frozen=True)
class Standing:
    """What ties a member to others now, by names a person knows."""

    running: tuple[str, ...] = ()
    working: tuple[str, ...] = ()
    sole_owner_of: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    last_admin: bool = False


def may_export(actor: Actor, member_id: int) -> bool:
    """Everybody their own data, and nobody anybody else's: staff neither. (The command line is an operator's
    shell on the server, and is audited.)"""
    return actor.member_id == member_id


def may_erase(actor: Actor, member_id: int) -> bool:
    """Everybody their own account; who cannot any more asks for it, and an admin does it on the server."""
    return actor.member_id == member_id


def export_wait(earlier: Sequence[datetime], now: datetime) -> int | None:
    """Seconds until another export is made; None when there may be one now."""
    recent = sorted(at for at in earlier if at > now - timedelta(days=1))
    if len(recent) < EXPORTS_A_DAY:
        return None
    free_at = recent[-EXPORTS_A_DAY] + timedelta(days=1)
    return max(1, round((free_at - now).total_seconds()))


def hindrances(standing: Standing) -> list[Refusal]:
    """Everything that has to be settled before the account can be erased, with what to do about it."""
    return list(_hindrances(standing))


def _hindrances(standing: Standing) -> Iterator[Refusal]:
    for machine in standing.running:
        text = f"Your booking of {machine} is running. Erase your account once it is over."
        yield Refusal("booking_running", "bookings", text)
    for machine in standing.working:
        text = f"{machine} is at work for you. Erase your account once it is done."
        yield Refusal("machine_working", "bookings", text)
    for name in standing.sole_owner_of:
        text = f"You are the only owner of {name}. Make somebody else an owner first, or close it."
        yield Refusal("sole_owner", "organisations", text)
    for title in standing.leads:
        text = f"You lead the training “{title}”, which is still to come. Cancel it or hand it over first."
        yield Refusal("leads_training", "trainings", text)
    if standing.last_admin:
        text = "You are the only administrator. Make somebody else one first."
        yield Refusal("last_admin", "roles", text)


def erased_name(member_id: int) -> str:
    """What stands where the name was."""
    return f"Erased member {member_id}"


def erased_address(member_id: int) -> str:
    """An address no mail can reach (RFC 2606), different for everybody."""
    return f"erased-{member_id}@invalid"


def for_days(days: int) -> str:
    """A length of keeping for people: "30 days", "2 years", "for ever"."""
    if days == 0:
        return "as long as the service runs"
    if days % 365 in (0, 1) and days >= 365:
        years = days // 365
        return "1 year" if years == 1 else f"{years} years"
    return "1 day" if days == 1 else f"{days} days"
