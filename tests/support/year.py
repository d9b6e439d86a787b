"""A member with a year behind her: Amina, with a mark in every field that can hold something about her."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange, Occupancy, Participant
from fablab.certifications.models import Certification, CertificationChange, Enrolment, Training
from fablab.mail.models import Mail
from fablab.members import audit
from fablab.members.models import GuardianConsent, Member, Role, Token
from fablab.members.rules import Actor
from fablab.members.search import sought
from fablab.organisations.models import Invitation, Membership, Organisation, Project
from fablab.settings import Settings
from fablab.signin.models import (
    Authenticator,
    LinkRequest,
    MailLink,
    Passkey,
    ProviderIdentity,
    RecoveryCode,
    SignInSession,
)
from fablab.telemetry.models import DeadLetter, StatusChange
from fablab.telemetry.partitions import make_partitions
from fablab.telemetry.service import apply_batch
from fablab.usage.models import Job, UsageSession
from fablab.web.models import Idempotency
from tests.fixtures_cast import ZONE, Cast
from tests.support.bridges import Outbox, add_bridge, incoming, job_status

# Stands in everything of Amina's, and in nothing of anybody else's.
MARK = "zq7"
NAME, EMAIL, FILE = f"Amina {MARK} Élodie", f"{MARK}.amina@example.org", f"{MARK}-vase.gcode"
# Stands in what is others': it must be there afterwards as it was before.
OTHERS = "kw3"
DAYS = 365
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass
class Year:
    """What was made, by number."""

    member: int
    bookings: list[int] = field(default_factory=list)
    to_come: list[int] = field(default_factory=list)
    organisations: dict[str, int] = field(default_factory=dict)
    certificate: str = ""
    training_to_come: int = 0


def live_a_year(session: Session, cast: Cast, settings: Settings, now: datetime) -> Year:
    """Write it all; the caller commits."""
    year = Year(cast.members["amina"])
    session.execute(
        update(Member)
        .where(Member.id == year.member)
        .values(
            name=NAME,
            email=EMAIL,
            sought=sought(NAME, EMAIL),
            birth_on=date(2009, 7, 7),
            email_verified_at=now - DAYS * DAY,
            language="en",
        )
    )
    _account(session, year, cast, now)
    _belonging(session, year, cast, now)
    _learning(session, year, cast, now)
    _bookings(session, year, cast, now)
    _machines(session, year, cast, settings, now)
    _mentions(session, year, cast, now)
    return year


def digest(word: str) -> bytes:
    return hashlib.sha256(word.encode()).digest()


def marked(word: str) -> bytes:
    """32 bytes with the mark in them."""
    return f"{MARK}{word}".encode().ljust(32, b".")[:32]


def _account(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    me = year.member
    session.add_all(
        [
            Role(member_id=me, role="trainer", lab_id=cast.labs["tanger"]),
            Token(member_id=me, name=f"{MARK} token", digest=marked("token"), scope="read", created_at=now),
            GuardianConsent(
                member_id=me,
                guardian_name=f"{MARK} guardian",
                guardian_email=f"{MARK}.guardian@example.org",
                words=f"{MARK} words",
                given_on=now.date(),
                recorded_at=now,
                recorded_by_id=cast.members["salma"],
            ),
            SignInSession(
                member_id=me,
                digest=marked("session"),
                method=f"oidc:{MARK}",
                created_at=now,
                seen_at=now,
                expires_at=now + DAY,
                idle_s=3600,
                address=f"{MARK}.1.2.3",
                browser=f"{MARK} browser",
            ),
            MailLink(
                member_id=me,
                purpose="address",
                digest=marked("link"),
                email=f"{MARK}.other@example.org",
                created_at=now,
                expires_at=now + HOUR,
                used_at=now,
            ),
            MailLink(
                purpose="join",
                digest=marked("join"),
                email=EMAIL.upper(),
                pending={"name": f"{MARK} pending"},
                created_at=now,
                expires_at=now + HOUR,
            ),
            LinkRequest(purpose="join", email=EMAIL, pending={"name": f"{MARK} asked"}, created_at=now),
            ProviderIdentity(member_id=me, provider=f"{MARK}-idp", subject=f"{MARK}-sub", created_at=now),
            Authenticator(member_id=me, secret=marked("totp"), created_at=now, confirmed_at=now),
            RecoveryCode(member_id=me, digest=marked("recovery")),
            Passkey(
                member_id=me,
                name=f"{MARK} key",
                credential_id=marked("credential"),
                public_key=marked("public"),
                created_at=now,
            ),
            Idempotency(
                member_id=me,
                key=f"{MARK}-key",
                digest=f"{MARK}-digest",
                status=201,
                body=f"{MARK} body",
                created_at=now,
            ),
            Mail(
                member_id=me,
                address=EMAIL,
                language="en",
                template=f"{MARK}-template",
                filling={"name": NAME},
                created_at=now,
                due_at=now,
                trouble=f"550 {EMAIL}",
            ),
            Mail(
                address=f"{MARK}.OTHER@example.org",
                language="en",
                template="invitation",
                filling={"name": MARK},
                created_at=now,
                due_at=now,
            ),
        ]
    )
    address = f"{MARK}.9.9.9"
    oneself = Actor(me, NAME, address=address)
    for number in range(40):
        at = now - number * 9 * DAY
        audit.record(session, oneself, "token.add", f"token {number}", at, "scope read", on_member_id=me)
    audit.record(session, cast.actors["salma"], "role.grant", "trainer", now, on_member_id=me)
    session.flush()


def _belonging(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    def organisation(slug: str, name: str, kind: str, **members: bool) -> int:
        row = Organisation(slug=slug, name=name, kind=kind, tariff_category="standard", created_at=now)
        session.add(row)
        session.flush()
        for who, owner in members.items():
            session.add(
                Membership(organisation_id=row.id, member_id=cast.members[who], owner=owner, since=now)
            )
        return row.id

    alone = organisation(f"{MARK}-alone", f"{MARK} alone", "startup", amina=True)
    single = organisation(f"{MARK}-self", f"{MARK} self", "individual", amina=True)
    club = organisation(f"{OTHERS}-club", f"{OTHERS} club", "school_club", amina=False, youssef=True)
    year.organisations = {"alone": alone, "single": single, "club": club}
    for where, name in ((None, f"{MARK} own"), (alone, f"{MARK} theirs"), (club, f"{OTHERS} project")):
        session.add(
            Project(organisation_id=where, member_id=year.member, name=name, filiere="metal", created_at=now)
        )
    for number, (email, by) in enumerate(((EMAIL, "youssef"), (f"{OTHERS}@example.org", "amina"))):
        session.add(
            Invitation(
                organisation_id=club,
                email=email,
                digest=marked("invited") if number == 0 else digest(email),
                invited_by_id=cast.members[by],
                created_at=now,
                expires_at=now + DAY,
            )
        )
    session.flush()


def _learning(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    laser = cast.machines["tanger-laser-1"]

    def training(title: str, starts_at: datetime, trainer: str, closed: bool) -> Training:
        row = Training(
            lab_id=cast.labs["tanger"],
            machine_id=laser,
            level=1,
            title=title,
            starts_at=starts_at,
            ends_at=starts_at + 2 * HOUR,
            places=1,
            trainer_id=cast.members[trainer],
            created_at=now - 100 * DAY,
            closed_at=starts_at + 3 * HOUR if closed else None,
        )
        session.add(row)
        session.flush()
        return row

    past = training("Laser, first steps", now - 50 * DAY, "salma", True)
    led = training("Laser, given by Amina", now - 30 * DAY, "amina", True)
    coming = training("Laser, next month", now + 20 * DAY, "salma", False)
    year.training_to_come = coming.id
    for which, who, state in (
        (past, "amina", "attended"),
        (led, "youssef", "attended"),
        (coming, "amina", "enrolled"),
        (coming, "youssef", "waiting"),
    ):
        session.add(
            Enrolment(
                training_id=which.id,
                member_id=cast.members[who],
                state=state,
                enrolled_at=now - 60 * DAY,
                changed_at=now - 60 * DAY,
            )
        )
    year.certificate = f"{MARK}certificate"
    for who, code, by, why in (
        ("amina", year.certificate, "salma", f"{MARK} reason"),
        ("youssef", f"{OTHERS}certificate", "amina", f"{OTHERS} reason"),
    ):
        row = Certification(
            member_id=cast.members[who],
            machine_id=laser,
            lab_id=cast.labs["tanger"],
            level=1,
            granted_at=now - 50 * DAY,
            renewed_at=now - 50 * DAY,
            code=code,
        )
        session.add(row)
        session.flush()
        session.add(
            CertificationChange(
                certification_id=row.id,
                at=now - 50 * DAY,
                member_id=cast.members[by],
                change="granted",
                level=1,
                reason=why,
            )
        )
    session.flush()


def _bookings(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    """A booking every second day with its job and its session; every tenth a group; three still to come."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for ago in range(DAYS, -8, -2):
        starts_at = today - ago * DAY + 10 * HOUR
        if now - 2 * DAY < starts_at <= now:
            continue
        over = starts_at < now
        state = ("completed", "completed", "missed", "cancelled")[ago % 4] if over else "confirmed"
        booking_id = _booking(session, year, cast, "amina", starts_at, state, now)
        (year.bookings if over else year.to_come).append(booking_id)
        if state == "completed":
            _work(session, cast, year.member, booking_id, starts_at)
    others = _booking(session, year, cast, "youssef", today - 9 * DAY + 15 * HOUR, "completed", now)
    ahead = _booking(session, year, cast, "salma", today + 9 * DAY + 15 * HOUR, "confirmed", now)
    for booking_id, member, name in (
        (others, year.member, f"{MARK} with you"),
        (ahead, None, EMAIL),
        (others, cast.members["salma"], f"{OTHERS} salma"),
    ):
        session.add(Participant(booking_id=booking_id, member_id=member, name=name))
    session.flush()


def _booking(
    session: Session, year: Year, cast: Cast, who: str, starts_at: datetime, state: str, now: datetime
) -> int:
    machine = "tanger-prusa-1"
    zone = ZoneInfo(ZONE)
    mark = MARK if who == "amina" else OTHERS
    ends_at = starts_at + 2 * HOUR
    group = starts_at.day % 5 == 0
    row = Booking(
        machine_id=cast.machines[machine],
        lab_id=cast.labs["tanger"],
        member_id=cast.members[who],
        created_by_id=cast.members[who if not group else "salma"],
        starts_at=starts_at,
        ends_at=ends_at,
        zone=ZONE,
        local_starts=starts_at.astimezone(zone).replace(tzinfo=None),
        local_ends=ends_at.astimezone(zone).replace(tzinfo=None),
        state=state,
        purpose=f"{mark} purpose",
        created_at=starts_at - 3 * DAY,
        head_count=3 if group else 1,
    )
    session.add(row)
    session.flush()
    if group and who == "amina":
        session.add(Participant(booking_id=row.id, name=f"{MARK} pupil"))
        session.add(
            Participant(booking_id=row.id, member_id=cast.members["youssef"], name=f"{OTHERS} youssef")
        )
    session.add(
        BookingChange(
            booking_id=row.id,
            at=starts_at - 3 * DAY,
            made_by="member",
            member_id=cast.members[who],
            to_state="confirmed",
            reason=f"{mark} reason",
        )
    )
    if state != "cancelled":
        session.add(
            Occupancy(
                lab_id=cast.labs["tanger"],
                unit_id=cast.units[machine],
                starts_at=starts_at,
                ends_at=ends_at,
                kind="booking",
                booking_id=row.id,
            )
        )
    return row.id


