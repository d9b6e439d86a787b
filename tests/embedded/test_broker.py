"""The embedded broker enforces the contract's rights on real MQTT clients."""

import json
import queue
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from fablab.embedded.broker_rights import User, write_credentials
from fablab.embedded.process import birth_options, wait_until
from fablab.telemetry.broker_accounts import hash_password
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port, wait_listening

SERVER = ("server", "server-password")
TANGER = ("bridge-tanger-pi-1", "tanger-password")
RABAT = ("bridge-rabat-pi-1", "rabat-password")
SERVER_HASH = hash_password(SERVER[1])
BRIDGES = [
    (TANGER[0], User(hash_password(TANGER[1]), "tanger", "pi-1")),
    (RABAT[0], User(hash_password(RABAT[1]), "rabat", "pi-1")),
]


class Broker:
    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.credentials = directory / "accounts.json"
        self.log = directory / "broker.log"
        write_credentials(self.credentials, SERVER_HASH, BRIDGES)
        config = directory / "broker.json"
        config.write_text(json.dumps({"port": self.port, "credentials": str(self.credentials)}))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fablab.embedded.broker", "--config", str(config)],
                stderr=log,
                **birth_options(),
            )
        wait_listening(self.port)


class Client:
    """A paho client that records what it gets."""

    def __init__(self, port: int, account: tuple[str, str] | None, **options: Any) -> None:
        will = options.pop("will", None)
        self.paho = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.pop("client_id", uuid.uuid4().hex),
            clean_session=options.pop("clean_session", True),
            reconnect_on_failure=False,
        )
        if account:
            self.paho.username_pw_set(*account)
        if will:
            self.paho.will_set(*will)
        self.messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()
        self.granted: queue.Queue[Any] = queue.Queue()
        self.lost: queue.Queue[Any] = queue.Queue()
        self.paho.on_connect = lambda client, data, flags, reason, properties: self.answers.put(reason)
        self.paho.on_disconnect = lambda client, data, flags, reason, properties: self.lost.put(reason)
        self.paho.on_subscribe = lambda client, data, mid, reasons, properties: self.granted.put(reasons)
        self.paho.on_message = lambda client, data, message: self.messages.put(message)
        self.paho.connect("127.0.0.1", port)
        self.paho.loop_start()
        self.accepted = not self.answers.get(timeout=20).is_failure

    def subscribe(self, topic_filter: str) -> bool:
        self.paho.subscribe(topic_filter, qos=1)
        return not any(reason.is_failure for reason in self.granted.get(timeout=20))

    def publish(self, topic: str, text: str = "{}", retain: bool = False) -> None:
        self.paho.publish(topic, text, qos=1, retain=retain).wait_for_publish(20)

    def next(self, timeout: float = 20) -> tuple[str, str]:
        message = self.messages.get(timeout=timeout)
        return message.topic, message.payload.decode()

    def until(self, text: str) -> list[str]:
        """Every text that arrives up to and including `text`."""
        texts = [self.next()[1]]
        while texts[-1] != text:
            texts.append(self.next()[1])
        return texts

    def cut(self) -> None:
        """Break the line without a DISCONNECT, as a power cut does."""
        sock = self.paho.socket()
        assert sock is not None
        sock.close()

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.process.terminate()
    assert broker.process.wait(6) == 0


