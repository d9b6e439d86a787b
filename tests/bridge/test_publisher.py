"""The bridge and a real Mosquitto: order, confirmation, outages, commands, last will."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from firmware_bridge.outbox import Outbox
from firmware_bridge.publisher import Publisher, probe
from firmware_bridge.reports import UNNUMBERED
from firmware_bridge.settings import Settings, load
from firmware_bridge.wire.messages import Ack, Command, Event, EventKind
from tests.bridge.support import (
    BRIDGE,
    LAB,
    ServerDouble,
    bridge_url,
    running_bridge,
    until,
    write_settings,
)
from tests.support.mosquitto import Mosquitto

MACHINE = "tanger-prusa-9"
# Of two lengths of jobs the longer makes the round: after a shorter one the machine would rest for minutes.
LIFE = "job_s = [86400, 86400]\nidle_s = [1, 2]\n"
SIMULATED = f'[[machine]]\nslug = "{MACHINE}"\ndriver = "simulated"\n{LIFE}'


class Sender:
    """A publisher with its outbox, inside the test's own process."""

    def __init__(self, settings: Settings) -> None:
        self.outbox = Outbox(settings.outbox_path)
        self.commands: list[tuple[str, Command]] = []
        self.publisher = Publisher(
            settings,
            self.outbox,
            uuid4(),
            lambda slug, command: self.commands.append((slug, command)),
            lambda: None,
        )

    def say(self, count: int = 1, *, age_s: float = 0.0) -> None:
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        event = Event(id=UNNUMBERED, at=at, historical=False, event=EventKind.POWER_ON)
        self.outbox.append(MACHINE, None, [event] * count)
        self.publisher.nudge()

    def start(self) -> None:
        self.publisher.start()
        until(lambda: self.publisher.connected, 20, "connected")

    def stop(self) -> None:
        self.publisher.stop()
        self.publisher.join(5)
        self.outbox.close()


@pytest.fixture
def settings(broker: Mosquitto, tmp_path: Path) -> Settings:
    return load(write_settings(tmp_path, bridge_url(broker), SIMULATED))


@pytest.fixture
def quick(broker: Mosquitto, tmp_path: Path) -> Settings:
    """Sends again after one second instead of thirty."""
    path = write_settings(tmp_path, bridge_url(broker), SIMULATED)
    path.write_text(path.read_text().replace("[broker]\n", "[broker]\nresend_after_s = 1\nwindow = 20\n"))
    return load(path)


@pytest.fixture
def sender(settings: Settings) -> Sender:
    return Sender(settings)


# --- refusals


def test_a_wrong_password_is_named(settings: Settings, broker: Mosquitto, tmp_path: Path) -> None:
    wrong = load(write_settings(tmp_path, bridge_url(broker).replace("p%40ss", "pass"), SIMULATED))
    well, words = probe(wrong)
    assert not well
    assert "Not authorized" in words
    assert probe(settings) == (True, "connected")


def test_an_absent_broker_is_named(settings: Settings, broker: Mosquitto) -> None:
    broker.stop()
    well, words = probe(settings)
    assert not well
    assert "refused" in words.lower()


