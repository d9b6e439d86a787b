"""Whatever a machine, its network and the bridge go through: each job is opened once and closed once."""

from uuid import UUID

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from firmware_bridge.snapshot import JobSeen, PrintRecord
from tests.bridge.watching import Watch, at, completed, given_up, running

FILES = st.sampled_from(["vase.gcode", "gear.gcode"])


class Watched(RuleBasedStateMachine):
    """A printer with a life of its own and a bridge that hears all of it: history must be exact."""

    with_push = True

    @initialize()
    def switch_on(self) -> None:
        self.watch = Watch(push=self.with_push)
        self.now = 0.0
        self.online = True
        self.file: str | None = None
        self.begun: float | None = None
        self.paused_at: float | None = None
        self.paused_s = 0.0
        self.display: JobSeen | None = None
        self.record: PrintRecord | None = None
        self.ends: list[str] = []

    # --- what the machine does

    def printed(self) -> float:
        assert self.begun is not None
        end = self.paused_at if self.paused_at is not None else self.now
        return end - self.begun - self.paused_s

    def tell(self, news: str, **more: object) -> None:
        if self.online and self.with_push:
            self.watch.hear(self.now, news, **more)

    @rule(seconds=st.floats(0.01, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.begun is None)
    @rule(file=FILES)
    def print_file(self, file: str) -> None:
        self.file, self.begun, self.paused_at, self.paused_s = file, self.now, None, 0.0
        self.tell("started", file=file)

    def stop_printing(self, outcome: str, display: JobSeen | None, success: bool | None) -> None:
        if success is not None:
            self.record = PrintRecord(at(self.now), self.printed() if success else None, success)
        self.begun, self.paused_at, self.display = None, None, display
        self.ends.append(outcome)

    @precondition(lambda self: self.begun is not None and self.paused_at is None)
    @rule()
    def finish(self) -> None:
        time, file = self.printed(), self.file or ""
        self.stop_printing("finished", completed(time, file), True)
        self.tell("done", file=file, print_time_s=time)
        self.tell("state", state="idle")

    @precondition(lambda self: self.begun is not None)
    @rule()
    def cancel(self) -> None:
        file = self.file or ""
        self.stop_printing("cancelled", given_up(file), False)
        self.tell("cancelled", file=file)
        self.tell("cancelled", file=file)
        self.tell("state", state="idle")

    @precondition(lambda self: self.begun is not None and self.paused_at is None)
    @rule()
    def pause(self) -> None:
        self.paused_at = self.now
        self.tell("paused", file=self.file)

    @precondition(lambda self: self.paused_at is not None)
    @rule()
    def resume(self) -> None:
        assert self.paused_at is not None
        self.paused_s += self.now - self.paused_at
        self.paused_at = None
        self.tell("resumed", file=self.file)

    # --- what the bridge does

    @rule(seconds=st.floats(0.5, 3))
    def look(self, seconds: float) -> None:
        self.now += seconds
        if not self.online:
            self.watch.look(self.now, "unreachable", push_alive=False)
            return
        if self.begun is None:
            self.watch.look(self.now, "idle", job=self.display, record=self.record)
            return
        state = "running" if self.paused_at is None else "paused"
        # OctoPrint lets the print time grow through a pause and takes it back afterwards.
        shown = self.now - self.begun - self.paused_s
        job = running(shown, position=round(self.printed() * 100), file=self.file or "")
        self.watch.look(self.now, state, job=job, record=self.record)

    # --- what must always hold

    @invariant()
    def each_job_is_opened_once_and_closed_once(self) -> None:
        if not hasattr(self, "watch"):
            return
        opened: list[UUID] = []
        closed: list[UUID] = []
        for event in self.watch.events:
            assert event.job is not None
            if event.event == "job_started":
                assert event.job.id not in opened
                opened.append(event.job.id)
                assert len(opened) == len(closed) + 1, "two jobs at once"
            else:
                assert event.job.id == opened[-1], "news of a job that is not open"
                assert event.job.id not in closed
            if event.event == "job_ended":
                closed.append(event.job.id)
        still_open = self.watch.memory.job.id if self.watch.memory.job else None
        assert still_open == (opened[-1] if len(opened) > len(closed) else None)

    @invariant()
    def times_are_in_order(self) -> None:
        last = at(-1)
        for job in getattr(self, "watch", Watch()).ended:
            assert job.ended_at is not None
            assert last <= job.started_at <= job.ended_at
            assert job.elapsed_s is not None
            assert job.elapsed_s >= 0
            last = job.ended_at

    @invariant()
    def history_is_exact(self) -> None:
        if type(self) is Watched and hasattr(self, "watch"):
            assert self.watch.outcomes == self.ends


class Unreliable(Watched):
    """The same printer without push: hosts die, networks break, the bridge restarts, gaps are not seen."""

    with_push = False

    @precondition(lambda self: self.begun is not None and self.paused_at is None)
    @rule()
    def restart_the_host(self) -> None:
        """OctoPrint dies and comes back before anybody looks: no event, no record, no job."""
        self.stop_printing("interrupted", None, None)

    @rule()
    def cut_the_network(self) -> None:
        if self.online:
            self.online = False

    @rule()
    def mend_the_network(self) -> None:
        if not self.online:
            self.now += 1
            self.online = True
            self.look(0.5)

    @rule()
    def restart_the_bridge(self) -> None:
        self.watch.restart()


class UnreliableWithPush(Unreliable):
    """The same faults, with push while the network is up."""

    with_push = True


TestWatched = Watched.TestCase
TestUnreliable = Unreliable.TestCase
TestUnreliableWithPush = UnreliableWithPush.TestCase
for case in (TestWatched, TestUnreliable, TestUnreliableWithPush):
    case.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
