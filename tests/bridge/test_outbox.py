"""The outbox: nothing announced is lost, no number is given twice, and no number is missing."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from firmware_bridge.memory import Memory
from firmware_bridge.outbox import Outbox, OutboxInUse
from firmware_bridge.reports import UNNUMBERED
from firmware_bridge.wire.codec import decode
from firmware_bridge.wire.messages import Ack, Event, EventKind, MachineState, Reading

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
EVENT = Event(id=UNNUMBERED, at=NOW, historical=False, event=EventKind.POWER_ON)
READING = Reading(id=UNNUMBERED, at=NOW, historical=False, power_w=5.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "outbox.sqlite"


def test_a_second_process_is_refused(path: Path) -> None:
    outbox = Outbox(path)
    with pytest.raises(OutboxInUse, match="another bridge"):
        Outbox(path)
    outbox.close()
    Outbox(path).close()


def test_a_message_that_breaks_the_contract_takes_no_number(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(path)
    silly = Reading(id=UNNUMBERED, at=NOW, historical=False, power_w=1e12)
    outbox.append("laser", None, [silly, EVENT])
    [parcel] = outbox.read(0, 10)
    assert parcel.seq == 1
    assert "dropped" in caplog.text


def test_a_damaged_file_is_put_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database " * 1000)
    outbox = Outbox(path)
    outbox.append("laser", None, [EVENT])
    assert len(list(path.parent.glob("*.damaged-*"))) == 1
    assert "damaged" in caplog.text


def test_only_the_owner_may_read_it(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append("laser", None, [EVENT])
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file.name


def test_numbers_count_up_by_one_and_go_into_the_messages(path: Path) -> None:
    outbox = Outbox(path)
    for _ in range(3):
        outbox.append("laser", None, [EVENT, READING])
    outbox.flush()
    for expected, parcel in enumerate(outbox.read(0, 10), start=1):
        message = decode(parcel.kind, parcel.body)
        assert isinstance(message, Event | Reading | Ack)
        assert (parcel.seq, message.id.seq, message.id.outbox) == (expected, expected, outbox.id)


def test_readings_wait_for_company_and_are_not_offered_before(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append("laser", None, [READING])
    assert outbox.read(0, 10) == []
    outbox.flush(if_older_than_s=60)
    assert outbox.read(0, 10) == []
    outbox.append("laser", None, [EVENT])
    assert [parcel.seq for parcel in outbox.read(0, 10)] == [1, 2]


def test_identity_numbers_and_memory_survive_a_restart(path: Path) -> None:
    outbox = Outbox(path)
    memory = Memory(state=MachineState.IDLE, since=NOW)
    outbox.append("laser", memory, [EVENT, EVENT])
    outbox.forget(1)
    identity = outbox.id
    outbox.close()
    outbox = Outbox(path)
    assert (outbox.id, outbox.last_seq, outbox.committed, outbox.backlog) == (identity, 2, 1, 1)
    assert outbox.recall("laser") == memory
    assert outbox.recall("printer") == Memory()
    outbox.append("laser", None, [EVENT])
    assert [parcel.seq for parcel in outbox.read(0, 10)] == [2, 3]


def test_only_what_the_server_has_is_forgotten(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append("laser", None, [EVENT] * 5)
    outbox.forget(3)
    outbox.forget(2)
    assert [parcel.seq for parcel in outbox.read(0, 10)] == [4, 5]
    outbox.forget(10**9)
    assert outbox.committed == 5


def test_an_old_copy_gets_a_new_identity_and_keeps_its_messages(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append("laser", None, [EVENT] * 5)
    outbox.forget(3)
    before = outbox.id
    outbox.renew()
    assert outbox.id != before
    assert [parcel.seq for parcel in outbox.read(0, 10)] == [1, 2]
    assert all(str(outbox.id) in parcel.body.decode() for parcel in outbox.read(0, 10))
    outbox.append("laser", None, [EVENT])
    assert outbox.last_seq == 3


def test_a_renewal_that_the_disk_refuses_changes_nothing(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append("laser", None, [EVENT] * 5)
    outbox.forget(3)
    outbox.flush()
    before = outbox.id, outbox.last_seq, outbox.committed
    outbox._connection.execute(
        "create temp trigger full before update on identity begin select raise(abort, 'full'); end"
    )
    with pytest.raises(sqlite3.Error, match="full"):
        outbox.renew()
    assert (outbox.id, outbox.last_seq, outbox.committed) == before
    outbox._connection.execute("drop trigger full")
    assert [parcel.seq for parcel in outbox.read(0, 10)] == [4, 5]
    outbox.append("laser", None, [EVENT])
    outbox.renew()
    assert [parcel.seq for parcel in outbox.read(0, 10)] == [1, 2, 3]


def fill(outbox: Outbox) -> None:
    for _ in range(1000):
        outbox.append("laser", None, [EVENT] * 20)


def test_a_failing_disk_leaves_no_hole(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append("laser", None, [EVENT])
    pages = outbox._connection.execute("pragma page_count").fetchone()[0]
    outbox._connection.execute(f"pragma max_page_count={pages}")
    with pytest.raises(sqlite3.Error):
        fill(outbox)
    stored = outbox.last_seq
    outbox._connection.execute("pragma max_page_count=100000")
    outbox.append("laser", None, [EVENT])
    assert outbox.last_seq == stored + 1
    assert [parcel.seq for parcel in outbox.read(0, 10**6)] == list(range(1, stored + 2))


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from firmware_bridge.memory import Memory
from firmware_bridge.outbox import Outbox
from firmware_bridge.reports import UNNUMBERED
from firmware_bridge.wire.messages import Event, EventKind, Reading
outbox = Outbox(Path(sys.argv[1]))
now = datetime.now(UTC)
event = Event(id=UNNUMBERED, at=now, historical=False, event=EventKind.POWER_ON)
reading = Reading(id=UNNUMBERED, at=now, historical=False, power_w=5.0)
while True:
    outbox.append("laser", Memory(detail=str(outbox.last_seq + 3)), [reading, reading, event])
    print(outbox.durable_seq, flush=True)
"""


def test_kill_dash_nine_leaves_no_hole_and_no_number_twice(path: Path) -> None:
    announced: list[int] = []
    for round_number in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        announced.append(int(process.stdout.readline()))
        time.sleep(0.013 * round_number)  # a different moment in each round
        os.kill(process.pid, signal.SIGKILL)
        rest = [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        process.wait()
        announced += rest
    outbox = Outbox(path)
    numbers = [parcel.seq for parcel in outbox.read(0, 10**7)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert announced == sorted(set(announced)), "a number was announced twice"
    assert numbers[-1] >= announced[-1], "an announced message is gone"
    assert outbox.recall("laser").detail == str(numbers[-1])


def test_two_files_are_two_outboxes(tmp_path: Path) -> None:
    one, two = Outbox(tmp_path / "one"), Outbox(tmp_path / "two")
    assert one.id != two.id
    assert uuid4() not in (one.id, two.id)
