"""Hosts that refuse, lie or never answer: each is shown for what it is, and the healthy ones do not wait."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import machines_of, make_broker, wait_for_state
from tests.journeys.stack import Machine, Stack, eventually
from tests.support.database import migrated_database
from tests.support.octoprint import OctoPrintFarm
from tests.support.ports import free_port


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def test_each_bad_host_is_named_and_the_healthy_one_is_quick(
    postgres_url: str, octoprint_farm: OctoPrintFarm, tmp_path: Path, silent_port: int
) -> None:
    broker = make_broker(tmp_path / "mosquitto")
    broker.start()
    [server, *_] = octoprint_farm(1)
    [healthy] = machines_of([server])
    bad = [
        Machine("tanger-prusa-2", server.url, "WRONG" * 6),
        Machine("tanger-prusa-3", f"http://127.0.0.1:{free_port()}", server.api_key),
        Machine("tanger-laser-1", f"http://127.0.0.1:{silent_port}", server.api_key),
    ]
    with migrated_database(postgres_url) as url:
        stack = Stack(tmp_path, url, broker, [*bad, healthy])
        stack.load_sample()
        stack.start()
        try:
            nadia = stack.sign_in("nadia@example.org")
            wait_for_state(nadia, "tanger-prusa-1", "idle", 40)
            details = {
                machine.slug: eventually(
                    lambda slug=machine.slug: nadia.get(f"/machines/{slug}/status"),
                    lambda seen: seen["state"] == "unreachable" and seen["seen_at"] and seen["detail"],
                    30,
                    f"{machine.slug} unreachable with a reason",
                )["detail"]
                for machine in bad
            }
            assert "key" in details["tanger-prusa-2"].lower()
            assert "refused" in details["tanger-prusa-3"].lower()
            assert "answer" in details["tanger-laser-1"].lower()

            server.print_file("job_3s.gcode")
            wait_for_state(nadia, "tanger-prusa-1", "running", 2)
            wait_for_state(nadia, "tanger-prusa-1", "idle", 20)
        finally:
            stack.stop()
            broker.kill()
