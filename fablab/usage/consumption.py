"""What was booked and used in an organisation's name; its members' private bookings never count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.bookings.quotas import used_s
from fablab.bookings.rules import COUNTED_STATES
from fablab.bookings.rules_quota import periods
from fablab.machines.rules import Span
from fablab.organisations.queries import QuotaView, quotas


@dataclass(frozen=True)
class Consumed:
    """Sums of bookings that took machines' time, and of what was done in them. Seconds and watt-hours.

    ``used_s`` is how long machines were in use in those bookings, overruns with them; ``energy_wh`` is None
    where no machine has a meter.
    """

    bookings: int
    missed: int
    booked_s: float
    used_s: float
    energy_wh: float | None
    jobs: int
    jobs_finished: int
    jobs_failed: int


NOTHING = Consumed(0, 0, 0.0, 0.0, None, 0, 0, 0)


@dataclass(frozen=True)
class Consumption:
    """The same bookings summed up four times; months by their first day, kinds and members by name."""

    total: Consumed
    by_month: Sequence[tuple[date, Consumed]]
    by_kind: Sequence[tuple[str, str, Consumed]]
    by_member: Sequence[tuple[int, str, Consumed]]


@dataclass(frozen=True)
class QuotaUse:
    """A quota, one of its periods [since, until), and the seconds booked in it so far.

    ``following``, of the present period alone, is the next one: bookings reach into it already.
    """

    quota: QuotaView
    since: datetime
    until: datetime
    booked_s: int
    following: QuotaUse | None = None

    @property
    def left_s(self) -> int:
        return max(0, self.quota.limit_s - self.booked_s)


def consumption(session: Session, organisation_id: int, first: date, last: date) -> Consumption:
    """What the organisation's bookings that start from ``first`` to ``last`` (local days) came to.

    Work counts in the month in which its booking starts. One statement, however many bookings.
    """
    rows = session.execute(
        _SUMS,
        {
            "organisation": organisation_id,
            "states": list(COUNTED_STATES),
            "first": datetime.combine(first, time()),
            "after": datetime.combine(last, time()) + timedelta(days=1),
        },
    )
    total = NOTHING
    months: list[tuple[date, Consumed]] = []
    kinds: list[tuple[str, str, Consumed]] = []
    members: list[tuple[int, str, Consumed]] = []
    for month, kind, kind_name, member_id, member_name, *sums in rows:
        sum_ = Consumed(*sums)
        if month is not None:
            months.append((month, sum_))
        elif kind is not None:
            kinds.append((kind, kind_name, sum_))
        elif member_id is not None:
            members.append((member_id, member_name, sum_))
        else:
            total = sum_
    return Consumption(
        total,
        sorted(months, key=lambda each: each[0]),
        sorted(kinds, key=lambda each: each[1]),
        sorted(members, key=lambda each: (each[1], each[0])),
    )


def quota_use(session: Session, organisation_id: int, now: datetime) -> list[QuotaUse]:
    """Each quota with what is booked in its present period and the next, as the rule counts that refuses.

    Two statements. Missed bookings count: nobody else could have that time.
    """
    held = quotas(session, organisation_id)
    if not held:
        return []
    asked = [(quota, span) for quota in held for span in _present_and_next(quota, now)]
    booked = used_s(session, organisation_id, [(span, quota.kind_id) for quota, span in asked])
    uses = [
        QuotaUse(quota, span.starts_at, span.ends_at, seconds)
        for (quota, span), seconds in zip(asked, booked, strict=True)
    ]
    return [replace(present, following=next_) for present, next_ in zip(uses[::2], uses[1::2], strict=True)]


def _present_and_next(quota: QuotaView, now: datetime) -> tuple[Span, Span]:
    def around(at: datetime) -> Span:
        return periods(Span(at, at + timedelta(seconds=1)), quota.zone, quota.period)[0]

    present = around(now)
    return present, around(present.ends_at)


# Every booking once with its machine's work, then the same rows added up by month, kind, member and all.
_SUMS = text(
    """
WITH made AS (
  SELECT b.id, CAST(date_trunc('month', b.local_starts) AS date) AS month,
         k.slug AS kind, k.name_en AS kind_name, m.id AS member_id, m.name AS member_name,
         b.state = 'missed' AS missed, extract(epoch FROM b.ends_at - b.starts_at) AS booked_s
  FROM booking b
  JOIN machine ON machine.id = b.machine_id
  JOIN kind k ON k.id = machine.kind_id
  JOIN member m ON m.id = b.member_id
  WHERE b.organisation_id = :organisation AND b.state = ANY(CAST(:states AS text[]))
        AND b.local_starts >= :first AND b.local_starts < :after
), used AS (
  SELECT s.booking_id, sum(s.energy_wh) AS energy_wh,
         sum(extract(epoch FROM coalesce(s.ended_at, s.counted_at) - s.started_at)) AS used_s
  FROM usage_session s WHERE s.booking_id IN (SELECT id FROM made) GROUP BY s.booking_id
), done AS (
  SELECT j.booking_id, count(*) AS jobs, count(*) FILTER (WHERE j.outcome = 'finished') AS finished,
         count(*) FILTER (WHERE j.outcome = 'failed') AS failed
  FROM job j WHERE j.booking_id IN (SELECT id FROM made) GROUP BY j.booking_id
)
SELECT month, kind, kind_name, member_id, member_name,
       count(*), count(*) FILTER (WHERE missed), CAST(coalesce(sum(booked_s), 0) AS double precision),
       CAST(coalesce(sum(used_s), 0) AS double precision), sum(energy_wh),
       CAST(coalesce(sum(jobs), 0) AS integer), CAST(coalesce(sum(finished), 0) AS integer),
       CAST(coalesce(sum(failed), 0) AS integer)
FROM made
LEFT JOIN used ON used.booking_id = made.id
LEFT JOIN done ON done.booking_id = made.id
GROUP BY GROUPING SETS ((month), (kind, kind_name), (member_id, member_name), ())
"""
)
