"""Gathering what must be known to decide on a booking, in a number of statements that does not grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.bookings.claims import clashes, day_around
from fablab.bookings.facts import BookingFacts, BookingRequest, Person, QuotaUse
from fablab.bookings.quotas import Wish, quota_uses
from fablab.machines.queries import MachineView
from fablab.machines.rules import Span, covers, open_spans, supervised_spans
from fablab.members.rules import Actor, is_minor, may_book_for_others
from fablab.organisations.queries import ProjectView, memberships, project_for_booking, quotas
from fablab.organisations.service import lock_quotas

# The person it is for and everybody listed, in one statement. Whom somebody without rights may know of are
# members of their own organisations.
_PEOPLE = text(
    """
    WITH leader AS (
        SELECT id FROM member
        WHERE active AND CASE WHEN CAST(:leader AS text) IS NULL THEN id = :actor
                              ELSE lower(email) = :leader END
    )
    SELECT member.id, lower(member.email) AS email, member.name, member.birth_on,
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
class _Member:
    id: int
    email: str
    name: str
    birth_on: date | None
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


@dataclass(frozen=True)
class Gathered:
    """The facts of a request, the machine they are about, and what is stored if they allow it.

    ``member_id`` is 0 where there is no such member, which the rules refuse. ``listed`` are the participants
    as they were written, each with the account it is linked to.
    """

    machine: MachineView
    facts: BookingFacts
    member_id: int
    member_name: str
    in_name: InName = InName()
    listed: tuple[tuple[str, int | None], ...] = ()


def gather_facts(
    session: Session, actor: Actor, machine: MachineView, request: BookingRequest, now: datetime, lock: bool
) -> Gathered:
    """What must be known to decide on the request: one statement where an adult books alone.

    One more for other people, however many, and up to five for an organisation and a project. With ``lock``
    the organisation stays locked until the transaction ends, from before its bookings are counted: of two
    bookings at once the second counts the first.
    """
    span = Span(request.starts_at, request.ends_at)
    on = request.starts_at.astimezone(ZoneInfo(machine.zone)).date()
    people = _people(session, actor, request, on)
    leader = next((each for each in people if each.leads), None)
    in_name = _in_name(session, request, leader.id) if leader else InName()
    used = _quotas(session, machine, request, in_name, lock) if request.sane else ()
    person = None
    if leader is not None:
        minor = is_minor(leader.birth_on, on)
        person = Person(leader.email, leader.name, minor, leader.consent)
    listed, without_consent = _listed(
        request, people, on, may_know_all=may_book_for_others(actor, machine.lab_id)
    )
    facts = BookingFacts(
        now=now,
        zone=machine.zone,
        active=machine.active,
        open_throughout=machine.unattended or _open_throughout(machine, request),
        unit_ids=machine.unit_ids,
        claims=(),
        person=person,
        supervised=_supervised(machine, request) if person and person.minor else (),
        without_consent=without_consent,
        belongs_to_organisation=not leader
        or request.organisation is None
        or in_name.organisation_id is not None,
        project_known=not leader or request.project is None or in_name.project_id is not None,
        quotas=used,
    )
    return look_again(
        session,
        Gathered(machine, facts, leader.id if leader else 0, leader.name if leader else "", in_name, listed),
        span,
    )


def look_again(session: Session, gathered: Gathered, span: Span) -> Gathered:
    """The same with the claims that stand now. One statement."""
    in_order = span.starts_at < span.ends_at
    taken = clashes(session, gathered.machine, span.starts_at, span.ends_at) if in_order else ()
    return replace(gathered, facts=replace(gathered.facts, claims=tuple(taken)))


def _people(session: Session, actor: Actor, request: BookingRequest, on: date) -> list[_Member]:
    """Who the booking is for, and the accounts behind the addresses on the list. One statement, or none."""
    emails = [guest.email.strip().lower() for guest in request.participants if guest.email]
    if request.for_member is None and not emails and not is_minor(actor.birth_on, on):
        return [_Member(actor.member_id, "", actor.name, actor.birth_on, True, False, True)]
    leader = request.for_member and request.for_member.strip().lower()
    rows = session.execute(_PEOPLE, {"actor": actor.member_id, "leader": leader, "listed": emails})
    return [_Member(*row) for row in rows]


def _listed(
    request: BookingRequest, people: Sequence[_Member], on: date, *, may_know_all: bool
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


def _in_name(session: Session, request: BookingRequest, member_id: int) -> InName:
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


def _quotas(
    session: Session, machine: MachineView, request: BookingRequest, in_name: InName, lock: bool
) -> tuple[QuotaUse, ...]:
    if in_name.organisation_id is None:
        return ()
    if lock:
        # Also where there is no quota yet: few want that row, and asking first would be a statement.
        lock_quotas(session, in_name.organisation_id)
    return quota_uses(
        session,
        in_name.organisation_id,
        in_name.organisation_name or "",
        quotas(session, in_name.organisation_id),
        Wish(machine.kind_id, machine.kind_name, Span(request.starts_at, request.ends_at)),
    )


def _open_throughout(machine: MachineView, request: BookingRequest) -> bool:
    # Two centuries of opening hours take a second to lay out.
    if not request.sane:
        return False
    span = Span(request.starts_at, request.ends_at)
    around = day_around(span)
    return covers(open_spans(machine.openings, machine.zone, around.starts_at, around.ends_at), span)


def _supervised(machine: MachineView, request: BookingRequest) -> tuple[Span, ...]:
    if not request.sane:
        return ()
    around = day_around(Span(request.starts_at, request.ends_at))
    return tuple(supervised_spans(machine.openings, machine.zone, around.starts_at, around.ends_at))
