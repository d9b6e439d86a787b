"""A batch of messages: what is refused, what counts once, and what a machine's newest word becomes."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import event, select, text

from fablab.telemetry.models import (
    Bridge,
    BridgeOutbox,
    DeadLetter,
    MachineStatus,
    MessageGap,
    Reading,
    StatusChange,
)
from fablab.telemetry.queries import statuses
from fablab.usage.models import Job
from firmware_bridge.wire.messages import Ack, MessageId
from tests.services.telemetry_case import LASER, PRINTER, RABATS, START, Case
from tests.support.bridges import Outbox, job_status


def reasons(case: Case) -> list[str]:
    return [letter.reason for letter in case.rows(DeadLetter, DeadLetter.id)]


# ---- refused ----


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe",
        b'{"id":',
        b"[" * 60_000,
        b'{"id":{"outbox":"x","seq":1}}',
        b'{"at":"now","historical":false}',
    ],
)
def test_broken_payloads_become_dead_letters_and_the_rest_goes_on(case: Case, payload: bytes) -> None:
    outbox = case.outbox()
    applied = case.deliver([(f"fablab/1/tanger/{PRINTER}/reading", payload), outbox.hot(PRINTER, 0)])
    assert applied.dead == 1
    (letter,) = case.rows(DeadLetter)
    assert (letter.payload, letter.size) == (payload, len(payload))
    assert len(case.rows(Reading)) == 1


@pytest.mark.parametrize(
    "field",
    [
        '"progress":"half"',
        '"progress":1e400',
        '"progress":1' + "0" * 400,
        '"progress":NaN',
        '"power_w":Infinity',
        '"energy_epoch":"\\u0000"',
        '"energy_epoch":"\\ud800"',
        '"temperatures":{"\\udc00":{"actual_c":1}}',
        '"temperatures":[1]',
    ],
)
def test_a_wrong_value_is_a_dead_letter_that_counts(case: Case, field: str) -> None:
    outbox = case.outbox()
    payload = (
        f'{{"id":{{"outbox":"{outbox.outbox}","seq":1}},"at":"2026-11-22T09:00:00.000Z",'
        f'"historical":false,{field}}}'
    ).encode()
    outbox.seq = 1
    case.deliver([(f"fablab/1/tanger/{PRINTER}/reading", payload), outbox.hot(PRINTER, 1)])
    assert len(case.rows(DeadLetter)) == 1
    readable = b"NaN" not in payload and b"Infinity" not in payload and b"\\ud" not in payload
    assert case.committed(outbox) == (2 if readable else 0)


def test_topics_that_are_none_of_ours_are_dead_letters(case: Case) -> None:
    case.deliver(
        [
            ("fablab/1/Tanger/x/status", b"{}"),
            ("fablab/1/server/x/status", b"{}"),
            ("fablab/2/tanger/x/status", b"{}"),
        ]
    )
    assert len(case.rows(DeadLetter)) == 3


def test_an_unknown_machine_is_a_dead_letter_that_counts(case: Case) -> None:
    outbox = case.outbox()
    case.deliver([outbox.hot("tanger-nothing-9", 0), outbox.hot(PRINTER, 1)])
    assert reasons(case) == ["there is no such machine"]
    assert case.committed(outbox) == 2


def test_a_bridge_may_not_write_for_another_labs_machine_under_its_own_lab(case: Case) -> None:
    rabat = case.outbox("rabat")
    case.deliver([rabat.status(PRINTER, "error", 0)])
    assert reasons(case) == ["the machine belongs to another lab"]
    assert case.rows(MachineStatus) == []
    assert case.committed(rabat) == 1


def test_a_bridge_may_not_write_into_another_lab(case: Case) -> None:
    rabat = case.outbox("rabat")
    rabat.lab = "tanger"
    case.deliver([rabat.status(PRINTER, "error", 0)])
    assert reasons(case) == ["its outbox belongs to a bridge of another lab"]
    assert case.rows(MachineStatus) == []
    assert case.committed(rabat) == 0


def test_another_lab_cannot_make_a_bridges_messages_look_like_repeats(case: Case) -> None:
    """Rabat's bridge uses the number of Tanger's outbox: Tanger's own message must still count."""
    tanger = case.outbox("tanger")
    topic, stolen = tanger.hot(RABATS, 0)
    case.deliver([(topic.replace("tanger", "rabat", 1), stolen)])
    assert case.committed(tanger) == 0
    tanger.seq = 0
    case.deliver([tanger.hot(PRINTER, 0)])
    assert case.committed(tanger) == 1
    assert len(case.rows(Reading)) == 1


