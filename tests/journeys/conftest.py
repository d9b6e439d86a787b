"""One running product for the journeys, on real OctoPrint, Mosquitto and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fablab.embedded.octoprint import OctoPrintServer
from tests.journeys.stack import Api, Machine, Stack, eventually
from tests.support.database import migrated_database
from tests.support.missing import missing
from tests.support.mosquitto import PROGRAM, Mosquitto
from tests.support.octoprint import OctoPrintFarm


def make_broker(folder: Path) -> Mosquitto:
    if PROGRAM is None:
        missing("Mosquitto is not installed (Debian package: mosquitto)")
    return Mosquitto(folder, {"server": "server-password", "bridge-tanger-pi-1": "bridge-password"})


def machines_of(servers: list[OctoPrintServer]) -> list[Machine]:
    return [
        Machine(f"tanger-prusa-{number}", server.url, server.api_key)
        for number, server in enumerate(servers, start=1)
    ]


@pytest.fixture(scope="session")
def stack(
    postgres_url: str, octoprint_farm: OctoPrintFarm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Two machines of Tanger, alive. Shared by every journey that kills nothing of ours."""
    folder = tmp_path_factory.mktemp("stack")
    broker = make_broker(folder / "mosquitto")
    servers = octoprint_farm(2)
    broker.start()
    with migrated_database(postgres_url) as url:
        stack = Stack(folder, url, broker, machines_of(servers))
        stack.load_sample()
        stack.start()
        yield stack
        stack.stop()
    broker.kill()


@pytest.fixture
def printers(sign_in: Callable[[str], Api], octoprint_farm: OctoPrintFarm) -> list[OctoPrintServer]:
    """The two OctoPrint servers behind tanger-prusa-1 and -2, operational and seen as idle."""
    servers = octoprint_farm(2)
    for machine in ("tanger-prusa-1", "tanger-prusa-2"):
        wait_for_state(sign_in("nadia"), machine, "idle", 40)
    return servers


@pytest.fixture(scope="session")
def sign_in(stack: Stack) -> Callable[[str], Api]:
    """`sign_in("amina")`: a client with that member's token, made once."""
    clients: dict[str, Api] = {}

    def client(name: str) -> Api:
        if name not in clients:
            clients[name] = stack.sign_in(f"{name}@example.org")
        return clients[name]

    return client


def wait_for_state(api: Api, machine: str, state: str, within_s: float) -> dict[str, object]:
    """The machine's status as soon as it shows this state and is fresh."""
    status: dict[str, object] = eventually(
        lambda: api.get(f"/machines/{machine}/status"),
        lambda seen: seen["state"] == state and seen["fresh"],
        within_s,
        f"{machine} {state}",
    )
    return status
