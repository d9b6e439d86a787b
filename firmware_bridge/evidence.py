"""What a look proves about the open job: is this still the same run, and if not, how did it end?

Pure. OctoPrint gives runs no number, so identity is argued from the file, the position in it and the print
time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from firmware_bridge.memory import OpenJob
from firmware_bridge.snapshot import ACTIVE, JobSeen, Snapshot
from firmware_bridge.wire.messages import MachineState, Outcome

SAME_START = timedelta(seconds=3)
"""Print times are whole seconds and answers take time; two looks at one run agree within this."""

JUST_SEEN = timedelta(seconds=1.5)
CLOCKS_AGREE = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job ended, as far as anybody can tell."""

    outcome: Outcome
    ended_at: datetime
    print_time_s: float | None
    reason: str | None = None


def begun_at(seen: JobSeen, asked_at: datetime) -> datetime:
    """When the run began by the machine's own print time (which counts a pause only until it is over)."""
    return asked_at - timedelta(seconds=seen.print_time_s or 0.0)


def same_run(job: OpenJob, seen: JobSeen, asked_at: datetime, *, watched: bool = False) -> bool:
    """Whether the machine still shows the open job, and not a second run of the same file.

    1. Another file is another run.
    2. The position in the file never falls within one run.
    3. A run that began when ours began is ours.
    4. The print time falls when a pause ends, as if the run had begun later. If it seems to have begun after
       we last looked and we did not leave it paused, it is another run: no pause fits between two looks.
       Not so while push has `watched` it all along: then the new start would have been told.
    """
    if (seen.path or seen.file) != (job.path or job.file):
        return False
    if seen.position is not None and job.position is not None and seen.position < job.position:
        return False
    if seen.print_time_s is None or watched:
        return True
    begun = begun_at(seen, asked_at)
    if begun <= job.begun_at + SAME_START:
        return True
    return job.paused or begun < job.seen_at - JUST_SEEN


def verdict(job: OpenJob, snapshot: Snapshot) -> Verdict:
    """How the open job ended, now that the machine no longer shows it running.

    The machine's own record of the run is the best witness, then a completed progress, then its present
    state. Where the job was out of sight and nothing testifies, it is `interrupted`, ended when last seen.
    """
    seen = snapshot.job
    shown = (
        seen is not None
        and snapshot.state not in ACTIVE
        and (seen.path or seen.file) == (job.path or job.file)
    )
    record = snapshot.record
    if record is not None and record.ended_at >= max(job.started_at, job.seen_at - CLOCKS_AGREE):
        ended = min(max(record.ended_at, job.started_at), snapshot.asked_at)
        if record.success:
            return Verdict(Outcome.FINISHED, ended, record.print_time_s or job.print_time_s)
        if job.fault is not None or snapshot.state in (MachineState.OFF, MachineState.ERROR):
            return Verdict(Outcome.FAILED, ended, job.print_time_s, _fault(job, snapshot))
        if shown or snapshot.state in ACTIVE:
            return Verdict(Outcome.CANCELLED, ended, job.print_time_s)
        return Verdict(Outcome.FAILED, ended, job.print_time_s, "the machine dropped the job")
    if shown and seen is not None and seen.progress is not None and seen.progress >= 1:
        ended = job.begun_at + timedelta(seconds=seen.print_time_s or 0) if job.gap else snapshot.asked_at
        ended = min(max(ended, job.seen_at), snapshot.asked_at)
        return Verdict(Outcome.FINISHED, ended, seen.print_time_s or job.print_time_s)
    if not job.gap:
        if snapshot.state in (MachineState.OFF, MachineState.ERROR):
            return Verdict(Outcome.FAILED, snapshot.asked_at, job.print_time_s, _fault(job, snapshot))
        if shown:
            return Verdict(Outcome.CANCELLED, snapshot.asked_at, job.print_time_s)
        reason = "another job took its place" if snapshot.state in ACTIVE else "the machine forgot the job"
        return Verdict(Outcome.INTERRUPTED, job.seen_at, job.print_time_s, reason)
    if snapshot.state is MachineState.ERROR:
        return Verdict(Outcome.FAILED, job.seen_at, job.print_time_s, _fault(job, snapshot))
    return Verdict(Outcome.INTERRUPTED, job.seen_at, job.print_time_s, "nobody saw the end")


def _fault(job: OpenJob, snapshot: Snapshot) -> str:
    return job.fault or snapshot.detail or "the machine lost its printer"
