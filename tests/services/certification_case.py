"""Acting on certifications and trainings in a test: short words for long calls."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.certifications import enrolments, grants, trainings
from fablab.certifications.models import CertificationChange
from fablab.certifications.queries import CertificationView, Thing, thing
from fablab.certifications.rules import Policy
from fablab.certifications.training_queries import TrainingView
from fablab.mail.models import Mail
from fablab.members.models import Audit
from fablab.settings import Settings
from tests.fixtures_cast import Cast

BASE = "https://fablab.example.org"


class Case:
    """One session and the cast in it."""

    def __init__(self, session: Session, cast: Cast, settings: Settings, now: datetime) -> None:
        self.session, self.cast, self.settings, self.now = session, cast, settings, now
        self.policy = Policy(**dataclasses.asdict(settings.certifications))

    def thing(self, slug: str) -> Thing:
        machine = slug in self.cast.machines
        found = thing(self.session, None if machine else slug, slug if machine else None)
        assert found is not None
        return found

    def grant(
        self, by: str, to: str, on: str = "3d-printer", level: int = 2, **more: Any
    ) -> CertificationView:
        now = more.pop("now", self.now)
        return grants.grant(
            self.session,
            self.cast.actors[by],
            self.cast.members[to],
            self.thing(on),
            level,
            now,
            self.policy,
            BASE,
            **more,
        )

    def plan(
        self, by: str = "salma", lab: str = "tanger", on: str = "3d-printer", **more: Any
    ) -> TrainingView:
        starts = more.pop("starts_at", self.now + timedelta(days=2))
        return trainings.plan_training(
            self.session,
            self.cast.actors[by],
            self.cast.labs[lab],
            self.thing(on),
            more.pop("level", 1),
            more.pop("title", "First print"),
            starts,
            more.pop("ends_at", starts + timedelta(hours=3)),
            more.pop("places", 2),
            more.pop("now", self.now),
            **more,
        )

    def enrol(self, by: str, training: TrainingView, other: str | None = None, **more: Any) -> TrainingView:
        now = more.pop("now", self.now)
        member_id = self.cast.members[other] if other else None
        return enrolments.enrol(
            self.session, self.cast.actors[by], training.id, now, BASE, member_id=member_id
        )

    def leave(self, by: str, training: TrainingView, other: str | None = None, **more: Any) -> TrainingView:
        now = more.pop("now", self.now)
        member_id = self.cast.members[other] if other else None
        return enrolments.leave(
            self.session, self.cast.actors[by], training.id, now, BASE, member_id=member_id
        )

    def close(self, by: str, training: TrainingView, attended: list[str], **more: Any) -> TrainingView:
        now = more.pop("now", training.ends_at)
        came = [self.cast.members[each] for each in attended]
        return trainings.close_training(
            self.session, self.cast.actors[by], training.id, came, now, self.policy, BASE
        )

    def mails(self, to: str | None = None) -> list[str]:
        """Templates of the mails written so far, in order."""
        self.session.flush()
        query = select(Mail.template).order_by(Mail.id)
        if to is not None:
            query = query.where(Mail.member_id == self.cast.members[to])
        return list(self.session.scalars(query))

    def changes(self, certification_id: int) -> list[tuple[str, int]]:
        return [
            (row.change, row.level)
            for row in self.session.scalars(
                select(CertificationChange)
                .where(CertificationChange.certification_id == certification_id)
                .order_by(CertificationChange.id)
            )
        ]

    def audited(self, on: str | None = None) -> list[str]:
        query = select(Audit.action).order_by(Audit.id)
        if on is not None:
            query = query.where(Audit.on_member_id == self.cast.members[on])
        return list(self.session.scalars(query))