def test_another_labs_bridge_cannot_announce_an_outbox_that_is_taken(case: Case) -> None:
    tanger = case.outbox("tanger")
    thief = Outbox("rabat", start=START)
    case.deliver([thief.presence(outbox=tanger.outbox)])
    assert reasons(case) == ["its outbox belongs to a bridge of another lab"]
    (row,) = case.rows(BridgeOutbox)
    assert row.bridge_id == case.bridges["tanger"].id


def test_an_unknown_bridge_is_a_dead_letter(case: Case) -> None:
    stranger = Outbox("tanger", bridge="pi-9", start=START)
    case.deliver([stranger.presence()])
    assert reasons(case) == ["there is no such bridge in this lab"]
    assert case.rows(BridgeOutbox) == []


def test_messages_of_an_unannounced_outbox_wait_and_leave_one_dead_letter(case: Case) -> None:
    outbox = case.outbox(announced=False)
    messages = [outbox.hot(PRINTER, second) for second in range(5)]
    assert case.deliver(messages).held == 5
    assert len(case.rows(DeadLetter)) == 1
    assert case.rows(Reading) == []
    case.deliver([outbox.presence(), *messages])
    assert len(case.rows(Reading)) == 5


@pytest.mark.parametrize("days", [-91, 2])
def test_a_time_that_cannot_be_true_is_a_dead_letter_that_counts(case: Case, days: int) -> None:
    outbox = case.outbox()
    case.deliver([outbox.hot(PRINTER, days * 86400)], received=0)
    assert "cannot be true" in reasons(case)[0]
    assert case.committed(outbox) == 1


def test_a_job_that_claims_to_have_started_years_ago_is_a_dead_letter(case: Case) -> None:
    outbox = case.outbox()
    long_ago = -86400.0 * 365 * 10
    case.deliver([outbox.job(PRINTER, "job_started", uuid.uuid4(), 0, started=long_ago)])
    assert "cannot be true" in reasons(case)[0]
    assert case.rows(Job) == []


def test_a_job_of_another_machine_is_a_dead_letter(case: Case) -> None:
    job = uuid.uuid4()
    tanger, rabat = case.outbox("tanger"), case.outbox("rabat")
    case.deliver([tanger.job(PRINTER, "job_started", job, 0, started=0)])
    case.deliver([rabat.job(RABATS, "job_ended", job, 5, started=0, ended=5, outcome="failed")])
    assert "belongs to another machine" in reasons(case)[0]
    (row,) = case.rows(Job)
    assert row.ended_at is None


# ---- once, and in order ----


def test_a_repeated_batch_changes_nothing(case: Case) -> None:
    outbox = case.outbox()
    batch = [outbox.status(PRINTER, "idle", 0), outbox.hot(PRINTER, 1), outbox.status(PRINTER, "error", 2)]
    case.deliver(batch)
    applied = case.deliver(batch)
    assert applied.duplicates == 3
    assert len(case.rows(Reading)) == 1
    assert [change.to_state for change in case.rows(StatusChange, StatusChange.id)] == ["idle", "error"]
    assert case.committed(outbox) == 3


def test_what_comes_after_a_hole_waits_for_it(case: Case) -> None:
    outbox = case.outbox()
    first, second, third = (outbox.hot(PRINTER, seconds) for seconds in (0, 1, 2))
    assert case.deliver([first, third]).held == 1
    assert (case.committed(outbox), len(case.rows(Reading))) == (1, 1)
    case.deliver([second, third])
    assert (case.committed(outbox), len(case.rows(Reading))) == (3, 3)
    assert case.rows(MessageGap) == []


