"""Reads about organisations, their people and their quotas. Each is one statement and gives plain records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from fablab.machines.models import Kind, Lab
from fablab.members.models import Member
from fablab.members.queries import by_email
from fablab.organisations.models import Invitation, Membership, Organisation, Project, Quota
from fablab.organisations.rules import OUTSIDE, Standing

_inviter = aliased(Member, name="inviter")


@dataclass(frozen=True)
class MembershipView:
    """An organisation somebody belongs to."""

    organisation_id: int
    slug: str
    name: str
    kind: str
    owner: bool


@dataclass(frozen=True)
class OrganisationView:
    """An organisation; ``members`` is how many belong to it."""

    id: int
    slug: str
    name: str
    kind: str
    tariff_category: str
    created_at: datetime
    closed_at: datetime | None
    members: int


@dataclass(frozen=True)
class PersonView:
    """Somebody who belongs to an organisation."""

    member_id: int
    name: str
    owner: bool
    since: datetime


@dataclass(frozen=True)
class InvitationView:
    """An invitation nobody has answered yet."""

    id: int
    organisation_id: int
    organisation_slug: str
    organisation_name: str
    email: str
    owner: bool
    invited_by_id: int
    invited_by: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class QuotaView:
    """A quota; ``kind_id`` None is all kinds of machine together. Its periods are those of ``zone``."""

    id: int
    kind_id: int | None
    kind_slug: str | None
    kind_name: str | None
    period: str
    limit_s: int
    zone: str


@dataclass(frozen=True)
class ProjectView:
    """A project; without an organisation it is its member's own."""

    id: int
    name: str
    filiere: str
    programme: str | None
    organisation_id: int | None
    organisation_slug: str | None
    organisation_name: str | None
    member_id: int
    member_name: str
    created_at: datetime
    closed_at: datetime | None


def memberships(session: Session, member_id: int, *, closed: bool = False) -> list[MembershipView]:
    """The open organisations a member belongs to, by name; with ``closed`` the others too."""
    query = (
        select(
            Membership.organisation_id,
            Organisation.slug,
            Organisation.name,
            Organisation.kind,
            Membership.owner,
        )
        .join(Organisation, Organisation.id == Membership.organisation_id)
        .where(Membership.member_id == member_id)
        .order_by(Organisation.name, Organisation.id)
    )
    if not closed:
        query = query.where(Organisation.closed_at.is_(None))
    return [MembershipView(*row) for row in session.execute(query)]


def organisation_by_slug(session: Session, slug: str) -> OrganisationView | None:
    """The organisation, also when it is closed."""
    row = session.execute(_organisations().where(Organisation.slug == slug)).one_or_none()
    return None if row is None else OrganisationView(*row)


def organisations(
    session: Session,
    *,
    member_id: int | None = None,
    text: str = "",
    kind: str | None = None,
    tariff_category: str | None = None,
    after: tuple[str, int] | None = None,
    limit: int | None = None,
) -> list[OrganisationView]:
    """Organisations by name, closed ones too; with ``member_id`` those the member belongs to.

    ``text`` is looked for in the name, in any case. ``after`` is the (name, id) of the last one read.
    """
    query = _organisations().order_by(Organisation.name, Organisation.id)
    if member_id is not None:
        own = select(Membership.organisation_id).where(Membership.member_id == member_id)
        query = query.where(Organisation.id.in_(own))
    if text:
        query = query.where(Organisation.name.icontains(text, autoescape=True))
    if kind is not None:
        query = query.where(Organisation.kind == kind)
    if tariff_category is not None:
        query = query.where(Organisation.tariff_category == tariff_category)
    if after is not None:
        query = query.where(tuple_(Organisation.name, Organisation.id) > after)
    if limit is not None:
        query = query.limit(limit)
    return [OrganisationView(*row) for row in session.execute(query)]


def standing(session: Session, organisation_id: int, member_id: int) -> Standing:
    """What a member is in an organisation."""
    owner = session.scalar(
        select(Membership.owner).where(
            Membership.organisation_id == organisation_id, Membership.member_id == member_id
        )
    )
    return OUTSIDE if owner is None else Standing(member=True, owner=owner)


