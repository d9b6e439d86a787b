"""Commands as a person types them, run in the test's process."""

from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from fablab.cli import main

Fablab = Callable[..., Result]


def command_line(database_url: str, data_dir: Path) -> Fablab:
    """A function that runs a command on this database; its `given` is the command's input."""

    def run(*command: str, given: str = "", **environ: str) -> Result:
        environment = {
            "DATABASE_URL": database_url,
            "FABLAB_MQTT_URL": "",
            "FABLAB_SECRET_KEY": "0" * 40,
            "FABLAB_DATA_DIR": str(data_dir),
            **environ,
        }
        return CliRunner().invoke(main, command, input=given, env=environment, catch_exceptions=False)

    return run


def refused(done: Result, says: str) -> None:
    """The command failed and said why."""
    assert done.exit_code != 0, done.stdout
    assert says in done.stderr
