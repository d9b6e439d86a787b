"""Time that came free is kept for the first in line whom it fits.

The rules of that member decide for the concrete span. Whatever an act frees is offered in its own
transaction, in a number of statements that has a bound however long the line is; what that leaves, and what
no act frees (a rule that changed, a day that came within reach), is found by `sweep`.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, bindparam, text, update
from sqlalchemy.orm import Session

from fablab.bookings import letters, rule_store
from fablab.bookings.claims import Owner, claims, take
from fablab.bookings.facts import BookingRequest, Policy, Who
from fablab.bookings.gathering import gather_facts
from fablab.bookings.models_claims import Waiting
from fablab.bookings.rulebook import Rulebook, Ruling
from fablab.bookings.rules import decide
from fablab.bookings.rules_waiting import (
    SHORTEST_HOLD,
    WELL_AHEAD,
    kept_until,
    key_hash,
    starts_within,
)
from fablab.bookings.slot_search import Pair, WallGrid, Wish, earliest, gaps_of
from fablab.bookings.waiting_queries import Awaited, Candidate, awaited, in_line
from fablab.clock import offsets
from fablab.machines.queries import MachineView, machines
from fablab.machines.rules import Span
from fablab.members.models import Member
from fablab.members.queries import actor_from, with_roles
from fablab.members.rules import Actor, is_minor, may_book

START = (datetime(2000, 1, 1, tzinfo=UTC), 0)


@dataclass(frozen=True)
class Effort:
    """How far one call goes: rows of the line read at a time, and members decided about, at most."""

    rows: int
    tries: int
    pages: int


# Somebody waits for the answer to the act that freed the time.
AT_ONCE = Effort(rows=100, tries=8, pages=1)
BY_THE_CLOCK = Effort(rows=500, tries=200, pages=40)


def offer(
    session: Session,
    freed: Sequence[tuple[int, Span]],
    now: datetime,
    policy: Policy,
    effort: Effort = AT_ONCE,
) -> int:
    """Keep what came free, as (machine id, claimed span), for who is first in line; how many got something.

    Comes last in the transaction that freed it: it waits for no lock but that of a claim, and what it cannot
    lock is left to the next `sweep`. One statement where nobody waits.
    """
    freed = [(machine_id, span) for machine_id, span in freed if span.ends_at > now]
    waited_for = awaited(session, freed, now) if freed else []
    if not waited_for:
        return 0
    offers = _Offers(session, waited_for, now, policy, effort)
    return offers.make()


def sweep(session: Session, now: datetime, policy: Policy) -> int:
    """Offer whatever is free to whoever waits for it, in line; how many got something. For the clock.

    Lines whose window is over end here.
    """
    session.execute(
        update(Waiting)
        .where(Waiting.state == "waiting", Waiting.before <= now)
        .values(state="expired")
        .execution_options(synchronize_session=False)
    )
    everywhere = [(row.id, Span(now, row.until)) for row in session.execute(_WAITED_FOR, {"now": now})]
    return offer(session, everywhere, now, policy, BY_THE_CLOCK)


class _Offers:
    """One call's view of the machines, and what it keeps of them for whom."""

    def __init__(
        self, session: Session, waited_for: Sequence[Awaited], now: datetime, policy: Policy, effort: Effort
    ) -> None:
        self._session, self._now, self._policy, self._effort = session, now, policy, effort
        self._freed: dict[int, list[Span]] = {}
        for each in waited_for:
            self._freed.setdefault(each.machine_id, []).append(each.freed)
        self._machines = {each.id: each for each in machines(session, ids=self._freed)}
        longest = timedelta(seconds=max(each.longest_s for each in waited_for))
        margin = longest + timedelta(days=1)
        spans = [each.freed for each in waited_for]
        self._since = max(min(span.starts_at for span in spans), now) - margin
        self._until = max(span.ends_at for span in spans) + margin
        self._rulebook: Rulebook = rule_store.rulebook(
            session, next(iter(self._machines.values())).rules_version if self._machines else None
        )
        self._gaps: dict[int, list[Pair]] = {}
        self._open: dict[tuple[int, bool], list[Pair]] = {}
        self._grids: dict[tuple[str, int], WallGrid] = {}

    def make(self) -> int:
        """Go along the line until it ends, or the effort is spent."""
        self._look()
        made = tries = 0
        after = START
        for _ in range(self._effort.pages):
            line = in_line(self._session, self._stretches(), self._effort.rows, after)
            actors = _actors(self._session, {each.member_id for each in line})
            served: set[int] = set()
            for candidate in self._by_start(line, actors):
                if candidate.waiting_id in served:
                    continue
                actor = actors[candidate.member_id]
                span = self._fit(candidate, actor)
                if span is None:
                    continue
                if tries >= self._effort.tries:
                    return made
                tries += 1
                if self._keep(candidate, actor, span):
                    made += 1
                    served.add(candidate.waiting_id)
                    self._look()
            if len(line) < self._effort.rows:
                break
            after = line[-1].place
        return made

    def _look(self) -> None:
        """Read anew what is free on every unit concerned. One statement."""
        units = {unit for each in self._machines.values() for group in _groups(each) for unit in group}
        taken: dict[int, list[Pair]] = {unit: [] for unit in units}
        for claim in claims(self._session, units, self._since, self._until, self._now):
            taken[claim.unit_id].append((_epoch(claim.starts_at), _epoch(claim.ends_at)))
        since, until = _epoch(self._since), _epoch(self._until)
        self._gaps = {unit: gaps_of(sorted(pairs), since, until) for unit, pairs in taken.items()}

    def _stretches(self) -> list[tuple[int, Span]]:
        """The free stretches of each machine that what came free is part of: what waiters may get some of."""
        found: list[tuple[int, Span]] = []
        for machine_id, machine in self._machines.items():
            for freed in self._freed[machine_id]:
                since, until = _epoch(freed.starts_at), _epoch(freed.ends_at)
                touching = [
                    gap
                    for unit in machine.unit_ids
                    for gap in self._gaps[unit]
                    if gap[0] < until and since < gap[1]
                ]
                if touching:
                    found.append(
                        (machine_id, Span(_at(min(g[0] for g in touching)), _at(max(g[1] for g in touching))))
                    )
        return found

    def _by_start(self, line: Sequence[Candidate], actors: Mapping[int, Actor]) -> list[Candidate]:
        """In line; of several machines for the same one, that on which they could begin first."""
        ranked = []
        for each in line:
            actor = actors.get(each.member_id)
            span = None if actor is None else self._fit(each, actor)
            if span is not None:
                ranked.append((each.place, span.starts_at, self._machines[each.machine_id].slug, each))
        return [each for *_, each in sorted(ranked, key=lambda one: one[:3])]

    def _fit(self, candidate: Candidate, actor: Actor) -> Span | None:
        """The earliest span they could have of what came free on that machine, as far as time goes."""
        machine = self._machines.get(candidate.machine_id)
        if machine is None or not may_book(actor, machine.lab_id):
            return None
        ruling = self._ruling(machine, actor)
        wanted = candidate.wanted
        length = timedelta(seconds=wanted.duration_s)
        minor = is_minor(actor.birth_on, self._now.astimezone(ZoneInfo(machine.zone)).date())
        hours = self._hours(machine, supervised=minor or ruling.supervised_only)
        wish = Wish(wanted.duration_s, ruling.setup_s, ruling.cleanup_s, self._grid(machine, ruling.grid_s))
        groups = [[self._gaps[unit] for unit in group] for group in _groups(machine)]
        horizon = self._now + timedelta(days=ruling.horizon_days or 3650)
        for time_to_answer in (WELL_AHEAD, SHORTEST_HOLD):
            soonest = self._now + max(timedelta(seconds=ruling.min_notice_s), time_to_answer)
            starts = []
            for freed in self._freed[machine.id]:
                within = starts_within(
                    wanted,
                    (freed.starts_at, freed.ends_at),
                    ruling.setup_s,
                    ruling.cleanup_s,
                    soonest,
                    horizon,
                )
                start = earliest(groups, hours, wish, within.first, within.last)
                if start is not None:
                    starts.append(start)
            if starts:
                return Span(_at(min(starts)), _at(min(starts)) + length)
        return None

    def _hours(self, machine: MachineView, *, supervised: bool) -> list[Pair]:
        """When it may be booked. Machines of one lab mostly share their hours."""
        key = (id(machine.hours), supervised)
        if key not in self._open:
            spans = (machine.hours.supervised_spans if supervised else machine.hours.open_spans)(
                self._since, self._until
            )
            self._open[key] = [(_epoch(span.starts_at), _epoch(span.ends_at)) for span in spans]
        return self._open[key]

    def _grid(self, machine: MachineView, step_s: int) -> WallGrid:
        key = (machine.zone, step_s)
        if key not in self._grids:
            spans = offsets(machine.zone, self._since, self._until)
            self._grids[key] = WallGrid(
                step_s,
                [(_epoch(since), _epoch(until), int(by.total_seconds())) for since, until, by in spans],
            )
        return self._grids[key]

    def _keep(self, candidate: Candidate, actor: Actor, span: Span) -> bool:
        """Let the rules decide, and claim the span for them; False if that cannot be, and nothing is left."""
        session, now = self._session, self._now
        machine = self._machines[candidate.machine_id]
        ruling = self._ruling(machine, actor)
        until = kept_until(now, span.starts_at, ruling.hold_minutes)
        if until is None:
            return False
        request = BookingRequest(machine.slug, span.starts_at, span.ends_at)
        gathered = gather_facts(session, actor, machine, request, now, self._policy, lock=False)
        if decide(request, gathered.facts, gathered.ruling):
            return False
        if not _lock_units(session, machine):
            return False
        key = secrets.token_urlsafe(32)
        hold_id = session.scalar(
            _HOLD,
            {
                "waiting": candidate.waiting_id,
                "machine": machine.id,
                "starts": span.starts_at,
                "ends": span.ends_at,
                "now": now,
                "expires": until,
                "key_hash": key_hash(key),
            },
        )
        if hold_id is None:
            return False
        if not take(session, machine, gathered.span(request), Owner(hold_id=hold_id), now):
            session.execute(_NOT_HELD, {"hold": hold_id})
            return False
        letters.send(
            session,
            [candidate.member_id],
            "waiting_offer",
            now,
            machine_id=machine.id,
            span=(span.starts_at, span.ends_at),
            until=until,
            link=f"/offers/{key}",
        )
        return True

    def _ruling(self, machine: MachineView, actor: Actor) -> Ruling:
        return self._rulebook.ruling(rule_store.place_of(machine), Who(actor.category), self._policy)


