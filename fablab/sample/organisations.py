"""The sample's organisations, what they may book, their projects, and which bookings were made for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.machines.models import Kind
from fablab.organisations.catalogue import catalogue
from fablab.organisations.models import Invitation, Membership, Organisation, Project, Quota
from fablab.organisations.rules import INVITATION_LASTS
from fablab.sample.network import LASER

HOUR_S = 3600


@dataclass(frozen=True)
class SampleProject:
    name: str
    filiere: str
    programme: str | None


@dataclass(frozen=True)
class SampleOrganisation:
    """``people`` by their address before the @, the owner first. Quotas: kind of machine, period, hours."""

    slug: str
    name: str
    kind: str
    people: tuple[str, ...]
    quotas: tuple[tuple[str | None, str, int], ...]
    projects: tuple[SampleProject, ...]
    invited: str
    # One in so many of its people's bookings is made in its name.
    one_in: int


ORGANISATIONS = (
    SampleOrganisation(
        "club-robotique-du-lycee",
        "Club robotique du lycée",
        "school_club",
        ("amina", "hamza.bouzidi", "ikram.lahlou", "anas.temsamani", "sara.zemmouri"),
        ((None, "week", 60), (LASER, "month", 40)),
        (
            SampleProject("Robot du concours", "software", "regional"),
            SampleProject("Décors du spectacle", "performing-arts", None),
        ),
        "rania@example.org",
        2,
    ),
    SampleOrganisation(
        "atelier-prothese",
        "Atelier Prothèse",
        "startup",
        ("youssef", "othmane.raissouni", "kenza.sebti", "walid.chraibi"),
        ((None, "month", 120),),
        (SampleProject("Main articulée", "design", "own-funds"),),
        "rim.skalli@example.org",
        2,
    ),
    SampleOrganisation(
        "laboratoire-mecatronique",
        "Laboratoire de mécatronique",
        "university",
        ("meryem.haddad", "amina", "reda.bensouda", "chaimae.akhrif"),
        (),
        (SampleProject("Maquettes de ponts", "architecture", "national"),),
        "youssef@example.org",
        3,
    ),
)
OWN_PROJECT = SampleProject("Lampes en papier découpé", "crafts", "own-funds")


def add_organisations(session: Session, member_ids: Mapping[str, int], now: datetime) -> None:
    """Write organisations with their people, and put part of those people's bookings in their names."""
    since = now - timedelta(days=75)
    kinds = {row.slug: row.id for row in session.execute(select(Kind.slug, Kind.id))}
    for each in ORGANISATIONS:
        people = [member_ids[f"{name}@example.org"] for name in each.people]
        organisation = Organisation(
            slug=each.slug,
            name=each.name,
            kind=each.kind,
            tariff_category=catalogue().category_for(each.kind),
            created_at=since,
        )
        session.add(organisation)
        session.flush()
        for number, member_id in enumerate(people):
            session.add(
                Membership(
                    organisation_id=organisation.id,
                    member_id=member_id,
                    owner=number == 0,
                    since=since + timedelta(days=3 * number),
                )
            )
        for kind, period, hours in each.quotas:
            kind_id = None if kind is None else kinds[kind]
            session.add(
                Quota(organisation_id=organisation.id, kind_id=kind_id, period=period, limit_s=hours * HOUR_S)
            )
        session.add(_invitation(organisation.id, people[0], each.invited, now))
        projects = [_project(each, organisation.id, people[0], since) for each in each.projects]
        session.add_all(projects)
        session.flush()
        _give_bookings(session, organisation.id, people, projects, each.one_in)
    own = _project(OWN_PROJECT, None, member_ids["amina@example.org"], since)
    session.add(own)
    session.flush()
    session.execute(
        update(Booking)
        .where(Booking.member_id == own.member_id, Booking.organisation_id.is_(None), Booking.id % 2 == 0)
        .values(project_id=own.id)
    )


def _give_bookings(
    session: Session, organisation_id: int, people: list[int], projects: list[Project], one_in: int
) -> None:
    """Which bookings is decided by their numbers, so that the same day gives the same sample."""
    chosen = (Booking.member_id.in_(people), Booking.organisation_id.is_(None), Booking.id % one_in == 0)
    session.execute(update(Booking).where(*chosen).values(organisation_id=organisation_id))
    for number, project in enumerate(projects):
        session.execute(
            update(Booking)
            .where(
                Booking.organisation_id == organisation_id,
                Booking.id // one_in % (len(projects) + 1) == number,
            )
            .values(project_id=project.id)
        )


def _project(each: SampleProject, organisation_id: int | None, member_id: int, since: datetime) -> Project:
    return Project(
        organisation_id=organisation_id,
        member_id=member_id,
        name=each.name,
        filiere=each.filiere,
        programme=each.programme,
        created_at=since,
    )


def _invitation(organisation_id: int, owner_id: int, email: str, now: datetime) -> Invitation:
    """One nobody has a link to: whoever has the address answers it on their own page."""
    return Invitation(
        organisation_id=organisation_id,
        email=email,
        digest=hashlib.sha256(f"sample {organisation_id} {email} {now}".encode()).digest(),
        invited_by_id=owner_id,
        created_at=now - timedelta(days=1),
        expires_at=now - timedelta(days=1) + INVITATION_LASTS,
    )