def test_a_hole_that_stays_is_recorded_and_passed(case: Case) -> None:
    outbox = case.outbox()
    first, _, _, fourth = (outbox.hot(PRINTER, seconds) for seconds in (0, 1, 2, 3))
    case.deliver([first, fourth])
    case.deliver([fourth], received=60)
    assert case.committed(outbox) == 1
    applied = case.deliver([fourth], received=93)
    assert (applied.gaps, case.committed(outbox)) == (1, 4)
    (gap,) = case.rows(MessageGap)
    assert (gap.first_seq, gap.last_seq) == (2, 3)


def test_the_wait_for_a_hole_starts_anew_when_the_bridge_reconnects(case: Case) -> None:
    """Left-overs in the broker's queue must not make the server give up what the bridge is about to send."""
    outbox = case.outbox()
    first, second, third = (outbox.hot(PRINTER, seconds) for seconds in (0, 1, 2))
    case.deliver([first, third])
    case.deliver([outbox.presence(), third], received=3600)
    assert case.rows(MessageGap) == []
    case.deliver([second, third], received=3601)
    assert len(case.rows(Reading)) == 3


def test_an_answer_to_a_command_counts_and_changes_nothing(case: Case) -> None:
    outbox = case.outbox()
    answer = Ack(
        id=MessageId(outbox=outbox.outbox, seq=1), at=START, historical=False, command=uuid.uuid4(), ok=True
    )
    case.deliver([(f"fablab/1/tanger/{PRINTER}/ack", answer)])
    assert case.committed(outbox) == 1
    assert case.rows(DeadLetter) == []


# ---- the newest word ----


def test_a_late_status_completes_the_history_and_leaves_the_newer_word(case: Case) -> None:
    outbox, older = case.outbox(), Outbox("tanger", start=START)
    case.deliver([outbox.status(PRINTER, "running", 100)])
    case.deliver([older.presence(), older.status(PRINTER, "error", 50, historical=True)], received=101)
    case.deliver([older.status(PRINTER, "idle", 60)], received=102)
    (status,) = case.rows(MachineStatus)
    assert (status.state, status.at) == ("running", START + timedelta(seconds=100))
    late = [(change.to_state, change.historical) for change in case.rows(StatusChange, StatusChange.at)]
    assert late == [("error", True), ("idle", True), ("running", False)]


def test_a_stamp_from_the_future_does_not_outlive_the_truth(case: Case) -> None:
    outbox = case.outbox()
    case.deliver([outbox.status(PRINTER, "running", 3600)], received=0)
    case.deliver([outbox.status(PRINTER, "idle", 10)], received=10)
    (status,) = case.rows(MachineStatus)
    assert status.state == "idle"


def test_a_reading_refreshes_the_word_without_a_new_change(case: Case) -> None:
    outbox = case.outbox()
    job = uuid.uuid4()
    case.deliver([outbox.status(PRINTER, "running", 0, job=job_status(job, progress=0.1))])
    case.deliver([outbox.hot(PRINTER, 30, celsius=199.5)])
    (status,) = case.rows(MachineStatus)
    assert status.job["progress"] == 0.5
    assert status.temperatures["tool0"]["actual_c"] == 199.5
    assert status.seen_at == START + timedelta(seconds=30)
    assert len(case.rows(StatusChange)) == 1


def test_heartbeats_are_no_changes(case: Case) -> None:
    outbox = case.outbox()
    case.deliver([outbox.status(PRINTER, "idle", 60 * beat, since=0) for beat in range(5)])
    (change,) = case.rows(StatusChange)
    assert (change.from_state, change.to_state, change.at) == (None, "idle", START)


