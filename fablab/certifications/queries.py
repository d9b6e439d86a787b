"""Reads about certifications; every function is one statement and returns plain records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from fablab.certifications.models import Certification, CertificationChange
from fablab.certifications.rules import standing
from fablab.machines.models import Kind, Lab, Machine
from fablab.mail.texts import LANGUAGES
from fablab.members.models import Member


@dataclass(frozen=True)
class Thing:
    """What one is certified on: a kind, or one machine. ``names`` are keyed fr, ar, en.

    ``machine_lab_id`` is the lab that owns the machine, None for a kind.
    """

    kind_id: int | None
    machine_id: int | None
    slug: str
    names: dict[str, str]
    machine_lab_id: int | None


@dataclass(frozen=True)
class CertificationView:
    """A certification with the names a person needs to read it. ``zone`` is that of the granting lab."""

    id: int
    member_id: int
    member_name: str
    thing: Thing
    kind_slug: str
    lab_id: int
    lab_slug: str
    lab_names: dict[str, str]
    zone: str
    level: int
    granted_at: datetime
    renewed_at: datetime
    expires_on: date | None
    last_used_at: datetime | None
    suspended_at: datetime | None
    revoked_at: datetime | None
    code: str

    def state(self, now: datetime) -> str:
        """valid, expired, suspended or revoked, by the calendar of the granting lab."""
        return standing(self, now.astimezone(ZoneInfo(self.zone)).date())


@dataclass(frozen=True)
class ChangeView:
    """One change of a certification; ``member_name`` is None for the clock."""

    at: datetime
    change: str
    level: int
    member_id: int | None
    member_name: str | None
    training_id: int | None
    reason: str


def certification(session: Session, certification_id: int) -> CertificationView | None:
    row = session.execute(_all().where(Certification.id == certification_id)).one_or_none()
    return None if row is None else _view(row)


def certification_by_code(session: Session, code: str) -> CertificationView | None:
    """The certification a certificate speaks of; nobody's once the person's data is erased."""
    row = session.execute(_all().where(Certification.code == code, Member.erased_at.is_(None))).one_or_none()
    return None if row is None else _view(row)


def certifications(
    session: Session,
    *,
    member_id: int | None = None,
    lab_id: int | None = None,
    kind_id: int | None = None,
    machine_id: int | None = None,
    after: int | None = None,
    limit: int = 500,
) -> list[CertificationView]:
    """Certifications of a member, granted by a lab, or on a thing; by number, from the one ``after``."""
    query = _all().order_by(Certification.id).limit(limit)
    for column, wanted in (
        (Certification.member_id, member_id),
        (Certification.lab_id, lab_id),
        (Certification.kind_id, kind_id),
        (Certification.machine_id, machine_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if after is not None:
        query = query.where(Certification.id > after)
    return [_view(row) for row in session.execute(query)]


def needing_attention(
    session: Session, lab_ids: Collection[int] | None, until: date, limit: int = 50
) -> list[CertificationView]:
    """What labs (None: all) granted and is suspended or ends by a day, soonest first; revoked ones rest."""
    query = (
        _all()
        .where(
            Certification.revoked_at.is_(None),
            or_(Certification.suspended_at.is_not(None), Certification.expires_on <= until),
            Member.active,
        )
        .order_by(Certification.expires_on, Certification.id)
        .limit(limit)
    )
    if lab_ids is not None:
        query = query.where(Certification.lab_id.in_(lab_ids))
    return [_view(row) for row in session.execute(query)]


def history(session: Session, certification_id: int) -> list[ChangeView]:
    """Every change of a certification, oldest first."""
    return histories(session, [certification_id]).get(certification_id, [])


def histories(session: Session, certification_ids: Collection[int]) -> dict[int, list[ChangeView]]:
    """Every change of each of these certifications, oldest first. One statement, or none for none."""
    found: dict[int, list[ChangeView]] = {}
    if not certification_ids:
        return found
    rows = session.execute(
        select(
            CertificationChange.certification_id,
            CertificationChange.at,
            CertificationChange.change,
            CertificationChange.level,
            CertificationChange.member_id,
            Member.name,
            CertificationChange.training_id,
            CertificationChange.reason,
        )
        .outerjoin(Member, Member.id == CertificationChange.member_id)
        .where(CertificationChange.certification_id.in_(certification_ids))
        .order_by(CertificationChange.id)
    )
    for row in rows:
        found.setdefault(row.certification_id, []).append(ChangeView(*row[1:]))
    return found


def standing_of(session: Session, member_id: int, machine_id: int, now: datetime) -> int:
    """The highest level at which a member may use a machine now, through it or its kind; 0 for none."""
    rows = session.execute(
        select(
            Certification.level,
            Certification.expires_on,
            Certification.suspended_at,
            Certification.revoked_at,
            Lab.zone,
        )
        .join(Lab, Lab.id == Certification.lab_id)
        .join(
            Machine,
            or_(Machine.id == Certification.machine_id, Machine.kind_id == Certification.kind_id),
        )
        .where(Certification.member_id == member_id, Machine.id == machine_id)
    )
    return max(
        (row.level for row in rows if standing(row, now.astimezone(ZoneInfo(row.zone)).date()) == "valid"),
        default=0,
    )


def thing(session: Session, kind: str | None, machine: str | None) -> Thing | None:
    """The kind or the machine with this slug; exactly one of the two is given."""
    if machine is not None:
        found = session.execute(
            select(Machine.id, Machine.slug, Machine.name, Machine.lab_id).where(Machine.slug == machine)
        ).one_or_none()
        return None if found is None else _machine(found.id, found.slug, found.name, found.lab_id)
    row = session.execute(
        select(Kind.id, Kind.slug, Kind.name_fr, Kind.name_ar, Kind.name_en).where(Kind.slug == kind)
    ).one_or_none()
    return None if row is None else Thing(row.id, None, row.slug, names(*row[2:]), None)


def names(fr: str, ar: str, en: str) -> dict[str, str]:
    return dict(zip(LANGUAGES, (fr, ar, en), strict=True))


def thing_of(row: Any) -> Thing:
    """The thing in a row that selects `THING`."""
    if row.machine_id is not None:
        return _machine(row.machine_id, row.machine_slug, row.machine_name, row.machine_lab_id)
    kind_names = names(row.kind_fr, row.kind_ar, row.kind_en)
    return Thing(row.kind_id, None, row.kind_slug, kind_names, None)


# Of a row that outer-joins a machine, and the kind that is named or the machine's.
THING = (
    Machine.id.label("machine_id"),
    Machine.slug.label("machine_slug"),
    Machine.name.label("machine_name"),
    Machine.lab_id.label("machine_lab_id"),
    Kind.id.label("kind_id"),
    Kind.slug.label("kind_slug"),
    Kind.name_fr.label("kind_fr"),
    Kind.name_ar.label("kind_ar"),
    Kind.name_en.label("kind_en"),
)


def _machine(machine_id: int, slug: str, name: str, lab_id: int) -> Thing:
    return Thing(None, machine_id, slug, names(name, name, name), lab_id)


def _all() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Certification.id,
            Certification.member_id,
            Member.name.label("member_name"),
            *THING,
            Certification.lab_id,
            Lab.slug.label("lab_slug"),
            Lab.name_fr.label("lab_fr"),
            Lab.name_ar.label("lab_ar"),
            Lab.name_en.label("lab_en"),
            Lab.zone,
            Certification.level,
            Certification.granted_at,
            Certification.renewed_at,
            Certification.expires_on,
            Certification.last_used_at,
            Certification.suspended_at,
            Certification.revoked_at,
            Certification.code,
        )
        .join(Member, Member.id == Certification.member_id)
        .join(Lab, Lab.id == Certification.lab_id)
        .outerjoin(Machine, Machine.id == Certification.machine_id)
        .join(Kind, or_(Kind.id == Certification.kind_id, Kind.id == Machine.kind_id))
    )


def _view(row: Any) -> CertificationView:
    return CertificationView(
        id=row.id,
        member_id=row.member_id,
        member_name=row.member_name,
        thing=thing_of(row),
        kind_slug=row.kind_slug,
        lab_id=row.lab_id,
        lab_slug=row.lab_slug,
        lab_names=names(row.lab_fr, row.lab_ar, row.lab_en),
        zone=row.zone,
        level=row.level,
        granted_at=row.granted_at,
        renewed_at=row.renewed_at,
        expires_on=row.expires_on,
        last_used_at=row.last_used_at,
        suspended_at=row.suspended_at,
        revoked_at=row.revoked_at,
        code=row.code,
    )