def _actors(session: Session, member_ids: Collection[int]) -> dict[int, Actor]:
    """Those of the members that are active, with their roles. One statement."""
    if not member_ids:
        return {}
    by_member: dict[int, list[Any]] = {}
    for row in session.execute(with_roles().where(Member.id.in_(member_ids), Member.active)).mappings():
        by_member.setdefault(row["id"], []).append(row)
    actors = (actor_from(rows) for rows in by_member.values())
    return {actor.member_id: actor for actor in actors if actor is not None}


def _groups(machine: MachineView) -> list[tuple[int, ...]]:
    """The machine's own units, and those of each machine it needs: one of each group is claimed."""
    return [machine.unit_ids, *(need.unit_ids for need in machine.needs)]


def _lock_units(session: Session, machine: MachineView) -> bool:
    """Lock every unit a claim may take, without waiting; whether that went."""
    wanted = sorted({unit for group in _groups(machine) for unit in group})
    return len(session.execute(_LOCK, {"units": wanted}).all()) == len(wanted)


def _epoch(at: datetime) -> int:
    return int(at.timestamp())


def _at(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


_AT = DateTime(timezone=True)
_LOCK = text("SELECT id FROM unit WHERE id = ANY(:units) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED")
_HOLD = text(
    """
    WITH mine AS (
        SELECT id FROM waiting WHERE id = :waiting AND state = 'waiting' FOR UPDATE SKIP LOCKED
    ), held AS (
        UPDATE waiting SET state = 'held' FROM mine WHERE waiting.id = mine.id RETURNING waiting.id
    )
    INSERT INTO hold (waiting_id, machine_id, starts_at, ends_at, created_at, expires_at, key_hash)
    SELECT id, :machine, :starts, :ends, :now, :expires, :key_hash FROM held
    RETURNING id
    """
).bindparams(*(bindparam(name, type_=_AT) for name in ("starts", "ends", "now", "expires")))
_NOT_HELD = text(
    "WITH gone AS (DELETE FROM hold WHERE id = :hold RETURNING waiting_id) "
    "UPDATE waiting SET state = 'waiting' FROM gone WHERE waiting.id = gone.waiting_id"
)
_WAITED_FOR = text(
    """
    SELECT machine.id, max(waiting.before) AS until
    FROM waiting
    JOIN machine ON machine.active AND machine.bookable
     AND (waiting.machine_id = machine.id OR waiting.kind_id = machine.kind_id)
     AND (waiting.lab_id IS NULL OR waiting.lab_id = machine.lab_id)
    WHERE waiting.state = 'waiting' AND waiting.before > :now
    GROUP BY machine.id
    ORDER BY machine.id
    """
).bindparams(bindparam("now", type_=_AT))