def test_a_status_is_shown_while_fresh_and_as_unreachable_once_silent(case: Case) -> None:
    outbox = case.outbox()
    job = uuid.uuid4()
    case.deliver([outbox.status(PRINTER, "running", 0, job=job_status(job)), outbox.hot(PRINTER, 1)])
    ids = [case.machines[slug].id for slug in (PRINTER, LASER)]

    def look(seconds: float) -> dict[str, object]:
        views = statuses(case.session, ids, START + timedelta(seconds=seconds), case.settings)
        return {view.machine_slug: view for view in views}

    fresh = look(5)[PRINTER]
    assert (fresh.state, fresh.fresh, fresh.job["id"]) == ("running", True, str(job))
    assert fresh.job["eta_at"] == (START + timedelta(seconds=54)).isoformat()
    silent = look(182)[PRINTER]
    assert (silent.state, silent.fresh, silent.job, silent.temperatures) == ("unreachable", False, None, None)
    assert silent.since == START + timedelta(seconds=1)
    assert "2026-11-22 09:00:01" in silent.detail
    never = look(5)[LASER]
    assert (never.state, never.fresh, never.since) == ("unreachable", False, None)


def test_a_bridge_that_goes_offline_takes_its_machines_with_it_and_nobody_elses(case: Case) -> None:
    tanger, rabat = case.outbox("tanger"), case.outbox("rabat")
    case.deliver([tanger.status(PRINTER, "idle", 0), rabat.status(RABATS, "idle", 0)])
    case.deliver([tanger.presence(online=False)], received=10)
    ids = [case.machines[slug].id for slug in (PRINTER, RABATS)]
    views = {view.machine_slug: view for view in statuses(case.session, ids, START, case.settings)}
    assert views[PRINTER].state == "unreachable"
    assert views[PRINTER].since == START + timedelta(seconds=10)
    assert "pi-1" in views[PRINTER].detail
    assert views[RABATS].state == "idle"
    case.deliver([tanger.presence(), tanger.status(PRINTER, "idle", 20)], received=20)
    views = {view.machine_slug: view for view in statuses(case.session, ids, START, case.settings)}
    assert views[PRINTER].state == "idle"


def test_a_late_will_of_an_earlier_start_does_not_take_a_bridge_offline(case: Case) -> None:
    outbox = case.outbox()
    case.deliver([outbox.presence(online=False, boot=uuid.uuid4())])
    bridge = case.session.scalars(select(Bridge).where(Bridge.id == case.bridges["tanger"].id)).one()
    assert bridge.online


# ---- cost ----


def test_a_large_batch_costs_as_many_statements_as_a_small_one(case: Case) -> None:
    outbox = case.outbox()
    counts = []
    engine = case.session.get_bind()

    def count(*_: object) -> None:
        counts[-1] += 1

    event.listen(engine, "before_cursor_execute", count)
    try:
        for readings, beats in ((5, 2), (500, 20)):
            counts.append(0)
            batch = [
                outbox.status(slug, ("idle", "running")[beat % 2], outbox.seq + beat)
                for beat in range(beats // 2)
                for slug in (PRINTER, LASER)
            ]
            batch += [outbox.hot((PRINTER, LASER)[n % 2], outbox.seq + n) for n in range(readings)]
            applied = case.deliver(batch)
            assert applied.held == applied.dead == applied.duplicates == 0
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert counts[0] == counts[1] <= 8
    assert case.session.scalar(text("SELECT count(*) FROM reading")) == 505


def test_live_viewers_hear_once_per_machine_and_batch(case: Case, database_url: str) -> None:
    import json

    import psycopg

    from tests.support.database import plain

    outbox = case.outbox()
    case.session.commit()
    with psycopg.connect(plain(database_url), autocommit=True) as listener:
        listener.execute("LISTEN fablab_live")
        case.deliver([outbox.hot(PRINTER, 0)])
        case.deliver([outbox.status(PRINTER, "idle", 1), *(outbox.hot(PRINTER, n) for n in range(2, 50))])
        case.session.commit()
        heard = [json.loads(note.payload) for note in listener.notifies(timeout=2, stop_after=2)]
    machine = case.machines[PRINTER]
    assert heard == [{"kind": "status", "machine": machine.id, "lab": machine.lab_id}]