@pytest.mark.parametrize("broken", ["flush", "read"])
def test_a_disk_that_fails_for_a_while_stops_nothing_for_good(
    sender: Sender, server: ServerDouble, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    failures: list[str] = []

    def fails(*_: object, **__: object) -> None:
        failures.append(broken)
        raise sqlite3.OperationalError("disk I/O error")

    sender.say()
    with monkeypatch.context() as patch:
        patch.setattr(sender.outbox, broken, fails)
        sender.publisher.start()
        until(lambda: failures, 20, "a failure")
    until(lambda: server.taken, 20, "the message")
    sender.stop()


def test_a_bridge_may_not_write_for_another_lab(sender: Sender, server: ServerDouble) -> None:
    sender.start()
    client = sender.publisher._client
    assert client is not None
    client.publish("fablab/1/rabat/rabat-prusa-1/event", b"{}", 1)
    client.publish(f"fablab/1/{LAB}/{BRIDGE}/committed", b"{}", 1, True)
    sender.say()
    until(lambda: server.taken)
    assert server.unreadable == []
    sender.stop()


# --- order and confirmation


def test_messages_arrive_once_each_in_order_and_are_forgotten_when_confirmed(
    sender: Sender, server: ServerDouble
) -> None:
    sender.start()
    for _ in range(30):
        sender.say(20)
    until(lambda: len(server.taken) == 600, 15)
    assert server.deliveries == list(range(1, 601))
    until(lambda: sender.outbox.backlog == 0, 20, "forgotten")
    sender.stop()


def test_an_acknowledged_but_unconfirmed_message_is_kept(sender: Sender, server: ServerDouble) -> None:
    server.confirm = False
    sender.start()
    sender.say(5)
    until(lambda: len(server.taken) == 5)
    assert sender.outbox.backlog == 5
    sender.stop()


def test_without_confirmation_they_are_sent_again(quick: Settings, server: ServerDouble) -> None:
    server.confirm = False
    sender = Sender(quick)
    sender.start()
    sender.say(30)
    until(lambda: len(server.deliveries) >= 40, 15, "the window again")
    assert server.deliveries[:20] == list(range(1, 21)), "no more than the window"
    assert set(server.deliveries) == set(range(1, 21))
    server.confirm = True
    server.say_committed(sender.outbox.id, 20)
    until(lambda: sender.outbox.backlog == 0, 15)
    assert [message.id.seq for _, message in server.taken] == list(range(1, 31))
    sender.stop()


def test_a_server_that_lost_something_gets_it_again(sender: Sender, server: ServerDouble) -> None:
    server.confirm = False
    sender.start()
    sender.say(10)
    until(lambda: len(server.deliveries) == 10)
    server.say_committed(sender.outbox.id, 8)
    until(lambda: sender.outbox.committed == 8)
    server.say_committed(sender.outbox.id, 6)
    until(lambda: server.deliveries[10:] == [9, 10], 20, "what is still there is sent again")
    sender.stop()


def test_another_outbox_confirmation_is_not_ours(sender: Sender, server: ServerDouble) -> None:
    server.confirm = False
    sender.start()
    sender.say(3)
    until(lambda: len(server.deliveries) == 3)
    server.say_committed(UUID(int=7), 3)
    server.say_committed(sender.outbox.id, 2)
    until(lambda: sender.outbox.committed == 2, what="the second word; the first would have been 3")
    sender.stop()


def test_a_restored_old_copy_of_the_outbox_begins_a_new_one(sender: Sender, server: ServerDouble) -> None:
    before = sender.outbox.id
    server.committed[before] = 500
    server.say_committed(before, 500)
    sender.say(3)
    sender.start()
    until(lambda: len(server.taken) == 3, 20, "all three under the new identity")
    assert sender.outbox.id != before
    assert server.presences[-1].outbox == sender.outbox.id
    sender.stop()


def test_while_the_server_is_away_data_is_held(sender: Sender, server: ServerDouble) -> None:
    sender.start()
    until(lambda: sender.publisher._window.server_online, 20, "the presence that was there before")
    server.say_presence(False)
    until(lambda: not sender.publisher._window.server_online)
    sender.say(5)
    sender.say(1)
    until(lambda: sender.outbox.last_seq == 6, 2)
    assert server.deliveries == []
    server.say_presence(True)
    until(lambda: server.deliveries == [1, 2, 3, 4, 5, 6])
    sender.stop()


# --- outages


def test_a_broker_that_forgets_everything_loses_nothing(
    sender: Sender, server: ServerDouble, broker: Mosquitto
) -> None:
    server.confirm = False
    sender.start()
    sender.say(50)
    until(lambda: len(server.taken) == 50)
    broker.kill()
    broker.forget()
    until(lambda: not sender.publisher.connected)
    sender.say(50)
    server.confirm = True
    broker.start()
    until(lambda: len(server.taken) == 100, 30)
    assert [message.id.seq for _, message in server.taken] == list(range(1, 101))
    late = [message.historical for _, message in server.taken]
    assert late == [False] * 50 + [True] * 50
    sender.stop()


def test_old_messages_are_marked_historical(sender: Sender, server: ServerDouble) -> None:
    sender.start()
    until(lambda: server.presences, 20, "connected, or both were made while the line was down")
    sender.say(age_s=31)
    sender.say(age_s=1)
    until(lambda: len(server.taken) == 2)
    assert [message.historical for _, message in server.taken] == [True, False]
    sender.stop()


def test_kill_dash_nine_of_the_bridge_loses_and_repeats_nothing(
    broker: Mosquitto, server: ServerDouble, tmp_path: Path
) -> None:
    settings = write_settings(tmp_path, bridge_url(broker), SIMULATED)
    for count in (1, 2, 3):
        taken = len(server.taken)
        with running_bridge(settings) as bridge:
            until(lambda count=count: sum(p.online for p in server.presences) == count)
            until(lambda taken=taken: len(server.taken) > taken)
            bridge.kill()
            bridge.wait()
        until(lambda: not server.presences[-1].online, 20, "the last will")
    assert len(server.committed) == 1
    numbers = [message.id.seq for _, message in server.taken]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({p.boot for p in server.presences if p.online}) == 3


def test_a_stopped_bridge_says_goodbye_within_two_seconds(
    broker: Mosquitto, server: ServerDouble, tmp_path: Path
) -> None:
    with running_bridge(write_settings(tmp_path, bridge_url(broker), SIMULATED)) as bridge:
        until(lambda: server.status(MACHINE))
        began = time.monotonic()
        bridge.send_signal(signal.SIGTERM)
        assert bridge.wait(5) == 0
        assert time.monotonic() - began < 2
    until(lambda: not server.presences[-1].online, 3)


def test_a_newcomer_finds_presence_and_status_retained(
    broker: Mosquitto, server: ServerDouble, tmp_path: Path
) -> None:
    with running_bridge(write_settings(tmp_path, bridge_url(broker), SIMULATED)):
        until(lambda: server.status(MACHINE))
        late = ServerDouble(broker, confirm=False)
        late.client._client_id = b"newcomer"
        late.start()
        until(lambda: late.presences)
        assert late.presences[0].machines == [MACHINE]
        until(lambda: late.deliveries)
        late.stop()


# --- commands


def order(action: str, seconds: float = 30, for_job: UUID | None = None) -> Command:
    return Command(
        id=uuid4(), action=action, expires_at=datetime.now(UTC) + timedelta(seconds=seconds), for_job=for_job
    )


def answers(server: ServerDouble) -> dict[UUID, Ack]:
    return {m.command: m for _, m in list(server.taken) if isinstance(m, Ack)}


def test_commands_are_judged_carried_out_and_answered_once(
    broker: Mosquitto, server: ServerDouble, tmp_path: Path
) -> None:
    with running_bridge(write_settings(tmp_path, bridge_url(broker), SIMULATED)):
        until(lambda: (s := server.status(MACHINE)) and s.job, 15, "a job runs")
        status = server.status(MACHINE)
        assert status is not None
        assert status.job is not None
        refused = [
            order("self-destruct"),
            order("cancel", -1),
            order("cancel", for_job=uuid4()),
            order("power_off"),
        ]
        for command in refused:
            server.command(MACHINE, command)
        until(lambda: len(answers(server)) == 4)
        for command in refused:
            assert not answers(server)[command.id].ok
            assert answers(server)[command.id].detail
        assert server.state(MACHINE) == "running"

        pause = order("pause", for_job=status.job.id)
        server.command(MACHINE, pause)
        server.command(MACHINE, pause)
        until(lambda: server.state(MACHINE) == "paused")
        server.command(MACHINE, order("cancel", for_job=status.job.id))
        until(lambda: server.ended(MACHINE))
        [ended] = server.ended(MACHINE)
        assert ended.job is not None
        assert ended.job.outcome == "cancelled"
        assert len([m for _, m in server.taken if isinstance(m, Ack) and m.command == pause.id]) == 1


def test_unreadable_commands_harm_nobody(broker: Mosquitto, server: ServerDouble, tmp_path: Path) -> None:
    with running_bridge(write_settings(tmp_path, bridge_url(broker), SIMULATED)):
        until(lambda: server.status(MACHINE))
        topic = f"fablab/1/{LAB}/{MACHINE}/command"
        for payload in (b"", b"{", b"\xff", b"[]", b'{"id":1}', b"x" * 100_000):
            server.client.publish(topic, payload, 1)
        server.client.publish(f"fablab/1/{LAB}/somebody-else/command", json.dumps({"id": 1}), 1)
        fine = order("pause")
        server.command(MACHINE, fine)
        until(lambda: fine.id in answers(server))


def test_secrets_are_in_no_log(broker: Mosquitto, server: ServerDouble, tmp_path: Path) -> None:
    printer = '[[machine]]\nslug = "tanger-prusa-1"\ndriver = "octoprint"\nurl = "http://127.0.0.1:9"\n'
    machines = printer + 'api_key = "VERYSECRETKEY"\n' + SIMULATED
    with running_bridge(write_settings(tmp_path, bridge_url(broker), machines)):
        until(lambda: server.state("tanger-prusa-1") == "unreachable")
        until(lambda: "is unreachable" in (tmp_path / "bridge.log").read_text())
    log = (tmp_path / "bridge.log").read_text()
    assert "connection refused" in log
    assert log.count("tanger-prusa-1 is unreachable") == 1
    assert "VERYSECRETKEY" not in log
    assert "p@ss" not in log
    assert "p%40ss" not in log


def test_nothing_is_left_running(tmp_path: Path, is_running: Callable[[int], bool]) -> None:
    settings = write_settings(tmp_path, "mqtt://127.0.0.1:9", SIMULATED)
    with running_bridge(settings) as bridge:
        until(lambda: "cannot connect" in (tmp_path / "bridge.log").read_text())
        began = time.monotonic()
        bridge.send_signal(signal.SIGTERM)
        bridge.wait(5)
        assert time.monotonic() - began < 2
    assert not is_running(bridge.pid)


@pytest.fixture
def is_running() -> Callable[[int], bool]:
    def alive(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    return alive
