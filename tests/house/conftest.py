"""What the tests of commands share."""

from pathlib import Path

import pytest

from tests.support.command_line import Fablab, command_line


@pytest.fixture
def fablab(database_url: str, tmp_path: Path) -> Fablab:
    """Run a command on the test's database, in this process; `given` is its input."""
    return command_line(database_url, tmp_path / "data")
