"""Whoever erases an account takes nothing of others along, and cannot be hindered by them."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.models import Occupancy
from fablab.clock import utc_now
from fablab.data_rights import erasure
from fablab.data_rights.queries import addresses, person
from fablab.data_rights.service import erase
from fablab.db import transaction
from fablab.errors import DomainError
from fablab.mail.models import Mail
from fablab.members.models import Member, Role
from fablab.members.rules import Actor
from fablab.organisations import service
from fablab.organisations.catalogue import catalogue
from fablab.organisations.models import Invitation, Membership, Organisation
from fablab.signin.models import MailLink
from fablab.telemetry.models import DeadLetter
from fablab.usage.models import Job
from fablab.web.models import Idempotency
from tests.fixtures_cast import Cast
from tests.support.clients import at_once

BASE = "http://localhost"
STRANGER = "stranger@example.org"


@pytest.fixture
def now() -> datetime:
    return utc_now().replace(microsecond=0)


def link(session: Session, member_id: int, email: str, now: datetime, used: bool, purpose: str) -> None:
    session.add(
        MailLink(
            member_id=member_id,
            purpose=purpose,
            digest=f"{email}{purpose}".encode().ljust(32)[:32],
            email=email,
            created_at=now,
            expires_at=now + timedelta(hours=1),
            used_at=now if used else None,
        )
    )
    session.flush()


def known(session: Session, member_id: int) -> tuple[str, ...]:
    who = person(session, member_id)
    assert who is not None
    return addresses(session, who)


# ---- whose an address is


def test_an_address_nobody_confirmed_is_not_the_member_s(session: Session, cast: Cast, now: datetime) -> None:
    link(session, cast.members["amina"], STRANGER, now, False, "address")
    assert known(session, cast.members["amina"]) == ("amina@example.org",)


def test_a_confirmed_one_is_until_somebody_else_has_it(session: Session, cast: Cast, now: datetime) -> None:
    link(session, cast.members["amina"], "Second@example.org", now, True, "address")
    link(session, cast.members["amina"], "YOUSSEF@example.org", now, True, "address")
    assert known(session, cast.members["amina"]) == ("amina@example.org", "second@example.org")


def test_mails_and_invitations_of_a_stranger_survive(session: Session, cast: Cast, now: datetime) -> None:
    link(session, cast.members["amina"], STRANGER, now, False, "address")
    club = service.found(session, cast.actors["youssef"], "Club", "school_club", catalogue(), now)
    session.add(
        Invitation(
            organisation_id=club.id,
            email=STRANGER,
            digest=b"s" * 32,
            invited_by_id=cast.members["youssef"],
            created_at=now,
            expires_at=now + timedelta(days=7),
        )
    )
    session.add(
        Mail(address=STRANGER, language="fr", template="invitation", filling={}, created_at=now, due_at=now)
    )
    session.flush()
    erase(session, cast.actors["amina"], cast.members["amina"], now, BASE)
    assert session.scalars(select(Invitation.email)).all() == [STRANGER]
    assert STRANGER in session.scalars(select(Mail.address)).all()


# ---- what mentions the member


@pytest.mark.parametrize("name", ["Ali", "Ali Ben"])
def test_a_short_name_or_file_destroys_nothing_of_others(
    session: Session, cast: Cast, now: datetime, name: str
) -> None:
    me, machine = cast.members["amina"], cast.machines["tanger-prusa-1"]
    session.execute(update(Member).where(Member.id == me).values(name=name))
    session.add(
        Job(
            id="11111111-2222-3333-4444-555555555555",
            machine_id=machine,
            lab_id=cast.labs["tanger"],
            member_id=me,
            file="job",
            started_at=now - timedelta(hours=3),
            ended_at=now - timedelta(hours=2),
            outcome="finished",
        )
    )
    session.add(
        Idempotency(
            member_id=cast.members["youssef"],
            key="k",
            digest="0" * 64,
            status=201,
            body='{"quality": 1, "name": "Ali Ben Salah"}',
            created_at=now,
        )
    )
    others = [
        ("fablab/1/tanger/tanger-prusa-1/event", b'{"quality": "Vitali Bendix", "jobs": 3}'),
        ("fablab/1/tanger/tanger-laser-1/event", b'{"file": "job", "who": "Ali"}'),
        ("fablab/1/tanger/tanger-prusa-1/event", b'{"from": "not.amina@example.org.ma"}'),
    ]
    for topic, payload in others:
        session.add(DeadLetter(received_at=now, topic=topic, payload=payload, size=1, reason="unread"))
    session.flush()
    erase(session, cast.actors["amina"], me, now, BASE)
    assert session.scalars(select(Idempotency.member_id)).all() == [cast.members["youssef"]]
    left = session.scalars(select(DeadLetter.payload).order_by(DeadLetter.id)).all()
    assert left == [payload for _, payload in others]


@pytest.mark.parametrize(
    "payload",
    [
        '{"who": "AMINA@example.org"}',
        r'{"text": "by\namina@example.org\n"}',
        '{"who": "Amina B. Élodie"}',
        r'{"who": "Amina B. \u00c9lodie"}',
        '{"id": "11111111-2222-3333-4444-555555555555"}',
        '{"file": "job", "state": "done"}',
    ],
)
def test_what_does_mention_the_member_goes(session: Session, cast: Cast, now: datetime, payload: str) -> None:
    me = cast.members["amina"]
    session.execute(update(Member).where(Member.id == me).values(name="Amina B. Élodie"))
    session.add(
        Job(
            id="11111111-2222-3333-4444-555555555555",
            machine_id=cast.machines["tanger-prusa-1"],
            lab_id=cast.labs["tanger"],
            member_id=me,
            file="job",
            started_at=now - timedelta(hours=3),
            ended_at=now - timedelta(hours=2),
            outcome="finished",
        )
    )
    topic = "fablab/1/tanger/tanger-prusa-1/event"
    session.add(DeadLetter(received_at=now, topic=topic, payload=payload.encode(), size=1, reason="unread"))
    session.flush()
    erase(session, cast.actors["amina"], me, now, BASE)
    assert session.scalars(select(DeadLetter.payload)).all() == [b""]


# ---- the last administrator


def test_two_admins_who_erase_themselves_at_once_leave_one(
    sessions: sessionmaker[Session], cast: Cast, now: datetime
) -> None:
    second = cast.members["youssef"]
    with transaction(sessions) as session:
        session.add(Role(member_id=second, role="admin"))
    barrier = threading.Barrier(2)

    def go(member_id: int) -> str:
        try:
            with transaction(sessions) as session:
                session.execute(text("SELECT 1"))
                barrier.wait(30)
                erase(session, Actor(member_id, ""), member_id, now, BASE)
        except DomainError as error:
            return error.refusals[0].code
        return "erased"

    done = at_once([partial(go, cast.members["admin"]), partial(go, second)])
    assert sorted(done) == ["erased", "last_admin"]
    with transaction(sessions) as session:
        assert session.scalar(select(func.count()).select_from(Role).where(Role.role == "admin")) == 1


# ---- organisations


@pytest.mark.parametrize("name", ["Closed organisation {}", "Organisation {}"])
def test_nobody_hinders_an_erasure_by_taking_a_name(
    session: Session, cast: Cast, now: datetime, name: str
) -> None:
    alone = service.found(session, cast.actors["amina"], "Amina B.", "individual", catalogue(), now)
    service.found(session, cast.actors["youssef"], name.format(alone.id), "startup", catalogue(), now)
    erase(session, cast.actors["amina"], cast.members["amina"], now, BASE)
    row = session.get_one(Organisation, alone.id, populate_existing=True)
    assert row.name == f"Closed organisation {alone.id}"
    assert row.slug.startswith(f"closed-organisation-{alone.id}-")
    assert row.closed_at == now


def test_an_erasure_holds_the_organisations_before_it_gives_back_any_time(
    sessions: sessionmaker[Session], cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a booking does; in another order the two would wait for each other for ever."""
    with transaction(sessions) as session:
        club = service.found(session, cast.actors["youssef"], "Club", "school_club", catalogue(), now)
        session.add(
            Membership(organisation_id=club.id, member_id=cast.members["amina"], owner=False, since=now)
        )
    free: list[bool] = []

    def look(*_: object) -> list[int]:
        with sessions() as other:
            found = select(Organisation.id).where(Organisation.id == club.id)
            free.append(other.scalar(found.with_for_update(skip_locked=True, key_share=True)) is not None)
        return []

    monkeypatch.setattr(erasure, "bookings_to_come", look)
    with transaction(sessions) as session:
        erase(session, cast.actors["amina"], cast.members["amina"], now, BASE)
    assert free == [False]
    with transaction(sessions) as session:
        assert not session.scalars(select(Occupancy.id)).all()


# ---- the goodbye


def test_without_a_way_out_for_mails_nothing_personal_waits_for_one(
    session: Session, cast: Cast, now: datetime
) -> None:
    erase(session, cast.actors["amina"], cast.members["amina"], now, BASE, goodbye=False)
    assert session.scalars(select(Mail)).all() == []