def people(
    session: Session,
    organisation_id: int,
    *,
    after: tuple[bool, str, int] | None = None,
    limit: int | None = None,
) -> list[PersonView]:
    """Who belongs to an organisation: owners first, then by name.

    ``after`` is the (no owner, name, id) of the last one read.
    """
    query = (
        select(Member.id, Member.name, Membership.owner, Membership.since)
        .join(Membership, Membership.member_id == Member.id)
        .where(Membership.organisation_id == organisation_id)
        .order_by(Membership.owner.desc(), Member.name, Member.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(~Membership.owner, Member.name, Member.id) > after)
    return [PersonView(*row) for row in session.execute(query)]


def open_invitations(
    session: Session,
    organisation_id: int,
    now: datetime,
    *,
    before: int | None = None,
    limit: int | None = None,
) -> list[InvitationView]:
    """An organisation's invitations that can still be accepted, newest first; ``before`` is an id."""
    query = invitation_views(now).where(Invitation.organisation_id == organisation_id)
    if before is not None:
        query = query.where(Invitation.id < before)
    query = query.order_by(Invitation.id.desc()).limit(limit)
    return [InvitationView(*row) for row in session.execute(query)]


def invitations_for(
    session: Session, member_id: int, now: datetime, *, after: int | None = None, limit: int | None = None
) -> list[InvitationView]:
    """Open invitations to the address a member has shown to be theirs, oldest first; ``after`` is an id."""
    query = (
        invitation_views(now)
        .join(Member, by_email(Invitation.email) & (Member.id == member_id))
        .where(Member.email_verified_at.is_not(None))
    )
    if after is not None:
        query = query.where(Invitation.id > after)
    return [InvitationView(*row) for row in session.execute(query.order_by(Invitation.id).limit(limit))]


def quotas(session: Session, organisation_id: int) -> list[QuotaView]:
    """An organisation's quotas: all kinds together first, then by kind; weeks before months.

    Their weeks and months are those of the network's first lab, wherever the machines stand.
    """
    zone = func.coalesce(select(Lab.zone).order_by(Lab.id).limit(1).scalar_subquery(), "UTC")
    rows = session.execute(
        select(Quota.id, Quota.kind_id, Kind.slug, Kind.name_en, Quota.period, Quota.limit_s, zone)
        .outerjoin(Kind, Kind.id == Quota.kind_id)
        .where(Quota.organisation_id == organisation_id)
        .order_by(Kind.slug.nulls_first(), Quota.period.desc())
    )
    return [QuotaView(*row) for row in rows]


def projects_of(
    session: Session,
    member_id: int,
    *,
    closed: bool = False,
    after: tuple[str, int] | None = None,
    limit: int | None = None,
) -> list[ProjectView]:
    """A member's own projects and those of the member's organisations, by name.

    Only open ones, of open organisations, unless ``closed``. ``after`` is the (name, id) of the last read.
    """
    return _projects(session, _bookable_for(member_id), closed, after, limit)


def projects_of_organisation(
    session: Session,
    organisation_id: int,
    *,
    closed: bool = False,
    after: tuple[str, int] | None = None,
    limit: int | None = None,
) -> list[ProjectView]:
    """An organisation's projects, by name, likewise."""
    return _projects(session, Project.organisation_id == organisation_id, closed, after, limit)


def project(session: Session, project_id: int) -> ProjectView | None:
    """One project, whoever's it is."""
    row = session.execute(_project_views().where(Project.id == project_id)).one_or_none()
    return None if row is None else ProjectView(*row)


def project_for_booking(session: Session, project_id: int, member_id: int) -> ProjectView | None:
    """A project the member may book for: open, and an own one or one of an open organisation of theirs."""
    row = session.execute(
        _project_views().where(
            Project.id == project_id,
            _bookable_for(member_id),
            Project.closed_at.is_(None),
            Organisation.closed_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else ProjectView(*row)


def invitation_views(now: datetime) -> Select[*tuple[Any, ...]]:
    """What an InvitationView is made of: invitations that can still be accepted."""
    return (
        select(
            Invitation.id,
            Invitation.organisation_id,
            Organisation.slug,
            Organisation.name,
            Invitation.email,
            Invitation.owner,
            Invitation.invited_by_id,
            _inviter.name,
            Invitation.created_at,
            Invitation.expires_at,
        )
        .join(Organisation, Organisation.id == Invitation.organisation_id)
        .join(_inviter, _inviter.id == Invitation.invited_by_id)
        .where(
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
            Invitation.expires_at > now,
            Organisation.closed_at.is_(None),
        )
    )


def _organisations() -> Select[*tuple[Any, ...]]:
    belong = (
        select(func.count())
        .where(Membership.organisation_id == Organisation.id)
        .correlate(Organisation)
        .scalar_subquery()
    )
    return select(
        Organisation.id,
        Organisation.slug,
        Organisation.name,
        Organisation.kind,
        Organisation.tariff_category,
        Organisation.created_at,
        Organisation.closed_at,
        belong,
    )


def _projects(
    session: Session,
    whose: ColumnElement[bool],
    closed: bool,
    after: tuple[str, int] | None,
    limit: int | None,
) -> list[ProjectView]:
    query = _project_views().where(whose).order_by(Project.name, Project.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(Project.name, Project.id) > after)
    if not closed:
        query = query.where(Project.closed_at.is_(None), Organisation.closed_at.is_(None))
    return [ProjectView(*row) for row in session.execute(query)]


def _bookable_for(member_id: int) -> ColumnElement[bool]:
    theirs = select(Membership.organisation_id).where(Membership.member_id == member_id)
    mine = Project.organisation_id.is_(None) & (Project.member_id == member_id)
    return mine | Project.organisation_id.in_(theirs)


def _project_views() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Project.id,
            Project.name,
            Project.filiere,
            Project.programme,
            Project.organisation_id,
            Organisation.slug,
            Organisation.name,
            Project.member_id,
            Member.name,
            Project.created_at,
            Project.closed_at,
        )
        .outerjoin(Organisation, Organisation.id == Project.organisation_id)
        .join(Member, Member.id == Project.member_id)
    )
