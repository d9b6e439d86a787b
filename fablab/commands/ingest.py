"""`fablab ingest`: takes bridges' messages from the broker into the database until it is told to stop."""

from __future__ import annotations

import signal
import threading

import click

from fablab.logs import log_to_stderr
from fablab.mqtt.ingest import Ingest
from fablab.settings import SettingsError, load_settings


def run_ingest() -> None:
    """Work until SIGTERM or Ctrl-C; raises ClickException for a setting that cannot be used."""
    log_to_stderr()
    try:
        process = Ingest(load_settings())
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    process.run(stop)
