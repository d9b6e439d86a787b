"""What makes a member's data go: the catalogue's erasures as statements, and the verbs of the domains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.bookings import waiting
from fablab.bookings.service import cancel_booking
from fablab.certifications.enrolments import leave
from fablab.data_rights.catalogue import AFTER_VERBS, BEFORE_VERBS
from fablab.data_rights.declarations import Change, Declaration, Delete, Nothing
from fablab.data_rights.queries import Person, addresses, bookings_to_come, terms, trainings_to_come
from fablab.data_rights.rules import erased_address, erased_name
from fablab.members.rules import Actor
from fablab.organisations.forgetting import forget_member, hold_organisations

REASON = "account erased"


def forget(session: Session, who: Person, now: datetime, base_url: str) -> int:
    """Make everything personal of a member go; returns how many bookings were given back.

    The member's organisations are held first: whoever books in their name does that, too, before it waits
    for the time that is given back here.

    1. Texts and names go from what the member did; the rows stay for the statistics. What they waited for,
       and offered to others, goes whole.
    2. What the member still holds is given back by the usual verbs, so that others get it: bookings to come,
       places in trainings, organisations.
    3. The account's own rows go, those the verbs just wrote among them; the member's row becomes nobody's.
    """
    hold_organisations(session, who.id)
    emails = addresses(session, who)
    arguments = {
        "member": who.id,
        "emails": list(emails),
        "now": now,
        "name": erased_name(who.id),
        "address": erased_address(who.id),
        "terms": terms(who, emails),
    }
    # Nothing of what is given back below is kept for them, and what was is others'.
    waiting.withdraw_all(session, who.id, now, None)
    _carry_out(session, BEFORE_VERBS, arguments)
    # Without a network address: it would stand in the audit.
    oneself = Actor(who.id, who.name)
    bookings = bookings_to_come(session, who.id, now)
    for booking_id in bookings:
        cancel_booking(session, oneself, booking_id, now, None, REASON)
    for training_id in trainings_to_come(session, who.id, now):
        leave(session, oneself, training_id, now, base_url)
    forget_member(session, oneself, who.id, now)
    session.flush()
    _carry_out(session, AFTER_VERBS, arguments)
    # What was read before is not what is there now.
    session.expire_all()
    return len(bookings)


def _carry_out(session: Session, tables: Iterable[Declaration], arguments: Mapping[str, Any]) -> None:
    for each in tables:
        if not isinstance(each, Nothing):
            for step in each.erasure:
                session.execute(text(statement(each.table, step)), dict(arguments))


def statement(table: str, step: Delete | Change) -> str:
    """One step of an erasure as SQL; every part of it stands in the catalogue."""
    if isinstance(step, Delete):
        return f"DELETE FROM {table} AS t WHERE {step.rows}"  # noqa: S608
    values = ", ".join(f"{column} = {value}" for column, value in step.values.items())
    return f"UPDATE {table} AS t SET {values} WHERE {step.rows}"  # noqa: S608
