"""What an organisation has booked of its quotas, read in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, DateTime, bindparam, text
from sqlalchemy.orm import Session

from fablab.bookings.facts import LONGEST_DAYS, QuotaUse
from fablab.bookings.rules import HOLDING_STATES
from fablab.bookings.rules_quota import periods, seconds_within
from fablab.machines.rules import Span
from fablab.organisations.queries import QuotaView

# A booking that reaches into a period began at most the longest span before it: the index stops there.
_USED = text(
    f"""
    SELECT wanted.number, (
        SELECT coalesce(sum(extract(epoch FROM least(booking.ends_at, wanted.ends_at)
                                             - greatest(booking.starts_at, wanted.starts_at))), 0)::bigint
        FROM booking JOIN machine ON machine.id = booking.machine_id
        WHERE booking.organisation_id = :organisation AND booking.state = ANY(:states)
          AND booking.starts_at < wanted.ends_at AND booking.ends_at > wanted.starts_at
          AND booking.starts_at > wanted.starts_at - interval '{LONGEST_DAYS} days'
          AND (wanted.kind_id IS NULL OR machine.kind_id = wanted.kind_id)
          AND booking.id <> ALL(CAST(:but AS bigint[]))
    )
    FROM unnest(:starts, :ends, :kinds) WITH ORDINALITY AS wanted(starts_at, ends_at, kind_id, number)
    ORDER BY wanted.number
    """  # noqa: S608 - a number of ours
).bindparams(
    bindparam("starts", type_=ARRAY(DateTime(timezone=True))),
    bindparam("ends", type_=ARRAY(DateTime(timezone=True))),
    bindparam("kinds", type_=ARRAY(BigInteger)),
)


@dataclass(frozen=True)
class Wish:
    """What a booking would add: its span on a machine of this kind."""

    kind_id: int
    kind_name: str
    span: Span


def quota_uses(
    session: Session,
    organisation_id: int,
    organisation: str,
    quotas: Sequence[QuotaView],
    wishes: Sequence[Wish],
    *,
    but: Collection[int] = (),
) -> list[tuple[QuotaUse, ...]]:
    """For each wish every quota it counts against, in each week or month it touches; one statement for all.

    Weeks and months are those of the quota's zone, wherever the machine stands: one quota, one calendar.

    Counted are bookings whose time is, or was, their own: cancelled and rejected ones gave it back; and the
    bookings ``but`` do not count. Set-up and clean-up do not count. What crosses a boundary counts on either
    side with the seconds that lie there. A wish does not count the wishes before it.
    """
    asked = [
        [
            (quota, period)
            for quota in quotas
            if quota.kind_id in (None, wish.kind_id)
            for period in periods(wish.span, quota.zone, quota.period)
        ]
        for wish in wishes
    ]
    distinct = list(dict.fromkeys((period, quota.kind_id) for each in asked for quota, period in each))
    used = dict(zip(distinct, used_s(session, organisation_id, distinct, but=but), strict=True))
    return [
        tuple(
            QuotaUse(
                organisation=organisation,
                period=quota.period,
                kind=None if quota.kind_id is None else wish.kind_name,
                span=period,
                zone=quota.zone,
                limit_s=quota.limit_s,
                used_s=used[period, quota.kind_id],
                asked_s=seconds_within(wish.span, period),
            )
            for quota, period in each
        )
        for wish, each in zip(wishes, asked, strict=True)
    ]


def used_s(
    session: Session,
    organisation_id: int,
    wanted: Sequence[tuple[Span, int | None]],
    *,
    but: Collection[int] = (),
) -> list[int]:
    """Seconds of machine time booked in the organisation's name in each of these (period, kind)."""
    if not wanted:
        return []
    rows = session.execute(
        _USED,
        {
            "organisation": organisation_id,
            "states": list(HOLDING_STATES),
            "starts": [period.starts_at for period, _ in wanted],
            "ends": [period.ends_at for period, _ in wanted],
            "kinds": [kind_id for _, kind_id in wanted],
            "but": list(but),
        },
    )
    return [seconds for _, seconds in rows]