@pytest.fixture
def join(broker: Broker) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(account: tuple[str, str] | None, **options: Any) -> Client:
        clients.append(Client(broker.port, account, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_without_a_name_nobody_gets_in(join: Callable[..., Client]) -> None:
    assert not join(None).accepted


def test_a_wrong_password_or_an_unknown_name_does_not_get_in(join: Callable[..., Client]) -> None:
    assert not join((SERVER[0], "wrong")).accepted
    assert not join((TANGER[0], RABAT[1])).accepted
    assert not join(("nobody", SERVER[1])).accepted


def test_a_last_will_outside_ones_rights_does_not_get_in(join: Callable[..., Client]) -> None:
    assert not join(TANGER, will=("fablab/1/rabat/pi-1/presence", "{}", 1, True)).accepted
    assert not join(TANGER, will=("fablab/1/tanger/tanger-prusa-1/command", "{}", 1, False)).accepted


@pytest.mark.parametrize(
    "topic_filter",
    ["#", "fablab/1/#", "fablab/1/tanger/#", "fablab/1/rabat/+/command", "fablab/1/tanger/+/status"],
)
def test_a_bridge_is_refused_a_subscription(join: Callable[..., Client], topic_filter: str) -> None:
    assert join(TANGER).subscribe(topic_filter) is False


@pytest.mark.parametrize(
    "topic",
    [
        "fablab/1/rabat/rabat-prusa-1/status",
        "fablab/1/tanger/tanger-prusa-1/command",
        "fablab/1/tanger/pi-1/committed",
        "fablab/1/tanger/pi-2/presence",
        "fablab/1/server/presence",
    ],
)
def test_what_a_bridge_may_not_write_reaches_nobody(join: Callable[..., Client], topic: str) -> None:
    server, bridge = join(SERVER), join(TANGER)
    assert server.subscribe("fablab/1/#")
    bridge.publish(topic, "forged", retain=True)
    bridge.publish("fablab/1/tanger/pi-1/ack", "after it")
    assert "forged" not in server.until("after it")
    later = join(SERVER)
    assert later.subscribe(topic)
    later.publish(topic, "the only one")
    assert "forged" not in later.until("the only one")


def test_another_labs_retained_messages_are_not_handed_out_on_connection(join: Callable[..., Client]) -> None:
    server = join(SERVER, client_id="ingest", clean_session=False)
    assert server.subscribe("fablab/1/#")
    server.publish("fablab/1/rabat/rabat-prusa-1/status", "private", retain=True)
    bridge = join(TANGER)
    assert bridge.subscribe("fablab/1/tanger/+/command")
    server.publish("fablab/1/tanger/tanger-prusa-1/command", "for you")
    assert bridge.next() == ("fablab/1/tanger/tanger-prusa-1/command", "for you")
    assert bridge.messages.empty()
    server.publish("fablab/1/rabat/rabat-prusa-1/status", "", retain=True)


def test_a_stranger_with_the_same_client_id_disturbs_nobody(join: Callable[..., Client]) -> None:
    bridge = join(TANGER, client_id="pi-at-work", clean_session=False)
    assert bridge.subscribe("fablab/1/tanger/+/command")
    assert not join((TANGER[0], "wrong"), client_id="pi-at-work", clean_session=True).accepted
    assert not join(RABAT, client_id="pi-at-work", clean_session=False).accepted
    join(SERVER).publish("fablab/1/tanger/tanger-prusa-1/command", "still there")
    assert bridge.next()[1] == "still there"
    assert bridge.lost.empty()


def test_a_bridge_tells_and_is_told(join: Callable[..., Client]) -> None:
    server, bridge = join(SERVER), join(TANGER)
    assert server.subscribe("fablab/1/tanger/+/status")
    assert bridge.subscribe("fablab/1/tanger/+/command")
    assert bridge.subscribe("fablab/1/tanger/pi-1/committed")
    bridge.publish("fablab/1/tanger/tanger-prusa-1/status", "idle")
    assert server.next() == ("fablab/1/tanger/tanger-prusa-1/status", "idle")
    server.publish("fablab/1/tanger/pi-1/committed", '{"seq": 1}', retain=True)
    assert bridge.next() == ("fablab/1/tanger/pi-1/committed", '{"seq": 1}')


def test_what_is_retained_greets_the_next_subscriber(join: Callable[..., Client]) -> None:
    join(SERVER).publish("fablab/1/server/presence", '{"online": true}', retain=True)
    bridge = join(TANGER)
    assert bridge.subscribe("fablab/1/server/presence")
    assert bridge.next() == ("fablab/1/server/presence", '{"online": true}')


def test_the_last_will_of_a_bridge_is_carried_out(join: Callable[..., Client]) -> None:
    server = join(SERVER)
    assert server.subscribe("fablab/1/tanger/pi-1/presence")
    bridge = join(TANGER, will=("fablab/1/tanger/pi-1/presence", "gone", 1, True))
    bridge.cut()
    assert server.until("gone")
    late = join(SERVER)
    assert late.subscribe("fablab/1/tanger/pi-1/presence")
    assert late.until("gone")


def test_a_waiting_session_gets_what_was_said_meanwhile(join: Callable[..., Client]) -> None:
    bridge = join(TANGER, client_id="pi-away", clean_session=False)
    assert bridge.subscribe("fablab/1/tanger/+/command")
    bridge.close()
    join(SERVER).publish("fablab/1/tanger/tanger-prusa-1/command", "later")
    back = join(TANGER, client_id="pi-away", clean_session=False)
    assert back.next() == ("fablab/1/tanger/tanger-prusa-1/command", "later")


def test_a_bridge_comes_back_under_its_second_account(broker: Broker, join: Callable[..., Client]) -> None:
    second = (f"{TANGER[0]}.2", "a new password")
    user = User(hash_password(second[1]), "tanger", "pi-1")
    bridge = join(TANGER, client_id="pi-1", clean_session=False)
    assert bridge.subscribe("fablab/1/tanger/+/command")
    bridge.close()
    assert not join(RABAT, client_id="pi-1", clean_session=False).accepted, "another's queue"
    write_credentials(broker.credentials, SERVER_HASH, [*BRIDGES, (second[0], user)])
    assert wait_until(lambda: join(second, client_id="other").accepted, 20, pause=0.2)
    join(SERVER).publish("fablab/1/tanger/tanger-prusa-1/command", "kept")
    back = join(second, client_id="pi-1", clean_session=False)
    assert back.next() == ("fablab/1/tanger/tanger-prusa-1/command", "kept")


def test_new_and_removed_accounts_count_without_a_restart(
    broker: Broker, join: Callable[..., Client]
) -> None:
    newcomer = ("bridge-agadir-pi-1", "agadir-password")
    assert not join(newcomer).accepted
    write_credentials(
        broker.credentials,
        SERVER_HASH,
        [*BRIDGES, (newcomer[0], User(hash_password(newcomer[1]), "agadir", "pi-1"))],
    )
    assert wait_until(lambda: join(newcomer).accepted, 20, pause=0.2)
    bridge, server = join(newcomer), join(SERVER)
    assert server.subscribe("fablab/1/agadir/#")
    write_credentials(broker.credentials, SERVER_HASH, BRIDGES)
    assert wait_until(lambda: not join(newcomer).accepted, 20, pause=0.2)
    bridge.publish("fablab/1/agadir/pi-1/ack", "from the past")
    server.publish("fablab/1/agadir/pi-1/ack", "now")
    assert server.next()[1] == "now"


def test_mosquitto_takes_the_same_hash(mosquitto: Callable[..., Mosquitto]) -> None:
    other = mosquitto({SERVER[0]: "replaced below"})
    other.stop()
    (other.directory / "passwords").write_text(f"{SERVER[0]}:{SERVER_HASH}\n")
    other.start()
    wrong, right = Client(other.port, (SERVER[0], "wrong")), Client(other.port, SERVER)
    assert (wrong.accepted, right.accepted) == (False, True)
    wrong.close()
    right.close()


def test_the_log_names_the_refused_and_no_secret(broker: Broker, join: Callable[..., Client]) -> None:
    join((SERVER[0], "wrong-password"))
    join(TANGER).subscribe("fablab/1/#")
    text = broker.log.read_text()
    assert "refused: 'bridge-tanger-pi-1' may not read 'fablab/1/#'" in text
    assert "password'" not in text
    assert "Traceback" not in text
    assert all(secret not in text for secret in ("wrong-password", SERVER[1], TANGER[1]))


def test_it_is_small(broker: Broker) -> None:
    import psutil

    assert psutil.Process(broker.process.pid).memory_info().rss < 50 * 1024 * 1024


def test_a_taken_port_is_one_clear_line(broker: Broker, tmp_path: Path) -> None:
    config = tmp_path / "broker.json"
    config.write_text(json.dumps({"port": broker.port, "credentials": str(broker.credentials)}))
    done = subprocess.run(
        [sys.executable, "-m", "fablab.embedded.broker", "--config", config],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr
