"""A year of an account: its ways in, its mails, what it belongs to, and who wrote of it."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy.orm import Session

from fablab.mail.models import Mail
from fablab.members import audit
from fablab.members.models import GuardianConsent, Role
from fablab.members.rules import Actor
from fablab.organisations.models import Invitation, Membership, Organisation, Project
from fablab.signin.models import (
    Authenticator,
    LinkRequest,
    MailLink,
    Passkey,
    ProviderIdentity,
    RecoveryCode,
    SignInSession,
    Token,
)
from fablab.telemetry.models import DeadLetter, StatusChange
from fablab.web.models import Idempotency
from tests.fixtures_cast import Cast
from tests.support.year_marks import DAY, EMAIL, HOUR, MARK, NAME, OTHERS, Year, digest, marked


def account(session: Session, year: Year, cast: Cast, now: datetime) -> None:
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


def belonging(session: Session, year: Year, cast: Cast, now: datetime) -> None:
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


def mentions(session: Session, year: Year, cast: Cast, now: datetime) -> None:
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
