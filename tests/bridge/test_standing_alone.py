"""The bridge needs nothing of the server, little memory, and only what its own requirements list."""

import re
import subprocess
import sys
from pathlib import Path

import psutil

from tests.bridge.support import ServerDouble, bridge_url, running_bridge, until, write_settings
from tests.support.mosquitto import Mosquitto

PROJECT = Path(__file__).parents[2]

BAN = """
import importlib, pkgutil, sys
class Ban:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("flask", "sqlalchemy", "fablab", "marshmallow", "psycopg"):
            raise ImportError(f"the bridge must not import {name}")
sys.meta_path.insert(0, Ban())
import firmware_bridge
for module in pkgutil.walk_packages(firmware_bridge.__path__, "firmware_bridge."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
importlib.import_module("firmware_bridge.__main__")
tops = {name.partition(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)
        and "site-packages" in module.__file__}
print(" ".join(sorted(tops)))
"""


def test_it_imports_without_the_server_and_only_what_it_lists() -> None:
    result = subprocess.run(
        [sys.executable, "-c", BAN], capture_output=True, text=True, cwd=PROJECT, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    pins = (PROJECT / "config/requirements/bridge.txt").read_text()
    listed = {name.replace("-", "_") for name in re.findall(r"^([a-z0-9._-]+)==", pins, re.MULTILINE)}
    known_as = {"paho": "paho_mqtt", "websocket": "websocket_client"}
    listed.add("typing_extensions")  # msgspec takes it where it happens to be
    listed.add("dns")  # so does paho
    for top in result.stdout.split():
        if not top.startswith("_"):
            assert known_as.get(top, top) in listed, f"{top} is imported but not in bridge.txt"


def test_the_wire_package_needs_only_msgspec() -> None:
    program = (
        "import sys, firmware_bridge.wire.codec, firmware_bridge.wire.topics\n"
        "print(*{n.partition('.')[0] for n, m in sys.modules.items()"
        " if 'site-packages' in (getattr(m, '__file__', None) or '')})"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=PROJECT, check=True, timeout=60
    )
    found = {name for name in result.stdout.split() if not name.startswith("_")}
    assert found <= {"msgspec", "typing_extensions"}


def test_ten_printers_stay_under_80_megabytes(
    broker: Mosquitto, server: ServerDouble, tmp_path: Path
) -> None:
    # Refused connections keep the whole OctoPrint path of every machine busy: session, poller, push thread.
    machines = "".join(
        f'[[machine]]\nslug = "tanger-prusa-{number}"\ndriver = "octoprint"\n'
        f'url = "http://127.0.0.1:9"\napi_key = "K"\n'
        for number in range(1, 11)
    )
    with running_bridge(write_settings(tmp_path, bridge_url(broker), machines)) as bridge:
        until(lambda: all(server.state(f"tanger-prusa-{n}") == "unreachable" for n in range(1, 11)), 15)
        megabytes = psutil.Process(bridge.pid).memory_info().rss / 1e6
        assert megabytes < 80, f"{megabytes:.0f} MB"