def _work(session: Session, cast: Cast, member: int, booking_id: int, starts_at: datetime) -> None:
    where = {"machine_id": cast.machines["tanger-prusa-1"], "lab_id": cast.labs["tanger"]}
    job = Job(
        id=uuid.uuid4(),
        **where,
        file=FILE,
        started_at=starts_at,
        ended_at=starts_at + HOUR,
        outcome=("finished", "failed", "cancelled", "interrupted")[starts_at.day % 4],
        reason=f"{MARK} said the machine",
        print_time_s=3500,
        elapsed_s=3600,
        filament_mm=1200,
        owner=f"{MARK}-octoprint",
        booking_id=booking_id,
        member_id=member,
    )
    session.add(job)
    session.flush()
    session.add(
        UsageSession(
            **where,
            job_id=job.id,
            booking_id=booking_id,
            member_id=member,
            started_at=starts_at,
            ended_at=starts_at + 1.5 * HOUR,
            busy_s=3600,
            idle_s=1800,
            busy=False,
            counted_at=starts_at + 1.5 * HOUR,
            energy_wh=150.5,
            stop_reason="job_ended",
        )
    )


def _machines(session: Session, year: Year, cast: Cast, settings: Settings, now: datetime) -> None:
    """An hour of work as a bridge tells of it, in a booking of yesterday; the newest word still names it."""
    starts_at = (now - DAY).replace(minute=0, second=0, microsecond=0)
    booking_id = _booking(session, year, cast, "amina", starts_at, "completed", now)
    year.bookings.append(booking_id)
    make_partitions(session, now, settings.telemetry)
    add_bridge(session, cast.labs["tanger"], "tanger", now - DAYS * DAY)
    outbox, job = Outbox("tanger", start=starts_at), uuid.uuid4()
    printer = "tanger-prusa-1"
    named = {"file": FILE, "owner": f"{MARK}-octoprint"}
    messages: list[tuple[str, Any]] = [
        outbox.presence(),
        outbox.job(printer, "job_started", job, 60, 60, **named),
        outbox.status(printer, "running", 61, job=job_status(job, **named)),
        outbox.hot(printer, 120),
        outbox.status(
            printer, "error", 1800, detail=f"Cannot read {FILE.upper()}", job=job_status(job, **named)
        ),
        outbox.job(printer, "job_ended", job, 1860, 60, 1860, "failed", reason=f"{MARK} jam", **named),
        (
            f"fablab/1/tanger/{printer}/event",
            json.dumps({"job": {"file": FILE.upper(), "owner": NAME}}).encode(),
        ),
        (f"fablab/1/tanger/{printer}/event", b'{"kw3": "others\' bad message"}'),
    ]
    apply_batch(session, [incoming(topic, word, now) for topic, word in messages], settings)
    session.flush()


