"""Mails about certifications and trainings, each in the language of whom it goes to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.certifications.models import Training
from fablab.certifications.queries import Thing, names
from fablab.machines.models import Lab
from fablab.mail.service import Letter, Recipient, queue_all
from fablab.mail.words import format_when
from fablab.members.models import Member


@dataclass(frozen=True)
class Person:
    """Whom a mail goes to. Nobody writes to an account that is closed."""

    member_id: int
    address: str
    name: str
    language: str
    active: bool


def people(session: Session, member_ids: Collection[int], *, lock: bool = False) -> dict[int, Person]:
    """The members by id. ``lock`` makes whoever changes their certifications wait; taken by ascending id."""
    query = (
        select(Member.id, Member.email, Member.name, Member.language, Member.active)
        .where(Member.id.in_(member_ids), Member.erased_at.is_(None))
        .order_by(Member.id)
    )
    if lock:
        query = query.with_for_update(key_share=True)
    return {row.id: Person(*row) for row in session.execute(query)}


def tell_of_certification(
    session: Session, person: Person, template: str, thing: Thing, now: datetime, **filling: str
) -> None:
    """Put a mail about a certification into the outbox, in the transaction of the act it tells of."""
    tell_all(session, [(person, letter_of_certification(person, template, thing, **filling))], now)


def letter_of_certification(person: Person, template: str, thing: Thing, **filling: str) -> Letter:
    """A mail about a certification: its title is filled in."""
    return _letter(person, template, {"title": thing.names[person.language], **filling})


def tell_all(session: Session, letters: Iterable[tuple[Person, Letter]], now: datetime) -> None:
    """Put mails into the outbox, in two statements, however many; none to accounts that are closed."""
    queue_all(session, [letter for person, letter in letters if person.active], now)


def _letter(person: Person, template: str, filling: Mapping[str, str]) -> Letter:
    to = Recipient(person.address, person.name, person.language, person.member_id)
    return Letter(template, to, filling)


class TrainingLetters:
    """Mails about one training: title, time and place are filled in as each reader reads them."""

    def __init__(self, session: Session, training: Training, base_url: str, now: datetime) -> None:
        lab = session.execute(
            select(Lab.zone, Lab.name_fr, Lab.name_ar, Lab.name_en).where(Lab.id == training.lab_id)
        ).one()
        self._session, self._training, self._now = session, training, now
        self._zone, self._lab_names = lab.zone, names(*lab[1:])
        self._link = f"{base_url}/trainings/{training.id}"

    def send(self, person: Person, template: str) -> None:
        tell_all(self._session, [(person, self._letter(person, template))], self._now)

    def send_all(self, member_ids: Collection[int], template: str) -> None:
        readers = people(self._session, member_ids).values()
        letters = [(person, self._letter(person, template)) for person in readers]
        tell_all(self._session, letters, self._now)

    def _letter(self, person: Person, template: str) -> Letter:
        filling = {
            "title": self._training.title,
            "when": format_when(self._training.starts_at, self._zone, person.language),
            "lab": self._lab_names[person.language],
        }
        if template not in _WITHOUT_LINK:
            filling["link"] = self._link
        return _letter(person, template, filling)


_WITHOUT_LINK = frozenset({"training_waiting", "training_cancelled"})
