"""Who a booking is for, who comes along, and in whose name it is made: read for deciding on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.bookings.facts import BookingRequest
from fablab.members.rules import Actor, is_minor
from fablab.organisations.queries import ProjectView, memberships, project_for_booking

# The person it is for and everybody listed, in one statement. Whom somebody without rights may know of are
# members of their own organisations.
_PEOPLE = text(
    """
    WITH leader AS (
        SELECT id FROM member
        WHERE active AND CASE WHEN CAST(:leader_id AS bigint) IS NOT NULL THEN id = :leader_id
                              WHEN CAST(:leader AS text) IS NULL THEN id = :actor
                              ELSE lower(email) = :leader END
    )
    SELECT member.id, lower(member.email) AS email, member.name, member.birth_on, member.category,
           member.id IN (SELECT id FROM leader) AS leads,
           EXISTS (SELECT FROM guardian_consent AS consent
                   WHERE consent.member_id = member.id AND consent.withdrawn_at IS NULL) AS consent,
           EXISTS (SELECT FROM membership AS theirs
                   JOIN membership AS own ON own.organisation_id = theirs.organisation_id
                   JOIN leader ON leader.id = own.member_id
                   WHERE theirs.member_id = member.id) AS known
    FROM member
    WHERE member.active AND (member.id IN (SELECT id FROM leader) OR lower(member.email) = ANY(:listed))
    """
)


@dataclass(frozen=True)
class Known:
    """A member as far as bookings ask.

    ``leads``: the booking is for them; ``known``: they share an organisation with whom it is for.
    """

    id: int
    email: str
    name: str
    birth_on: date | None
    category: str
    leads: bool
    consent: bool
    known: bool


@dataclass(frozen=True)
class InName:
    """The organisation a booking is made in the name of, and the project it is made for."""

    organisation_id: int | None = None
    organisation_slug: str | None = None
    organisation_name: str | None = None
    project_id: int | None = None
    project_name: str | None = None

    def on(self, project: ProjectView | None) -> InName:
        """The same for a project."""
        return self if project is None else replace(self, project_id=project.id, project_name=project.name)


def people_of(
    session: Session,
    actor: Actor,
    requests: Sequence[BookingRequest],
    zone: str,
    leader_id: int | None,
) -> list[Known]:
    """Who the bookings are for, and the accounts behind the addresses on the list. One statement, or none."""
    request = min(requests, key=lambda each: each.starts_at)
    emails = [guest.email.strip().lower() for guest in request.participants if guest.email]
    on = local_day(request, zone)
    oneself = leader_id == actor.member_id or (leader_id is None and request.for_member is None)
    if oneself and not emails and not is_minor(actor.birth_on, on):
        return [Known(actor.member_id, "", actor.name, actor.birth_on, actor.category, True, False, True)]
    leader = request.for_member and request.for_member.strip().lower()
    values = {"actor": actor.member_id, "leader_id": leader_id, "leader": leader, "listed": emails}
    return [Known(*row) for row in session.execute(_PEOPLE, values)]


def listed_of(
    request: BookingRequest, people: Sequence[Known], on: date, *, may_know_all: bool
) -> tuple[tuple[tuple[str, int | None], ...], tuple[str, ...]]:
    """The participants with the accounts they are linked to, and those under 18 without consent.

    Nobody learns from a list who has an account, or whose child lacks a consent. So an address without an
    account is kept as it was written, and a minor without consent is refused only where the one who writes
    the list may know of the account; elsewhere that address, too, is kept as written and linked to nobody.
    """
    accounts = {each.email: each for each in people}
    linked: list[tuple[str, int | None]] = []
    without: list[str] = []
    for guest in request.participants:
        account = accounts.get(guest.email.strip().lower()) if guest.email else None
        if account is not None and is_minor(account.birth_on, on) and not account.consent:
            if account.known or may_know_all:
                without.append(guest.written)
            account = None
        linked.append((guest.written, None if account is None else account.id))
    return tuple(linked), tuple(without)


def in_name_of(session: Session, request: BookingRequest, member_id: int) -> InName:
    """Organisation and project, as far as the member belongs to them.

    A project of an organisation is booked for in its name, said or not; another organisation's does not fit.
    """
    project = None
    if request.project is not None:
        project = project_for_booking(session, request.project, member_id)
    if request.organisation is None:
        if project is None:
            return InName()
        of = InName(project.organisation_id, project.organisation_slug, project.organisation_name)
        return of.on(project)
    theirs = {each.slug: each for each in memberships(session, member_id)}
    found = theirs.get(request.organisation)
    if found is None:
        return InName().on(project)
    if project is not None and project.organisation_id not in (None, found.organisation_id):
        project = None
    return InName(found.organisation_id, found.slug, found.name).on(project)


def local_day(request: BookingRequest, zone: str) -> date:
    return request.starts_at.astimezone(ZoneInfo(zone)).date()
