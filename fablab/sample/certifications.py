"""The sample's certifications, and its trainings: one that was, and two that are coming."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.certifications.grants import new_code
from fablab.certifications.models import Certification, CertificationChange, Enrolment, Training
from fablab.certifications.rules import add_months
from fablab.machines.models import Kind, Lab
from fablab.sample.network import ZONE
from fablab.sample.people import MAKERS

PRINTER, LASER = "3d-printer", "laser-cutter"
VALID_MONTHS = 24
# Beside Amina: how many of a hundred makers are certified on a kind.
CERTIFIED = {PRINTER: 70, LASER: 45}


def add_certifications(session: Session, member_ids: dict[str, int], now: datetime) -> None:
    """Amina on both kinds, Youssef on none, most others on something; trainings in Tanger.

    ``member_ids`` are the sample's people by address.
    """
    kinds = {row.slug: row.id for row in session.execute(select(Kind.slug, Kind.id))}
    labs = {row.slug: row.id for row in session.execute(select(Lab.slug, Lab.id))}
    trainers = {"rabat": member_ids["karim@example.org"]}
    salma = member_ids["salma@example.org"]
    for kind in (PRINTER, LASER):
        _held(session, member_ids["amina@example.org"], kinds[kind], labs["tanger"], 2, 80, salma, now)
    for maker in MAKERS:
        chance = random.Random(maker.email)  # noqa: S311  (a sample, no secret)
        for kind, share in CERTIFIED.items():
            if chance.random() * 100 < share:
                level, days = chance.choice((1, 1, 2, 2, 2, 3)), chance.randrange(40, 680)
                trainer = trainers.get(maker.home, salma)
                _held(
                    session, member_ids[maker.email], kinds[kind], labs[maker.home], level, days, trainer, now
                )
    _trainings(session, member_ids, kinds, labs["tanger"], salma, now)


def _held(
    session: Session,
    member_id: int,
    kind_id: int,
    lab_id: int,
    level: int,
    days: int,
    trainer_id: int,
    now: datetime,
) -> None:
    """One certification granted so many days ago."""
    at, suspended_at = now - timedelta(days=days), now - timedelta(days=9)
    row = Certification(
        member_id=member_id,
        kind_id=kind_id,
        lab_id=lab_id,
        level=level,
        granted_at=at,
        renewed_at=at,
        expires_on=add_months(at.date(), VALID_MONTHS),
        # The sample's own sessions tell of the last weeks; this stands for what was before.
        last_used_at=max(at, now - timedelta(days=days % 150)),
        # A few were away for long.
        suspended_at=suspended_at if days > 560 else None,
        code=new_code(),
    )
    session.add(row)
    session.flush()
    told = {"certification_id": row.id, "level": level}
    session.add(CertificationChange(at=at, member_id=trainer_id, change="granted", **told))
    if row.suspended_at is not None:
        row.last_used_at = suspended_at - timedelta(days=366)
        session.add(
            CertificationChange(at=suspended_at, change="suspended", reason="Not used for 12 months.", **told)
        )


def _trainings(
    session: Session,
    member_ids: dict[str, int],
    kinds: dict[str, int],
    lab_id: int,
    trainer_id: int,
    now: datetime,
) -> None:
    today = now.astimezone(ZoneInfo(ZONE)).date()
    tanger = [maker.email for maker in MAKERS if maker.home == "tanger"]
    past = _training(
        session, kinds[PRINTER], lab_id, trainer_id, now, 1,
        "Premiers pas en impression 3D", "", _weekday(today - timedelta(days=20)), 8,
    )  # fmt: skip
    past.closed_at = past.ends_at
    for email in tanger[:4]:
        _enrol(session, past, member_ids[email], "attended" if email != tanger[3] else "absent", now)
    prints = _training(
        session, kinds[PRINTER], lab_id, trainer_id, now, 1,
        "Premiers pas en impression 3D",
        "Nous préparons, imprimons et réparons une petite pièce.\nVenez avec un fichier STL.",
        _weekday(today + timedelta(days=4)), 8,
    )  # fmt: skip
    for email in tanger[4:7]:
        _enrol(session, prints, member_ids[email], "enrolled", now)
    laser = _training(
        session, kinds[LASER], lab_id, trainer_id, now, 2,
        "Découpe laser en autonomie",
        "Réglages, ventilation, sécurité. Venez avec un dessin en SVG : le bois est sur place.",
        _weekday(today + timedelta(days=9)), 4,
    )  # fmt: skip
    for email in tanger[:4]:
        _enrol(session, laser, member_ids[email], "enrolled", now)
    _enrol(session, laser, member_ids[tanger[4]], "waiting", now)


def _training(
    session: Session,
    kind_id: int,
    lab_id: int,
    trainer_id: int,
    now: datetime,
    level: int,
    title: str,
    notes: str,
    on: date,
    places: int,
) -> Training:
    """Three hours on an afternoon of the lab's wall clock."""
    starts = datetime.combine(on, time(14, 30), ZoneInfo(ZONE))
    row = Training(
        lab_id=lab_id,
        kind_id=kind_id,
        level=level,
        title=title,
        notes=notes,
        starts_at=starts,
        ends_at=starts + timedelta(hours=3),
        places=places,
        trainer_id=trainer_id,
        created_at=min(starts, now) - timedelta(days=14),
    )
    session.add(row)
    session.flush()
    return row


def _enrol(session: Session, training: Training, member_id: int, state: str, now: datetime) -> None:
    at = min(training.starts_at, now) - timedelta(days=3)
    session.add(
        Enrolment(
            training_id=training.id,
            member_id=member_id,
            state=state,
            enrolled_at=at + timedelta(seconds=member_id),
            changed_at=at,
        )
    )


def _weekday(day: date) -> date:
    """That day, or the Monday after when it is a Sunday."""
    return day + timedelta(days=1) if day.weekday() == 6 else day
