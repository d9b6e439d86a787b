"""What the tests of commands share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures_cast import Cast
from tests.support.command_line import Fablab, command_line
from tests.support.configured_broker import RealBroker
from tests.support.missing import missing
from tests.support.mosquitto import PROGRAM
from tests.support.ports import free_port


@pytest.fixture
def fablab(database_url: str, tmp_path: Path) -> Fablab:
    """Run a command on the test's database, in this process; `given` is its input."""
    return command_line(database_url, tmp_path / "data")


@pytest.fixture
def broker(fablab: Fablab, cast: Cast, tmp_path: Path) -> Iterator[RealBroker]:
    """A real Mosquitto that knows a bridge of Tanger and one of Rabat."""
    if PROGRAM is None:
        missing("Mosquitto is not installed (Debian package: mosquitto)")
    real = RealBroker(fablab, tmp_path / "mosquitto", free_port(), {"server": "a p@ss/word"})
    for lab in ("tanger", "rabat"):
        real.account("add", lab, "pi-1")
    real.write()
    real.start()
    yield real
    assert real.process is not None
    real.process.kill()
    real.process.wait(10)