def _mentions(session: Session, year: Year, cast: Cast, now: datetime) -> None:
    """What others or machines wrote that names her."""
    session.add_all(
        [
            Idempotency(
                member_id=cast.members["salma"],
                key="for-amina",
                digest="0" * 64,
                status=201,
                body=json.dumps({"member": {"name": f"{OTHERS} name"}}),
                created_at=now,
            ),
            Mail(
                member_id=cast.members["youssef"],
                address="youssef@example.org",
                language="fr",
                template="invitation",
                filling={"inviter": NAME},
                created_at=now,
                due_at=now,
                given_up_at=now,
            ),
            StatusChange(
                machine_id=cast.machines["tanger-prusa-1"],
                lab_id=cast.labs["tanger"],
                at=now - DAY + HOUR,
                to_state="error",
                detail=f"{OTHERS}: door open",
            ),
            DeadLetter(
                received_at=now,
                topic=f"fablab/1/tanger/{EMAIL}/event",
                payload=json.dumps({"who": NAME}).encode(),
                size=1,
                reason=f"nobody knows {EMAIL}",
            ),
        ]
    )
    session.flush()


def find(session: Session, word: str) -> set[tuple[str, str]]:
    """Every column of every table in which the word stands, in whatever case: (table, column)."""
    columns = session.execute(
        text(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns AS c "
            "JOIN information_schema.tables AS t USING (table_schema, table_name) "
            "WHERE table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type IN "
            "('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY', 'tsvector', "
            "'inet', 'xml', 'USER-DEFINED')"
        )
    ).all()
    assert len(columns) > 80
    found = set()
    for table, column, kind in columns:
        said = f"encode({column}, 'escape')" if kind == "bytea" else f"CAST({column} AS text)"
        query = f"SELECT EXISTS (SELECT FROM {table} WHERE position(:word IN lower({said})) > 0)"
        if session.scalar(text(query), {"word": word.lower()}):
            found.add((table, column))
    return found
