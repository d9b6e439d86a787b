"""Calendars elsewhere whose busy times are closures of a lab: which ones, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.machines.lab_hours import lock_managed_lab
from fablab.machines.models import LABEL_MAX, CalendarSource, Closure, Lab
from fablab.members import audit
from fablab.members.rules import Actor, may_manage_lab
from fablab.outbound import Answer, OutboundError, url_trouble

SOURCES_MOST = 20
TROUBLE_MAX = 300
# How far ahead busy times are kept: further than anybody books.
HORIZON = timedelta(days=425)
_OK, _NOT_MODIFIED = 200, 304

# Asks for an address, with the ETag of what is known: the answer, or OutboundError.
Fetch = Callable[[str, str | None], Answer]
# Reads busy times in wall time from (body, zone, since, until); ValueError with a sentence.
Read = Callable[[bytes, str, date, date], list[tuple[datetime, datetime]]]


@dataclass(frozen=True)
class SourceView:
    """A calendar elsewhere. ``read_at`` is None before the first reading; ``trouble`` is empty, or a sentence
    that says why the last reading failed.
    """

    id: int
    label: str
    url: str
    read_at: datetime | None
    trouble: str
    closures: int


def sources_of(session: Session, actor: Actor, lab_id: int) -> list[SourceView]:
    """The calendars of a lab, for its managers: an address may be a secret."""
    if not may_manage_lab(actor, lab_id):
        message = "Calendars are seen by the lab's managers."
        raise not_allowed(message, Refusal("not_allowed", "", message))
    count = select(func.count()).where(Closure.source_id == CalendarSource.id).scalar_subquery()
    rows = session.execute(
        select(
            CalendarSource.id,
            CalendarSource.label,
            CalendarSource.url,
            CalendarSource.read_at,
            CalendarSource.trouble,
            count,
        )
        .where(CalendarSource.lab_id == lab_id)
        .order_by(CalendarSource.label, CalendarSource.id)
    )
    return [SourceView(*row) for row in rows]


def add_source(
    session: Session, actor: Actor, lab: str, label: str, url: str, now: datetime, *, private: bool = False
) -> SourceView:
    """Have a lab closed whenever that calendar is busy. It is read by the clock, soon.

    ``private`` allows addresses of our own network. Raises DomainError for an address that is none.
    """
    managed = lock_managed_lab(session, actor, lab, changes=False)
    label, url = label.strip(), plain_address(url)
    refusals = []
    if not 1 <= len(label) <= LABEL_MAX:
        refusals.append(Refusal("invalid", "label", f"Give it a name of 1 to {LABEL_MAX} letters."))
    if trouble := url_trouble(url, private=private):
        refusals.append(Refusal("address_refused", "url", trouble))
    known = (
        session.execute(select(CalendarSource.url).where(CalendarSource.lab_id == managed.id)).scalars().all()
    )
    if url in known:
        refusals.append(Refusal("address_refused", "url", "The lab has this calendar already."))
    if len(known) >= SOURCES_MOST:
        refusals.append(Refusal("too_many", "", f"A lab has at most {SOURCES_MOST} calendars."))
    if refusals:
        raise refused(*refusals)
    row = CalendarSource(lab_id=managed.id, label=label, url=url, trouble="")
    session.add(row)
    session.flush()
    audit.record(session, actor, "calendar.add", lab, now, f"calendar {row.id}", lab_id=managed.id)
    return SourceView(row.id, label, url, None, "", 0)


def remove_source(session: Session, actor: Actor, lab: str, source_id: int, now: datetime) -> None:
    """Forget a calendar; its closures go with it."""
    managed = lock_managed_lab(session, actor, lab)
    gone = session.scalar(
        delete(CalendarSource)
        .where(CalendarSource.id == source_id, CalendarSource.lab_id == managed.id)
        .returning(CalendarSource.id)
    )
    if gone is None:
        raise not_found("calendar")
    audit.record(session, actor, "calendar.remove", lab, now, f"calendar {source_id}", lab_id=managed.id)


def plain_address(url: str) -> str:
    """What calendars call webcal:// is https://."""
    url = url.strip()
    return "https://" + url[len("webcal://") :] if url.lower().startswith("webcal://") else url


def due_sources(session: Session, now: datetime, every: timedelta, limit: int) -> list[int]:
    """Calendars that have not been read for so long, or never, those first."""
    return list(
        session.scalars(
            select(CalendarSource.id)
            .where(or_(CalendarSource.read_at.is_(None), CalendarSource.read_at <= now - every))
            .order_by(CalendarSource.read_at.nulls_first(), CalendarSource.id)
            .limit(limit)
        )
    )


def read_source(session: Session, source_id: int, now: datetime, fetch: Fetch, read: Read) -> int:
    """Read one calendar and put its busy times in the place of those it had. Returns how many changed.

    1. ask for it, with the ETag of what is known; once a day without, because the days ahead are others;
    2. read it; whatever cannot be read leaves everything as it was, and a sentence that says why;
    3. store what is new, take away what is gone, and tell of another version where anything was.
    """
    row = session.scalars(
        select(CalendarSource).where(CalendarSource.id == source_id).with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return 0
    zone = session.scalar(select(Lab.zone).where(Lab.id == row.lab_id)) or "UTC"
    fresh = row.read_at is not None and row.read_at.date() == now.date() and not row.trouble
    row.read_at = now
    try:
        answer = fetch(row.url, row.etag if fresh else None)
        if answer.status == _NOT_MODIFIED:
            return 0
        if answer.status != _OK:
            raise OutboundError(f"The server answered {answer.status}.")
        today = now.astimezone(ZoneInfo(zone)).date()
        busy = read(answer.body, zone, today, today + HORIZON)
    except (OutboundError, ValueError) as error:
        row.trouble = str(error)[:TROUBLE_MAX]
        row.etag = None
        return 0
    row.trouble = ""
    row.etag = _etag(answer)
    return _replace(session, row, busy)


def _etag(answer: Answer) -> str | None:
    etag = answer.headers.get("etag", "")
    return etag if 0 < len(etag) <= 200 and etag.isprintable() else None


def _replace(session: Session, row: CalendarSource, busy: Iterable[tuple[datetime, datetime]]) -> int:
    """Only what differs is written: most readings find nothing new, and then no process reads hours again."""
    stored = {
        (starts, ends): closure_id
        for closure_id, starts, ends in session.execute(
            select(Closure.id, Closure.local_starts, Closure.local_ends).where(Closure.source_id == row.id)
        )
    }
    wanted = set(busy)
    new, gone = sorted(wanted - stored.keys()), [stored[each] for each in stored.keys() - wanted]
    if gone:
        session.execute(delete(Closure).where(Closure.id.in_(gone)))
    if new:
        session.execute(
            insert(Closure),
            [
                {
                    "lab_id": row.lab_id,
                    "source_id": row.id,
                    "label": row.label,
                    "local_starts": starts,
                    "local_ends": ends,
                    "unattended_too": False,
                    "state": "confirmed",
                }
                for starts, ends in new
            ],
        )
    if new or gone:
        session.execute(update(Lab).where(Lab.id == row.lab_id).values(hours_version=uuid4()))
    return len(new) + len(gone)
