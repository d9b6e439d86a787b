"""Jobs and usage sessions, written as machines report them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.bookings.queries import HoldingBooking, holding_candidates
from fablab.bookings.service import mark_started
from fablab.usage import rules, store
from fablab.usage.models import Job, UsageSession
from fablab.usage.queries import booked_machines
from fablab.usage.rules import Misplaced, Signal, Step, Usage
from fablab.usage.store import NOBODY, JobNews, Owner


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that ended, so that its hours can be counted.

    Those up to ``counted_until``: a late end lies before hours that were counted while it was open.
    """

    machine_id: int
    started_at: datetime
    counted_until: datetime


@dataclass(slots=True)
class _Open:
    """An open session in the database and how far we have followed it since."""

    row: int
    usage: Usage
    attributed: bool
    # Readings come by the thousand, so they only move this; the seconds are counted when it matters.
    heard_at: datetime
    dirty: bool = False

    def settled(self) -> Usage:
        return rules.counted(self.usage, self.heard_at)


class Ledger:
    """The open sessions of some machines within one transaction.

    1. `Ledger(...)` reads and locks them in one statement, and looks whether somebody booked a use that had
       just begun.
    2. `signal`, `seen` and `job_event` follow the machines; what opens or ends is written at once.
    3. `flush` writes the counted seconds and energy of all others in one statement.

    ``now`` is when this was heard; machines tell of things long past.
    """

    def __init__(
        self,
        session: Session,
        machine_ids: Collection[int],
        early_start_s: int,
        late_start_s: int,
        now: datetime,
    ) -> None:
        self._session = session
        self._early_start_s = early_start_s
        # A booking that begins this long after a use may still be made this long after it began.
        self._undecided_s = early_start_s + late_start_s
        self._now = now
        self._open: dict[int, _Open] = {}
        self.ended: list[Ended] = []
        if machine_ids:
            rows = session.execute(
                select(UsageSession.__table__)
                .where(UsageSession.machine_id.in_(machine_ids), UsageSession.ended_at.is_(None))
                .order_by(UsageSession.id)
                .with_for_update()
            )
            for row in rows:
                usage = Usage(
                    started_at=row.started_at,
                    counted_at=row.counted_at,
                    busy=row.busy,
                    busy_s=row.busy_s,
                    idle_s=row.idle_s,
                    job_id=row.job_id,
                    energy_wh=row.energy_wh,
                    meter_wh=row.meter_wh,
                    meter_epoch=row.meter_epoch,
                )
                self._open[row.machine_id] = _Open(
                    row.id, usage, row.booking_id is not None, usage.counted_at
                )
            self._decide()

    def seen(self, machine_id: int, at: datetime, meter_wh: float | None, epoch: str | None = None) -> None:
        """The machine was heard of at ``at``: its session is counted up to there, and its energy."""
        entry = self._open.get(machine_id)
        if entry is None:
            return
        if at < entry.heard_at:
            return
        entry.heard_at, entry.dirty = at, True
        if meter_wh is not None and meter_wh != entry.usage.meter_wh:
            entry.usage = rules.metered(entry.usage, meter_wh, epoch)

    def signal(
        self,
        machine_id: int,
        lab_id: int,
        signal: Signal,
        at: datetime,
        *,
        job_id: UUID | None = None,
        working: bool = False,
        meter_wh: float | None = None,
        owner: Owner | None = None,
    ) -> None:
        """Follow one signal. ``owner`` is the job's; a session that power opens looks for its own."""
        entry = self._open.get(machine_id)
        current = entry.settled() if entry else None
        step = rules.follow(current, signal, at, job_id=job_id, working=working, meter_wh=meter_wh)
        if entry is None:
            if step.current is not None:
                self._begin(machine_id, lab_id, step.current, owner)
            return
        if step.ended is not None:
            self._end(entry, machine_id, step)
            if step.current is not None:
                self._begin(machine_id, lab_id, step.current, owner)
            return
        assert step.current is not None
        if step.current is not entry.usage:
            entry.usage, entry.dirty = step.current, True
            entry.heard_at = max(entry.heard_at, step.current.counted_at)
        if owner is not None and not entry.attributed and step.current.job_id == job_id:
            self._attribute(entry, owner)

    def job_event(
        self,
        machine_id: int,
        lab_id: int,
        signal: Signal,
        at: datetime,
        news: JobNews,
        *,
        historical: bool,
        meter_wh: float | None = None,
    ) -> None:
        """Follow one event of a job.

        1. The job is stored if it is new, with the booking it belongs to; an earlier job that is still open
           ends as `interrupted`, because one machine does one job at a time.
        2. Its end is stored once; a job that ended stays as it is.
        3. The machine's session opens, turns or closes.

        Raises Misplaced when the job is another machine's.
        """
        known = self._session.execute(
            select(Job.machine_id, Job.ended_at, Job.booking_id, Job.member_id)
            .where(Job.id == news.id)
            .with_for_update()
        ).first()
        if known is not None and known.machine_id != machine_id:
            raise Misplaced(f"job {news.id} belongs to another machine")
        if known is not None and known.ended_at is not None:
            return
        if known is None:
            booking = self._booking(machine_id, news.started_at)
            owner = Owner(booking.id, booking.member_id) if booking else NOBODY
            store.begin_job(self._session, machine_id, lab_id, news, owner, historical)
            if signal is not Signal.JOB_ENDED or machine_id in self._open:
                self.signal(
                    machine_id,
                    lab_id,
                    Signal.JOB_STARTED,
                    news.started_at,
                    job_id=news.id,
                    meter_wh=meter_wh,
                    owner=owner,
                )
        else:
            owner = Owner(known.booking_id, known.member_id)
        if signal is Signal.JOB_ENDED:
            self._job_ended(machine_id, lab_id, news, owner)
        elif signal is not Signal.JOB_STARTED:
            self.signal(machine_id, lab_id, signal, at, job_id=news.id, meter_wh=meter_wh)

    def flush(self) -> None:
        """Write what was counted since the sessions were read; one statement, or none."""
        dirty = [entry for entry in self._open.values() if entry.dirty]
        if not dirty:
            return
        for entry in dirty:
            entry.usage = entry.settled()
            entry.dirty = False
        store.count_sessions(self._session, [(entry.row, entry.usage) for entry in dirty])

    def _decide(self) -> None:
        """Give sessions that nobody had booked to the booking that was made a little after they began."""
        longest = timedelta(seconds=self._undecided_s)
        # By the last word and not by the clock: a booking may have been made while the line was down.
        undecided = {
            machine_id: entry
            for machine_id, entry in self._open.items()
            if not entry.attributed and entry.heard_at <= entry.usage.started_at + longest
        }
        if not undecided:
            return
        starts = [entry.usage.started_at for entry in undecided.values()]
        until = max(starts) + timedelta(seconds=self._early_start_s + 1)
        for machine_id in booked_machines(self._session, undecided, min(starts), until):
            entry = undecided[machine_id]
            booking = self._booking(machine_id, entry.usage.started_at)
            if booking is not None:
                self._attribute(entry, Owner(booking.id, booking.member_id))
                if entry.usage.job_id is not None:
                    store.give_job(self._session, entry.usage.job_id, booking)

    def _job_ended(self, machine_id: int, lab_id: int, news: JobNews, owner: Owner) -> None:
        ended_at = max(news.ended_at or news.started_at, news.started_at)
        store.end_job(self._session, news, ended_at)
        entry = self._open.get(machine_id)
        if entry is not None and entry.usage.job_id == news.id:
            self.signal(machine_id, lab_id, Signal.JOB_ENDED, ended_at, job_id=news.id)
        elif not store.has_session(self._session, news.id):
            usage = rules.past(news.started_at, ended_at, news.id, news.print_time_s, Signal.JOB_ENDED.value)
            self._insert(machine_id, lab_id, usage, owner)

    def _booking(self, machine_id: int, at: datetime) -> HoldingBooking | None:
        until = at + timedelta(seconds=self._early_start_s + 1)
        candidates = holding_candidates(self._session, machine_id, at, until)
        booking = rules.choose_booking(at, candidates, self._early_start_s)
        if booking is not None:
            reason = f"The machine was used from {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
            mark_started(self._session, booking.id, self._now, reason)
        return booking

    def _begin(self, machine_id: int, lab_id: int, usage: Usage, owner: Owner | None) -> None:
        if owner is None:
            booking = self._booking(machine_id, usage.started_at)
            owner = Owner(booking.id, booking.member_id) if booking else NOBODY
        row = self._insert(machine_id, lab_id, usage, owner)
        self._open[machine_id] = _Open(row, usage, owner.booking_id is not None, usage.counted_at)

    def _insert(self, machine_id: int, lab_id: int, usage: Usage, owner: Owner) -> int:
        row = store.insert_session(self._session, machine_id, lab_id, usage, owner)
        if usage.ended_at is not None:
            self.ended.append(Ended(machine_id, usage.started_at, usage.ended_at))
        return row

    def _end(self, entry: _Open, machine_id: int, step: Step) -> None:
        usage = step.ended
        assert usage is not None
        assert usage.ended_at is not None
        store.end_session(self._session, entry.row, usage)
        del self._open[machine_id]
        self.ended.append(Ended(machine_id, usage.started_at, max(usage.ended_at, entry.heard_at)))

    def _attribute(self, entry: _Open, owner: Owner) -> None:
        if owner.booking_id is not None:
            store.give_session(self._session, entry.row, owner)
            entry.attributed = True
