"""Fixtures of the bridge's tests: a broker with a bridge's rights, and a server that only counts."""

from collections.abc import Callable, Iterator

import pytest

from tests.bridge.support import USERS, ServerDouble
from tests.support.mosquitto import Mosquitto


@pytest.fixture
def broker(mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A real Mosquitto that knows the server and bridge tanger/pi-1."""
    return mosquitto(USERS)


@pytest.fixture
def server(broker: Mosquitto) -> Iterator[ServerDouble]:
    """The network's server as far as a bridge can tell."""
    double = ServerDouble(broker)
    double.start()
    yield double
    double.stop()
