"""Which kinds of mail a member may do without. All else, such as about a password, always comes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.errors import Refusal, refused
from fablab.mail.models import NoticeChoice


@dataclass(frozen=True)
class Kind:
    """One kind of notice: its name as templates say it, and words for people.

    ``staff``: only the staff of a lab ever get it.
    """

    name: str
    title: str
    what: str
    staff: bool = False


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "bookings",
            "Your bookings",
            "Confirmed, moved, cancelled, rejected or handed over, each with an entry for your calendar.",
        ),
        Kind("reminders", "Reminders", "Before a booking begins."),
        Kind(
            "outages", "Machines out of service", "When a machine you have booked breaks, and what is free."
        ),
        Kind("offers", "Free times and swaps", "A time you waited for is free; somebody offers you theirs."),
        Kind("trainings", "Trainings", "A place for you, another time, a training that falls out."),
        Kind("certifications", "Certifications", "Granted, renewed, ending soon, suspended."),
        Kind("requests", "Requests to decide", "Somebody asks for a machine of your lab.", staff=True),
        Kind(
            "digest",
            "The day ahead",
            "Each morning: today's bookings, requests, outages, and who did not come yesterday.",
            staff=True,
        ),
        Kind("webhooks", "Webhooks", "One you made answers no more and was turned off.", staff=True),
    )
}


def unwanted(session: Session, member_ids: Collection[int]) -> set[tuple[int, str]]:
    """(member, kind) of what these members do not want by mail. One statement; none for nobody."""
    if not member_ids:
        return set()
    rows = session.execute(
        select(NoticeChoice.member_id, NoticeChoice.notice).where(
            NoticeChoice.member_id.in_(sorted(member_ids)), NoticeChoice.by_mail.is_(False)
        )
    )
    return {(member_id, notice) for member_id, notice in rows}


def wanted(session: Session, member_id: int) -> dict[str, bool]:
    """Every kind, and whether the member wants it by mail."""
    off = {notice for _, notice in unwanted(session, [member_id])}
    return {name: name not in off for name in KINDS}


def choose(session: Session, member_id: int, choices: Mapping[str, bool]) -> None:
    """Set what the member wants of these kinds; others stay. Raises REFUSED `invalid` for an unknown one."""
    for name in choices:
        if name not in KINDS:
            raise refused(
                Refusal("invalid", name[:40], f"There is no such kind of mail. There are {', '.join(KINDS)}.")
            )
    on = [name for name, by_mail in choices.items() if by_mail]
    off = [name for name, by_mail in choices.items() if not by_mail]
    if on:
        mine = (NoticeChoice.member_id == member_id, NoticeChoice.notice.in_(on))
        session.execute(delete(NoticeChoice).where(*mine))
    if off:
        rows: list[dict[str, Any]] = [
            {"member_id": member_id, "notice": each, "by_mail": False} for each in off
        ]
        said = insert(NoticeChoice).values(rows)
        session.execute(
            said.on_conflict_do_update(index_elements=["member_id", "notice"], set_={"by_mail": False})
        )


def turn_off(session: Session, member_id: int, notice: str) -> bool:
    """Do without one kind from now on; whether that was news."""
    said = insert(NoticeChoice).values(member_id=member_id, notice=notice, by_mail=False)
    news = session.scalar(said.on_conflict_do_nothing().returning(NoticeChoice.member_id))
    return news is not None
